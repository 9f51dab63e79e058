"""What an account's plan says of itself: why its total is not the one asked for, and why nothing moves."""

from collections import Counter

import numpy as np

from stakazo_pipelines.allocation.guardrails import Reasons
from stakazo_pipelines.allocation.problem import Flags, Ints
from stakazo_pipelines.vocabulary import Binding

_WORDS = {
    Binding.HELD: "held by a person, an experiment or learning",
    Binding.STATE: "without an estimate fit to act on",
    Binding.DAILY_CAP: "at the cumulative cap of the last 24 hours, the day or the month",
    Binding.MINIMUM: "at the smallest budget allowed",
    Binding.MAXIMUM: "at the largest budget allowed",
    Binding.STEP_UP: "with a budget too small for a step of one unit of money",
    Binding.STEP_DOWN: "with a budget too small for a step of one unit of money",
    Binding.SWITCHED_OFF: "switched off",
}


def out_of_reach(asked: int, total: int, units: int) -> str:
    """Why a total is not the one asked for, both in minor units; empty where it is."""
    if asked == total:
        return ""
    return (
        f"the total of {asked / units:,.2f} asked for is out of reach of this plan's bounds; the nearest, "
        f"{total / units:,.2f}, is used ({abs(asked - total) / units:,.2f} {'less' if total < asked else 'more'})"
    )


def nothing_free(binding: Reasons) -> str:
    """How many arms are held by what, where no arm is free."""
    counts = Counter(_WORDS[reason] for reason in binding)
    return f"all {len(binding)} arms held: " + ", ".join(f"{n} {words}" for words, n in counts.most_common())


def nothing_moved(first: str, proposed: Ints, current: Ints, small: Flags, min_change: float) -> str:
    """Why nothing moves, empty where something does. first: what the optimum says; small: changes that were dropped."""
    if (proposed != current).any():
        return ""
    if first:
        return first
    if small.any():
        return f"nothing to gain: every change worth making is below the smallest worth publishing ({min_change:.0%})"
    return "nothing to gain: the best changes are below one minor unit of money"


def switches(off: Flags, stays: int, least: str, gap: float) -> str:
    """What smallest viable budgets (`least`, in words) did. stays: arms that cannot reach them; gap: as proved."""
    count = int(np.count_nonzero(off))
    words = []
    if count:
        words.append(f"{count} {'arm is' if count == 1 else 'arms are'} switched off (a budget of 0)")
    if stays:
        words.append(f"{stays} below {least} stay as they are: held, or too little is known of them")
    if gap > 0:
        words.append(f"other choices of what is on could earn more, but at most {max(gap, 1e-4):.2%}")
    return "; ".join(words)
