"""How much money each account gets: one exact water-filling over the arms of many accounts, in one currency.

Accounts are groups of arms whose sums may move by a step; `account_plan` then makes each account's budgets from its
total. The shadow prices of accounts that are free to move come out equal: money has nowhere better to be. An account's
cap on moved money bounds the move of its total here; what it then binds inside the account is `account_plan`'s.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

import numpy as np

from stakazo_pipelines.allocation.allocate import AccountReach
from stakazo_pipelines.allocation.problem import AllocationProblem, Floats, Groups, Ints
from stakazo_pipelines.allocation.solver import Allocation, solve
from stakazo_pipelines.vocabulary import Binding

NOBODY_TO_TRADE_WITH = "fewer than two accounts are free to move money to or from each other"


@dataclass(frozen=True, slots=True)
class Stake:
    """One account of the portfolio. `worth`: what one major unit of its money is in the reporting currency.

    units: minor units in a major one. grown: by how many minor units its total was raised today already (below 0: cut).
    low, high: policy's bounds on its total, in minor units; high None for none. platform: whose bounds it shares.
    """

    name: str
    reach: AccountReach
    units: int
    worth: Decimal
    grown: int = 0
    low: int = 0
    high: int | None = None
    platform: str = ""

    @property
    def now(self) -> int:
        """Today's total in minor units."""
        return int(self.reach.limits.current.sum())

    @property
    def unit_worth(self) -> Fraction:
        """One minor unit in the reporting currency, exactly."""
        return Fraction(self.worth) / self.units


@dataclass(frozen=True, slots=True)
class PlatformBounds:
    """What the accounts of one platform may spend together a day, in the reporting currency; high None for no end.

    elsewhere: what its accounts outside this portfolio spend.
    """

    low: float = 0.0
    high: float | None = None
    elsewhere: float = 0.0


@dataclass(frozen=True, slots=True)
class Share:
    """What an account gets: `total` in its minor units. binding: what keeps it from moving further.

    price: what one more unit of money would earn there, without dimension; NaN where the account was not free to move.
    """

    name: str
    total: int
    binding: Binding
    price: float


@dataclass(frozen=True, slots=True)
class PortfolioPlan:
    """shares: in the order of the stakes. shadow_price as in Share, of the whole. reason: why no money moves, or ''."""

    shares: tuple[Share, ...]
    shadow_price: float
    kkt_residual: float
    reason: str


