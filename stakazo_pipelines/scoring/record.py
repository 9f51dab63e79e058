"""One row per published interval whose truth has matured, what these come to by group, and whether they collapsed."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from scipy.special import stdtrit

from stakazo_pipelines.measurement.curves import bent_value
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.maturity import MATURE_AGE
from stakazo_pipelines.measurement.posterior import HORIZON_DAYS
from stakazo_pipelines.scoring.noise import learn_noise
from stakazo_pipelines.scoring.predictive import with_noise
from stakazo_pipelines.scoring.rules import covered, crps, ranks
from stakazo_pipelines.vocabulary import ArmState

DRAWS = 400
MOST_ARMS = 2000  # scored a day; more are sampled, which changes no expectation
LEAST_DAYS = 4  # of the seven with delivery: an arm that was paused shows nothing of its returns
NOISE_DAYS = 28  # before the estimate, from which the noise of reports is learned
LEVELS = (0.5, 0.8, 0.9)
YOUNG_DAYS = 14  # history of an arm; below this it counts as young
_LEAST_CLUSTERS = 3
_ACCOUNT = ["platform", "account_id"]
_ARM = [*_ACCOUNT, "arm_id"]

SCORES_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "platform": pl.String,
    "account_id": pl.String,
    "arm_id": pl.String,
    "currency": pl.String,
    "day": pl.Date,  # the report day that the estimate was made on
    "state": pl.String,
    "history_days": pl.Int64,
    "delivered_days": pl.Int64,
    "spend": pl.Float64,  # of the seven days after it
    "spend_moved": pl.Float64,  # log of spend a delivered day over the spend that the interval was published for
    "published_roas": pl.Float64,
    "published_low": pl.Float64,
    "published_high": pl.Float64,
    "predicted_roas": pl.Float64,  # mean of the predictive, at the spend that came
    "predicted_low": pl.Float64,
    "predicted_high": pl.Float64,
    "realised_roas": pl.Float64,
    "crps": pl.Float64,  # of ROAS
    "rank_low": pl.Float64,
    "rank_high": pl.Float64,
    "covered_50": pl.Float64,
    "covered_80": pl.Float64,
    "covered_90": pl.Float64,
}


def score_intervals(estimates: Estimates, reports: pl.DataFrame, *, day: date, seed: int) -> pl.DataFrame:
    """Rows of `SCORES_SCHEMA` for the arms of `estimates` (of report day `day`) whose next 7 days have matured.

    reports: arm-days as measurement reads them, of `NOISE_DAYS` before `day` to 7 after, at today's vintages. An
    account counts once all seven days were reported at the mature age. What an interval of ROAS at the budget says of
    the spend that came is read off the arm's own curve, draw by draw; the noise of counts and values comes on top.
    """
    came = matured(reports, day)
    known = estimates.frame.filter(pl.col("log_value_mean").is_not_null())
    rows = known.join(came, on=_ARM, how="inner", suffix="_came", maintain_order="left")
    if rows.height > MOST_ARMS:
        rows = rows.sample(MOST_ARMS, seed=seed).sort(_ARM)
    if rows.is_empty():
        return pl.DataFrame(schema=SCORES_SCHEMA)
    log_value, elasticity = Estimates(rows).draws(DRAWS, seed)
    ref_spend, spend = rows["ref_spend"].to_numpy(), rows["spend_came"].to_numpy()
    expected = np.zeros((DRAWS, len(rows)))
    for offset in range(1, HORIZON_DAYS + 1):
        column = rows[f"spend_{offset}"].to_numpy()
        expected += bent_value(column, log_value=log_value, elasticity=elasticity, ref_spend=ref_spend)
    earlier = reports.filter(pl.col("date_day").is_between(day - timedelta(days=NOISE_DAYS), day))
    noise = learn_noise(earlier, rows)
    delivered = rows["delivered_days"].to_numpy()
    rng = np.random.default_rng([seed, 1])
    roas = with_noise(expected, delivered.astype(np.float64), noise, rng) / spend
    realised = rows["value_came"].to_numpy() / spend
    low, high = ranks(roas, realised)
    bottom, top = np.quantile(roas, [0.05, 0.95], axis=0)
    scores = {
        "history_days": rows["days"].to_numpy(),
        "spend": spend,
        "spend_moved": np.log(spend / delivered / ref_spend),
        "published_roas": rows["roas"].to_numpy(),
        "published_low": rows["roas_low"].to_numpy(),
        "published_high": rows["roas_high"].to_numpy(),
        "predicted_roas": roas.mean(axis=0),
        "predicted_low": bottom,
        "predicted_high": top,
        "realised_roas": realised,
        "crps": crps(roas, realised),
        "rank_low": low,
        "rank_high": high,
        **{f"covered_{level * 100:.0f}": covered(low, high, level) for level in LEVELS},
    }
    table = rows.select(*_ARM, "currency", "state", "delivered_days", pl.lit(day).alias("day")).with_columns(
        pl.Series(name, column) for name, column in scores.items()
    )
    return table.select(pl.col(name).cast(kind) for name, kind in SCORES_SCHEMA.items())


def matured(reports: pl.DataFrame, day: date) -> pl.DataFrame:
    """Per arm that delivered often enough: spend and value of the 7 days after `day`, and each day's spend.

    Columns: platform, account_id, arm_id, delivered_days, spend_came, value_came, spend_1 .. spend_7.
    """
    ahead = reports.filter(
        pl.col("date_day").is_between(day + timedelta(days=1), day + timedelta(days=HORIZON_DAYS)), pl.col("spend") > 0
    ).with_columns(offset=(pl.col("date_day") - day).dt.total_days())
    accounts = ahead.group_by(_ACCOUNT).agg(
        known=pl.col("offset").n_unique(), youngest=pl.col("age_days").fill_null(0).min()
    )
    ready = accounts.filter(pl.col("known") == HORIZON_DAYS, pl.col("youngest") >= MATURE_AGE)
    days = [
        pl.col("spend").filter(pl.col("offset") == offset).sum().alias(f"spend_{offset}")
        for offset in range(1, HORIZON_DAYS + 1)
    ]
    return (
        ahead.join(ready.select(_ACCOUNT), on=_ACCOUNT)
        .group_by(_ARM)
        .agg(
            pl.len().cast(pl.Int64).alias("delivered_days"),
            pl.col("spend").sum().alias("spend_came"),
            pl.col("conversions_value").sum().alias("value_came"),
            *days,
        )
        .filter(pl.col("delivered_days") >= LEAST_DAYS)
        .sort(_ARM)
    )


def by_group(scores: pl.DataFrame) -> pl.DataFrame:
    """Coverage, CRPS and bias by platform, state and age of the arm, after the row of all (platform 'all').

    bias: predicted over realised ROAS, both weighted by spend within a currency (the mean over currencies), less 1.
    """
    aged = scores.with_columns(
        history=pl.when(pl.col("history_days") < YOUNG_DAYS)
        .then(pl.lit(f"under {YOUNG_DAYS} days"))
        .otherwise(pl.lit(f"{YOUNG_DAYS} days or more"))
    )
    every = pl.lit("all").alias
    groups = [
        _scored(aged.with_columns(every("platform"), every("state"), every("history"))),
        _scored(aged.with_columns(every("state"), every("history"))),
        _scored(aged),
    ]
    return pl.concat(groups)


def _scored(scores: pl.DataFrame) -> pl.DataFrame:
    keys = ["platform", "state", "history"]
    share = pl.col("spend") / pl.col("spend").sum().over([*keys, "currency"])
    return (
        scores.with_columns(share=share)
        .group_by(keys)
        .agg(
            pl.len().cast(pl.Int64).alias("intervals"),
            pl.col("covered_50", "covered_80", "covered_90").mean(),
            pl.col("crps").mean(),
            (pl.col("predicted_roas") * pl.col("share")).sum().alias("predicted"),
            (pl.col("realised_roas") * pl.col("share")).sum().alias("realised"),
        )
        .with_columns(
            bias=pl.when(pl.col("realised") > 0).then(pl.col("predicted") / pl.col("realised") - 1).otherwise(None)
        )
        .drop("predicted", "realised")
        .sort(keys)
    )


def by_day(scores: pl.DataFrame) -> pl.DataFrame:
    """Coverage of the 90 % intervals of arms in state ok, by platform and day: platform, day, intervals, covered_90."""
    return (
        _acted_on(scores)
        .group_by("platform", "day")
        .agg(intervals=pl.len().cast(pl.Int64), covered_90=pl.col("covered_90").mean())
        .sort("platform", "day")
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How the 90 % intervals of one platform's arms in state ok have done.

    scored: arms x weeks, since the days of a week share most of their truth. highest: the coverage that they may have
    at most, at the confidence asked for; NaN where too few were scored to say.
    """

    platform: str
    scored: int
    coverage: float
    highest: float
    collapsed: bool

    def __str__(self) -> str:
        if np.isnan(self.highest):
            return f"{self.platform}: {self.scored} arm-weeks scored so far, too few to judge"
        words = "has collapsed" if self.collapsed else "holds"
        return (
            f"{self.platform}: coverage {words}: {self.coverage:.1%} over {self.scored} arm-weeks, "
            f"at most {self.highest:.1%}"
        )


