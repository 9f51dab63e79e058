"""A population that the chains do not agree on is not kept, the last good one stays in use, and both are said."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from dagster import AssetCheckSeverity, DagsterInstance, materialize

import assets.audit
import assets.measurement
from assets.audit import engine_audit
from assets.measurement import response_population, roas_estimates
from resources import ClockResource, LakeResource, PolicyResource
from stakazo_pipelines import marts
from stakazo_pipelines.cycle import audit as auditing
from stakazo_pipelines.cycle import returns
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.audit import Audit
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.nuts import Diagnostics
from stakazo_pipelines.measurement.simulate import Design, simulate

TODAY = date(2026, 6, 30)
YESTERDAY = TODAY - timedelta(days=1)
GOOD = Diagnostics(max_rhat=1.002, min_ess=812.0, divergences=0, draws=2400)
BAD = Diagnostics(max_rhat=1.08, min_ess=55.0, divergences=0, draws=2400)
CHEERFUL = replace(Population(), trend=0.05, elasticity_mean=0.9, source="nuts")  # would raise every estimate


class FixedClock(ClockResource):
    def now(self) -> datetime:
        return datetime(2026, 6, 30, 12, tzinfo=UTC)


@pytest.fixture
def loop(tmp_path, monkeypatch):
    """Materializes assets over simulated arm-days; `sampled` is what the sampler will come back with."""
    made = simulate(Population(), Design(6, 30, as_of=YESTERDAY), 1)
    monkeypatch.setattr(marts, "arm_days", lambda lake, *, as_of, window_days, **_: (made.arm_days, made.arms))
    monkeypatch.setattr(returns, "learned_maturity", lambda lake, day: {})
    monkeypatch.setattr(auditing, "learned_maturity", lambda lake, day: {})
    monkeypatch.setattr(marts, "with_names", lambda lake, rows, *, as_of: rows.with_columns(name="arm_id"))
    for module in (assets.measurement, assets.audit):
        monkeypatch.setattr(module, "apart", lambda work, *args, **kwargs: work(*args, **kwargs))
    (tmp_path / "policy.yaml").write_text("platforms: [meta]\n")

    class Loop:
        lake = Lake(tmp_path / "lake")

        def sampled(self, population, diagnostics):
            monkeypatch.setattr(returns, "sample_population", lambda *args, **kwargs: (population, diagnostics))

        def audited(self, audit):
            monkeypatch.setattr(auditing, "audit_engine", lambda **kwargs: audit)

        def run(self, one, day=None):
            with DagsterInstance.ephemeral() as instance:
                return materialize(
                    [one],
                    instance=instance,
                    partition_key=None if day is None else str(day),
                    resources={
                        "clock": FixedClock(),
                        "lake": LakeResource(root=str(tmp_path / "lake")),
                        "policy": PolicyResource(path=str(tmp_path / "policy.yaml")),
                    },
                )

        def estimates(self):
            assert self.run(roas_estimates, YESTERDAY).success
            return self.lake.read_asset(returns.ESTIMATES, YESTERDAY)

    return Loop()


def checks(result):
    return {one.check_name: one for one in result.get_asset_check_evaluations()}


def test_after_a_bad_fit_estimates_are_those_of_the_last_good_one_and_it_is_said(loop):
    known = replace(Population(), elasticity_mean=0.61, source="nuts")
    loop.lake.write_asset(returns.POPULATION, TODAY - timedelta(days=7), pl.DataFrame([known.to_json()]))
    before = loop.estimates()

    loop.sampled(CHEERFUL, BAD)
    result = loop.run(response_population)

    assert result.success
    check = checks(result)["sampler_converged"]
    assert not check.passed
    assert check.severity is AssetCheckSeverity.WARN
    assert "not kept: R-hat 1.080 above 1.01, effective sample size 55 below 400" in check.description
    assert "2026-06-23 stays in use" in check.description
    assert returns.newest_population(loop.lake, TODAY) == known
    assert loop.estimates().equals(before)


def test_a_bad_first_fit_is_not_used_either(loop):
    before = loop.estimates()
    loop.sampled(CHEERFUL, BAD)
    check = checks(loop.run(response_population))["sampler_converged"]
    assert "none was good before" in check.description
    assert loop.lake.asset_days(returns.POPULATION) == []
    assert loop.estimates().equals(before)


def test_a_good_fit_is_used_from_then_on(loop):
    before = loop.estimates()
    loop.sampled(CHEERFUL, GOOD)
    check = checks(loop.run(response_population))["sampler_converged"]
    assert check.passed
    assert loop.lake.asset_days(returns.POPULATION) == [TODAY]
    assert not loop.estimates().equals(before)


def compared(difference: float) -> pl.DataFrame:
    arms = pl.DataFrame({"arm_id": ["a", "b"], "account_id": "1", "platform": "meta", "conversions": [3.0, 0.0]})
    ratios = {f"{name}_width_ratio": pl.lit(1.02) for name in ("log_value", "elasticity")}
    return arms.with_columns(log_value_difference=difference, elasticity_difference=0.1, **ratios)


@pytest.mark.parametrize(
    ("difference", "diagnostics", "severity"),
    [
        (0.1, GOOD, None),
        (0.3, GOOD, AssetCheckSeverity.WARN),
        (0.9, GOOD, AssetCheckSeverity.ERROR),
        (0.9, BAD, AssetCheckSeverity.WARN),  # chains that do not agree prove nothing against the daily engine
    ],
)
def test_the_audit_warns_of_small_and_errs_at_large_differences(loop, difference, diagnostics, severity):
    p_values = {"total": 0.4, "zeros": 0.5, "dispersion": 0.6, "weekday": 0.7}
    loop.audited(Audit(2, 9, 1, diagnostics, diagnostics, compared(difference), p_values))
    found = checks(loop.run(engine_audit))
    assert found["chains_agree"].passed == (diagnostics is GOOD)
    assert found["engines_agree"].passed == (severity is None)
    if severity is not None:
        assert found["engines_agree"].severity is severity
        assert f"means differ by {difference:.2f}" in found["engines_agree"].description
    assert found["model_describes_the_counts"].passed
    assert loop.lake.read_asset(auditing.AUDIT, TODAY).height == 2
