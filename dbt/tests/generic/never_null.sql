{#- Fails with every row that lacks one of the columns. -#}
{% test never_null(model, columns) %}

select *
from {{ model }}
where {% for column in columns %}{{ column }} is null{{ ' or ' if not loop.last }}{% endfor %}

{% endtest %}
