"""What reading 28 days of 3 accounts with 200 ads each costs in API calls, and what that takes under documented limits.

python benchmarks/ingest_calls.py [--platforms meta,tiktok,linkedin] [--days 28] [--accounts 3] [--ads 200]

Four levels (account, campaign, ad group, ad) of every day, counted by the sandbox's own request log: (a) our ingest;
(b) a call for each day, account and level, with the same pages; (c) the platform's official SDK over the whole range,
with the pages it asks for when nobody says otherwise, and with the largest pages of (a).
"""

import argparse
import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from common.ingest_sdks import SDKS, installed
from common.ingest_world import START, SandboxProcess, sandbox_process
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from stakazo_pipelines.ingest import REPORT_LEVELS, ingest_insights
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.platforms.port import AdPlatform, InsightsQuery
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.policy import IngestPolicy
from stakazo_pipelines.sandbox.world import WorldConfig
from stakazo_pipelines.settings import SANDBOX_TOKEN

UNTIL = START.date() - timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pull:
    """Calls that a way of reading made, and the rows it got. `days` is how many it read."""

    name: str
    days: int
    calls: int
    rows: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--platforms", default="meta,tiktok,linkedin")
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--accounts", type=int, default=3)
    parser.add_argument("--ads", type=int, default=200, help="of each account")
    options = parser.parse_args()
    console = Console(width=120)
    for platform in options.platforms.split(","):
        config = WorldConfig(
            start=START,
            today_limit=START,
            history_days=options.days,
            accounts=options.accounts,
            campaigns=options.accounts * options.ads // 10,
            ad_groups=options.accounts * options.ads // 4,
            ads=options.accounts * options.ads,
            platforms=(platform,),
        )
        with sandbox_process(config) as sandbox:
            pulls = list(_pulls(platform, sandbox, options.days))
        title = f"{platform}: {options.days} days, {options.accounts} accounts, {options.ads} ads each"
        table = Table(box=SIMPLE_HEAD, title=title)
        for heading in ("", "calls", "rows", "of (b)", "time under the documented limits"):
            table.add_column(
                heading, justify="left" if heading in ("", "time under the documented limits") else "right"
            )
        a_day = (next(pull.calls for pull in pulls if pull.name.startswith("(b)")) - 1) / options.days
        for pull in pulls:
            time = LIMITS[platform](pull.calls, options.accounts)
            table.add_row(
                pull.name, f"{pull.calls:,}", f"{pull.rows:,}", f"{pull.calls / (a_day * pull.days + 1):.0%}", time
            )
        console.print(table)
        if not installed(platform):
            console.print(f"(c) is left out: the SDK of {platform} is not installed; `make setup-clients` does it")


def _pulls(platform: str, sandbox: SandboxProcess, days: int) -> list[Pull]:
    since = UNTIL - timedelta(days=days - 1)
    ages = IngestPolicy().reread_ages
    span = [since + timedelta(days=number) for number in range(days)]

    def counted(name: str, pull: Callable[[], int], read: int = days) -> Pull:
        sandbox.forget_requests()
        rows = pull()
        return Pull(name, read, sum(sandbox.requests().values()), rows)

    def port(read: Callable[[AdPlatform], Awaitable[int]]) -> Callable[[], int]:
        async def run() -> int:
            api = open_platform(platform, base_url=sandbox.url, token=SANDBOX_TOKEN)
            try:
                return await read(api)
            finally:
                await api.aclose()

        return lambda: asyncio.run(run())

    with tempfile.TemporaryDirectory(prefix="stakazo-") as folder:
        lake = Lake(Path(folder))

        async def ours(api: AdPlatform) -> int:
            report = await ingest_insights(api, lake, days=span, ages=None, now=START)
            return sum(report.rows.values())

        async def again(api: AdPlatform) -> int:
            report = await ingest_insights(api, lake, days=span, ages=ages, now=START + timedelta(hours=1))
            return sum(report.rows.values())

        pulls = [
            counted("(a) our ingest of all days", port(ours)),
            counted("(b) a call per day, account and level", port(lambda api: _day_by_day(api, span))),
        ]
        pulls += [
            counted(f"(c) {name}", lambda pull=pull: pull(sandbox.url, SANDBOX_TOKEN, since, UNTIL))  # type: ignore[misc]  # a default binds the loop's variable
            for name, pull in SDKS[platform].items()
            if installed(platform)
        ]
        due = sum(age <= days for age in ages)
        pulls.append(counted(f"(a) our daily re-reading of {due} days", port(again), due))
        return pulls


async def _day_by_day(api: AdPlatform, days: list[date]) -> int:
    rows = 0
    for account in await api.accounts():
        for day in days:
            for level in REPORT_LEVELS:
                rows += len((await api.insights(InsightsQuery(account, level, day, day))).rows)
    return rows


def _meta(calls: int, accounts: int) -> str:
    """A read is a point of the account's score, which decays over 300 s: limited access allows 60, full 9,000."""
    each = calls / accounts
    waits = [max(each - most, 0) / (most / 300) for most in (60, 9000)]
    return f"waits {waits[0]:,.0f} s (limited), {waits[1]:,.0f} s (full)"


def _tiktok(calls: int, _accounts: int) -> str:
    """10 requests a second and 600 a minute of an app at an endpoint (Basic)."""
    return f"{calls / 10:,.1f} s at 10 a second"


def _linkedin(_calls: int, _accounts: int) -> str:
    return "unpublished (counted by day)"


LIMITS = {"meta": _meta, "tiktok": _tiktok, "linkedin": _linkedin}

if __name__ == "__main__":
    main()
