{#- Fails with rows whose parent row is missing from the coarser report of the same day. -#}
{% test parent_is_reported(model, parent, columns) %}

select child.*
from {{ model }} as child
anti join {{ parent }} as parent
    on {% for column in columns %}child.{{ column }} = parent.{{ column }}{{ ' and ' if not loop.last }}{% endfor %}

{% endtest %}
