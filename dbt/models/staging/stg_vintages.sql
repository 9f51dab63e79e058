with files as (

    select * from {{ source('lake', 'files') }} where dataset <> 'entities'

),

-- A file holds its account-day and level whole, so the newest file wins whole, even when it has no rows.
newest as (

    select *
    from files
    qualify row_number() over (
        partition by platform, dataset, account_id, date_day
        order by fetched_at desc, written desc, file desc
    ) = 1

),

renamed as (

    select
        platform,
        account_id,
        date_day,
        replace(dataset, 'insights_', '') as level,
        fetched_at,
        file
    from newest

)

select * from renamed
