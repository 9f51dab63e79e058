"""Asking the sandbox's own endpoints, and laying what was earned beside what could have been."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import httpx
import polars as pl
from matplotlib.ticker import EngFormatter
from rich.box import SIMPLE_HEAD
from rich.table import Table

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.vocabulary import ArmState


@dataclass(frozen=True, slots=True)
class AccountOutcome:
    """Expected spend and value of an account over some days: as it was run, left alone, and at best."""

    account_id: str
    currency: str
    spend: float
    value: float
    alone_spend: float
    alone_value: float
    best_value: float
    roas_before: float

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
        """What the days `first`..`last` were worth in truth, and the ROAS of as many days before."""
        span = last - first
        before = self._get("/sandbox/outcome", since=first - span - timedelta(days=1), until=first - timedelta(days=1))
        during = self._get("/sandbox/outcome", since=first, until=last)
        return [
            AccountOutcome(
                account_id=account_id,
                currency=result["currency"],
                spend=result["actual"]["spend"],
                value=result["actual"]["value"],
                alone_spend=result["status_quo"]["spend"],
                alone_value=result["status_quo"]["value"],
                best_value=result["best"]["value"],
                roas_before=_ratio(before[account_id]["actual"]),
            )
            for account_id, result in during.items()
        ]

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


def outcome_table(outcomes: list[AccountOutcome], changes: Mapping[str, tuple[int, int]], *, title: str) -> Table:
    """One row an account; `changes` has the changes sent and verified by account."""
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("account", no_wrap=True, min_width=14)
    for heading in (
        "spend", "value", "ROAS\nbefore", "ROAS\nnow", "gain\nover\nalone", "best\ngain",
        "share\nof it", "changes\ndone",
    ):  # fmt: skip
        table.add_column(heading, justify="right", no_wrap=True)
    for one in outcomes:
        sent, verified = changes.get(one.account_id, (0, 0))
        table.add_row(
            f"{one.account_id} {one.currency}",
            _compact(one.spend),
            _compact(one.value),
            f"{one.roas_before:.2f}",
            f"{one.value / one.spend:.2f}",
            f"{one.gain:+.1%}",
            f"{one.possible:+.1%}",
            f"{one.captured:.0%}",
            f"{verified}/{sent}",
        )
    return table


def _compact(amount: float) -> str:
    """A thousands letter instead of digits, so that a row fits a terminal: 9,487,210 is 9.5M."""
    return EngFormatter(places=1, sep="")(amount)


def _ratio(result: Mapping[str, float]) -> float:
    return result["value"] / result["spend"] if result["spend"] else float("nan")
