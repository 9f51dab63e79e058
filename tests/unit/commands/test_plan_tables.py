"""A plan on the terminal, where a table has nothing to divide by."""

from io import StringIO
from types import SimpleNamespace

from rich.console import Console

from stakazo_pipelines.commands.plan_tables import print_frontier
from stakazo_pipelines.paper_frontier import WhatIf


def test_a_total_of_nothing_has_no_return():
    console = Console(file=StringIO(), width=100)
    points = [WhatIf(0.0, 0.0, 0.0, 0.0, 0.0, 1.5, ""), WhatIf(50.0, 100.0, 1.0, 0.5, 2.0, 1.2, "")]
    print_frontier(points, SimpleNamespace(summaries=[SimpleNamespace(currency="EUR")]), console)
    rows = [line.split() for line in console.file.getvalue().splitlines() if "(" in line and line.strip()[0].isdigit()]
    assert rows[0] == ["0.00", "0.00", "+0", "(+0", "to", "+0)", "1.50"]
    assert rows[1][:3] == ["50.00", "100.00", "2.00"]
