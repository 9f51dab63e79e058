"""The marts: dbt models over the lake, one Dagster asset each, their dbt tests as asset checks."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import AssetExecutionContext, AssetKey, AssetsDefinition, AssetSpec
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from assets.ingest import IMPORTED_INSIGHTS, OWNERS
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import LakeResource
from stakazo_pipelines.marts import MART_MODELS, build_lock, promote_build, request_days

DBT_PROJECT = DbtProject(project_dir=Path(__file__).resolve().parents[1] / "dbt")


class _Translator(DagsterDbtTranslator):
    """dbt's raw sources are the platforms' ingest assets; staging and marts are groups of their own."""

    def __init__(self, platforms: Sequence[str]) -> None:
        super().__init__()
        self._platforms = platforms

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        name = manifest["nodes"][unique_id]["name"] if unique_id in manifest["nodes"] else ""
        sources = [source for source in manifest["parent_map"].get(unique_id, []) if source.startswith("source.")]
        models = [parent for parent in manifest["parent_map"].get(unique_id, []) if parent.startswith("model.")]
        keys = [AssetKey(manifest["nodes"][model]["name"]) for model in models]
        if sources:
            raw = "entities" if name == "stg_entities" else "raw_insights"
            keys += [AssetKey([platform, raw]) for platform in self._platforms]
            keys += [IMPORTED_INSIGHTS.key] if raw == "raw_insights" else []
        return spec.replace_attributes(
            key=AssetKey(name),
            deps=keys,
            group_name="marts" if name.startswith("ad_reporting") else "staging",
            owners=OWNERS,
        )


def mart_assets(platforms: Sequence[str]) -> AssetsDefinition:
    """All dbt models as one step: a daily run starts dbt once."""
    if not DBT_PROJECT.manifest_path.exists():
        DBT_PROJECT.preparer.prepare(DBT_PROJECT)

    @dbt_assets(
        manifest=DBT_PROJECT.manifest_path,
        project=DBT_PROJECT,
        name="marts",
        dagster_dbt_translator=_Translator(platforms),
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
    )
    def marts(context: AssetExecutionContext, dbt: DbtCliResource, lake: LakeResource) -> Iterator[Any]:
        opened = lake.open()
        days = as_days(list(context.partition_keys))
        with build_lock(opened):
            request_days(opened, days)
            # Events are handed on only after the days are in place: a killed build has then reported nothing.
            events = list(dbt.cli(["build"], context=context).stream())
            promote_build(opened, MART_MODELS, days)
        yield from events

    return marts
