"""The marts: dbt models over the lake, one Dagster asset each, their dbt tests as asset checks."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Output,
)
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from assets.ingest import IMPORTED_INSIGHTS, OWNERS
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import LakeResource, PolicyResource
from stakazo_pipelines.cycle.returns import learned_maturity
from stakazo_pipelines.marts import MART_MODELS, build_lock, promote_build, request_days
from stakazo_pipelines.settings import Settings

# Each home has its own parse: dbt ties one to the lake it was made with, and parses anew for every other.
_HOME = Settings().home.resolve()
_TARGET = _HOME / "dbt"
os.environ.setdefault("STAKAZO_LAKE", str(_HOME / "lake"))
os.environ["DBT_TARGET_PATH"] = str(_TARGET)
DBT_PROJECT = DbtProject(project_dir=Path(__file__).resolve().parents[1] / "dbt", target_path=_TARGET)


def dbt_resource() -> DbtCliResource:
    """Dbt from our own environment, whether or not that is on the PATH."""
    return DbtCliResource(project_dir=DBT_PROJECT, dbt_executable=str(Path(sys.executable).with_name("dbt")))


def _parse_when_stale() -> None:
    manifest = DBT_PROJECT.manifest_path
    sources = [path for path in DBT_PROJECT.project_dir.rglob("*") if path.suffix in {".sql", ".yml"}]
    newest = max(path.stat().st_mtime for path in sources)
    if not manifest.exists() or manifest.stat().st_mtime < newest:
        dbt_resource().cli(["parse", "--quiet"], target_path=manifest.parent).wait()


class _Translator(DagsterDbtTranslator):
    """dbt's raw sources are the platforms' ingest assets; staging and marts are groups of their own."""

    def __init__(self, platforms: Sequence[str]) -> None:
        super().__init__()
        self._platforms = platforms

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if not unique_id.startswith("model."):
            return spec
        name = manifest["nodes"][unique_id]["name"]
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
    _parse_when_stale()

    @dbt_assets(
        manifest=DBT_PROJECT.manifest_path,
        project=DBT_PROJECT,
        name="marts",
        dagster_dbt_translator=_Translator(platforms),
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
    )
    def marts(
        context: AssetExecutionContext, dbt: DbtCliResource, lake: LakeResource, policy: PolicyResource
    ) -> Iterator[Any]:
        opened, rules = lake.open(), policy.load()
        days = as_days(list(context.partition_keys))
        with build_lock(opened):
            torn = request_days(opened, days, maturity=learned_maturity(opened, days[-1]))
            for file in torn:
                context.log.warning(f"{file.path} is torn ({file.reason}); the vintage before it is used")
            # Staging lives in memory, so a mart re-run by itself still builds all models; only what was asked for is
            # reported. Events are handed on once the days are in place: a killed build has then reported nothing.
            os.environ["STAKAZO_RECONCILIATION_TOLERANCE"] = str(rules.ingest.reconciliation_tolerance)
            build = dbt.cli(_build_arguments(context.is_subset), context=context)
            events = list(build.stream())
            promote_build(opened, MART_MODELS, days)
            shutil.rmtree(build.target_path)  # a copy of the parse for this run alone
        yield from (event for event in events if _asked_for(context, event))

    return marts


def _build_arguments(subset: bool) -> list[str]:
    # Unit tests check the models' logic, not the data: `make test` runs them once, a daily run need not.
    arguments = ["build", "--exclude-resource-type", "unit_test"]
    return [*arguments, "--select", "fqn:*"] if subset else arguments


def _asked_for(context: AssetExecutionContext, event: Any) -> bool:
    if isinstance(event, AssetCheckResult) and event.asset_key and event.check_name:
        return AssetCheckKey(event.asset_key, event.check_name) in context.selected_asset_check_keys
    key = context.asset_key_for_output(event.output_name) if isinstance(event, Output) else event.asset_key
    return key in context.selected_asset_keys
