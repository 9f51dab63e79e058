with insights as (

    select * from {{ ref('int_insights_named') }} where level = 'ad'

),

final as (

    select
        date_day,
        platform,
        account_id,
        account_name,
        campaign_id,
        campaign_name,
        ad_group_id,
        ad_group_name,
        ad_id,
        ad_name,
        {{ measures() }},
        {{ ratios() }}
    from insights

)

select * from final
