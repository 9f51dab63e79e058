with accounts as (

    select * from {{ ref('ad_reporting__account_report') }}

),

reporting as (

    select * from {{ source('lake', 'reporting') }}

),

-- An account whose currency has no rate is counted and left out of every sum, so that ratios are of one set of accounts.
summed as (

    select
        date_day,
        platform,
        count(*) filter (where reporting_currency is not null) as accounts,
        count(*) filter (where reporting_currency is null) as accounts_without_rate,
        cast(sum(impressions) filter (where reporting_currency is not null) as bigint) as impressions,
        cast(sum(clicks) filter (where reporting_currency is not null) as bigint) as clicks,
        cast(sum(spend_reporting) as decimal(18, 6)) as spend,
        cast(sum(conversions) filter (where reporting_currency is not null) as decimal(18, 6)) as conversions,
        cast(sum(conversions_value_reporting) as decimal(18, 6)) as conversions_value,
        {{ ratio('sum(maturity * spend_reporting)', 'sum(spend_reporting)') }} as maturity
    from accounts
    group by date_day, platform

),

final as (

    select
        summed.date_day,
        summed.platform,
        reporting.currency,
        summed.accounts,
        summed.accounts_without_rate,
        summed.impressions,
        summed.clicks,
        summed.spend,
        summed.conversions,
        summed.conversions_value,
        summed.maturity,
        {{ ratio('conversions_value', 'spend') }} as roas
    from summed
    cross join reporting

)

select * from final
