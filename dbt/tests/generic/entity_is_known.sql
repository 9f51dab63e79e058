{#- Fails with ids that the newest snapshot of their account does not list. Accounts without a snapshot (imported
    exports) are left out. -#}
{% test entity_is_known(model, column, level) %}

select distinct
    report.platform,
    report.account_id,
    report.{{ column }}
from {{ model }} as report
semi join {{ ref('stg_entities') }} as snapshot
    on report.platform = snapshot.platform and report.account_id = snapshot.account_id
anti join {{ ref('stg_entities') }} as entity
    on
        report.platform = entity.platform
        and report.account_id = entity.account_id
        and report.{{ column }} = entity.entity_id
        and entity.level = '{{ level }}'

{% endtest %}
