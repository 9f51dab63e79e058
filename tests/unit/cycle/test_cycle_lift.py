"""Lift tests against the reports: which are used, what they do to the estimates, and that it can be undone."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from dagster import AssetCheckSeverity, materialize

from assets import measurement
from resources import LakeResource, PolicyResource
from stakazo_pipelines.cycle.lift import Calibration, between, calibrate, reasons
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.lift_tests import LiftTest, LiftTests, SetAside
from stakazo_pipelines.measurement.calibrated import attributed
from stakazo_pipelines.measurement.estimate import Estimates

DAY = date(2026, 6, 29)
START, END = DAY - timedelta(days=20), DAY - timedelta(days=7)
CURVE = [
    "log_value_mean", "log_value_sd", "elasticity_mean", "elasticity_sd", "curve_corr", "roas", "roas_low", "roas_high",
    "marginal_roas_low", "marginal_roas_high",
]  # fmt: skip


@pytest.fixture(scope="module")
def reports(arms: pl.DataFrame) -> pl.DataFrame:
    """Every arm earns twice what it spends, 40 conversions a day, all of them in."""
    days = pl.DataFrame({"date_day": [DAY - timedelta(days=back) for back in range(60)]})
    return arms.drop("budget").join(days, how="cross").with_columns(
        spend=100.0, conversions=40.0, conversions_value=200.0, age_days=40
    )  # fmt: skip


def lift(scope: dict[str, str], estimate: float = 1.0, error: float = 0.05, **named: object) -> LiftTest:
    facts: dict[str, object] = {"start": START, "end": END, "metric": "roas", **named}
    return LiftTest(row=2, scope=scope, estimate=estimate, error=error, **facts)  # type: ignore[arg-type]


def run(estimates: Estimates, reports: pl.DataFrame, *tests: LiftTest, aside: tuple[SetAside, ...] = ()) -> Calibration:
    given = LiftTests("lift.csv", tests, aside)
    return calibrate(estimates, given, day=DAY, target=1.0, reports=between(reports), maturity={})


def test_without_tests_estimates_stay_as_they_are_and_say_attributed(estimates, reports):
    found = run(estimates, reports)
    assert found.tests.is_empty()
    assert found.frame.select(estimates.frame.columns).equals(estimates.frame)
    assert found.frame["basis"].unique().to_list() == ["attributed"]
    assert found.frame["incremental_factor"].null_count() == found.frame.height


def test_half_the_attributed_return_is_half_the_return_with_more_doubt(estimates, reports):
    found = run(estimates, reports, lift({"platform": "meta", "account_id": "1"}))
    assert found.set_aside.is_empty()
    assert found.tests.row(0, named=True)["factor"] == pytest.approx(0.5)
    before, after = estimates.frame, found.frame
    own = after.filter(pl.col("account_id") == "1")
    assert own["incremental_factor"].to_numpy() == pytest.approx(0.5, abs=0.08)
    assert own["lift_tests"].to_list() == [1, 1, 1]
    ratio = after["roas"] / before["roas"]
    np.testing.assert_allclose(ratio, after["incremental_factor"])
    np.testing.assert_allclose(after["marginal_roas"] / before["marginal_roas"], ratio)
    for name in ("roas", "marginal_roas"):
        width = np.log(after[f"{name}_high"] / after[f"{name}_low"])
        assert (width > np.log(before[f"{name}_high"] / before[f"{name}_low"])).all()
    likely = (before["p_above_target"] > 0.5).to_numpy()
    assert (after["p_above_target"].to_numpy()[likely] < before["p_above_target"].to_numpy()[likely]).all()
    assert after["attributed_roas"].equals(before["roas"], check_names=False)


def test_what_is_drawn_for_allocation_is_incremental_too(estimates, reports):
    found = Estimates.from_frame(run(estimates, reports, lift({"account_id": "1"})).frame)
    before, _ = estimates.draws(4000, 1)
    after, elasticity = found.draws(4000, 1)
    one = found.frame["account_id"] == "1"
    factor = np.exp(np.median(after, axis=0) - np.median(before, axis=0))
    assert factor[one.to_numpy()] == pytest.approx(0.5, abs=0.08)
    assert np.isfinite(elasticity).all()


def test_what_is_attributed_comes_back_for_the_track_record(estimates, reports):
    found = run(estimates, reports, lift({"account_id": "1"}))
    back = attributed(found.frame)
    for name in CURVE:
        np.testing.assert_allclose(back[name], estimates.frame[name], rtol=1e-9, err_msg=name)
    assert attributed(estimates.frame) is estimates.frame


def test_money_between_accounts_follows_what_is_incremental(estimates, reports):
    """Account 1 looked as good as account 2, and its test found half of that."""
    found = run(
        estimates, reports, lift({"account_id": "1"}, 1.0), lift({"account_id": "2"}, 2.0, start=START)
    ).frame  # fmt: skip
    change = found.with_columns(ratio=pl.col("roas") / pl.col("attributed_roas")).group_by("account_id").agg(
        pl.col("ratio").mean()
    )  # fmt: skip
    ratio = dict(change.iter_rows())
    assert ratio["1"] < 0.6
    assert ratio["2"] > 0.9


@pytest.mark.parametrize(
    ("test", "why"),
    [
        (lift({"platform": "nowhere"}), "platform 'nowhere' has no estimate; there are meta"),
        (lift({"account_id": "1", "ad_group_id": "2-g0"}), "'2-g0' has no budget holder with an estimate"),
        (lift({"account_id": "1"}, end=DAY + timedelta(days=1)), "not known yet on that day"),
        (lift({"account_id": "1"}, estimate=90.0), "times the 2 that was attributed"),
        (
            lift({"account_id": "1"}, start=DAY - timedelta(days=400), end=DAY - timedelta(days=380)),
            "the reports have 0 of its 21 days",
        ),
        (lift({"platform": "meta"}), "several currencies"),
    ],
)
def test_a_test_that_cannot_be_held_against_anything_is_set_aside_and_the_rest_goes_on(
    estimates, reports, test, why
):  # fmt: skip
    found = run(estimates, reports, test, lift({"account_id": "2"}, method="geo"))
    assert found.tests["state"].to_list().count("used") == 1
    (line,) = reasons(found.tests)
    assert why in line
    assert (found.frame["basis"] == "incremental").any()


def test_rows_of_the_file_that_were_set_aside_are_shown_with_the_others(estimates, reports):
    found = run(estimates, reports, aside=(SetAside(7, "end", "a day such as 2026-01-31, not ''"),))
    assert reasons(found.tests) == ["row 7: end: a day such as 2026-01-31, not ''"]


def test_what_was_attributed_can_be_given_where_the_reports_do_not_reach(estimates, reports):
    old = lift({"platform": "meta"}, 1.0, start=DAY - timedelta(days=400), end=DAY - timedelta(days=380))
    told = LiftTest(**{name: getattr(old, name) for name in old.__slots__} | {"attributed": 2.0})
    found = run(estimates, reports, told)
    assert found.tests["factor"].to_list() == [0.5]
    assert (found.frame["basis"] == "incremental").all()


def test_late_conversions_and_few_of_them_are_allowed_for(estimates, reports):
    late = reports.with_columns(age_days=3, conversions=pl.col("conversions") / 400, conversions_value=150.0)
    row = run(estimates, late, lift({"account_id": "1"}, 1.0)).tests.row(0, named=True)
    assert row["attributed"] == pytest.approx(2.0)  # three quarters are in after three days
    assert row["factor_error"] > 0.1  # four conversions say little, however exact the test is


def test_the_asset_shows_the_tests_and_warns_of_those_it_does_not_use(estimates, reports, monkeypatch, tmp_path):
    found = run(estimates, reports, lift({"account_id": "1"}), lift({"account_id": "7"}))
    monkeypatch.setattr(measurement, "calibrated_day", lambda *_: found)
    (tmp_path / "policy.yaml").write_text("{}\n")
    resources = {
        "lake": LakeResource(root=str(tmp_path / "lake")),
        "policy": PolicyResource(path=str(tmp_path / "policy.yaml")),
    }
    result = materialize([measurement.roas_estimates], partition_key=str(DAY), resources=resources)
    assert result.success
    (made,) = result.asset_materializations_for_node("roas_estimates")
    assert made.metadata["arms_incremental"].value == estimates.frame.height
    states = [record.data["state"] for record in made.metadata["lift_tests"].records]
    assert states == ["used", "set aside"]
    (check,) = [one for one in result.get_asset_check_evaluations() if one.check_name == "lift_tests_usable"]
    assert not check.passed
    assert check.severity is AssetCheckSeverity.WARN
    unsettled = replace(run(estimates, reports, lift({"account_id": "1"})), settled=False)
    monkeypatch.setattr(measurement, "calibrated_day", lambda *_: unsettled)
    again = materialize([measurement.roas_estimates], partition_key=str(DAY), resources=resources)
    (check,) = [one for one in again.get_asset_check_evaluations() if one.check_name == "lift_tests_usable"]
    assert not check.passed
    assert "did not settle" in check.description
    published = Lake(tmp_path / "lake").read_asset("roas_estimates", DAY)
    assert published["basis"].unique().to_list() == ["incremental"]
    assert Estimates.from_frame(published).frame["roas"].equals(found.frame["roas"])
