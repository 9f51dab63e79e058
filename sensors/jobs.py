"""The jobs an analyst sees, schedules and starts by hand. Each is a selection of assets; partitions come from them."""

from dagster import AssetSelection, define_asset_job

from assets.measurement import response_population
from stakazo_pipelines.cycle.audit import AUDIT, MOST_ARMS
from stakazo_pipelines.cycle.returns import POPULATION

INGEST_GROUPS = ("ingest", "staging", "marts")
DECISION_GROUPS = ("measurement", "allocation", "publishing")

ingest_job = define_asset_job(
    "ingest",
    selection=AssetSelection.groups(*INGEST_GROUPS),
    description="Read every platform and rebuild the marts of the days in the partition range.",
)

decide_job = define_asset_job(
    "decide",
    selection=AssetSelection.groups(*DECISION_GROUPS) - AssetSelection.assets(response_population),
    description=(
        "Estimate, allocate, decide, publish and verify for one report day. Only the newest complete day is published; "
        "for older days the same assets show what would have been done."
    ),
)

marts_job = define_asset_job(
    "build_marts",
    selection=AssetSelection.groups("staging", "marts"),
    description="Rebuild the marts of some days from what is in the lake, for example after `stakazo import`.",
)

estimate_job = define_asset_job(
    "estimate",
    selection=AssetSelection.groups("measurement", "allocation") - AssetSelection.assets(response_population),
    description="Estimate and propose for a report day, and decide; no platform is asked or written to.",
)

population_job = define_asset_job(
    "refit_population",
    selection=AssetSelection.assets(POPULATION),
    description="Sample the population model anew (PyMC, about a minute).",
)

audit_job = define_asset_job(
    "audit",
    selection=AssetSelection.assets(AUDIT),
    description=(
        f"Hold the daily engine against full Bayesian sampling of up to {MOST_ARMS:,} arms (PyMC, minutes to an hour)."
    ),
)

JOBS = (ingest_job, marts_job, estimate_job, decide_job, population_job, audit_job)
