"""The comparison of engines, on made-up draws; and, slowly, on draws of the full model."""

from typing import Any

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.cycle.audit import disagreements, misfits
from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement import audit as engines
from stakazo_pipelines.measurement.audit import ArmDraws, Audit, agreement, audit_engine, compare
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.nuts import Diagnostics, Sampling
from stakazo_pipelines.measurement.panel import build_panel
from stakazo_pipelines.measurement.population import arms_of
from stakazo_pipelines.measurement.simulate import Design, simulate
from stakazo_pipelines.policy import MeasurementPolicy

GOOD = Diagnostics(max_rhat=1.0, min_ess=900.0, divergences=0, draws=2000)
Z = 1.6448536269514722


def daily(arms: int, *, shift: float = 0.0, stretch: float = 1.0) -> pl.DataFrame:
    """An engine that believes N(1, 0.2) of log value and N(0.6, 0.1) of elasticity, moved by `shift` deviations."""
    low, high = np.exp(1.0 - stretch * Z * 0.2), np.exp(1.0 + stretch * Z * 0.2)
    return pl.DataFrame(
        {
            "arm_id": [f"a{i}" for i in range(arms)],
            "account_id": "1",
            "platform": "meta",
            "conversions": 30.0,
            "roas_low": low,
            "roas_high": high,
            "log_value_mean": 1.0 + shift * 0.2,
            "elasticity_mean": 0.6 + shift * 0.1,
            "elasticity_sd": stretch * 0.1,
        }
    )


def draws(arms: int) -> ArmDraws:
    rng = np.random.default_rng(1)
    return ArmDraws(1.0 + 0.2 * rng.standard_normal((4000, arms)), 0.6 + 0.1 * rng.standard_normal((4000, arms)))


def audit_of(compared: pl.DataFrame, **p_values: float) -> Audit:
    return Audit(3, 3, 1, GOOD, GOOD, compared, p_values)


def test_an_engine_that_believes_the_same_agrees():
    audit = audit_of(compare(draws(5), daily(5)))
    found = agreement(audit.compared, "log_value")
    assert (found.arms, found.difference < 0.06, abs(found.width_ratio - 1) < 0.05) == (5, True, True)
    assert disagreements(audit) == []


@pytest.mark.parametrize(("shift", "stretch", "word"), [(0.4, 1.0, "means differ"), (0.0, 0.7, "times as wide")])
def test_what_differs_is_said_for_each_quantity(shift, stretch, word):
    audit = audit_of(compare(draws(5), daily(5, shift=shift, stretch=stretch)))
    found = disagreements(audit)
    assert len(found) == 2
    assert all(word in one for one in found)
    assert agreement(audit.compared, "elasticity").bias == pytest.approx(shift, abs=0.06)
    assert disagreements(audit, times=4.0) == []


def test_arms_without_value_are_left_out_and_none_at_all_is_no_agreement():
    frame = daily(3).with_columns(
        pl.when(pl.col("arm_id") == "a0").then(None).otherwise("log_value_mean").alias("log_value_mean")
    )
    compared = compare(draws(3), frame)
    assert agreement(compared, "log_value").arms == 2
    nothing = compare(draws(3), daily(3).with_columns(log_value_mean=pl.lit(None, dtype=pl.Float64)))
    assert agreement(nothing, "log_value").arms == 0
    assert any("value at the reference spend" in one for one in disagreements(audit_of(nothing)))


def test_only_extreme_p_values_are_misfits():
    assert misfits(audit_of(pl.DataFrame(), total=0.5, zeros=0.01, weekday=0.99)) == []
    assert len(misfits(audit_of(pl.DataFrame(), total=0.5, zeros=0.001, weekday=0.999))) == 2


def test_nothing_delivered_is_nothing_to_audit():
    design = Design(2, 5)
    idle = simulate(Population(), design, 1).arm_days.with_columns(spend=pl.lit(0.0))
    with pytest.raises(MeasurementError, match="no arm with delivery"):
        audit_engine(
            arm_days=idle, as_of=design.as_of, maturity={}, population=None, settings=MeasurementPolicy(), seed=1,
            max_arms=10,
        )  # fmt: skip


class AskedError(Exception):
    """Stands for the model, which nobody has to sample."""


def test_the_full_model_sees_values_as_the_daily_engine_does(monkeypatch):
    def full_model(panel, valued, defaults, **_named):
        raise AskedError(panel, valued, defaults)

    monkeypatch.setattr(engines, "full_model", full_model)
    design, used = Design(4, 30), Population(value_memory_days=9.0, value_cv=1.3, arms=4)
    made = simulate(Population(), design, 1)
    days = made.arm_days.with_columns(conversions_value=pl.col("conversions_value") * (1 + pl.col("age_days") % 3))
    with pytest.raises(AskedError) as asked:
        audit_engine(
            arm_days=days, as_of=design.as_of, maturity={}, population=used,
            settings=MeasurementPolicy(window_days=30), seed=1, max_arms=10,
        )  # fmt: skip
    panel, valued, defaults = asked.value.args
    given = {"arm_days": days, "arms": arms_of(days), "as_of": design.as_of, "window_days": 30, "maturity": {}}
    same, forgetful = (build_panel(**given, value_memory_days=memory) for memory in (9.0, 1.0))
    assert panel.unit_value.tolist() == same.unit_value.tolist() != forgetful.unit_value.tolist()
    assert (valued, defaults) == (used, Population())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTensor and ArviZ warn on import
def test_the_daily_engine_agrees_with_the_full_model_on_a_sample_of_arms() -> None:
    design = Design(40, 21, accounts=2)
    made: Any = simulate(Population(), design, 1002)
    audit = audit_engine(
        arm_days=made.arm_days,
        as_of=design.as_of,
        maturity={},
        population=None,
        settings=MeasurementPolicy(window_days=21),
        seed=1,
        max_arms=24,
        sampling=Sampling(draws=250, tune=250, target_accept=0.9),
    )
    assert (audit.arms, audit.of_arms, audit.compared.height) == (24, 40, 24)
    assert audit.single.max_rhat < 1.1
    for name in ("log_value", "elasticity"):
        found = agreement(audit.compared, name)
        assert found.difference < 0.3
        assert 0.7 < found.width_ratio < 1.3
    assert misfits(audit) == []
