import subprocess
import sys
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement.full_model import Diagnostics, Sampling
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.measurement.population_pymc import sample_population


def test_measurement_loads_neither_pymc_nor_scikit_learn() -> None:
    code = (
        "import sys, stakazo_pipelines.measurement.population_pymc, stakazo_pipelines.measurement.estimate\n"
        "assert not {'pymc', 'sklearn', 'arviz', 'nutpie', 'pytensor'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603  # our own interpreter and code


def test_a_bad_fit_says_why_it_may_not_be_used() -> None:
    bad = Diagnostics(max_rhat=1.3, min_ess=12.0, divergences=90, draws=800)
    assert not bad.passed
    assert [word in " ".join(bad.problems) for word in ("R-hat", "sample size", "divergences")] == [True] * 3
    assert Diagnostics(max_rhat=float("nan"), min_ess=float("nan"), divergences=0, draws=800).problems
    assert Diagnostics(max_rhat=1.01, min_ess=400.0, divergences=0, draws=800).passed
    assert not Diagnostics(max_rhat=1.011, min_ess=900.0, divergences=0, draws=800).passed
    assert not Diagnostics(max_rhat=1.0, min_ess=399.0, divergences=0, draws=800).passed


def test_nothing_to_learn_from_is_an_error(small_world: Callable[..., Any]) -> None:
    days = small_world().arm_days
    for empty in (days.clear(), days.with_columns(spend=pl.lit(0.0))):
        with pytest.raises(MeasurementError, match="no arm with delivery"):
            sample_population(empty, {}, seed=1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # PyTensor and ArviZ warn on import
def test_nuts_and_the_daily_engine_agree_on_the_population(small_world: Callable[..., Any]) -> None:
    world = small_world()
    once = (Sampling(draws=700, tune=500, target_accept=0.9),)  # fewer draws than the gate asks for, enough to compare
    sampled, diagnostics = sample_population(world.arm_days, {}, seed=1, as_of=world.as_of, samplings=once)
    assert diagnostics.max_rhat < 1.05
    assert diagnostics.min_ess > 100
    assert sampled.source == "nuts"
    daily = fit_population(world.arm_days, {}, as_of=world.as_of, window_days=56, max_arms=60)
    assert sampled.elasticity_mean == pytest.approx(daily.elasticity_mean, abs=0.12)
    assert sampled.dispersion == pytest.approx(daily.dispersion, rel=0.4)
    assert sampled.drift_sd == pytest.approx(daily.drift_sd, rel=0.6)
    assert sampled.shock_sd == pytest.approx(daily.shock_sd, rel=0.5)
    assert sampled.level_sds[0] == pytest.approx(daily.level_sds[0], rel=0.4)
