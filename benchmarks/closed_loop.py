"""30 simulated days of the loop on several worlds: gain on leaving budgets alone, share of the best possible, coverage.

python benchmarks/closed_loop.py [--seeds 1,2,3,4,5] [--days 30] [--platforms meta,tiktok,linkedin]

The named peer is the status quo (budgets left alone), the yardstick the best static budgets of the same total, both in
the world's own expected values under the same shocks. The row "all" is the portfolio in the reporting currency; there
the yardstick moves money between accounts and platforms as well. Coverage: how often the 90 % interval of an arm's ROAS
holds the true one of the next 7 days, over all arms in state ok and all days.
"""

import argparse
import statistics
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.commands.simulate import simulate_world
from stakazo_pipelines.commands.world import Outcome
from stakazo_pipelines.policy import Policy, load_policy

POLICY = Path(__file__).resolve().parents[1] / "policy.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", default="1,2,3,4,5")
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--platforms", default="meta,tiktok,linkedin")
    options = parser.parse_args()
    console, rules = Console(width=120), load_policy(POLICY)
    policy = Policy.model_validate({**rules.model_dump(), "platforms": options.platforms.split(",")})
    table = Table(box=SIMPLE_HEAD, title=f"{options.days} days of the loop, default sandbox")
    for heading in (
        "seed", "platform", "account", "spend vs alone", "gain", "possible", "captured", "ROAS coverage", "changes",
    ):  # fmt: skip
        table.add_column(heading, justify="right")
    gains, captured, coverages = [], [], []
    for seed in (int(text) for text in options.seeds.split(",")):
        simulated = simulate_world(policy, days=options.days, seed=seed, history_days=120)
        coverages.append(simulated.coverage)
        for one in simulated.results.accounts:
            sent, verified = simulated.changes.get(one.account_id, (0, 0))
            changes = f"{verified} of {sent}"
            table.add_row(str(seed), one.platform, one.currency, *_figures(one.result), "", changes)
        whole = simulated.results.everything
        gains.append(whole.gain)
        captured.append(whole.captured)
        currency, coverage = simulated.results.currency, f"{simulated.coverage:.1%}"
        table.add_row(str(seed), "all", currency, *_figures(whole), coverage, "", style="bold", end_section=True)
        console.print(f"seed {seed} done")
    console.print(table)
    console.print(
        f"portfolio gain {statistics.mean(gains):+.1%} (lowest {min(gains):+.1%}); captured "
        f"{statistics.mean(captured):.0%} of the best possible (lowest {min(captured):.0%}); coverage of 90 % "
        f"intervals {statistics.mean(coverages):.1%} ({min(coverages):.1%} to {max(coverages):.1%} by seed)"
    )


def _figures(result: Outcome) -> tuple[str, str, str, str]:
    return f"{result.spend_moved:+.2%}", f"{result.gain:+.1%}", f"{result.possible:+.1%}", f"{result.captured:.0%}"


if __name__ == "__main__":
    main()