def plan_portfolio(
    stakes: Sequence[Stake],
    *,
    account_step: float,
    min_change: float,
    platforms: Mapping[str, PlatformBounds] | None = None,
) -> PortfolioPlan:
    """Totals that earn most together, for no more money than today's.

    account_step: the largest move of an account's total, as a fraction of what it was when its day began. min_change:
    moves below this fraction of the total (or half the step, if that is less) are not worth a write: the smaller half
    of them is dropped first, so that what is left can grow past it. platforms: bounds on sums of accounts, by platform;
    like all bounds here they stop moves and force none.
    """
    ranges = [_range(stake, account_step) for stake in stakes]
    free = [at for at, (low, high, _, _) in enumerate(ranges) if low < high]
    least = min(min_change, account_step / 2)
    totals = {at: stake.now for at, stake in enumerate(stakes)}
    small: set[int] = set()
    best: Allocation | None = None
    member: Ints = np.zeros(0, dtype=np.int64)
    while len(free) > 1:
        kept = [stake for at, stake in enumerate(stakes) if at not in free]
        best, member = _solve([stakes[at] for at in free], [ranges[at] for at in free], platforms or {}, kept)
        exact = np.bincount(member, best.proposed, len(free))
        for index, at in enumerate(free):
            low, high, _, _ = ranges[at]
            totals[at] = int(np.clip(np.rint(exact[index] / float(stakes[at].unit_worth)), low, high))
        change = np.array([abs(totals[at] - stakes[at].now) / stakes[at].now for at in free])
        weak = np.flatnonzero((change > 0) & (change < least))
        if not weak.size:
            break
        dropped = {free[index] for index in weak[np.argsort(change[weak], kind="stable")][: (len(weak) + 1) // 2]}
        small |= dropped
        totals |= {at: stakes[at].now for at in dropped}
        free = [at for at in free if at not in dropped]
    if len(free) < 2:  # the last one has nobody left to trade with
        totals = {at: stake.now for at, stake in enumerate(stakes)}
        best = None
    wanted = dict(totals)
    _take_back(stakes, totals, platforms or {})
    prices = dict.fromkeys(range(len(stakes)), float("nan"))
    if best is not None:
        prices |= {at: float(best.price[member == index][0]) for index, at in enumerate(free)}
    shares = tuple(
        Share(
            stake.name, totals[at], Binding.TOO_SMALL if at in small else _binding(wanted[at], ranges[at]), prices[at]
        )
        for at, stake in enumerate(stakes)
    )
    reason = "" if best is not None else NOBODY_TO_TRADE_WITH
    if small and all(totals[at] == stake.now for at, stake in enumerate(stakes)):
        reason = f"every move of an account's total worth making is below the smallest worth publishing ({least:.1%})"
    return PortfolioPlan(
        shares=shares,
        shadow_price=float("nan") if best is None else best.shadow_price,
        kkt_residual=0.0 if best is None else best.kkt_residual,
        reason=reason or ("" if best is None else best.reason),
    )


_Range = tuple[int, int, Binding, Binding]  # smallest and largest total in minor units, and why


def _range(stake: Stake, step: float) -> _Range:
    limits, now = stake.reach.limits, stake.now
    start = now - stake.grown
    tops = (
        (int(np.floor(round(start * (1 + step), 6))), Binding.STEP_UP),
        (now + limits.max_moved, Binding.DAILY_CAP),
        (limits.sums()[1] if stake.high is None else min(limits.sums()[1], stake.high), Binding.MAXIMUM),
    )
    bottoms = (
        (int(np.ceil(round(start * (1 - step), 6))), Binding.STEP_DOWN),
        (now - limits.max_moved, Binding.DAILY_CAP),
        (max(limits.sums()[0], stake.low), Binding.MINIMUM),
    )
    high, why_high = min(tops, key=lambda top: top[0])
    low, why_low = max(bottoms, key=lambda bottom: bottom[0])
    return min(low, now), max(high, now), why_low, why_high


def _solve(
    stakes: Sequence[Stake],
    ranges: Sequence[_Range],
    platforms: Mapping[str, PlatformBounds],
    kept: Sequence[Stake],
) -> tuple[Allocation, Ints]:
    """The optimum in the reporting currency, and each arm's account. kept: accounts that stay where they are."""
    member: Ints = np.repeat(np.arange(len(stakes)), [len(stake.reach.arm_ids) for stake in stakes])
    groups = _groups(stakes, ranges, platforms, kept, member)
    return solve(replace(portfolio_problem(stakes), groups=groups)), member


def portfolio_problem(stakes: Sequence[Stake]) -> AllocationProblem:
    """All arms of the accounts as one problem in the reporting currency, within the arms' own bounds only."""
    sizes = [len(stake.reach.arm_ids) for stake in stakes]
    unit, worth = (
        np.repeat([float(one) for one in each], sizes)
        for each in ([stake.unit_worth for stake in stakes], [stake.worth for stake in stakes])
    )

    def money(parts: Sequence[Ints]) -> Floats:
        return np.asarray(np.concatenate(parts) * unit, dtype=np.float64)

    current = money([stake.reach.limits.current for stake in stakes])
    return AllocationProblem(
        arm_ids=[f"{stake.name} {arm}" for stake in stakes for arm in stake.reach.arm_ids],
        current=current,
        lower=money([stake.reach.limits.lower for stake in stakes]),
        upper=money([stake.reach.limits.upper for stake in stakes]),
        scale=np.concatenate([stake.reach.curve.scale for stake in stakes]) * worth,
        elasticity=np.concatenate([stake.reach.curve.elasticity for stake in stakes]),
        ref_spend=np.where(current > 0, current, 1.0),
        total=float(current.sum()),
    )


def _groups(
    stakes: Sequence[Stake],
    ranges: Sequence[_Range],
    platforms: Mapping[str, PlatformBounds],
    kept: Sequence[Stake],
    member: Ints,
) -> Groups:
    """Accounts, and around them the platforms that have bounds, in the reporting currency."""
    unit = np.array([float(stake.unit_worth) for stake in stakes])
    now = np.array([stake.now for stake in stakes]) * unit
    bounded = [name for name in platforms if any(stake.platform == name for stake in stakes)]
    lower = np.array([low for low, *_ in ranges]) * unit
    upper = np.array([high for _, high, *_ in ranges]) * unit
    for name in bounded:
        own, mine = platforms[name], np.array([stake.platform == name for stake in stakes])
        rest = own.elsewhere + sum(float(one.now * one.unit_worth) for one in kept if one.platform == name)
        coin = float(unit[mine].sum())  # whole totals may be so far from the exact ones
        here = float(now[mine].sum())
        high = np.inf if own.high is None else max(own.high - rest - coin, here)
        lower = np.append(lower, min(max(own.low - rest + coin, 0.0), here))
        upper = np.append(upper, high)
    place = {name: len(stakes) + at for at, name in enumerate(bounded)}
    return Groups(
        member=member,
        lower=lower,
        upper=upper,
        names=(*(stake.name for stake in stakes), *bounded),
        parent=np.array([place.get(stake.platform, -1) for stake in stakes] + [-1] * len(bounded)),
    )


def _take_back(stakes: Sequence[Stake], totals: dict[int, int], platforms: Mapping[str, PlatformBounds]) -> None:
    """Take back what whole minor units spend above a platform's maximum, or above today's total of all accounts.

    Exact, in fractions: totals may add up to a little more than the optimum that they were rounded from.
    """
    for name, own in platforms.items():
        inside = [at for at, stake in enumerate(stakes) if stake.platform == name]
        if own.high is not None:
            now = sum((stakes[at].now * stakes[at].unit_worth for at in inside), Fraction(0))
            _never_above(max(Fraction(own.high) - Fraction(own.elsewhere) - now, Fraction(0)), stakes, totals, inside)
    _never_above(Fraction(0), stakes, totals, range(len(stakes)))


def _never_above(growth: Fraction, stakes: Sequence[Stake], totals: dict[int, int], inside: Collection[int]) -> None:
    """Cut the totals that gain most, until those inside are together worth no more than today's and `growth`."""
    excess = sum(((totals[at] - stakes[at].now) * stakes[at].unit_worth for at in inside), -growth)
    by_gain = sorted(inside, key=lambda at: -(totals[at] - stakes[at].now) * stakes[at].unit_worth)
    for at in by_gain:
        gain, worth = totals[at] - stakes[at].now, stakes[at].unit_worth
        if excess <= 0 or gain <= 0:
            return
        back = min(gain, -(-excess // worth))
        totals[at] -= back
        excess -= back * worth


def _binding(total: int, allowed: _Range) -> Binding:
    low, high, why_low, why_high = allowed
    if total >= high:
        return why_high
    return why_low if total <= low else Binding.NONE
