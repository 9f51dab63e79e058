"""The hidden truth: outcomes under other budgets, the best allocation against brute force, the sanity of the curves."""

import itertools
import json
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.sandbox.world import World, WorldConfig, WorldError
from stakazo_pipelines.sandbox.world.noise import Stream, counts, keys, poisson, uniform
from stakazo_pipelines.sandbox.world.optimum import best_split

SMALL = WorldConfig(seed=11, history_days=40, accounts=3, campaigns=6, ad_groups=12, ads=24)
SINCE, UNTIL = date(2026, 7, 1), date(2026, 7, 10)


@pytest.fixture(scope="module")
def played():
    """A world left alone for two weeks after its boot."""
    world = World(SMALL)
    world.advance(SMALL.start + timedelta(days=14))
    return world


def test_leaving_budgets_alone_is_the_status_quo(played):
    for result in played.outcome(SINCE, UNTIL).values():
        assert result["actual"]["spend"] == pytest.approx(result["status_quo"]["spend"], rel=1e-9)
        assert result["actual"]["value"] == pytest.approx(result["status_quo"]["value"], rel=1e-9)


def test_best_allocation_has_the_same_total_and_earns_at_least_as_much(played):
    for result in played.outcome(SINCE, UNTIL).values():
        assert sum(result["best"]["budgets"].values()) * result["days"] == pytest.approx(result["budget"], rel=1e-6)
        assert result["best"]["value"] >= result["status_quo"]["value"]


def test_following_the_best_budgets_earns_what_the_best_promises():
    plan = World(SMALL)
    plan.advance(SMALL.start + timedelta(days=14))
    best = plan.outcome(SINCE, UNTIL)
    world = World(SMALL)
    account = next(a.id for a in world.accounts.values() if a.currency == "USD")
    world.advance(SMALL.start + timedelta(hours=16))  # midnight in New York: the first hour of SINCE has not begun
    for arm, budget in best[account]["best"]["budgets"].items():
        level = "campaign" if arm in world.campaigns else "ad_group"
        world.update(level, arm, daily_budget=max(round(budget * 100), 1))
    world.advance(SMALL.start + timedelta(days=14))
    result = world.outcome(SINCE, UNTIL)[account]
    assert result["actual"]["value"] == pytest.approx(best[account]["best"]["value"], rel=0.01)
    assert result["actual"]["spend"] == pytest.approx(best[account]["best"]["spend"], rel=0.01)


def test_no_random_allocation_of_a_tiny_world_beats_the_best():
    from stakazo_pipelines.sandbox.world.outcome import Stage

    world = World(WorldConfig(seed=2, history_days=20, accounts=1, campaigns=3, ad_groups=3, ads=6))
    account = next(iter(world._worlds.values()))
    start = account.openings[10]
    stage = Stage(account, start.wear, start.settings, range(10, 20))
    total, running = stage.budgets().sum(), np.flatnonzero(stage.budgets() > 0)
    steps = [s for s in itertools.product(range(41), repeat=running.size) if sum(s) == 40]
    tried = np.zeros((len(steps), stage.budgets().size))
    tried[:, running] = np.array(steps) / 40 * total
    _, brute = stage.play(tried)
    _, best = stage.play(stage.best()[None, :])
    assert best.sum() >= brute.sum(axis=1).max() * (1 - 1e-4)


def test_outcome_needs_complete_days(played):
    with pytest.raises(WorldError, match="complete days"):
        played.outcome(SINCE, date(2026, 7, 14))
    with pytest.raises(WorldError, match="complete days"):
        played.outcome(SMALL.first_day - timedelta(days=1), UNTIL)


def test_truth_is_plain_json_and_agrees_with_its_curves(played):
    truth = json.loads(json.dumps(played.truth()))
    assert truth["arms"]
    assert {i["kind"] for i in truth["incidents"]} == {"tracking_outage", "delivery_stop", "cpc_jump"}
    for arm in truth["arms"]:
        held = (played.campaigns if arm["level"] == "campaign" else played.ad_groups)[arm["arm_id"]]
        assert arm["budget"] == held.daily_budget / played.accounts[arm["account_id"]].minor_units
        budgets, values = arm["curve"]["budget"], arm["curve"]["value"]
        assert all(b <= a * (1 + 1e-9) for b, a in itertools.pairwise(values))
        assert np.interp(arm["budget"], budgets, values) == pytest.approx(arm["value"], rel=0.06)
        assert arm["marginal_roas"] >= 0
        if arm["value"]:
            assert arm["roas"] == pytest.approx(arm["value"] / arm["spend"])


