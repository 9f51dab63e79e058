"""A careful objective: the posterior's lower values, checked against draws, and money that goes to what is known."""

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.allocation.posterior import expected_curve
from stakazo_pipelines.allocation.problem import AllocationProblem
from stakazo_pipelines.allocation.risk import RiskAversion, risk_curve
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import AllocationError


def frame(**changes):
    columns = {
        "log_value_mean": [5.0, 5.0, None],
        "log_value_sd": [0.1, 0.5, 0.1],
        "elasticity_mean": [0.5, 0.5, 0.5],
        "elasticity_sd": [0.05, 0.1, 0.1],
        "curve_corr": [0.3, -0.2, 0.0],
        "ref_spend": [50.0, 50.0, 50.0],
    }
    return pl.DataFrame(columns | changes)


CURRENT = np.array([80.0, 30.0, 50.0])


def draws(table, n=400_000):
    rng = np.random.default_rng(1)
    known = table.head(2)
    one, two = rng.standard_normal((2, n, 2))
    value = known["log_value_mean"].to_numpy() + known["log_value_sd"].to_numpy() * one
    corr = known["curve_corr"].to_numpy()
    mixed = corr * one + np.sqrt(1 - corr**2) * two
    return value, known["elasticity_mean"].to_numpy() + known["elasticity_sd"].to_numpy() * mixed


def worth(table, spend):
    value, elasticity = draws(table)
    return np.exp(value + elasticity * np.log(spend / table.head(2)["ref_spend"].to_numpy()))


@pytest.mark.parametrize("quantile", [0.05, 0.25, 0.5])
def test_a_quantile_counts_an_arm_with_that_quantile_of_its_draws(quantile):
    curve = risk_curve(frame(), CURRENT, RiskAversion(quantile=quantile))
    here = np.quantile(worth(frame(), CURRENT[:2]), quantile, axis=0)
    assert curve.scale[:2] == pytest.approx(here, rel=0.01)
    near = np.quantile(worth(frame(), CURRENT[:2] * 1.02), quantile, axis=0)
    assert curve.elasticity[:2] == pytest.approx(np.log(near / here) / np.log(1.02), abs=0.03)


def test_deviations_count_an_arm_with_its_mean_less_so_many():
    curve = risk_curve(frame(), CURRENT, RiskAversion(deviations=1.0))
    values = worth(frame(), CURRENT[:2])
    assert curve.scale[:2] == pytest.approx(values.mean(axis=0) - values.std(axis=0), rel=0.02)
    near = worth(frame(), CURRENT[:2] * 1.001)
    slope = np.log((near.mean(axis=0) - near.std(axis=0)) / (values.mean(axis=0) - values.std(axis=0))) / np.log(1.001)
    assert curve.elasticity[:2] == pytest.approx(slope, abs=0.01)


def test_without_aversion_it_is_the_expected_curve():
    for none in (RiskAversion(), RiskAversion(deviations=0.0)):
        curve, plain = risk_curve(frame(), CURRENT, none), expected_curve(frame(), CURRENT)
        assert curve.scale == pytest.approx(plain.scale)
        assert curve.elasticity == pytest.approx(plain.elasticity)


def test_an_arm_without_a_curve_or_with_nothing_certain_gets_none():
    curve = risk_curve(frame(log_value_sd=[0.1, 2.0, 0.1]), CURRENT, RiskAversion(deviations=2.0))
    assert curve.scale[0] > 0
    assert curve.scale[1:] == pytest.approx(0.0)
    assert curve.elasticity[1:] == pytest.approx(0.0)


def test_of_two_arms_that_promise_the_same_the_better_known_one_gets_the_money():
    table, now = frame(curve_corr=[0.0, 0.0, 0.0]).head(2), np.array([50.0, 50.0])
    shares = []
    for aversion in (RiskAversion(), RiskAversion(quantile=0.2), RiskAversion(quantile=0.05)):
        curve = risk_curve(table, now, aversion)
        problem = AllocationProblem(
            ("known", "unknown"), now, now * 0.1, now * 3, curve.scale, curve.elasticity, now, 100.0
        )
        shares.append(solve(problem).proposed[0])
    assert shares == sorted(shares)
    assert shares[0] < 50 < shares[2]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"quantile": 0.1, "deviations": 1.0}, "not both"),
        ({"quantile": 0.7}, "at most 1/2"),
        ({"quantile": 0.0}, "above 0"),
        ({"deviations": -1.0}, "at least zero"),
    ],
)
def test_aversions_that_are_none_are_refused(options, words):
    with pytest.raises(AllocationError, match=words):
        RiskAversion(**options)
