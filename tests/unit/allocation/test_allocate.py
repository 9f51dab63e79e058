"""Budgets by account: totals to the minor unit, guardrails that hold over repeated plans, reasons in words."""

from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.allocation.posterior import expected_curve
from stakazo_pipelines.allocation.rounding import round_to_total, trim_moves
from stakazo_pipelines.errors import AllocationError
from stakazo_pipelines.measurement.curves import ELASTICITY_MAX, ELASTICITY_MIN
from stakazo_pipelines.policy import AccountPolicy, AllocationPolicy, GuardrailPolicy, Policy
from stakazo_pipelines.vocabulary import Binding


@dataclass(frozen=True)
class FakeEstimates:
    frame: pl.DataFrame

    def draws(self, n, seed):
        rng = np.random.default_rng(seed)
        columns = {name: self.frame[name].to_numpy() for name in self.frame.columns}
        shape = (n, len(self.frame))
        value = columns["log_value_mean"] + columns["log_value_sd"] * rng.standard_normal(shape)
        slope = columns["elasticity_mean"] + columns["elasticity_sd"] * rng.standard_normal(shape)
        return value, np.clip(slope, 0.02, 0.98)


def world(budgets, roas, *, elasticity=0.6, states=None, accounts=None, sd=0.1, currency="USD"):
    """Arms `a0, a1, …` with these daily budgets, and estimates that put these ROAS at them."""
    n = len(budgets)
    ids = [f"a{i}" for i in range(n)]
    accounts = ["acc"] * n if accounts is None else accounts
    budgets, roas = np.asarray(budgets, dtype=float), np.asarray(roas, dtype=float)
    arms = pl.DataFrame(
        {"arm_id": ids, "account_id": accounts, "platform": "meta", "currency": currency, "budget": budgets}
    )
    ref = np.maximum(budgets, 1.0)
    frame = pl.DataFrame(
        {
            "arm_id": ids,
            "state": ["ok"] * n if states is None else states,
            "days": np.full(n, 30),
            "spend": budgets * 30,
            "roas": roas,
            "roas_low": roas * 0.9,
            "roas_high": roas * 1.1,
            "marginal_roas": roas * elasticity,
            "marginal_roas_low": roas * elasticity * 0.8,
            "marginal_roas_high": roas * elasticity * 1.2,
            "ref_spend": ref,
            "log_value_mean": np.log(np.maximum(roas, 1e-9) * ref),
            "log_value_sd": np.full(n, sd),
            "elasticity_mean": np.full(n, elasticity),
            "elasticity_sd": np.full(n, 0.05),
            "curve_corr": np.zeros(n),
        }
    )
    return FakeEstimates(frame), arms


def run(estimates, arms, *, policy=None, ledger=None, units=100, **options):
    return allocate(
        estimates=estimates,
        arms=arms,
        policy=policy or Policy(),
        ledger=ledger or ChangeLedger(),
        minor_units=dict.fromkeys(arms["account_id"].unique(), units),
        seed=1,
        **options,
    )


def proposed(result):
    return dict(zip(result.frame["arm_id"], result.frame["proposed_budget"], strict=True))


def binding(result):
    return dict(zip(result.frame["arm_id"], result.frame["binding"], strict=True))


def test_money_moves_from_where_it_earns_least_to_where_it_earns_most():
    result = run(*world([100, 100, 100], [1.0, 2.0, 4.0]))
    assert proposed(result) == {"a0": 80.0, "a1": 100.0, "a2": 120.0}
    assert binding(result) == {"a0": "step_down", "a1": "none", "a2": "step_up"}
    account = result.accounts[0]
    assert account.proposed_total == 300.0
    assert 0 < account.expected_gain_low < account.expected_gain < account.expected_gain_high
    assert account.chance_of_gain > 0.95
    assert account.reason == ""


def test_expected_gain_agrees_with_the_curves():
    estimates, arms = world([100, 100], [1.0, 4.0], sd=0.01)
    result = run(estimates, arms)
    gain = 400 * (1.2**0.6 - 1) - 100 * (1 - 0.8**0.6)
    assert result.accounts[0].expected_gain == pytest.approx(gain, rel=0.05)
    assert result.frame["expected_gain"].sum() == pytest.approx(result.accounts[0].expected_gain)


