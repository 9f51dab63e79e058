"""What moving money between accounts comes to, told in one currency: totals, gain with its interval, what binds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.portfolio import PortfolioPlan, Share
from stakazo_pipelines.allocation.posterior import gains
from stakazo_pipelines.allocation.problem import Floats, Ints
from stakazo_pipelines.allocation.report import AccountSummary
from stakazo_pipelines.cycle.accounts import AccountKey
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.vocabulary import Binding


@dataclass(frozen=True, slots=True)
class AccountMove:
    """One account of the portfolio. Totals a day are in the reporting currency, None where it has no rate.

    shadow_price: what one more unit of money would earn, in any currency; NaN where no arm was free. binding: what
    keeps its total from moving further; `held` where it keeps its own total for the `reason` given.
    """

    platform: str
    account_id: str
    currency: str
    current_total: float | None
    proposed_total: float | None
    shadow_price: float
    binding: str
    reason: str


@dataclass(frozen=True, slots=True)
class PortfolioGain:
    """Value a day of the proposed against today's budgets in the reporting currency, with its 90 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PortfolioSummary:
    """The whole in the reporting currency, per day, over the accounts that have a rate.

    traded_before, traded_after: the totals of those accounts between which money may move. shadow_price: what one more
    unit of that money would earn; NaN when none could move. reason: why none moves, or ''.
    """

    currency: str
    current_total: float
    proposed_total: float
    traded_before: float
    traded_after: float
    expected_gain: PortfolioGain
    shadow_price: float
    accounts: tuple[AccountMove, ...]
    reason: str


def portfolio_gain(
    estimates: Estimates, frame: pl.DataFrame, worths: Mapping[AccountKey, Decimal], *, seed: int
) -> PortfolioGain:
    """Joint over all arms of accounts with a rate. `worths`: the reporting currency of one unit of an account's money.

    `frame` as AllocationResult's.
    """
    keys = ["platform", "account_id"]
    rates = pl.DataFrame(
        [(*key, float(worth)) for key, worth in worths.items()],
        schema={"platform": pl.String, "account_id": pl.String, "worth": pl.Float64},
        orient="row",
    )
    known = estimates.frame.join(rates, on=keys, how="inner", maintain_order="left")
    rows = known.select(*keys, "arm_id", "worth").with_row_index("row")
    moved = frame.filter(pl.col("proposed_budget") != pl.col("current_budget")).join(rows, on=[*keys, "arm_id"])
    if moved.is_empty():
        return PortfolioGain(0.0, 0.0, 0.0)
    worth = moved["worth"].to_numpy()
    account: Ints = np.zeros(len(moved), dtype=np.int64)
    gain = gains(
        _Converted(Estimates(known)),
        row=moved["row"].to_numpy().astype(np.int64),
        account=account,
        accounts=1,
        current=moved["current_budget"].to_numpy() * worth,
        proposed=moved["proposed_budget"].to_numpy() * worth,
        seed=seed,
    )
    return PortfolioGain(float(gain.account_mean[0]), float(gain.account_low[0]), float(gain.account_high[0]))


@dataclass(frozen=True, slots=True)
class _Converted:
    """Estimates whose `worth` column turns their money into the reporting currency's."""

    own: Estimates

    @property
    def frame(self) -> pl.DataFrame:
        return self.own.frame.with_columns(ref_spend=pl.col("ref_spend") * pl.col("worth"))

    def draws(self, n: int, seed: int) -> tuple[Floats, Floats]:
        log_value, elasticity = self.own.draws(n, seed)
        return log_value + np.log(self.own.frame["worth"].to_numpy()), elasticity


def summarise(
    summaries: Sequence[AccountSummary],
    plans: Sequence[PortfolioPlan],
    worths: Mapping[AccountKey, Decimal],
    apart: Mapping[AccountKey, str],
    *,
    currency: str,
    gain: PortfolioGain,
    reason: str,
) -> PortfolioSummary:
    """`plans` are those of the accounts that share their totals, `apart` says why the others do not."""
    shares = {share.name: share for plan in plans for share in plan.shares}
    moves = tuple(_move(one, shares.get(f"{one.platform}/{one.account_id}"), worths, apart) for one in summaries)
    known = [
        (now, then)
        for move in moves
        if (now := move.current_total) is not None and (then := move.proposed_total) is not None
    ]
    traded = [one for one in summaries if (one.platform, one.account_id) not in apart]
    prices = [plan.shadow_price for plan in plans]
    return PortfolioSummary(
        currency=currency,
        current_total=sum(now for now, _ in known),
        proposed_total=sum(then for _, then in known),
        traded_before=sum(one.current_total * float(worths[one.platform, one.account_id]) for one in traded),
        traded_after=sum(one.proposed_total * float(worths[one.platform, one.account_id]) for one in traded),
        expected_gain=gain,
        shadow_price=prices[0] if len(prices) == 1 else float("nan"),
        accounts=moves,
        reason=reason,
    )


def _move(
    one: AccountSummary, share: Share | None, worths: Mapping[AccountKey, Decimal], apart: Mapping[AccountKey, str]
) -> AccountMove:
    key = (one.platform, one.account_id)
    worth = worths.get(key)
    return AccountMove(
        platform=one.platform,
        account_id=one.account_id,
        currency=one.currency,
        current_total=None if worth is None else one.current_total * float(worth),
        proposed_total=None if worth is None else one.proposed_total * float(worth),
        shadow_price=one.shadow_price,
        binding=(Binding.HELD if share is None else share.binding).value,
        reason=apart.get(key, ""),
    )
