{#- A fraction, never percent; NULL where the denominator is zero or unknown (design rule 5). -#}
{% macro ratio(numerator, denominator) -%}
cast({{ numerator }} as double) / nullif(cast({{ denominator }} as double), 0)
{%- endmacro %}

{#- The ratios of design §5, each formed from the sums beside it. -#}
{% macro ratios() %}
    1000 * {{ ratio('spend', 'impressions') }} as cpm,
    {{ ratio('spend', 'clicks') }} as cpc,
    {{ ratio('spend', 'link_clicks') }} as link_cpc,
    {{ ratio('clicks', 'impressions') }} as ctr,
    {{ ratio('link_clicks', 'impressions') }} as link_ctr,
    {{ ratio('conversions', 'clicks') }} as cvr,
    {{ ratio('spend', 'conversions') }} as cpa,
    {{ ratio('conversions_value', 'spend') }} as roas,
    {{ ratio('conversions_value', 'conversions') }} as aov,
    {{ ratio('impressions', 'reach') }} as frequency
{% endmacro %}

{#- What every mart carries after its keys and names. -#}
{% macro measures() %}
    currency,
    timezone,
    attribution_window,
    fetched_at,
    age_days,
    maturity,
    reported_level,
    impressions,
    clicks,
    link_clicks,
    spend,
    conversions,
    conversions_value,
    reach,
    video_plays,
    engagements,
    spend_reporting,
    conversions_value_reporting,
    reporting_currency
{% endmacro %}
