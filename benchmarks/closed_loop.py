"""30 simulated days of the loop on several worlds: gain on leaving budgets alone, share of the best possible, coverage.

python benchmarks/closed_loop.py [--seeds 1,2,3,4,5] [--days 30]

The named peer is the status quo (budgets left alone), the yardstick the best static budgets of the same total, both in
the world's own expected values under the same shocks. Coverage: how often the 90 % interval of an arm's ROAS holds the
true one of the next 7 days, over all arms in state ok and all days.
"""

import argparse
import statistics
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.commands.simulate import simulate_world
from stakazo_pipelines.policy import load_policy

POLICY = Path(__file__).resolve().parents[1] / "policy.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--days", type=int, default=30)
    options = parser.parse_args()
    console = Console()
    table = Table(box=SIMPLE_HEAD, title=f"{options.days} days of the loop, default sandbox")
    for heading in ("seed", "account", "spend vs alone", "gain", "possible", "captured", "ROAS coverage", "changes"):
        table.add_column(heading, justify="right")
    gains, captured, coverages = [], [], []
    for seed in (int(text) for text in options.seeds.split(",")):
        result = simulate_world(load_policy(POLICY), days=options.days, seed=seed, history_days=120)
        coverages.append(result.coverage)
        for one in result.results.accounts:
            own = one.result
            gains.append(own.gain)
            captured.append(own.captured)
            sent, verified = result.changes.get(one.account_id, (0, 0))
            table.add_row(
                str(seed), one.currency, f"{own.spend_moved:+.2%}", f"{own.gain:+.1%}", f"{own.possible:+.1%}",
                f"{own.captured:.0%}", f"{result.coverage:.1%}", f"{verified} of {sent}",
            )  # fmt: skip
        console.print(f"seed {seed} done")
    console.print(table)
    console.print(
        f"gain {statistics.mean(gains):+.1%} (sd {statistics.stdev(gains):.1%}, lowest {min(gains):+.1%}); captured "
        f"{statistics.mean(captured):.0%} of the best possible (sd {statistics.stdev(captured):.0%}, lowest "
        f"{min(captured):.0%}); coverage of 90 % intervals {statistics.mean(coverages):.1%} "
        f"({min(coverages):.1%} to {max(coverages):.1%} by seed)"
    )


if __name__ == "__main__":
    main()
