"""Lift tests on a plain table: its ad groups have names instead of ids, and it knows no accounts."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import polars as pl

from stakazo_pipelines.cycle.lift import UNSETTLED, between, calibrate, reasons
from stakazo_pipelines.lift_tests import LiftTests, SetAside
from stakazo_pipelines.measurement.calibrated import INCREMENTAL
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.maturity import MaturityCurve

# What a plan adds to its rows where lift tests are given; see `measurement.calibrated`.
LIFT_COLUMNS = (
    "basis",
    "incremental_factor",
    "incremental_low",
    "incremental_high",
    "lift_tests",
    "attributed_roas",
)
NO_TESTS = LiftTests("")


@dataclass(frozen=True, slots=True)
class LiftedTable:
    """estimates: incremental where tests tell. columns: arm_id and LIFT_COLUMNS. notes: what was used and what not."""

    estimates: Estimates
    columns: pl.DataFrame
    notes: tuple[str, ...]


def lifted_table(
    estimates: Estimates,
    arms: pl.DataFrame,
    days: pl.DataFrame,
    given: LiftTests,
    *,
    as_of: date,
    target: float,
    maturity: Mapping[str, MaturityCurve],
) -> LiftedTable:
    """`cycle.lift.calibrate` for `arms` and aged `days` as `planning.arms_of` gives them, known before `as_of`."""
    found = calibrate(
        estimates,
        _of_table(given, arms),
        day=as_of - timedelta(days=1),
        target=target,
        reports=between(days),
        maturity=maturity,
    )
    notes = [f"{given.source}: {one}" for one in reasons(found.tests)]
    if not found.settled:
        notes.append(f"{given.source}: {UNSETTLED}")
    if (found.frame["basis"] == INCREMENTAL).any():
        used = found.tests.height - found.set_aside.height
        notes.append(f"the returns of all {arms.height} ad groups are incremental, by {used} lift tests")
    return LiftedTable(Estimates.from_frame(found.frame), found.frame.select("arm_id", *LIFT_COLUMNS), tuple(notes))


def _of_table(given: LiftTests, arms: pl.DataFrame) -> LiftTests:
    """The tests with a table's keys: ad groups by their printed name, no accounts, platforms only where it has them.

    A test that names only what the table lacks is set aside: without its keys it would be one of everything.
    """
    ids = dict(arms.select("ad_group", "arm_id").iter_rows())
    unknown = {"account_id"} | (set() if (arms["platform"] != "").any() else {"platform"})
    tests, aside = [], list(given.aside)
    for test in given.tests:
        scope = {
            key: ids.get(value, value) if key == "ad_group_id" else value
            for key, value in test.scope.items()
            if key not in unknown
        }
        if test.scope and not scope:
            why = "the table does not know it, so nothing tells what the test is about"
            aside.append(SetAside(test.row, next(iter(test.scope)), why))
        else:
            tests.append(replace(test, scope=scope))
    return replace(given, tests=tuple(tests), aside=tuple(aside))
