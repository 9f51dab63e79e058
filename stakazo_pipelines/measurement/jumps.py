"""Where an arm's level jumped (a new creative, another bid or audience), or its whole account's (a site that broke).

What came before then counts less. Each day of each arm, or account, is a candidate, judged by the conversions of the
weeks on either side: the odds of a jump there are those of its hazard times a Bayes factor, log rates compared as
normals (Poisson counts, the level's drift, an account's shocks, a normal jump).
"""

from dataclasses import dataclass

import numpy as np

from stakazo_pipelines.measurement.arrays import Array, IntArray, sum_by

SIDE_DAYS = 21  # before and after a candidate; of two jumps closer than that the clearer is told
EDIT_HAZARD = 0.5  # that a known edit changes the level
_LEAST_ARMS = 3
_SMOOTHING = 0.5  # conversions
_LEAST_EXPOSURE = 1e-9
_NEAR, _CLEAR = 4, 0.5  # a jump is told when the chances of the days around it come to more than that


@dataclass(frozen=True, slots=True)
class Trace:
    """Days x arms, what each day told of a level in Poisson terms: conversions, and those expected at a level of 0."""

    count: Array
    exposure: Array
    exposure_apart: Array  # the same as if the account's shock and walk were zero

    def of_accounts(self, level: Array, account: IntArray, accounts: int) -> tuple[Array, Array]:
        """Counts and expected counts of whole accounts, days x accounts, the arms being on these levels throughout.

        Accounts of fewer arms than `_LEAST_ARMS` have none: what is theirs could not be told from what is their arms'.
        """
        many = np.bincount(account, minlength=accounts) >= _LEAST_ARMS
        expected = self.exposure_apart * np.exp(level)
        count, exposure = (
            np.stack([sum_by(account, day, accounts) for day in daily]) * many for daily in (self.count, expected)
        )
        return count, exposure


def jump_chances(
    count: Array,
    exposure: Array,
    *,
    hazard: Array | float,
    jump_sd: float,
    drift_sd: float,
    shock_sd: float = 0.0,
    persistence: float = 0.0,
) -> Array:
    """Chance, days x arms (or accounts), that the level jumped just before that day by N(0, `jump_sd`^2).

    `hazard` (one number, or days x arms) is the chance without looking. Days before the first, or after the last, with
    exposure have none: there is nothing to compare. shock_sd, persistence: of an AR(1) that both sides contain.
    """
    counts, exposures = _sides(count, SIDE_DAYS), _sides(exposure, SIDE_DAYS)
    spans = _sides((exposure > 0).astype(np.float64), SIDE_DAYS)
    both = (exposures[0] > _LEAST_EXPOSURE) & (exposures[1] > _LEAST_EXPOSURE)
    per_exposure = (counts[0] + counts[1] + _SMOOTHING) / np.where(both, exposures[0] + exposures[1], 1.0)
    expected = [side * per_exposure + _SMOOTHING for side in exposures]
    change = np.log((counts[1] + _SMOOTHING) / expected[1]) - np.log((counts[0] + _SMOOTHING) / expected[0])
    # Means of a random walk over m days before and n days after differ by a variance of about (m + n) / 3 steps.
    variance = 1.0 / expected[0] + 1.0 / expected[1] + drift_sd**2 * (spans[0] + spans[1]) / 3.0
    # Means of an AR(1) over n days: variance / n x (1 + persistence) / (1 - persistence), at most a single day's.
    lasting = (1.0 + persistence) / (1.0 - persistence)
    variance = variance + shock_sd**2 * sum(np.minimum(lasting / np.maximum(span, 1.0), 1.0) for span in spans)
    wide = variance + jump_sd**2
    log_factor = 0.5 * (np.log(variance / wide) + change**2 * (1.0 / variance - 1.0 / wide))
    before_looking = np.asarray(hazard) / (1.0 - np.asarray(hazard))
    odds = np.where(both, before_looking * np.exp(np.minimum(log_factor, 50.0)), 0.0)
    # Of candidates whose sides overlap at most one is told; those that say nothing (a factor of 1) do not compete.
    rivals = np.where(both, np.maximum(odds - before_looking, 0.0), 0.0)
    before, after = _sides(rivals, SIDE_DAYS)
    chance = odds / (1.0 + np.maximum(before + after, odds))
    # Only clear jumps are told: what is not clear is in the drift, and would widen every arm's interval a second time.
    before, after = _sides(chance, _NEAR)
    return np.asarray(np.where(before + after > _CLEAR, chance, 0.0), dtype=np.float64)


def _sides(daily: Array, reach: int) -> tuple[Array, Array]:
    """Sums over the `reach` days before each day, and over as many from it on."""
    days = len(daily)
    total = np.vstack([np.zeros((1, daily.shape[1])), np.cumsum(daily, axis=0)])
    at = np.arange(days)
    here = total[at]
    return here - total[np.maximum(at - reach, 0)], total[np.minimum(at + reach, days)] - here