@pytest.mark.parametrize("state", ["insufficient", "immature", "stale"])
def test_an_arm_that_cannot_be_judged_is_kept_where_it_is(state):
    result = run(*world([100, 100, 100], [9.0, 1.0, 2.0], states=[state, "ok", "ok"]))
    assert proposed(result)["a0"] == 100.0
    assert binding(result)["a0"] == "state"


def test_an_arm_without_an_estimate_is_kept_and_stated():
    estimates, arms = world([100, 100, 100], [1.0, 2.0, 3.0])
    result = run(FakeEstimates(estimates.frame.filter(pl.col("arm_id") != "a2")), arms)
    last = result.frame.filter(pl.col("arm_id") == "a2").row(0, named=True)
    assert (last["proposed_budget"], last["state"], last["binding"]) == (100.0, "insufficient", "state")
    assert last["roas"] is None


def test_held_arms_do_not_move_and_all_held_is_said_in_words():
    estimates, arms = world([100, 100], [1.0, 4.0])
    policy = Policy(accounts={"meta/acc": AccountPolicy(held=("a0",))})
    result = run(estimates, arms, policy=policy, held={"a1"})
    assert binding(result) == {"a0": "held", "a1": "held"}
    assert result.accounts[0].reason.startswith("all 2 arms held: 2 held by a person")


def test_equal_arms_have_nothing_to_gain():
    result = run(*world([100, 100], [2.0, 2.0]))
    assert result.accounts[0].changes == 0
    assert "nothing to gain" in result.accounts[0].reason


def test_a_plan_that_is_expected_to_lose_is_dropped_whole():
    estimates, arms = world([100, 100], [1.0, 1.2])

    class Gloomy(FakeEstimates):
        def draws(self, n, seed):
            value, slope = super().draws(n, seed)
            return -value, slope

    gloomy = Gloomy(estimates.frame.with_columns(log_value_mean=pl.Series([4.0, 4.5])))
    result = run(gloomy, arms)
    assert result.accounts[0].changes == 0
    assert "nothing to gain: the best change within the bounds is expected to earn -" in result.accounts[0].reason


def test_changes_too_small_to_publish_are_dropped_and_the_rest_still_balances():
    # One good arm is paid for by twenty: a cut of 1 % each is not worth a write, 2 % of some of them is.
    policy = Policy(allocation=AllocationPolicy(min_change=0.02))
    result = run(*world([100.0] * 21, [4.0] + [1.0] * 20, sd=0.01), policy=policy)
    frame = result.frame
    change = (frame["proposed_budget"] - frame["current_budget"]).abs() / frame["current_budget"]
    assert frame["proposed_budget"].sum() == pytest.approx(2100.0, abs=1e-9)
    assert proposed(result)["a0"] == 120.0
    assert ((change == 0) | (change >= 0.02 - 1e-9)).all()
    assert "too_small" in set(frame["binding"])


def test_nothing_is_starved_below_its_share_of_its_own_average():
    estimates, arms = world([10, 20], [0.5, 4.0])
    estimates = FakeEstimates(estimates.frame.with_columns(spend=pl.Series([30 * 95.0, 600.0])))
    result = run(estimates, arms, policy=Policy(allocation=AllocationPolicy(min_budget_share=0.1)))
    assert proposed(result)["a0"] == 9.5
    assert binding(result)["a0"] == "minimum"


def test_platform_minimum_and_maximum_bind():
    estimates, arms = world([100, 100], [1.0, 4.0])
    result = run(estimates, arms.with_columns(min_budget=pl.Series([95.0, None]), max_budget=pl.Series([None, 104.0])))
    assert proposed(result) == {"a0": 96.0, "a1": 104.0}
    assert binding(result)["a1"] == "maximum"


def test_accounts_do_not_share_money():
    result = run(*world([100, 100, 50, 50], [1.0, 4.0, 1.0, 9.0], accounts=["x", "x", "y", "y"]))
    totals = result.frame.group_by("account_id").agg(pl.col("proposed_budget").sum()).sort("account_id")
    assert totals["proposed_budget"].to_list() == [200.0, 100.0]
    assert [account.account_id for account in result.accounts] == ["x", "y"]


def test_a_larger_total_is_refused_by_the_growth_guardrail_in_words():
    result = run(*world([100, 100], [1.0, 4.0]), total=220.0)
    assert result.frame["proposed_budget"].sum() == pytest.approx(200.02)
    assert "total of 220.00 asked for is out of reach" in result.accounts[0].reason