def test_realised_value_scatters_around_the_expectation():
    world = World(WorldConfig(seed=21, accounts=1, campaigns=12, ad_groups=40, ads=100, history_days=45))
    world.advance(world.now + timedelta(days=16))
    since, until = date(2026, 6, 1), date(2026, 6, 29)
    account = next(iter(world.accounts))
    report = world.report(account, "account", since, until)
    expected = world.outcome(since, until)[account]["actual"]
    assert report["spend"].sum() == pytest.approx(expected["spend"], rel=1e-3)
    assert report["purchase_value"].sum() == pytest.approx(expected["value"], rel=0.15)


def test_default_world_offers_a_realistic_gain():
    world = World()
    world.advance(world.now + timedelta(days=31))
    gains = []
    for result in world.outcome(SINCE, date(2026, 7, 30)).values():
        gains.append(result["best"]["value"] / result["status_quo"]["value"] - 1)
        assert result["best"]["spend"] == pytest.approx(result["status_quo"]["spend"], rel=0.05)
    assert 0.1 < np.mean(gains) < 0.4
    arms = world.truth()["arms"]
    assert 0.8 < np.median([arm["roas"] for arm in arms]) < 2.5


curves = st.lists(st.tuples(st.floats(0.5, 20), st.floats(1, 40), st.floats(0.5, 3.0)), min_size=1, max_size=3)


@given(curves, st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_best_split_equals_brute_force_for_curves_of_any_shape(shapes, total):
    grid = np.arange(0, 21, dtype=float)
    x = grid[None, :] / np.array([[half] for _, half, _ in shapes])
    power = x ** np.array([[hill] for _, _, hill in shapes])
    values = np.array([[top] for top, _, _ in shapes]) * power / (1 + power)
    found = best_split(grid, values, float(total))
    brute = max(
        sum(values[i, p] for i, p in enumerate(picks))
        for picks in itertools.product(range(grid.size), repeat=len(shapes))
        if sum(picks) <= total
    )
    assert grid[found.pick].sum() <= total
    assert found.value == pytest.approx(sum(values[i, p] for i, p in enumerate(found.pick)))
    assert brute * (1 - 1.01e-4) <= found.value <= brute + 1e-9
    assert found.bound >= brute - 1e-9


@given(st.floats(0, 300), st.floats(0, 300), st.integers(0, 10_000))
def test_counts_never_fall_when_the_mean_grows(a, b, key):
    low, high = sorted((a, b))
    k = keys(1, Stream.ARRIVALS, key)
    assert poisson(np.array([low]), k)[0] <= poisson(np.array([high]), k)[0]
    u, v = uniform(1, Stream.RATES, key), uniform(2, Stream.RATES, key)
    assert counts(np.array([low]), u, v)[0] <= counts(np.array([high]), u, v)[0]


@pytest.mark.parametrize("mean", [0.03, 0.7, 6.0, 39.0, 41.0, 180.0])
def test_poisson_has_its_mean_and_variance(mean):
    draws = poisson(np.full(20_000, mean), keys(9, Stream.ARRIVALS, np.arange(20_000)))
    assert draws.mean() == pytest.approx(mean, rel=0.05, abs=0.01)
    assert draws.var() == pytest.approx(mean, rel=0.08, abs=0.01)


def test_sales_counts_are_overdispersed():
    world = World(WorldConfig(seed=1, accounts=1, campaigns=4, ad_groups=12, ads=12, history_days=100))
    report = world.report(next(iter(world.accounts)), "ad_group", date(2026, 4, 1), date(2026, 6, 10))
    ratios = []
    for group in set(report["ad_group_id"]):
        counted = report["purchases"][report["ad_group_id"] == group]
        if counted.mean() > 3:
            ratios.append(np.var(np.diff(counted)) / 2 / counted.mean())
    assert np.median(ratios) > 1.15
