"""What if: more money earns more, each next unit less, and today's total is on the line."""

from decimal import Decimal

import numpy as np
import pytest

from stakazo_pipelines.allocation.allocate import AccountReach
from stakazo_pipelines.allocation.limits import Limits
from stakazo_pipelines.allocation.portfolio import Stake
from stakazo_pipelines.allocation.posterior import ExpectedCurve
from stakazo_pipelines.cycle.frontier import FRONTIER_COLUMNS, day_frontier
from stakazo_pipelines.vocabulary import Binding


def stake(name, roas, *, worth="1", room=2_000):
    current = np.full(len(roas), 10_000)
    why = np.full(len(roas), Binding.STEP_UP, dtype=object)
    limits = Limits(current, current - room, current + room, why, why, 10**9)
    curve = ExpectedCurve(np.array(roas) * 100.0, np.full(len(roas), 0.5))
    return Stake(name, AccountReach(tuple(f"{name}{i}" for i in range(len(roas))), limits, curve), 100, Decimal(worth))


def test_the_line_rises_and_bends_from_the_least_to_the_most_that_today_allows():
    points = day_frontier([stake("a", [1.0, 2.0]), stake("b", [3.0], worth="2")])
    assert points["total"][0] == pytest.approx(320)
    assert points["total"][-1] == pytest.approx(480)
    assert any(total == pytest.approx(400) for total in points["total"])
    assert (np.diff(points["value"]) > 0).all()
    slopes = np.diff(points["value"]) / np.diff(points["total"])
    assert (np.diff(slopes) <= 1e-9).all()
    inner = points["shadow_price"].to_numpy()[1:-1]
    assert (inner <= slopes[:-1] + 1e-9).all()
    assert (inner >= slopes[1:] - 1e-9).all()


def test_where_nothing_is_free_there_is_no_line():
    assert day_frontier([]).is_empty()
    fixed = day_frontier([stake("a", [1.0], room=0)])
    assert fixed.is_empty()
    assert fixed.columns == list(FRONTIER_COLUMNS)
