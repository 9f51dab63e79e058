{#- Fails with every key that stands more than once (a NULL counts as a value). -#}
{% test one_row_per(model, columns) %}

select
    {{ columns | join(', ') }},
    count(*) as occurrences
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1

{% endtest %}
