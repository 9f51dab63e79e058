with insights as (

    select * from {{ ref('int_insights_by_level') }}

),

entities as (

    select * from {{ ref('stg_entities') }}

),

maturity as (

    select * from {{ source('lake', 'maturity') }}

),

rates as (

    select * from {{ ref('exchange_rates') }}

),

reporting as (

    select * from {{ source('lake', 'reporting') }}

),

accounts as (

    select
        platform,
        account_id,
        max(account_name) as account_name
    from entities
    group by platform, account_id

),

-- A name is the one reported that day; today's name only stands in where the report gave none.
named as (

    select
        insights.* exclude (campaign_name, ad_group_name, ad_name),
        coalesce(accounts.account_name, insights.account_id) as account_name,
        coalesce(insights.campaign_name, campaigns.name) as campaign_name,
        coalesce(insights.ad_group_name, ad_groups.name) as ad_group_name,
        coalesce(insights.ad_name, ads.name) as ad_name
    from insights
    left join accounts
        on insights.platform = accounts.platform and insights.account_id = accounts.account_id
    left join entities as campaigns
        on
            insights.platform = campaigns.platform
            and insights.account_id = campaigns.account_id
            and insights.campaign_id = campaigns.entity_id
            and campaigns.level = 'campaign'
    left join entities as ad_groups
        on
            insights.platform = ad_groups.platform
            and insights.account_id = ad_groups.account_id
            and insights.ad_group_id = ad_groups.entity_id
            and ad_groups.level = 'ad_group'
    left join entities as ads
        on
            insights.platform = ads.platform
            and insights.account_id = ads.account_id
            and insights.ad_id = ads.entity_id
            and ads.level = 'ad'

),

-- The share of a day's eventual conversions that has been reported at this age; all of it beyond the curve's end.
curve_ends as (

    select
        platform,
        max(age_days) as last_age
    from maturity
    group by platform

),

matured as (

    select
        named.*,
        coalesce(own.fraction, fallback.fraction) as maturity
    from named
    left join curve_ends as own_end on named.platform = own_end.platform
    left join maturity as own
        on named.platform = own.platform and least(named.age_days, own_end.last_age) = own.age_days
    cross join (select last_age from curve_ends where platform = '') as fallback_end
    left join maturity as fallback
        on fallback.platform = '' and least(named.age_days, fallback_end.last_age) = fallback.age_days

),

-- Through the dollar, at the rates of the report day; a currency without a rate has no amounts in the reporting one.
priced as (

    select
        matured.*,
        rates.units_per_usd as units_per_usd
    from matured
    asof left join rates on matured.currency = rates.currency and matured.date_day >= rates.date_from

),

reporting_priced as (

    select
        priced.*,
        reporting.currency as wanted_currency
    from priced
    cross join reporting

),

worth as (

    select
        reporting_priced.*,
        case
            when reporting_priced.currency = wanted_currency then 1
            else cast(rates.units_per_usd as double) / cast(reporting_priced.units_per_usd as double)
        end as worth
    from reporting_priced
    asof left join rates
        on reporting_priced.wanted_currency = rates.currency and reporting_priced.date_day >= rates.date_from

),

converted as (

    select
        * exclude (units_per_usd, wanted_currency, worth),
        cast(spend * worth as decimal(18, 6)) as spend_reporting,
        cast(conversions_value * worth as decimal(18, 6)) as conversions_value_reporting,
        case when worth is not null then wanted_currency end as reporting_currency
    from worth

)

select * from converted
