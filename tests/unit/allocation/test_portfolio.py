"""Totals over accounts: no more money than today, bounds kept, one price for the free, and no unit that matters."""

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stakazo_pipelines.allocation.account_plan import plan_account
from stakazo_pipelines.allocation.allocate import AccountReach
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.portfolio import NOBODY_TO_TRADE_WITH, PlatformBounds, Stake, plan_portfolio
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.allocation.rounding import round_to_total
from stakazo_pipelines.vocabulary import Binding

STEP = 0.1


def stake(name, budgets, roas, *, worth="1", units=100, step=0.2, grown=0, max_moved=None, elasticity=0.6):
    """An account whose arms have these daily budgets (major units) and earn these ROAS at them."""
    current = np.rint(np.asarray(budgets, dtype=float) * units).astype(np.int64)
    n = len(current)
    room = np.rint(current * step).astype(np.int64)
    limits = Limits(
        current=current,
        lower=current - room,
        upper=current + room,
        why_lower=np.full(n, Binding.STEP_DOWN, dtype=object),
        why_upper=np.full(n, Binding.STEP_UP, dtype=object),
        max_moved=int(current.sum()) if max_moved is None else max_moved,
    )
    slopes = np.broadcast_to(np.asarray(elasticity, dtype=float), n).copy()
    curve = ExpectedCurve(np.asarray(roas, dtype=float) * current / units, slopes)
    arms = tuple(f"{name}-{arm}" for arm in range(n))
    return Stake(name, AccountReach(arms, limits, curve), units, Decimal(worth), grown)


def plan(*stakes, min_change=0.0):
    return plan_portfolio(stakes, account_step=STEP, min_change=min_change)


def totals(result):
    return {share.name: share.total for share in result.shares}


def worth_of(stakes, result):
    return sum((share.total * one.unit_worth for one, share in zip(stakes, result.shares, strict=True)), Fraction(0))


def budgets(one, share):
    return plan_account(
        arm_ids=list(one.reach.arm_ids),
        limits=one.reach.limits,
        curve=one.reach.curve,
        asked=share.total,
        most=share.total,
        min_change=0.02,
    )


def test_money_moves_to_the_account_that_earns_more_by_one_step():
    result = plan(stake("poor", [100, 100], [1, 1]), stake("rich", [100, 100], [4, 4]))
    assert totals(result) == {"poor": 18_000, "rich": 22_000}
    assert [share.binding for share in result.shares] == [Binding.STEP_DOWN, Binding.STEP_UP]


def test_a_yen_account_and_a_euro_account_meet_in_the_reporting_currency():
    yen = stake("yen", [15_000], [1], worth="0.00666666666666666666666666667", units=1)
    euro = stake("euro", [92], [4], worth="1.086956521739130434782608696")
    result = plan(yen, euro)
    assert totals(result) == {"yen": 13_500, "euro": 10_120}


def test_what_moved_already_today_counts_against_the_step():
    risen = stake("rich", [110], [4], grown=1_000)  # it began the day at 100
    result = plan(stake("poor", [100], [1]), risen)
    assert totals(result)["rich"] == 11_000


def test_an_account_with_little_left_of_its_cap_on_moved_money_moves_no_more_than_that():
    result = plan(stake("poor", [100], [1], max_moved=300), stake("rich", [100], [4]))
    assert totals(result) == {"poor": 9_700, "rich": 10_300}
    assert result.shares[0].binding is Binding.DAILY_CAP


def test_accounts_that_are_free_end_at_one_price():
    result = plan(stake("a", [100, 50], [2.0, 2.1]), stake("b", [80, 70], [2.05, 2.0], worth="1.3"))
    assert {share.binding for share in result.shares} == {Binding.NONE}
    assert result.shares[0].price == pytest.approx(result.shares[1].price, rel=1e-9)


def test_an_account_whose_arms_are_all_kept_is_left_out_and_the_rest_has_nobody_to_trade_with():
    result = plan(stake("kept", [100], [1], step=0.0), stake("rich", [100], [4]))
    assert totals(result) == {"kept": 10_000, "rich": 10_000}
    assert result.reason == NOBODY_TO_TRADE_WITH
    assert np.isnan(result.shadow_price)


def test_moves_too_small_to_be_worth_a_write_are_not_made():
    nearly = (stake("a", [100], [2.0]), stake("b", [100], [2.004]))
    assert totals(plan(*nearly)) != {"a": 10_000, "b": 10_000}
    result = plan(*nearly, min_change=0.02)
    assert totals(result) == {"a": 10_000, "b": 10_000}
    assert Binding.TOO_SMALL in {share.binding for share in result.shares}
    assert "smallest worth publishing" in result.reason


@st.composite
def portfolios(draw):
    made = []
    for account in range(draw(st.integers(1, 5))):
        count = draw(st.integers(1, 6))
        units = draw(st.sampled_from([1, 100, 1000]))
        scale = draw(st.sampled_from([0.1, 1.0, 150.0, 16_000.0]))
        amounts = draw(st.lists(st.floats(5, 500), min_size=count, max_size=count))
        roas = draw(st.lists(st.floats(0.0, 8.0), min_size=count, max_size=count))
        made.append(
            stake(
                f"account {account}",
                [max(amount * scale, 20 / units) for amount in amounts],
                roas,
                worth=str(Decimal(1) / Decimal(str(scale))),
                units=units,
                step=draw(st.sampled_from([0.0, 0.05, 0.2, 0.3])),
                elasticity=draw(st.lists(st.floats(0.05, 0.95), min_size=count, max_size=count)),
            )
        )
    return made


