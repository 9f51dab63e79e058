"""The composition root: assets, checks, jobs, schedules, sensors and the resources they run with. Nothing else."""

from pathlib import Path

from dagster import Definitions, in_process_executor, load_assets_from_modules

from assets import allocation, audit, measurement, track_record
from assets.ingest import IMPORTED_INSIGHTS, ingest_assets
from assets.marts import dbt_resource, mart_assets
from assets.publishing import funded_raises_asset, publishing_assets
from resources import ClockResource, LakeResource, OperationsResource, PlatformsResource, PolicyResource
from sensors.jobs import JOBS
from sensors.schedules import SCHEDULES, SENSORS
from stakazo_pipelines.policy import load_policy
from stakazo_pipelines.settings import Settings

_settings = Settings()
_platforms = load_policy(Path(_settings.policy_file)).platforms
_dbt = dbt_resource(_settings)

defs = Definitions(
    assets=[
        IMPORTED_INSIGHTS,
        *[asset for platform in _platforms for asset in ingest_assets(platform)],
        mart_assets(_platforms, _dbt),
        *load_assets_from_modules([measurement, track_record, allocation, audit]),
        *[asset for platform in _platforms for asset in publishing_assets(platform)],
        funded_raises_asset(_platforms),
    ],
    # A process per step would cost seconds for steps of a tenth of one; parallelism comes from runs.
    executor=in_process_executor,
    jobs=JOBS,
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={
        "clock": ClockResource(sandbox_url=_settings.sandbox_url),
        "dbt": _dbt,
        "lake": LakeResource(root=str(_settings.lake_root.resolve())),
        "operations": OperationsResource(),
        "platforms": PlatformsResource(sandbox_url=_settings.sandbox_url),
        "policy": PolicyResource(path=str(_settings.policy_file)),
    },
)
