"""The rules that marketers use, on what a marketer sees each morning, and the steps that they can be held to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WINDOW = 7  # days that a rule looks back on
SLICES, PRIOR_VALUE = 200, 2.0  # of Thompson sampling: parts of the total; conversions that the pooled value is worth
_BISECTIONS = 60


@dataclass(frozen=True)
class View:
    """What a rule sees of one pool, per arm: sums of the last 7 reported days, today's budgets, and the day number."""

    spend: np.ndarray
    conversions: np.ndarray
    value: np.ndarray
    budget: np.ndarray
    day: int
    rng: np.random.Generator

    @property
    def roas(self) -> np.ndarray:
        """Reported ROAS; the pool's where an arm has not spent."""
        pooled = self.value.sum() / max(self.spend.sum(), 1e-9)
        return np.where(self.spend > 0, self.value / np.where(self.spend > 0, self.spend, 1.0), pooled)


Rule = Callable[[View], np.ndarray]  # budgets in any proportion: the loop brings them to the total


def left_alone(view: View) -> np.ndarray:
    return view.budget


def equal_split(view: View) -> np.ndarray:
    return np.ones_like(view.budget)


def proportional_to_roas(view: View) -> np.ndarray:
    """Budget follows reported ROAS; an arm that sold nothing keeps a tenth of a mean share, and may come back."""
    return np.maximum(view.roas, 0.1 * view.roas.mean())


def thresholds_weekly(view: View) -> np.ndarray:
    """+20 % for an arm above the pool's ROAS, -30 % for one below, once a week: the rule of many ad managers."""
    return view.budget if view.day % WINDOW else thresholds_daily(view)


def thresholds_daily(view: View) -> np.ndarray:
    """The same rule looked at every morning."""
    target = view.value.sum() / max(view.spend.sum(), 1e-9)
    return view.budget * np.where(view.roas >= target, 1.2, 0.7)


def thompson(view: View) -> np.ndarray:
    """Each slice of the total goes to the arm whose sampled ROAS is highest; a tenth of each budget stays.

    Conversions per money are gamma; value per conversion is the arm's own mean, shrunk to the pool's.
    """
    pooled = view.value.sum() / max(view.conversions.sum(), 1e-9)
    worth = (view.value + PRIOR_VALUE * pooled) / (view.conversions + PRIOR_VALUE)
    draws = view.rng.gamma(view.conversions + 0.5, size=(SLICES, len(view.budget)))
    best = np.argmax(draws / np.maximum(view.spend, 1e-9) * worth, axis=1)
    share = np.bincount(best, minlength=len(view.budget)) / SLICES
    return 0.9 * share * view.budget.sum() + 0.1 * view.budget


RULES: dict[str, Rule] = {
    "equal split": equal_split,
    "proportional to ROAS": proportional_to_roas,
    "+20 %/-30 % weekly": thresholds_weekly,
    "+20 %/-30 % daily": thresholds_daily,
    "Thompson sampling": thompson,
}


def brought_to_total(wanted: np.ndarray, budget: np.ndarray, step: float | None) -> np.ndarray:
    """`wanted` scaled to today's total; with a `step`, by the factor at which budgets moved at most so far meet it."""
    total = budget.sum()
    if step is None:
        return wanted * total / wanted.sum()
    low, high = (1 - step) * budget, (1 + step) * budget
    small, large = 0.0, float((high / np.maximum(wanted, 1e-12)).max())
    for _ in range(_BISECTIONS):
        middle = (small + large) / 2
        small, large = (middle, large) if np.clip(wanted * middle, low, high).sum() < total else (small, middle)
    found = np.clip(wanted * large, low, high)
    return found * total / found.sum()
