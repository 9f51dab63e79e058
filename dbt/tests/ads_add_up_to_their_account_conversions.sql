-- Wider than spend's: the two levels may be fetched moments apart while conversions still come in.
{{ config(
    severity='warn',
    meta={'dagster': {'ref': {'name': 'ad_reporting__ad_report'}}},
) }}

{{ ads_against_account('conversions', 0.05) }}