def standing(scores: pl.DataFrame, *, min_scored: int, least: float, confidence: float) -> list[Standing]:
    """Whether coverage is below `least` with confidence, platform by platform.

    The error of the coverage is that between accounts' weeks (arms of one account and week share its shocks), by
    Student's t on their number, and never below that of independent arm-weeks.
    """
    weekly = _acted_on(scores).with_columns(week=pl.col("day").dt.truncate("1w"))
    return [
        _standing(str(platform), part, min_scored, least, confidence)
        for (platform,), part in sorted(weekly.group_by("platform"), key=lambda item: str(item[0][0]))
    ]


def _standing(platform: str, part: pl.DataFrame, min_scored: int, least: float, confidence: float) -> Standing:
    arm_weeks = part.select(pl.struct(*_ARM, "week").n_unique()).item()
    coverage = float(part.select(pl.col("covered_90").mean()).item())
    clusters = part.group_by(*_ACCOUNT, "week").agg(n=pl.len(), off=(pl.col("covered_90") - coverage).sum())
    if arm_weeks < min_scored or clusters.height < _LEAST_CLUSTERS:
        return Standing(platform, arm_weeks, coverage, float("nan"), collapsed=False)
    between = float((clusters["off"] ** 2).sum()) / part.height**2 * clusters.height / (clusters.height - 1)
    error = np.sqrt(max(between, least * (1 - least) / arm_weeks))
    highest = min(coverage + float(stdtrit(clusters.height - 1, confidence)) * error, 1.0)
    return Standing(platform, arm_weeks, coverage, highest, collapsed=highest < least)


def misses(scores: pl.DataFrame) -> pl.DataFrame:
    """The scores whose 90 % interval missed, those that weigh most first."""
    return scores.filter(pl.col("covered_90") < 0.5).sort(pl.col("crps") * pl.col("spend"), descending=True)


def _acted_on(scores: pl.DataFrame) -> pl.DataFrame:
    return scores.filter(pl.col("state") == ArmState.OK.value)
