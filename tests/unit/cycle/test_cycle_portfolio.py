"""Money between accounts of two currencies: one total, own totals where they must stay, and words for both."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import polars as pl
import pytest
from sqlalchemy.engine import make_url

from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.currency import parse_rates
from stakazo_pipelines.cycle.budgets import READINESS, account_inputs, allocate_accounts
from stakazo_pipelines.cycle.changes import decide
from stakazo_pipelines.cycle.portfolio import allocate_day, allocate_portfolio
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.decisions.candidate import Stop
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.operations import open_operations
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.policy import AccountPolicy, ExperimentPolicy, GroupPolicy, Policy, PortfolioPolicy
from stakazo_pipelines.vocabulary import Autonomy, EntityStatus

DAY = date(2026, 6, 29)
RATES = parse_rates(
    "date_from,currency,units_per_usd\n2026-01-01,USD,1\n2026-01-01,EUR,0.92\n2026-01-01,JPY,150\n", source="rates.csv"
)
EURO, YEN = ("meta", "1"), ("meta", "2")
KNOWN = {
    EURO: Account("1", "Shop", "EUR", "Europe/Berlin", 100, EntityStatus.ACTIVE),
    YEN: Account("2", "Shop", "JPY", "Asia/Tokyo", 1, EntityStatus.ACTIVE),
}


@pytest.fixture
def unlike(estimates):
    """The yen account is expected to earn three times what the euro account does."""
    thrice = pl.when(pl.col("account_id") == "2").then(pl.col("log_value_mean") + 1.1).otherwise("log_value_mean")
    return Estimates(estimates.frame.with_columns(log_value_mean=thrice))


@pytest.fixture
def allocate(unlike, arms):
    def run(policy=None, estimates=unlike, arms=arms, **changed):
        options = {"accounts": KNOWN, "ledgers": {}, "unready": {}, "rates": RATES, "sandbox": True, **changed}
        return allocate_portfolio(estimates, arms, policy or Policy(), DAY, **options)

    return run


def growth(result):
    """Each account's total after, over before."""
    sums = result.frame.group_by("account_id").agg(pl.col("current_budget", "proposed_budget").sum())
    return {account: after / before for account, before, after in sums.rows()}


def total(frame, column):
    rate = pl.when(pl.col("currency") == "EUR").then(1 / 0.92).otherwise(1 / 150)
    return frame.select((pl.col(column) * rate).sum()).item()


def move_of(result, account_id):
    [move] = [one for one in result.portfolio.accounts if one.account_id == account_id]
    return move


def test_money_moves_to_the_account_that_earns_more_and_the_sum_does_not_rise(allocate):
    result = allocate()
    assert growth(result)["1"] == pytest.approx(1 - 18.4 / 300)  # 10 % of 30,000 JPY are 20 USD are 18.40 EUR
    assert growth(result)["2"] == pytest.approx(1.1)
    assert total(result.frame, "proposed_budget") <= total(result.frame, "current_budget")
    assert total(result.frame, "proposed_budget") == pytest.approx(total(result.frame, "current_budget"), rel=1e-4)


def test_the_portfolio_is_told_in_the_reporting_currency(allocate):
    result = allocate()
    told = result.portfolio
    assert told.currency == "USD"
    assert told.current_total == pytest.approx(total(result.frame, "current_budget"))
    assert told.proposed_total == pytest.approx(total(result.frame, "proposed_budget"))
    assert told.expected_gain.low < told.expected_gain.mean < told.expected_gain.high
    assert told.expected_gain.mean == pytest.approx(total(result.frame, "expected_gain"), rel=0.1)
    assert move_of(result, "2").binding == "step_up"
    assert move_of(result, "2").shadow_price > move_of(result, "1").shadow_price


def test_moving_money_between_accounts_earns_more_than_leaving_it_where_it_is(allocate):
    apart = allocate(Policy(portfolio=PortfolioPolicy(move_between_accounts=False)))
    assert allocate().portfolio.expected_gain.mean > apart.portfolio.expected_gain.mean > 0


def test_switched_off_every_budget_is_as_if_accounts_were_alone(allocate, unlike, arms):
    policy = Policy(portfolio=PortfolioPolicy(move_between_accounts=False))
    alone = allocate_accounts(account_inputs(unlike, arms, accounts=KNOWN, unready={}), policy, DAY, ledgers={})
    result = allocate(policy)
    assert result.frame.equals(alone.frame)
    assert str(result.accounts) == str(alone.accounts)
    assert {move.reason for move in result.portfolio.accounts} == {"portfolio.move_between_accounts is false"}


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"unready": {EURO: "last report is old"}}, "its data is not in order: last report is old"),
        ({"accounts": {YEN: KNOWN[YEN]}}, "it is imported"),
        ({"policy": Policy(accounts={"meta/1": AccountPolicy(total=Decimal(310))})}, "policy sets its total"),
        ({"stops": [Stop("meta/1", "ana", "test", datetime(2026, 6, 29, tzinfo=UTC))]}, "emergency stop of meta/1"),
    ],
)
def test_an_account_that_must_keep_its_total_leaves_the_other_nobody_to_trade_with(allocate, changed, why):
    result = allocate(**changed)
    assert growth(result)["2"] == pytest.approx(1.0)
    assert why in move_of(result, "1").reason
    assert move_of(result, "1").binding == "held"
    assert "fewer than two accounts" in result.portfolio.reason


