"""The marts: dbt models over the lake, one Dagster asset each, their dbt tests as asset checks."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dagster import (
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
)
from dagster_dbt import DagsterDbtTranslator, DbtProject, dbt_assets

from assets.ingest import IMPORTED_INSIGHTS, OWNERS
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from resources import LakeResource, PolicyResource
from resources.dbt import DbtResource, DbtResult
from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.cycle.returns import learned_maturity
from stakazo_pipelines.marts import MART_MODELS, build_lock, promote_build, request_days
from stakazo_pipelines.settings import Settings

_PROJECT = Path(__file__).resolve().parents[1] / "dbt"
_UNIQUE_ID = "dagster_dbt/unique_id"


def dbt_resource(settings: Settings) -> DbtResource:
    """Dbt over the home's lake. Each home has its own parse: dbt ties one to its lake, and parses anew for another."""
    home = settings.home.resolve()
    os.environ.setdefault("STAKAZO_LAKE", str(home / "lake"))
    return DbtResource(project=str(_PROJECT), target=str(home / "dbt"))


class _Translator(DagsterDbtTranslator):
    """dbt's raw sources are the platforms' ingest assets; staging (with the seed of rates) and marts are groups."""

    def __init__(self, platforms: Sequence[str]) -> None:
        super().__init__()
        self._platforms = platforms

    def get_asset_spec(self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None) -> AssetSpec:
        spec = super().get_asset_spec(manifest, unique_id, project)
        if unique_id.startswith("seed."):
            return spec.replace_attributes(group_name="staging", owners=OWNERS)
        if not unique_id.startswith("model."):
            return spec
        name = manifest["nodes"][unique_id]["name"]
        parents = manifest["parent_map"].get(unique_id, [])
        sources = [one for one in parents if one.startswith("source.") and not one.endswith(".reporting")]  # policy's
        tables = ("model.", "seed.")
        models = [parent for parent in parents if parent.startswith(tables)]
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


def mart_assets(platforms: Sequence[str], dbt: DbtResource) -> AssetsDefinition:
    """All dbt models as one step: staging lives in memory, so a mart re-run by itself still builds all models."""
    dbt.parse_when_stale()

    @dbt_assets(
        manifest=dbt.manifest,
        project=DbtProject(project_dir=dbt.project, target_path=dbt.target),
        name="marts",
        dagster_dbt_translator=_Translator(platforms),
        partitions_def=REPORT_DAYS,
        backfill_policy=RANGE_RUNS,
    )
    def marts(
        context: AssetExecutionContext, dbt: DbtResource, lake: LakeResource, policy: PolicyResource
    ) -> Iterator[MaterializeResult | AssetCheckResult]:
        opened = lake.open()
        days = as_days(list(context.partition_keys))
        rules = policy.load()
        load_rates()  # refuses a seed with a wrong row in words that dbt does not have
        os.environ["STAKAZO_RECONCILIATION_TOLERANCE"] = str(rules.ingest.reconciliation_tolerance)
        maturity, currency = learned_maturity(opened, days[-1]), rules.portfolio.reporting_currency
        with build_lock(opened):
            for file in request_days(opened, days, maturity=maturity, reporting_currency=currency):
                context.log.warning(f"{file.path} cannot be used ({file.reason}); the vintage before it is")
            results = {result.unique_id: result for result in dbt.build()}
            failed = [result for result in results.values() if result.failed]
            # Told only once the days are in place: a killed or failed build has then reported no new mart.
            rows = {} if failed else promote_build(opened, MART_MODELS, days)
        if not failed:
            yield from _materialized(context, results, rows)
        yield from _checked(context, results)
        if failed:
            told = "; ".join(f"{result.unique_id}: {result.message}" for result in failed if result.status != "skipped")
            raise Failure(f"the marts are left as they were: {told}")

    return marts


def _materialized(
    context: AssetExecutionContext, results: Mapping[str, DbtResult], rows: Mapping[str, int]
) -> Iterator[MaterializeResult]:
    keys = {spec.metadata[_UNIQUE_ID]: spec.key for spec in context.assets_def.specs}
    for result in results.values():  # in the order dbt finished them, which is upstream first
        key = keys.get(result.unique_id)
        if key is not None and key in context.selected_asset_keys:
            name = key.path[-1]
            counted = {"dagster/row_count": rows[name]} if name in rows else {}
            yield MaterializeResult(asset_key=key, metadata={"seconds": result.seconds, **counted})


def _checked(context: AssetExecutionContext, results: Mapping[str, DbtResult]) -> Iterator[AssetCheckResult]:
    for spec in context.assets_def.check_specs:
        result = results.get(spec.metadata[_UNIQUE_ID])
        if result is None or AssetCheckKey(spec.asset_key, spec.name) not in context.selected_asset_check_keys:
            continue
        yield AssetCheckResult(
            asset_key=spec.asset_key,
            check_name=spec.name,
            passed=result.status == "pass",
            severity=AssetCheckSeverity.WARN if result.status == "warn" else AssetCheckSeverity.ERROR,
            metadata={"bad_rows": result.failures, "message": result.message},
        )
