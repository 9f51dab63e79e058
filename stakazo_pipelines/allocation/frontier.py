"""What if there were more or less money: the most that each total can earn, and what its last unit earns."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from stakazo_pipelines.allocation.problem import AllocationProblem, Floats
from stakazo_pipelines.allocation.solver import solve
from stakazo_pipelines.errors import InfeasibleError


@dataclass(frozen=True, slots=True)
class FrontierPoint:
    """One total. Money and value per day; shadow_price: what one more unit of money would earn there.

    proposed: float[n], None where the total is out of reach; reason then says why, and value and price are NaN.
    """

    total: float
    value: float
    roas: float
    shadow_price: float
    proposed: Floats | None
    reason: str


def frontier(problem: AllocationProblem, totals: Sequence[float]) -> tuple[FrontierPoint, ...]:
    """The problem's optimum at each total, in the order given; everything else about the problem stays.

    Value is concave in the total and the shadow price is its slope. Exact at every point, so points need not be dense.
    """
    return tuple(_point(problem, float(total)) for total in totals)


def _point(problem: AllocationProblem, total: float) -> FrontierPoint:
    try:
        answer = solve(replace(problem, total=total))
    except InfeasibleError as error:
        nan = float("nan")
        return FrontierPoint(total, nan, nan, nan, None, str(error))
    spent = float(answer.proposed.sum())
    roas = answer.value / spent if spent > 0 else float("nan")
    return FrontierPoint(total, answer.value, roas, answer.shadow_price, answer.proposed, answer.reason)
