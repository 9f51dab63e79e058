-- The ad grain's conversions against the account's total: fails with every account-day on which both were fetched and the gap
-- is beyond the tolerance, a fraction of the larger (0.05: the two may be fetched moments apart, so it only warns).
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
        sum(conversions) as ads_conversions
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
        coalesce(accounts.conversions, 0) as account_conversions,
        coalesce(ads.ads_conversions, 0) as ads_conversions
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
    abs(account_conversions - ads_conversions) > 0.01
    and abs(account_conversions - ads_conversions) > 0.05 * greatest(account_conversions, ads_conversions)