def test_a_currency_without_a_rate_drops_only_its_own_accounts_out(allocate, unlike, arms):
    another = pl.concat(
        [arms, arms.filter(account_id="1").with_columns(platform=pl.lit("tiktok"), currency=pl.lit("TRY"))]
    )
    copied = unlike.frame.filter(account_id="1").with_columns(platform=pl.lit("tiktok"), currency=pl.lit("TRY"))
    lira = {("tiktok", "1"): replace(KNOWN[EURO], currency="TRY")}
    result = allocate(estimates=Estimates(pl.concat([unlike.frame, copied])), arms=another, accounts={**KNOWN, **lira})
    [dropped] = [move for move in result.portfolio.accounts if move.platform == "tiktok"]
    assert dropped.reason.startswith("rates.csv: no rate of TRY on 2026-06-29; add a row `2026-06-29,TRY,")
    assert (dropped.current_total, dropped.proposed_total) == (None, None)
    own = result.frame.filter(platform="tiktok")
    assert own["proposed_budget"].sum() == pytest.approx(own["current_budget"].sum())
    assert (own["proposed_budget"] != own["current_budget"]).any()  # inside the account it goes on as before
    assert growth(replace(result, frame=result.frame.filter(platform="meta")))["2"] == pytest.approx(1.1)


def test_money_does_not_move_between_accounts_of_different_autonomy(allocate):
    policy = Policy(accounts={"meta/1": AccountPolicy(autonomy=Autonomy.APPROVE)})
    assert growth(allocate(policy)) == {"1": pytest.approx(1.0), "2": pytest.approx(1.0)}


@pytest.fixture
def two_pools(unlike, arms):
    """A tiktok account that earns less and a meta account, twice: what differs from the other tests."""

    def copied(frame, *, euro, yen):
        first = pl.col("account_id") == "1"
        return frame.with_columns(
            platform=pl.when(first).then(pl.lit("tiktok")).otherwise(pl.lit("meta")),
            account_id=pl.when(first).then(pl.lit(euro)).otherwise(pl.lit(yen)),
            arm_id=pl.col("arm_id") + yen,
        )

    frame, budgets = (
        pl.concat([copied(one, euro="1", yen="2"), copied(one, euro="3", yen="4")]) for one in (unlike.frame, arms)
    )
    accounts = {
        (platform, name): replace(KNOWN[like], id=name)
        for platform, name, like in (
            ("tiktok", "1", EURO),
            ("meta", "2", YEN),
            ("tiktok", "3", EURO),
            ("meta", "4", YEN),
        )
    }
    return {"estimates": Estimates(frame), "arms": budgets, "accounts": accounts}


@pytest.mark.parametrize(("platform", "bound"), [("meta", {"max": 421}), ("tiktok", {"min": 630})])
def test_two_pools_fill_a_platforms_bound_once(allocate, two_pools, platform, bound):
    apart = {f"{name}/{at}": {"autonomy": "approve"} for name, at in (("tiktok", "3"), ("meta", "4"))}

    def sums(**more):
        result = allocate(Policy.model_validate({"accounts": apart, "portfolio": more}), **two_pools)
        mine = result.frame.filter(platform=platform)
        return total(mine, "current_budget"), total(mine, "proposed_budget")

    now, free = sums()
    assert abs(free - now) == pytest.approx(40, abs=1)  # both move by 10 % of 30,000 JPY
    held = sums(platforms={platform: bound})[1]
    assert held <= bound["max"] if "max" in bound else held >= bound["min"]
    assert abs(held - now) > 15


def test_what_was_raised_today_already_counts(allocate):
    grown = {"meta": ChangeLedger(account_growth={"2": 30_000 - 30_000 / 1.1})}
    assert growth(allocate(ledgers=grown))["2"] == pytest.approx(1.0, abs=1e-4)


def test_a_day_on_which_nothing_runs_is_said(estimates, tmp_path):
    lake = Lake(tmp_path)
    lake.write_asset(ESTIMATES, DAY, estimates.frame)
    ready = {"platform": ["meta"], "account_id": ["1"], "ready": [True], "reason": [""]}
    lake.write_asset(READINESS, DAY, pl.DataFrame(ready))
    with pytest.raises(LakeError, match="no arm runs on 2026-06-29"):
        allocate_day(lake, Policy(), DAY, accounts={}, ledgers={}, rates=RATES, sandbox=True)


