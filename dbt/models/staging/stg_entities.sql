{{ config(pre_hook="{{ set_raw_files('entities', '(select file from ' ~ source('lake', 'files') ~ \" where dataset = 'entities')\") }}") }}

with entities as (

    select * from {{ source('lake', 'entities') }}

),

renamed as (

    select
        platform,
        account_id,
        level,
        entity_id,
        parent_id,
        account_name,
        name,
        native_type,
        status,
        delivery,
        objective,
        cast(budget as decimal(18, 6)) as budget,
        budget_period,
        fetched_at
    from entities

)

select * from renamed
