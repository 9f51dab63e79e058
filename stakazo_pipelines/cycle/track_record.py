"""The published estimates of past days, scored against what the reports say by now: from the lake, into the lake."""

from datetime import date, timedelta

import polars as pl

from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.cycle.soundness import sound_days
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.calibrated import attributed
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.maturity import MATURE_AGE
from stakazo_pipelines.measurement.posterior import HORIZON_DAYS
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.scoring.record import NOISE_DAYS, SCORES_SCHEMA, score_intervals

SCORES = "interval_scores"  # by the day of the estimate
TRACK_RECORD = "track_record"
# The report of day D + 7 is at the mature age when the report days up to D + 34 are complete.
MATURED_AFTER = HORIZON_DAYS + MATURE_AGE - 1
_PATIENCE = 14  # days that an account whose report comes late is waited for


def matured_scores(lake: Lake, policy: Policy, day: date) -> pl.DataFrame:
    """Scores of the estimates of policy's last days that had matured by report day `day`, in SCORES_SCHEMA.

    Each day is scored once and kept; the newest always anew, and those that had accounts without mature reports. Raises
    LakeError.
    """
    last = day - timedelta(days=MATURED_AFTER)
    first = last - timedelta(days=policy.track_record.window_days - 1)
    made = lake.asset_days(ESTIMATES, since=first, until=last)
    kept = set(lake.asset_days(SCORES, since=first, until=last)) - {last}
    due = [one for one in made if one not in kept]
    fresh = _scored(lake, due) if due else {}
    for one, scores in fresh.items():
        waited = (day - one).days >= MATURED_AFTER + _PATIENCE
        if waited or not _pending(lake, one, scores):
            lake.write_asset(SCORES, one, scores)
    old = [lake.read_asset(SCORES, one) for one in made if one in kept]
    return pl.concat([pl.DataFrame(schema=SCORES_SCHEMA), *old, *fresh.values()]).sort("day", "platform", "arm_id")


def _scored(lake: Lake, due: list[date]) -> dict[date, pl.DataFrame]:
    until = max(due) + timedelta(days=HORIZON_DAYS)
    span = (until - min(due)).days + NOISE_DAYS + 1
    reports = sound_days(lake, until + timedelta(days=1), span).arm_days
    answer = {}
    for one in due:
        # Reports tell what is attributed, whatever lift tests make of it.
        estimates = Estimates.from_frame(attributed(lake.read_asset(ESTIMATES, one)))
        answer[one] = score_intervals(estimates, reports, day=one, seed=one.toordinal())
    return answer


def _pending(lake: Lake, day: date, scores: pl.DataFrame) -> bool:
    """Whether an account of that day's estimates is not among the scores."""
    keys = ["platform", "account_id"]
    estimated = lake.read_asset(ESTIMATES, day).filter(pl.col("log_value_mean").is_not_null()).select(keys).unique()
    return bool(len(estimated.join(scores.select(keys).unique(), on=keys, how="anti")))