@pytest.fixture
def alike(estimates):
    """Every unit of money earns the same: nothing is worth moving, every arm is free to take a random step."""
    names = ("log_value_mean", "elasticity_mean", "log_value_sd", "elasticity_sd", "curve_corr")
    values = (pl.col("ref_spend").log(), pl.lit(0.6), pl.lit(0.1), pl.lit(0.1), pl.lit(0.0))
    same = [value.alias(name) for name, value in zip(names, values, strict=True)]
    return Estimates(estimates.frame.with_columns(*same, state=pl.lit("ok")))


DRAWS = [ExperimentPolicy(share=1.0, size=0.05, block_days=days) for days in range(1, 6)]


def experimenting() -> Policy:
    return Policy(experiments=ExperimentPolicy(share=1.0, size=0.05, block_days=1))


def test_random_steps_leave_every_total_and_step_cap_as_decided(allocate, alike):
    decided, result = allocate(estimates=alike), allocate(experimenting(), estimates=alike)
    frame = result.frame
    assert growth(result) == pytest.approx(growth(decided), abs=1e-12)
    assert (frame["experiment"] != 0).any()
    step = (frame["proposed_budget"] / decided.frame["proposed_budget"] - 1).to_list()
    assert step == pytest.approx(frame["experiment"].to_list())
    assert ((frame["proposed_budget"] / frame["current_budget"] - 1).abs() <= 0.2 + 1e-9).all()
    summary = {one.account_id: one for one in result.accounts}
    moved = frame.group_by("account_id").agg((pl.col("proposed_budget") - pl.col("current_budget")).abs().sum())
    assert {account: one.moved for account, one in summary.items()} == pytest.approx(dict(moved.rows()))
    gains = dict(frame.group_by("account_id").agg(pl.col("expected_gain").sum()).iter_rows())
    assert {account: one.expected_gain for account, one in summary.items()} == pytest.approx(gains)


def test_groups_are_told_with_the_gains_of_the_stepped_budgets(allocate, alike):
    """One group of two ad groups, another around it and the third."""
    inner = GroupPolicy(entities=("1-g0", "1-g1"), within="all")
    groups = {"two": inner, "all": GroupPolicy(entities=("1-g2",))}
    policy = experimenting().model_copy(update={"accounts": {"meta/1": AccountPolicy(groups=groups)}})
    steps = [allocate(policy.model_copy(update={"experiments": one}), estimates=alike) for one in DRAWS]
    assert any((result.frame.filter(pl.col("account_id") == "1")["experiment"] != 0).any() for result in steps)
    for result in steps:
        told = {row["group"]: row for row in result.groups.iter_rows(named=True)}
        own = result.frame.filter(pl.col("account_id") == "1")
        for name, arms in (("two", {"1-g0", "1-g1"}), ("all", set(own["arm_id"]))):
            mine = own.filter(pl.col("arm_id").is_in(list(arms)))
            assert told[name]["expected_gain"] == pytest.approx(mine["expected_gain"].sum())
            assert told[name]["proposed_total"] == pytest.approx(mine["proposed_budget"].sum())
            assert told[name]["current_total"] == pytest.approx(mine["current_budget"].sum())


def test_held_arms_unready_and_imported_accounts_take_no_random_step(allocate, alike):
    def stepped(**changed):
        frame = allocate(experimenting(), estimates=alike, **changed).frame
        return set(frame.filter(pl.col("experiment") != 0)["arm_id"])

    free = stepped()
    assert any(arm.startswith("1") for arm in free)
    assert not any(arm in stepped(held=frozenset({arm})) for arm in free)
    assert not any(arm.startswith("1") for arm in stepped(unready={EURO: "last report is old"}))
    imported = allocate(experimenting(), estimates=alike, accounts={YEN: KNOWN[YEN]}).frame.filter(
        pl.col("account_id") == "1"
    )
    assert (imported["experiment"] == 0).all()


def test_without_random_steps_in_policy_the_plan_has_no_word_of_them(allocate):
    assert "experiment" not in allocate().frame.columns


def test_a_random_step_is_told_in_the_rule_of_the_change(allocate, alike, tmp_path):
    frame = allocate(experimenting(), estimates=alike).frame
    names = pl.lit("ad_group").alias("level"), pl.lit("c").alias("campaign_id")
    operations = open_operations(make_url(f"sqlite:///{tmp_path}/operations.db"))
    _, decisions = decide(
        operations, frame.with_columns(*names), experimenting(), day=DAY, now=datetime(2026, 6, 30, 12, tzinfo=UTC)
    )
    steps = dict(frame.select("arm_id", "experiment").iter_rows())
    assert any(steps.values())
    for one in decisions:
        step = steps[one.candidate.entity.id]
        told = f"equal marginal returns, experiment {step * 100:+.1f} %" if step else "equal marginal returns"
        assert one.candidate.rule == told
        assert one.candidate.inputs.get("experiment", 0.0) == pytest.approx(step)
