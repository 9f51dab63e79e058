"""Lift tests against what was attributed to the same thing in the same days: which can be used, and why not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from stakazo_pipelines.lift_tests import KEYS, LiftTest, LiftTests
from stakazo_pipelines.measurement.calibrated import calibrated
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.incrementality import Lift, Place, incremental_factors
from stakazo_pipelines.measurement.maturity import MaturityCurve, maturity_of

ARM_KEYS = ("platform", "account_id", "campaign_id", "arm_id")
UNSETTLED = "the lift tests together did not settle: factors are rougher than their intervals tell; do two contradict?"
USED, SET_ASIDE = "used", "set aside"
MOST_RATIO, LEAST_RATIO = 10.0, -3.0  # of incremental to attributed: beyond, a unit or a window is wrong
_VALUE_CV = 0.8  # of the value of one conversion, for the noise of what was attributed
_YEAR = 365.25
_COLUMN = dict(zip(KEYS, ARM_KEYS, strict=True))

Reports = Callable[[date, date], pl.DataFrame]  # arm days from one report day to another, both included

SCHEMA = {
    "row": pl.Int64, "entity": pl.String, "start": pl.String, "end": pl.String, "method": pl.String,
    "metric": pl.String, "estimate": pl.Float64, "standard_error": pl.Float64, "attributed": pl.Float64,
    "factor": pl.Float64, "factor_error": pl.Float64, "state": pl.String, "reason": pl.String, "note": pl.String,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Calibration:
    """frame: as `calibrated` makes it. tests: one row a test in the file's order (SCHEMA), with state and reason.

    maturity: the curves that were used. settled: as in `incrementality.Factors`.
    """

    frame: pl.DataFrame
    tests: pl.DataFrame
    maturity: Mapping[str, MaturityCurve]
    settled: bool = True

    @property
    def set_aside(self) -> pl.DataFrame:
        return self.tests.filter(pl.col("state") == SET_ASIDE)


def calibrate(
    estimates: Estimates,
    given: LiftTests,
    *,
    day: date,
    target: float,
    reports: Reports,
    maturity: Mapping[str, MaturityCurve],
) -> Calibration:
    """Make the estimates of report day `day` incremental as far as the tests that ended by then tell.

    reports: asked for the days of each test that does not say itself what was attributed; late conversions are added
    to what it says. A test that fits no arm or has nothing to be held against is set aside.
    """
    frame = estimates.frame
    held = [_held(test, frame, day, reports, maturity) for test in given.tests]
    lifts = [one for one in held if isinstance(one, _Held)]
    paths = list(frame.select(ARM_KEYS).cast(pl.String).fill_null("").iter_rows())
    factors = incremental_factors(paths, [one.lift for one in lifts])
    rows = [_row(test, one) for test, one in zip(given.tests, held, strict=True)]
    rows += [{"row": one.row, "state": SET_ASIDE, "reason": f"{one.column}: {one.reason}"} for one in given.aside]
    tests = pl.DataFrame(rows, schema=SCHEMA).sort("row")
    return Calibration(calibrated(frame, factors, target=target), tests, maturity, factors.settled)


@dataclass(frozen=True, slots=True)
class _Held:
    lift: Lift
    attributed: float


def _held(
    test: LiftTest, arms: pl.DataFrame, day: date, reports: Reports, maturity: Mapping[str, MaturityCurve]
) -> _Held | str:
    """The test as a ratio to what was attributed, or why there is none."""
    if test.end > day:
        return f"it ends on {test.end}, after {day}: not known yet on that day"
    path = _path(test, arms)
    if isinstance(path, str):
        return path
    if test.attributed is not None:
        attributed, noise = test.attributed, 0.0
    else:
        found = _attributed(test, reports(test.start, test.end), day, maturity)
        if isinstance(found, str):
            return found
        attributed, noise = found
    ratio = test.estimate / attributed
    if not LEAST_RATIO <= ratio <= MOST_RATIO:
        return f"it is {ratio:.3g} times the {attributed:,.4g} that was attributed: are metric, currency, window right?"
    error = (test.error / attributed) ** 2 + ratio**2 * noise
    return _Held(Lift(path, ratio, error**0.5, (day - test.end).days / _YEAR), attributed)


def _path(test: LiftTest, arms: pl.DataFrame) -> Place | str:
    """Where in the tree of arms the test lies: the path to the narrowest key that it names."""
    fits = arms
    for key, value in test.scope.items():
        narrowed = fits.filter(pl.col(_COLUMN[key]) == value)
        if narrowed.is_empty():
            known = fits[_COLUMN[key]].drop_nulls().unique().sort().head(3).to_list()
            where = "no budget holder with an estimate" if key == "ad_group_id" else "no estimate"
            return f"{key} {value!r} has {where}; there are {', '.join(map(str, known)) or 'none'}, …"
        fits = narrowed
    if not test.scope:
        return ()
    depth = 1 + max(KEYS.index(key) for key in test.scope)
    places = fits.select(ARM_KEYS[:depth]).cast(pl.String).fill_null("").unique().sort(ARM_KEYS[:depth])
    if places.height > 1:
        return f"{test} stands in {places.height} places; name what is above it too ({', '.join(KEYS[:depth])})"
    return tuple(places.row(0))


def _attributed(
    test: LiftTest, reports: pl.DataFrame, day: date, maturity: Mapping[str, MaturityCurve]
) -> tuple[float, float] | str:
    """What was attributed in the test's metric, mature, and its relative variance (few conversions scatter)."""
    own = reports.filter(pl.lit(value=True), *(pl.col(_COLUMN[key]) == value for key, value in test.scope.items()))
    days = own["date_day"].n_unique()
    length = (test.end - test.start).days + 1
    if days < length / 2:
        return f"the reports have {days} of its {length} days; say what was attributed in them (column attributed)"
    if test.metric != "conversions" and own["currency"].n_unique() > 1:
        return "its accounts are in several currencies; say what was attributed (column attributed)"
    shares = [
        float(maturity_of(maturity, platform).fraction(age))
        for platform, age in own.select("platform", pl.col("age_days").fill_null(0)).iter_rows()
    ]
    counted = own.select("spend", "conversions", pl.col("conversions_value").alias("value")).with_columns(
        pl.col("conversions", "value") / pl.Series(shares)
    )
    spend, conversions, value = (float(counted[name].fill_null(0).sum()) for name in ("spend", "conversions", "value"))
    amount = {"roas": value / spend if spend > 0 else 0.0, "value": value, "conversions": conversions}[test.metric]
    if amount <= 0 or conversions <= 0:
        return "the reports have no conversions in its window"
    return amount, (1 + (0 if test.metric == "conversions" else _VALUE_CV**2)) / conversions


def _row(test: LiftTest, held: _Held | str) -> dict[str, object]:
    told = {
        "row": test.row, "entity": str(test), "start": str(test.start), "end": str(test.end), "method": test.method,
        "metric": test.metric, "estimate": test.estimate, "standard_error": test.error, "note": test.note,
    }  # fmt: skip
    if isinstance(held, str):
        return {**told, "attributed": test.attributed, "state": SET_ASIDE, "reason": held}
    lift = held.lift
    return {**told, "attributed": held.attributed, "factor": lift.ratio, "factor_error": lift.error, "state": USED}


def reasons(tests: pl.DataFrame) -> list[str]:
    """The tests that are set aside, one line each."""
    rows = tests.filter(pl.col("state") == SET_ASIDE).select("row", "reason")
    return [f"row {row}: {reason}" for row, reason in rows.iter_rows()]


def between(days: pl.DataFrame) -> Reports:
    """`Reports` from arm days that are all there already."""
    return lambda since, until: days.filter(pl.col("date_day").is_between(since, until))
