with insights as (

    select * from {{ ref('int_insights_named') }} where level = 'account'

),

final as (

    select
        date_day,
        platform,
        account_id,
        account_name,
        {{ measures() }},
        {{ ratios() }}
    from insights

)

select * from final
