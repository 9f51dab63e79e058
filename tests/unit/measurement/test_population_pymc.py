import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

from stakazo_pipelines.errors import MeasurementError
from stakazo_pipelines.measurement import population_pymc
from stakazo_pipelines.measurement.full_model import HYPER
from stakazo_pipelines.measurement.nuts import Diagnostics, Sampling
from stakazo_pipelines.measurement.population import Population, fit_population
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


def fake_chains(monkeypatch: pytest.MonkeyPatch, passing: int) -> list[Sampling]:
    """Without a sampler: draws of the n-th sampling lie around 0.1 n, and the chains agree from the `passing`-th on."""
    tried: list[Sampling] = []
    wide = {"elasticity_sds": 5, "level_sds": 5, "value_sds": 5, "elasticity_slopes": 2, "level_slopes": 2}

    def sample(_compiled: Any, sampling: Sampling, *, seed: int) -> int:
        tried.append(sampling)
        return len(tried)

    def diagnose(trace: int, names: Any) -> Diagnostics:
        assert names == HYPER
        return Diagnostics(max_rhat=1.0 if trace >= passing else 1.5, min_ess=900.0, divergences=0, draws=2000)

    def drawn(trace: int, name: str) -> np.ndarray:
        around = 0.1 * trace * np.array([0.99, 1.01])
        return np.repeat(around[:, None], wide[name], axis=1) if name in wide else around

    fakes = {
        "full_model": lambda *_given, **_named: None,
        "compile_model": lambda *_given, **_named: None,
        "sample": sample,
        "diagnose": diagnose,
        "drawn": drawn,
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(population_pymc, name, fake)
    return tried


SHORT, LONG, LONGEST = (Sampling(draws=draws, tune=5) for draws in (10, 20, 30))


@pytest.mark.parametrize(("passing", "used"), [(1, 1), (2, 2), (3, 3), (9, 3)])
def test_the_next_sampling_is_tried_until_the_chains_agree(
    monkeypatch: pytest.MonkeyPatch, small_world: Callable[..., Any], passing: int, used: int
) -> None:
    world, samplings = small_world(1, 40, 40), (SHORT, LONG, LONGEST)
    tried = fake_chains(monkeypatch, passing)
    found, diagnostics = sample_population(world.arm_days, {}, seed=1, as_of=world.as_of, samplings=samplings)
    assert tried == list(samplings[:used])
    assert diagnostics.passed == (passing <= len(samplings))
    assert found.drift_sd == pytest.approx(0.1 * used, rel=0.01)
    assert found.level_sds == pytest.approx((0.1 * used,) * 5, rel=0.01)


def test_how_values_vary_and_are_remembered_is_learned_beside_the_chains(
    monkeypatch: pytest.MonkeyPatch, small_world: Callable[..., Any]
) -> None:
    world, prior = small_world(1, 40, 40), Population()
    fake_chains(monkeypatch, 1)
    found, _ = sample_population(world.arm_days, {}, seed=1, as_of=world.as_of, samplings=(SHORT,))
    daily = fit_population(world.arm_days, {}, as_of=world.as_of, window_days=56)
    assert found.value_memory_days == daily.value_memory_days != prior.value_memory_days
    assert found.value_cv == daily.value_cv != prior.value_cv


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
