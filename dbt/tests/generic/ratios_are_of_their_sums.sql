{#- Fails where a ratio times its denominator is not its numerator, or where it is not NULL on a zero denominator.
    `only`: the ratios that the model has, all of them unless given. -#}
{% test ratios_are_of_their_sums(model, only=none) %}

{%- set known = [
    ('cpm / 1000', 'spend', 'impressions'),
    ('cpc', 'spend', 'clicks'),
    ('link_cpc', 'spend', 'link_clicks'),
    ('ctr', 'clicks', 'impressions'),
    ('link_ctr', 'link_clicks', 'impressions'),
    ('cvr', 'conversions', 'clicks'),
    ('cpa', 'spend', 'conversions'),
    ('roas', 'conversions_value', 'spend'),
    ('aov', 'conversions_value', 'conversions'),
    ('frequency', 'impressions', 'reach'),
] %}
{%- set identities = known if only is none else known | selectattr(0, 'in', only) | list %}

select *
from {{ model }}
where
    {% for ratio, numerator, denominator in identities %}
    abs({{ ratio }} * {{ denominator }} - {{ numerator }}) > 1e-6 * greatest(abs({{ numerator }}), 1)
    or ({{ ratio }} is not null and coalesce({{ denominator }}, 0) = 0)
    or ({{ ratio }} is null and {{ numerator }} is not null and {{ denominator }} <> 0)
    {{ 'or' if not loop.last }}
    {% endfor %}

{% endtest %}