@settings(max_examples=80, deadline=None)
@given(portfolios(), st.sampled_from([0.0, 0.02]))
def test_no_portfolio_spends_more_than_today_or_breaks_a_bound(stakes, min_change):
    result = plan(*stakes, min_change=min_change)
    assert worth_of(stakes, result) <= sum((one.now * one.unit_worth for one in stakes), Fraction(0))
    for one, share in zip(stakes, result.shares, strict=True):
        assert one.now * (1 - STEP) - 1e-6 <= share.total <= one.now * (1 + STEP) + 1e-6
        within = budgets(one, share)
        assert within.total == share.total  # what the account is given it can spend, to the last unit
        assert (within.proposed >= one.reach.limits.lower).all()
        assert (within.proposed <= one.reach.limits.upper).all()


@settings(max_examples=60, deadline=None)
@given(portfolios())
def test_free_accounts_agree_on_the_price_and_capped_ones_lie_on_the_right_side_of_it(stakes):
    result = plan(*stakes)
    known = [share for share in result.shares if not np.isnan(share.price)]
    if not known or not np.isfinite(result.shadow_price) or result.shadow_price <= 0:
        return
    assert result.kkt_residual < 1e-6
    for share in known:
        if share.binding is Binding.NONE:
            assert share.price == pytest.approx(result.shadow_price, rel=1e-6)


@settings(max_examples=60, deadline=None)
@given(portfolios(), st.sampled_from([10, 100, 1000]), st.data())
def test_redenominating_an_account_changes_nothing(stakes, factor, data):
    """A new franc is worth a thousand old ones, in the same smallest coin."""
    chosen = data.draw(st.integers(0, len(stakes) - 1))
    old = stakes[chosen]
    curve = ExpectedCurve(old.reach.curve.scale / factor, old.reach.curve.elasticity)
    reach = AccountReach(old.reach.arm_ids, old.reach.limits, curve)
    new = Stake(old.name, reach, old.units * factor, old.worth * factor)
    again = plan(*[*stakes[:chosen], new, *stakes[chosen + 1 :]])
    for before, after in zip(plan(*stakes).shares, again.shares, strict=True):
        assert abs(before.total - after.total) <= 1  # a last coin may fall to the other side
        assert before.price == pytest.approx(after.price, rel=1e-6, nan_ok=True)


def test_a_gap_of_millions_of_the_smallest_coin_is_closed_at_once():
    lower, upper = np.array([1_065_546_912, 1_317_246_435]), np.array([1_096_886_527, 1_355_988_977])
    units = round_to_total(np.array([1.0e9, 1.355988977e9]), lower, upper, 2_400_000_000)
    assert units.sum() == 2_400_000_000
    assert ((units >= lower) & (units <= upper)).all()


@settings(max_examples=60, deadline=None)
@given(
    portfolios(), st.lists(st.sampled_from(["x", "y"]), min_size=5, max_size=5), st.floats(0.9, 1.1), st.floats(0, 3)
)
def test_platforms_and_accounts_stay_within_their_bounds_to_the_coin(stakes, names, share, elsewhere):
    sums = dict.fromkeys(names, 0.0)
    placed = []
    for one, name in zip(stakes, names, strict=False):
        placed.append(replace(one, platform=name, low=int(one.now * 0.97), high=int(one.now * 1.02)))
        sums[name] += float(one.now * one.unit_worth)
    wanted = {
        "x": PlatformBounds(high=sums.get("x", 0.0) * share + elsewhere, elsewhere=elsewhere),
        "y": PlatformBounds(low=sums.get("y", 0.0) * share),
    }
    result = plan_portfolio(placed, account_step=STEP, min_change=0.0, platforms=wanted)
    after = dict.fromkeys(sums, 0.0)
    for one, given_total in zip(placed, result.shares, strict=True):
        after[one.platform] += float(given_total.total * one.unit_worth)
        assert min(one.low, one.now) <= given_total.total <= max(one.high, one.now)
    cent = sum(float(one.unit_worth) for one in placed)
    if "x" in after:
        assert after["x"] <= max(wanted["x"].high - elsewhere, sums["x"]) + cent * 1e-6
    if "y" in after:
        assert after["y"] >= min(wanted["y"].low, sums["y"]) - cent


def test_a_platform_at_its_maximum_does_not_spend_what_rounding_freed_on_another():
    """A coarse coin cannot fall by the 0.2 that a fine one rises by; the other platform's cut leaves room for it."""
    coarse = replace(stake("x coarse", [80], [3], worth="10", units=1), platform="x")
    fine = replace(stake("x fine", [10], [4], units=100, step=0.02), platform="x")
    cut = replace(stake("y coarse", [10], [1], worth="10", units=1), platform="y")
    risen = replace(stake("y fine", [60], [4]), platform="y")
    stakes = [coarse, fine, cut, risen]
    result = plan_portfolio(
        stakes,
        account_step=STEP,
        min_change=0.0,
        platforms={"x": PlatformBounds(high=float((coarse.now * coarse.unit_worth) + (fine.now * fine.unit_worth)))},
    )
    assert totals(result)["y coarse"] < cut.now
    after = totals(result)
    assert sum(after[one.name] * one.unit_worth for one in (coarse, fine)) <= 810
