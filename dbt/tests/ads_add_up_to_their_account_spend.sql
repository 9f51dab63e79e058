-- The ad grain's spend against the account's total: fails with every account-day on which both were fetched and the gap
-- is beyond the tolerance, a fraction of the larger (STAKAZO_RECONCILIATION_TOLERANCE sets it, 0.01 by default).
-- A gap of one hundredth of a unit is rounding.
{{ config(
    severity='warn',
    meta={'dagster': {'ref': {'name': 'ad_reporting__ad_report'}}},
) }}

with accounts as (

    select * from {{ ref('ad_reporting__account_report') }} where reported_level = 'account'

),

ads as (

    select
        date_day,
        platform,
        account_id,
        sum(spend) as ads_spend
    from {{ ref('ad_reporting__ad_report') }}
    group by date_day, platform, account_id

),

ads_fetched as (

    select * from {{ ref('stg_vintages') }} where level = 'ad'

),

compared as (

    select
        ads_fetched.date_day,
        ads_fetched.platform,
        ads_fetched.account_id,
        coalesce(accounts.spend, 0) as account_spend,
        coalesce(ads.ads_spend, 0) as ads_spend
    from ads_fetched
    inner join {{ ref('stg_vintages') }} as account_fetched
        on
            account_fetched.level = 'account'
            and ads_fetched.platform = account_fetched.platform
            and ads_fetched.account_id = account_fetched.account_id
            and ads_fetched.date_day = account_fetched.date_day
    left join accounts
        on
            ads_fetched.platform = accounts.platform
            and ads_fetched.account_id = accounts.account_id
            and ads_fetched.date_day = accounts.date_day
    left join ads
        on
            ads_fetched.platform = ads.platform
            and ads_fetched.account_id = ads.account_id
            and ads_fetched.date_day = ads.date_day

)

select *
from compared
where
    abs(account_spend - ads_spend) > 0.01
    and abs(account_spend - ads_spend) > {{ env_var('STAKAZO_RECONCILIATION_TOLERANCE', '0.01') }} * greatest(account_spend, ads_spend)
