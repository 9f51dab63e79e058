"""pymc-marketing in our place: asked once a week, in a process and an environment of its own, with the same reports."""

import json
import subprocess  # of the command that the caller was given
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from common.fields import Field
from common.rules import brought_to_total

ASKED_EVERY = 7
IMMATURE = 3  # last days left out of its data: it knows nothing of conversions that are still to come


def missing(command: tuple[str, ...]) -> str:
    """Why the peer cannot play; empty when it can."""
    try:
        found = _run((command[0], "-c", "import pymc_marketing"))
    except OSError as error:
        return f"{command[0]} does not start ({error.strerror})"
    last = found.stderr.strip().splitlines()
    return "" if found.returncode == 0 else f"{command[0]}: {last[-1] if last else 'it failed'}"


def _run(command: tuple[str, ...], text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)  # noqa: S603


@dataclass
class MarketingMix:
    """Its model refitted weekly, and its optimiser's budgets: at once, or within `step` a day on the way there."""

    command: tuple[str, ...]
    seed: int
    step: float | None = None
    answers: list[dict[str, Any]] = field(default_factory=list)

    def budgets(self, world: Field, day: int) -> pl.DataFrame:
        arms = world.arms().sort("arm_id")
        if day % ASKED_EVERY == 0:
            self.answers.append(self._asked(world, arms))
        wanted = np.asarray(self.answers[-1]["budgets"])
        return arms.select(
            "arm_id", pl.Series("budget", brought_to_total(wanted, arms["budget"].to_numpy(), self.step))
        )

    @property
    def note(self) -> str:
        """How its optimiser ended, over all answers, and what the fits took."""
        equal = sum(one["equal"] for one in self.answers)
        failed = sum(not one["success"] for one in self.answers)
        seconds = [one["seconds"] for one in self.answers]
        return (
            f"{len(self.answers)} fits of {np.mean(seconds):.0f} s on average; the optimiser stopped at the equal "
            f"split {equal} times and failed {failed} times; R-hat up to {max(one['rhat'] for one in self.answers):.2f}"
        )

    def _asked(self, world: Field, arms: pl.DataFrame) -> dict[str, Any]:
        days = world.arm_days().filter(pl.col("date_day") < world.as_of - timedelta(days=IMMATURE))
        question = {
            "arms": arms["arm_id"].to_list(),
            "budgets": arms["budget"].to_list(),
            "dates": [day.isoformat() for day in days["date_day"]],
            "arm": days["arm_id"].to_list(),
            "spend": days["spend"].to_list(),
            "value": days["conversions_value"].to_list(),
            "days": ASKED_EVERY,
            "seed": self.seed,
        }
        found = _run(self.command, json.dumps(question))
        if found.returncode:
            raise RuntimeError(f"{' '.join(self.command)} failed:\n{found.stderr[-2000:]}")
        answer: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
        return answer
