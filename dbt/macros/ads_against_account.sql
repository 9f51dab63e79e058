{#- The ad grain's sum of a measure against the account's own total: every account-day on which both were fetched and the gap
    is beyond the tolerance, a fraction of the larger. A gap of one hundredth of a unit is rounding. -#}
{% macro ads_against_account(measure, tolerance) %}
with accounts as (

    select * from {{ ref('ad_reporting__account_report') }} where reported_level = 'account'

),

ads as (

    select
        date_day,
        platform,
        account_id,
        sum({{ measure }}) as ads_total
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
        coalesce(accounts.{{ measure }}, 0) as account_total,
        coalesce(ads.ads_total, 0) as ads_total
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
    abs(account_total - ads_total) > 0.01
    and abs(account_total - ads_total) > {{ tolerance }} * greatest(account_total, ads_total)
{% endmacro %}