def test_a_larger_total_is_met_when_policy_lets_the_account_grow():
    policy = Policy(guardrails=GuardrailPolicy(max_budget_growth=0.5))
    result = run(*world([100, 100], [1.0, 4.0]), total=220.0, policy=policy)
    assert result.frame["proposed_budget"].sum() == pytest.approx(220.0)


def test_whole_yen_stay_whole():
    result = run(*world([1000, 1003, 999], [1.0, 2.0, 4.0], currency="JPY"), units=1)
    assert result.frame["proposed_budget"].sum() == 3002
    assert (result.frame["proposed_budget"] % 1 == 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda arms: arms.drop("budget"), "lack budget"),
        (lambda arms: arms.head(0), "no arms"),
        (lambda arms: pl.concat([arms, arms]), "more than once: a0, a1"),
        (lambda arms: arms.with_columns(budget=pl.Series([-1.0, 1.0])), "at least zero: a0"),
        (lambda arms: arms.with_columns(currency=pl.Series(["USD", "EUR"])), "more than one currency in account acc"),
    ],
)
def test_arms_that_are_no_table_of_budgets_are_refused(change, words):
    estimates, arms = world([100, 100], [1.0, 2.0])
    with pytest.raises(AllocationError, match=words):
        run(estimates, change(arms))


portfolios = st.integers(0, 2**32 - 1).map(np.random.default_rng)


@settings(max_examples=80, deadline=None)
@given(portfolios, st.integers(1, 25), st.sampled_from([1, 100, 1000]))
def test_every_plan_keeps_its_total_and_its_bounds_to_the_minor_unit(rng, n, units):
    budgets = np.round(np.exp(rng.normal(4, 1.5, n)) * units) / units
    states = rng.choice(["ok", "ok", "ok", "stale", "immature"], n)
    accounts = rng.choice(["x", "y"], n)
    estimates, arms = world(budgets, np.exp(rng.normal(0, 0.7, n)), states=states, accounts=accounts)
    policy = Policy(
        allocation=AllocationPolicy(step_cap=0.25, min_change=float(rng.choice([0, 0.02, 0.1]))),
        guardrails=GuardrailPolicy(account_day=float(rng.choice([0.02, 0.1, 0.5]))),
    )
    ledger = ChangeLedger(entity_24h={f"a{i}": float(rng.uniform(0, 0.4)) for i in range(n) if rng.random() < 0.5})
    frame = run(estimates, arms, policy=policy, ledger=ledger, units=units).frame
    before = np.rint(frame["current_budget"].to_numpy() * units)
    after = frame["proposed_budget"].to_numpy() * units
    assert after == pytest.approx(np.rint(after), abs=1e-6)
    moved = np.abs(np.rint(after) - before)
    used = np.array([ledger.entity_24h.get(arm, 0.0) for arm in frame["arm_id"]])
    assert (moved <= before * np.clip(np.minimum(0.25, 0.3 - used), 0, None) + 1e-5).all()
    for account in ("x", "y"):
        mine = (frame["account_id"] == account).to_numpy()
        assert np.rint(after[mine]).sum() == before[mine].sum()
        assert moved[mine].sum() <= policy.guardrails.account_day * before[mine].sum() + 1e-5
    kept = (frame["state"] != "ok").to_numpy()
    assert (moved[kept] == 0).all()
    assert set(frame["binding"]) <= set(Binding)


@settings(max_examples=25, deadline=None)
@given(portfolios, st.integers(2, 15))
def test_repeated_plans_within_a_day_never_pass_the_cumulative_caps(rng, n):
    budgets = np.round(np.exp(rng.normal(5, 1, n)), 2)
    policy = Policy(guardrails=GuardrailPolicy(entity_24h=0.3, account_day=0.25))
    ledger, current = ChangeLedger(), budgets
    for _ in range(6):  # a new opinion every time, all in one day
        estimates, arms = world(current, np.exp(rng.normal(0, 1, n)))
        result = run(estimates, arms, policy=policy, ledger=ledger)
        frame = result.frame.sort(pl.col("arm_id").str.slice(1).cast(pl.Int64))
        assert frame["proposed_budget"].sum() == pytest.approx(budgets.sum(), abs=1e-6)
        current = frame["proposed_budget"].to_numpy()
        ledger = ledger.after(frame)
    assert max(ledger.entity_24h.values(), default=0.0) <= 0.3 + 1e-9
    assert ledger.account_day["acc"] <= 0.25 + 1e-9


