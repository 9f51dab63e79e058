with vintages as (

    select * from {{ ref('stg_vintages') }}

),

insights as (

    select * from {{ ref('stg_insights') }}

),

levels as (

    select * from (values ('account', 1), ('campaign', 2), ('ad_group', 3), ('ad', 4)) as levels (level, depth)

),

-- Each grain is its own report: what was fetched at that level, else the nearest finer level that was.
chosen as (

    select
        vintages.platform,
        vintages.account_id,
        vintages.date_day,
        wanted.level,
        wanted.depth,
        arg_min(vintages.level, fetched.depth) as reported_level
    from vintages
    inner join levels as fetched on vintages.level = fetched.level
    inner join levels as wanted on fetched.depth >= wanted.depth
    group by vintages.platform, vintages.account_id, vintages.date_day, wanted.level, wanted.depth

),

-- Ids below the wanted level are dropped, so that its rows add up under one key.
at_level as (

    select
        chosen.level,
        chosen.reported_level,
        insights.* exclude (level, campaign_id, ad_group_id, ad_id, campaign_name, ad_group_name, ad_name),
        case when chosen.depth >= 2 then insights.campaign_id end as campaign_id,
        case when chosen.depth >= 2 then insights.campaign_name end as campaign_name,
        case when chosen.depth >= 3 then insights.ad_group_id end as ad_group_id,
        case when chosen.depth >= 3 then insights.ad_group_name end as ad_group_name,
        case when chosen.depth >= 4 then insights.ad_id end as ad_id,
        case when chosen.depth >= 4 then insights.ad_name end as ad_name
    from insights
    inner join chosen
        on
            insights.platform = chosen.platform
            and insights.account_id = chosen.account_id
            and insights.date_day = chosen.date_day
            and insights.level = chosen.reported_level

),

summed as (

    select
        level,
        reported_level,
        date_day,
        platform,
        account_id,
        campaign_id,
        ad_group_id,
        ad_id,
        max(campaign_name) as campaign_name,
        max(ad_group_name) as ad_group_name,
        max(ad_name) as ad_name,
        max(currency) as currency,
        max(timezone) as timezone,
        case when count(distinct attribution_window) > 1 then 'mixed' else max(attribution_window) end
            as attribution_window,
        max(fetched_at) as fetched_at,
        cast(sum(impressions) as bigint) as impressions,
        cast(sum(clicks) as bigint) as clicks,
        cast(sum(link_clicks) as bigint) as link_clicks,
        cast(sum(spend) as decimal(18, 6)) as spend,
        cast(sum(conversions) as decimal(18, 6)) as conversions,
        cast(sum(conversions_value) as decimal(18, 6)) as conversions_value,
        -- People reached by two ads may be the same people: reach is never added up.
        case when level = reported_level then max(reach) end as reach,
        cast(sum(video_plays) as bigint) as video_plays,
        cast(sum(engagements) as bigint) as engagements
    from at_level
    group by level, reported_level, date_day, platform, account_id, campaign_id, ad_group_id, ad_id

),

aged as (

    select
        *,
        greatest(date_diff('day', date_day, cast(timezone(timezone, fetched_at) as date)), 0) as age_days
    from summed

)

select * from aged
