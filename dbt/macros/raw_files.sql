{#- Lists the files that a staging model reads, before it runs: only those are opened. The empty file (right columns,
    no rows) stands first, so that a dataset which nobody wrote yet is an empty table and not an error. -#}
{% macro set_raw_files(dataset, files) %}
set variable raw_files = list_concat(
    ['{{ env_var('STAKAZO_LAKE', '../.stakazo/lake') }}/.build/empty_{{ dataset }}.parquet'],
    (select coalesce(list(file order by file), []) from {{ files }})
)
{% endmacro %}