@settings(max_examples=30, deadline=None)
@given(portfolios, st.integers(2, 12))
def test_the_order_of_the_arms_does_not_change_the_plan(rng, n):
    estimates, arms = world(np.round(np.exp(rng.normal(5, 1, n)), 2), np.exp(rng.normal(0, 1, n)))
    shuffled = arms.sample(fraction=1.0, shuffle=True, seed=int(rng.integers(1000)))
    assert run(estimates, arms).frame.equals(run(estimates, shuffled).frame)


@settings(max_examples=200, deadline=None)
@given(portfolios, st.integers(1, 30))
def test_rounding_meets_the_total_and_the_bounds(rng, n):
    exact = rng.uniform(0, 50, n)
    lower = np.floor(exact).astype(np.int64) - rng.integers(0, 3, n)
    upper = np.ceil(exact).astype(np.int64) + rng.integers(0, 3, n)
    total = int(np.floor(exact.sum()))
    units = round_to_total(exact, lower, upper, total)
    assert units.sum() == total
    assert ((units >= lower) & (units <= upper)).all()
    assert (np.abs(units - exact) <= 1.0 + 1e-9).all()


def test_trimming_moves_keeps_the_total_and_meets_the_cap():
    current = np.array([100, 100, 100, 100])
    units = np.array([110, 104, 91, 95])
    trimmed = trim_moves(units, current, 21)
    assert trimmed.sum() == 400
    assert np.abs(trimmed - current).sum() <= 21


def test_the_expected_curve_has_the_level_and_slope_of_the_posterior_mean_at_todays_budget():
    frame = pl.DataFrame(
        {
            "log_value_mean": [5.0],
            "log_value_sd": [0.3],
            "elasticity_mean": [0.5],
            "elasticity_sd": [0.08],
            "curve_corr": [0.4],
            "ref_spend": [100.0],
        }
    )
    curve = expected_curve(frame, np.array([150.0]))
    rng = np.random.default_rng(0)
    noise = rng.multivariate_normal([5.0, 0.5], [[0.09, 0.0096], [0.0096, 0.0064]], size=400_000)
    mean = lambda spend: np.exp(noise[:, 0] + noise[:, 1] * np.log(spend / 100.0)).mean()  # noqa: E731
    assert curve.scale[0] == pytest.approx(mean(150.0), rel=2e-3)
    slope = np.log(mean(151.0) / mean(149.0)) / np.log(151 / 149)
    assert curve.elasticity[0] == pytest.approx(slope, rel=2e-3)


@pytest.mark.parametrize(
    ("mean", "sd", "corr"), [(0.6, 0.1, -0.3), (0.95, 0.3, 0.4), (1.3, 0.2, 0.0), (-0.1, 0.2, 0.1)]
)
def test_the_expected_curve_is_the_mean_over_the_truncated_posterior(mean: float, sd: float, corr: float) -> None:
    frame = pl.DataFrame(
        {
            "log_value_mean": [3.0],
            "log_value_sd": [0.4],
            "elasticity_mean": [mean],
            "elasticity_sd": [sd],
            "curve_corr": [corr],
            "ref_spend": [10.0],
        }
    )
    curve = expected_curve(frame, np.array([15.0]))
    grid = np.linspace(ELASTICITY_MIN, ELASTICITY_MAX, 20_001)  # of the elasticity; log value given it is normal
    weight = np.exp(-(((grid - mean) / sd) ** 2) / 2)
    given = 3.0 + corr * 0.4 * (grid - mean) / sd + 0.4**2 * (1 - corr**2) / 2
    values = np.exp(given + grid * np.log(1.5)) * weight
    assert curve.scale[0] == pytest.approx(values.sum() / weight.sum(), rel=1e-3)
    assert curve.elasticity[0] == pytest.approx((grid * values).sum() / values.sum(), rel=1e-3)


def test_policy_can_ask_for_care_and_money_then_goes_to_what_is_known():
    estimates, arms = world([100, 100], [2.0, 2.0])
    vague = estimates.frame.with_columns(
        log_value_sd=pl.Series([0.05, 0.6]), log_value_mean=pl.col("log_value_mean") - pl.Series([0.00125, 0.18])
    )
    estimates = FakeEstimates(vague)
    careful = Policy(allocation=AllocationPolicy(risk_quantile=0.1))
    assert proposed(run(estimates, arms, policy=careful))["a0"] == pytest.approx(120)
    assert proposed(run(estimates, arms))["a0"] == pytest.approx(100, abs=1)


