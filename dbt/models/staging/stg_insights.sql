{{ config(pre_hook="{{ set_raw_files('insights', ref('stg_vintages')) }}") }}

-- depends_on: {{ ref('stg_vintages') }}
with insights as (

    select * from {{ source('lake', 'insights') }}

),

renamed as (

    select
        date_day,
        platform,
        account_id,
        level,
        campaign_id,
        ad_group_id,
        ad_id,
        campaign_name,
        ad_group_name,
        ad_name,
        currency,
        timezone,
        attribution_window,
        fetched_at,
        impressions,
        clicks,
        link_clicks,
        cast(spend as decimal(18, 6)) as spend,
        cast(conversions as decimal(18, 6)) as conversions,
        cast(conversions_value as decimal(18, 6)) as conversions_value,
        reach,
        video_plays,
        engagements
    from insights

)

select * from renamed
