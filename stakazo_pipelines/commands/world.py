"""Asking the sandbox's own endpoints, and laying what was earned beside what could have been."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import httpx
import polars as pl
from rich.box import SIMPLE_HEAD
from rich.table import Table

from stakazo_pipelines.currency import Rates
from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.vocabulary import ArmState

Worths = Mapping[str, float]  # what one unit of a currency is in the reporting currency


@dataclass(frozen=True, slots=True)
class Outcome:
    """Expected spend and value over some days: as it was run, left alone, at best, and of as many days before."""

    spend: float
    value: float
    alone_spend: float
    alone_value: float
    best_value: float
    before_spend: float
    before_value: float

    def __add__(self, other: "Outcome") -> "Outcome":
        return Outcome(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Outcome)))

    def __mul__(self, rate: float) -> "Outcome":
        return Outcome(*(getattr(self, f.name) * rate for f in fields(Outcome)))

    @property
    def gain(self) -> float:
        """Value over leaving budgets alone, as a fraction."""
        return self.value / self.alone_value - 1

    @property
    def possible(self) -> float:
        return self.best_value / self.alone_value - 1

    @property
    def captured(self) -> float:
        """Share of the best possible gain; NaN where nothing can be gained."""
        return self.gain / self.possible if self.possible > 0 else float("nan")

    @property
    def spend_moved(self) -> float:
        """Spend beside that of leaving budgets alone, as a fraction: money that moved in or out."""
        return self.spend / self.alone_spend - 1


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    platform: str
    account_id: str
    currency: str
    result: Outcome  # in `currency`


class SandboxWorld:
    """The control endpoints of a running sandbox."""

    def __init__(self, url: str) -> None:
        self._url = url

    def advance_day(self) -> None:
        """Raises ConfigError where the world has reached today: it knows no future."""
        answer = httpx.post(f"{self._url}/sandbox/clock", json={"advance_days": 1}, timeout=120)
        if answer.status_code == httpx.codes.BAD_REQUEST:
            raise ConfigError(
                f"the sandbox cannot go on ({answer.json()['error']}); start anew in an empty STAKAZO_HOME"
            )
        answer.raise_for_status()

    def truth(self) -> list[dict[str, Any]]:
        """True curve facts of every arm at its budget of now, over the next 7 days."""
        arms: list[dict[str, Any]] = self._get("/sandbox/truth")["arms"]
        return arms

    def outcomes(self, first: date, last: date) -> list[AccountOutcome]:
        """What the days `first`..`last` were worth in truth, by account, platform by platform."""
        span = last - first
        before = self._get("/sandbox/outcome", since=first - span - timedelta(days=1), until=first - timedelta(days=1))
        during = self._get("/sandbox/outcome", since=first, until=last)
        found = [
            AccountOutcome(
                platform=result["platform"],
                account_id=account_id,
                currency=result["currency"],
                result=_outcome(result, before[account_id]["actual"]),
            )
            for account_id, result in during.items()
        ]
        return sorted(found, key=lambda one: (one.platform, one.account_id))

    def best_of_all(self, first: date, last: date, worths: Worths) -> float:
        """The most that the same money could have earned, converted by `worths`, had it moved freely."""
        told = ",".join(f"{currency}:{worth!r}" for currency, worth in worths.items())
        best: float = self._get("/sandbox/portfolio", since=first, until=last, rates=told)["best"]["value"]
        return best

    def _get(self, path: str, **query: object) -> Any:
        asked = {name: str(value) for name, value in query.items()}
        return httpx.get(f"{self._url}{path}", params=asked, timeout=120).raise_for_status().json()


def intervals_that_hold(estimates: pl.DataFrame, truth: list[dict[str, Any]]) -> list[bool]:
    """Of each arm in state ok: whether its ROAS interval holds the true ROAS at the budget it was estimated for."""
    true_roas = {arm["arm_id"]: arm["roas"] for arm in truth if arm["roas"] is not None}
    acted_on = estimates.filter(pl.col("state") == ArmState.OK.value)
    return [
        row["roas_low"] <= true_roas[row["arm_id"]] <= row["roas_high"]
        for row in acted_on.iter_rows(named=True)
        if row["arm_id"] in true_roas
    ]


@dataclass(frozen=True, slots=True)
class Results:
    """Some days' outcomes by account, and what all of them together come to in one currency.

    `best_value` is what all accounts together could have earned at most, money moving freely between them.
    """

    accounts: list[AccountOutcome]
    currency: str
    worths: Worths
    best_value: float

    def together(self, accounts: Iterable[AccountOutcome]) -> Outcome:
        """Some accounts added up in the reporting currency; at best, each with its own money."""
        first, *rest = [one.result * self.worths[one.currency] for one in accounts]
        return sum(rest, first)

    @property
    def everything(self) -> Outcome:
        return replace(self.together(self.accounts), best_value=self.best_value)


def results(world: SandboxWorld, first: date, last: date, *, rates: Rates, currency: str) -> Results:
    """What the days `first`..`last` were worth. Raises InputError for a currency without a rate."""
    accounts = world.outcomes(first, last)
    worths = {one.currency: float(rates.worth(one.currency, currency, last)) for one in accounts}
    return Results(accounts, currency, worths, world.best_of_all(first, last, worths))


def outcome_table(found: Results, changes: Mapping[str, tuple[int, int]], *, title: str) -> Table:
    """A row an account in its currency, one a platform and one of all in the reporting currency.

    `changes` has the changes sent and verified by account. What was possible is told of all together only: money moves
    between accounts, so an account that gave some has lost nothing.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=0)
    table.add_column("account", no_wrap=True, min_width=16)
    for heading in (
        "spend", "moved", "value", "ROAS\nbefore", "ROAS\nnow", "gain\nover\nalone", "best\ngain",
        "share\nof it", "changes\ndone",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for platform, group in groupby(found.accounts, key=lambda one: one.platform):
        own = list(group)
        table.add_row(*_cells(f"{platform}, {found.currency}", found.together(own), _added(changes, own)), style="bold")
        for one in own:
            table.add_row(*_cells(f"  {one.account_id} {one.currency}", one.result, _added(changes, [one])))
    table.add_section()
    everything = _cells(f"all, {found.currency}", found.everything, _added(changes, found.accounts), whole=True)
    table.add_row(*everything, style="bold")
    return table


def _cells(name: str, result: Outcome, changes: tuple[int, int], *, whole: bool = False) -> list[str]:
    sent, verified = changes
    return [
        name,
        _compact(result.spend),
        f"{result.spend_moved:+.1%}",
        _compact(result.value),
        f"{_ratio(result.before_value, result.before_spend):.2f}",
        f"{_ratio(result.value, result.spend):.2f}",
        f"{result.gain:+.1%}",
        f"{result.possible:+.1%}" if whole else "",
        f"{result.captured:.0%}" if whole else "",
        f"{verified}/{sent}",
    ]


def _added(changes: Mapping[str, tuple[int, int]], outcomes: Iterable[AccountOutcome]) -> tuple[int, int]:
    counted = [changes.get(one.account_id, (0, 0)) for one in outcomes]
    return sum(sent for sent, _ in counted), sum(verified for _, verified in counted)


def _outcome(result: Mapping[str, Any], before: Mapping[str, float]) -> Outcome:
    return Outcome(
        spend=result["actual"]["spend"],
        value=result["actual"]["value"],
        alone_spend=result["status_quo"]["spend"],
        alone_value=result["status_quo"]["value"],
        best_value=result["best"]["value"],
        before_spend=before["spend"],
        before_value=before["value"],
    )


def _compact(amount: float) -> str:
    """A thousands letter instead of digits, so that a row fits a terminal: 9,487,210 is 9.5M."""
    from matplotlib.ticker import EngFormatter  # half a second to import, for this one table

    return EngFormatter(places=1, sep="")(amount)


def _ratio(value: float, spend: float) -> float:
    return value / spend if spend else float("nan")