def test_policy_takes_one_kind_of_care_only():
    with pytest.raises(ValueError, match="keep one of them"):
        AllocationPolicy(risk_quantile=0.1, risk_deviations=1.0)


def test_exploring_costs_no_more_than_its_share_and_says_what():
    estimates, arms = world([100, 120, 80, 100], [2.0, 2.0, 2.1, 1.9], sd=0.5)
    greedy = run(estimates, arms)
    share = 0.01
    tried = run(estimates, arms, policy=Policy(allocation=AllocationPolicy(explore=share)))
    assert proposed(tried) != proposed(greedy)
    assert sum(proposed(tried).values()) == pytest.approx(400)
    assert "exploring costs" in tried.accounts[0].reason
    cost = float(tried.accounts[0].reason.split("exploring costs ")[1].split()[0])
    assert 0 < cost <= share * 850
    assert run(estimates, arms, policy=Policy(allocation=AllocationPolicy(explore=0.0))).frame.equals(greedy.frame)


def test_exploring_keeps_steps_and_leaves_alone_what_cannot_be_judged():
    estimates, arms = world([100, 120, 80, 100], [2.0, 2.0, 2.1, 9.0], sd=0.8, states=["ok", "ok", "ok", "stale"])
    result = run(estimates, arms, policy=Policy(allocation=AllocationPolicy(explore=1.0)))
    assert proposed(result)["a3"] == 100
    for arm, budget in zip(["a0", "a1", "a2"], [100, 120, 80], strict=True):
        assert budget * 0.8 - 1e-9 <= proposed(result)[arm] <= budget * 1.2 + 1e-9


def bounded(least: int = 0, most: int | None = None, **more: object) -> Policy:
    account = {"bounds": {"min": least, "max": most}, **more}
    return Policy.model_validate({"accounts": {"meta/acc": account}, "guardrails": {"max_budget_growth": 1.0}})


@pytest.mark.parametrize(("least", "most"), [(0, 150), (250, None)])
def test_an_accounts_own_bounds_force_no_move_of_its_total(least: int, most: int | None) -> None:
    estimates, arms = world([100.0, 100.0], [2.0, 2.5])
    result = run(estimates, arms, policy=bounded(least, most))
    assert sum(proposed(result).values()) == pytest.approx(200.0)


@pytest.mark.parametrize(("least", "most", "total", "reached"), [(0, 190, 220, 190), (195, None, 180, 195)])
def test_an_accounts_own_bounds_hold_the_total_that_policy_sets(
    least: int, most: int | None, total: int, reached: int
) -> None:
    estimates, arms = world([100.0, 100.0], [2.0, 2.5])
    result = run(estimates, arms, policy=bounded(least, most, total=total))
    assert sum(proposed(result).values()) == pytest.approx(reached)


def test_nothing_or_a_viable_budget_holds_though_no_gain_is_expected_of_it():
    estimates, arms = world([100, 30, 30], [4.0, 4.0, 4.0], elasticity=0.9)
    assert proposed(run(estimates, arms)) == {"a0": 100.0, "a1": 30.0, "a2": 30.0}
    result = run(estimates, arms, min_viable=Decimal("40.005"))
    assert sorted(proposed(result).values()) == [0.0, pytest.approx(40.01, abs=8), pytest.approx(120, abs=8)]
    assert min(budget for budget in proposed(result).values() if budget) >= 40.01
    assert result.accounts[0].expected_gain < 0
    assert result.accounts[0].reason == "1 arm is switched off (a budget of 0)"
    off = result.frame.row(by_predicate=pl.col("proposed_budget") == 0, named=True)
    assert off["binding"] == "switched_off"
    assert off["expected_gain"] == pytest.approx(-120, rel=0.05)


def test_held_and_unknown_arms_stay_below_the_smallest_viable_budget():
    estimates, arms = world([100, 30, 30, 30], [4.0, 4.0, 1.0, 1.0], states=["ok", "ok", "ok", "immature"])
    result = run(estimates, arms, min_viable=Decimal(40), held={"a2"})
    budgets = proposed(result)
    assert (budgets["a2"], budgets["a3"]) == (30.0, 30.0)
    assert (binding(result)["a2"], binding(result)["a3"]) == ("held", "state")
    assert budgets["a1"] >= 40
    assert "2 below 40.00 stay as they are" in result.accounts[0].reason
