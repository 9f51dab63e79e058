-- Warns, since account_readiness holds the budgets of an account that does not add up; the others go on.
{{ config(
    severity='warn',
    meta={'dagster': {'ref': {'name': 'ad_reporting__ad_report'}}},
) }}

{{ ads_against_account('spend', env_var('STAKAZO_RECONCILIATION_TOLERANCE', '0.01')) }}
