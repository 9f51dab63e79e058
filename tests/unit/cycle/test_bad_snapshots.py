"""Entity snapshots that hold what no platform should say: their account is set aside, the others go on.

Through the functions that the assets call, and the assets themselves, on two shops of which the first is damaged.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from dagster import DagsterInstance, materialize

from assets.allocation import budget_allocations
from assets.measurement import account_readiness, roas_estimates
from stakazo_pipelines.currency import parse_rates
from stakazo_pipelines.cycle.accounts import known_accounts
from stakazo_pipelines.cycle.budgets import ALLOCATIONS, READINESS
from stakazo_pipelines.cycle.portfolio import PortfolioResult, allocate_day
from stakazo_pipelines.cycle.returns import ESTIMATES, POPULATION, calibrated_day
from stakazo_pipelines.cycle.soundness import readiness_with, sound_days
from stakazo_pipelines.lake import RAW_ENTITIES_SCHEMA, Lake
from stakazo_pipelines.marts import MART_SCHEMAS, arm_days, read_mart, request_days
from stakazo_pipelines.marts.tables import day_file
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.quality import readiness

DAY = date(2026, 6, 29)
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
MORNING = DAY + timedelta(days=1)
SHOPS = {"1": "KWD", "2": "USD"}
BUDGET = {"1": Decimal("50.125"), "2": Decimal(50)}  # dinars have thousandths
GROUPS = 3
REPORTS = {name: f"ad_reporting__{name}_report" for name in ("account", "campaign", "ad_group", "ad")}
RATES = parse_rates("date_from,currency,units_per_usd\n2026-01-01,USD,1\n2026-01-01,KWD,0.31\n", source="rates.csv")
Damage = Callable[[pl.DataFrame], pl.DataFrame]


def reports() -> dict[str, pl.DataFrame]:
    """Three ad groups a shop, some of them worth more than others, over twenty days; the other reports are sums."""
    rng, rows = np.random.default_rng(4), []
    facts = {"platform": "meta", "timezone": "UTC", "attribution_window": "7d", "impressions": 900, "fetched_at": NOW}
    for account, currency in SHOPS.items():
        for back in range(20):
            keys = {"date_day": DAY - timedelta(days=back), "account_id": account, "currency": currency, **facts}
            for number in range(GROUPS):
                sold = int(rng.poisson(4 * (number + 1)))
                ids = {"campaign_id": f"c{account}", "ad_group_id": f"g{account}{number}", "ad_id": f"a{account}"}
                spend = Decimal(str(round(50 * rng.uniform(0.8, 1.2), 2)))
                measures = {"spend": spend, "conversions": sold, "conversions_value": 20 * sold}
                rows.append({**keys, **ids, **measures, "age_days": back + 1})
    groups = pl.DataFrame(rows, schema=dict(MART_SCHEMAS[REPORTS["ad_group"]]) | {"ad_id": pl.String()})
    measures = [pl.col("spend", "conversions", "conversions_value").sum()]
    first = pl.exclude("date_day", "platform", "account_id", "spend", "conversions", "conversions_value").first()
    shops = groups.group_by("date_day", "platform", "account_id").agg(*measures, first)
    made = {"account": shops, "campaign": shops, "ad_group": groups, "ad": shops}
    frames = {}
    for name, model in REPORTS.items():
        schema = pl.Schema(MART_SCHEMAS[model])
        told = made[name].with_columns(reported_level=pl.lit(name))
        columns = [pl.col(one) if one in told.columns else pl.lit(None).alias(one) for one in schema]
        frames[model] = told.select(columns).cast(schema)
    return frames


def snapshot(account: str, read_at: datetime = NOW, budget: Decimal | None = None) -> pl.DataFrame:
    keys = {"platform": "meta", "account_id": account, "account_name": f"shop {account}", "currency": SHOPS[account]}
    keys |= {"timezone": "UTC", "status": "active", "fetched_at": read_at, "native": "{}"}
    least = '{"minor_units": 1000, "min_daily_budget": "1"}'
    held = {"budget": budget or BUDGET[account], "budget_period": "daily"}
    groups = [{"level": "ad_group", "entity_id": f"g{account}{number}", **held} for number in range(GROUPS)]
    rows = [
        {**keys, "level": "account", "entity_id": account, "native": least},
        {**keys, "level": "campaign", "entity_id": f"c{account}", "parent_id": account, "objective": "sales"},
        *({**keys, "parent_id": f"c{account}", **group} for group in groups),
    ]
    return pl.DataFrame(rows, schema=dict(RAW_ENTITIES_SCHEMA))


MARTS = reports()
OWN = pl.col("level") == "account"


def keep(lake: Lake, account: str, read_at: datetime = NOW, budget: Decimal | None = None) -> Path:
    """A good snapshot of the account; its file."""
    own = {"day": read_at.date(), "account_id": account, "fetched_at": read_at}
    return lake.append_raw("meta", "entities", frame=snapshot(account, read_at, budget), **own)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """Twenty days of both shops, all of them in the file of the last one, and a snapshot of the second."""
    lake = Lake(tmp_path / "lake")
    for model, frame in MARTS.items():
        path = day_file(lake, model, DAY)
        path.parent.mkdir(parents=True)
        frame.write_parquet(path)
    keep(lake, "2")
    lake.write_asset(POPULATION, DAY, pl.DataFrame([Population().to_json()]))
    return lake


def damage(lake: Lake, change: Damage) -> Path:
    """The first shop's snapshot after something happened to its file."""
    path = keep(lake, "1")
    change(snapshot("1")).write_parquet(path)
    return path


def cell(column: str, value: Any) -> Damage:
    """The account's own row says something else."""
    return lambda rows: rows.with_columns(
        pl.when(OWN).then(pl.lit(value, dtype=pl.String)).otherwise(column).alias(column)
    )


def run(lake: Lake, policy: Policy = Policy()) -> tuple[dict[str, set[str]], PortfolioResult, dict[str, str]]:  # noqa: B008
    """States of the arms by account, the day's budgets, and why accounts are not ready."""
    read = {name: read_mart(lake, model, DAY - timedelta(days=6), DAY) for name, model in REPORTS.items()}
    snapshots = lake.entities().frame
    verdicts = readiness(read["account"], {"ads": read["ad"]}, day=DAY, tolerance=0.01, max_age_days=3, known=snapshots)
    verdicts = readiness_with(verdicts, sound_days(lake, MORNING, policy.measurement.window_days).aside)
    lake.write_asset(READINESS, DAY, verdicts)
    frame = calibrated_day(lake, policy, DAY).frame
    lake.write_asset(ESTIMATES, DAY, frame)
    known = known_accounts(lake, MORNING)
    result = allocate_day(lake, policy, DAY, accounts=known, ledgers={}, rates=RATES, sandbox=True)
    states = {str(account): set(own["state"]) for (account,), own in frame.group_by("account_id")}
    return states, result, dict(verdicts.filter(~pl.col("ready")).select("account_id", "reason").iter_rows())


def moved(frame: pl.DataFrame) -> set[str]:
    return set(frame.filter(pl.col("proposed_budget") != pl.col("current_budget"))["account_id"])


def test_whole_snapshots_set_nobody_aside(lake: Lake) -> None:
    keep(lake, "1")
    states, result, unready = run(lake)
    assert states == {"1": {"ok"}, "2": {"ok"}}
    assert moved(result.frame) == {"1", "2"}
    assert unready == {}


ROWS = [
    (cell("timezone", None), "row 1: timezone: unknown time zone ''"),
    (cell("timezone", "Mars/Olympus"), "row 1: timezone: unknown time zone 'Mars/Olympus'"),
    (lambda rows: rows.drop("timezone"), "row 1: timezone: unknown time zone ''"),
    (cell("currency", None), "row 1: currency: three capital letters (ISO 4217), not None"),
    (cell("currency", "euro"), "row 1: currency: three capital letters (ISO 4217), not 'euro'"),
    (cell("currency", "XQZ"), "row 2: currency: 'KWD', where the account's own row has 'XQZ'"),
    (cell("account_name", None), "row 1: account_name: is empty"),
    (cell("entity_id", "7"), "row 1: entity_id: the account's own id '1', not '7'"),
    (cell("status", "zzz"), "row 1: status: one of active, "),
    (cell("native", None), "row 1: native: a JSON object, not None"),
    (cell("native", '{"minor_un'), "row 1: native: a JSON object, not '{\"minor_un'"),
    (cell("native", "[]"), "row 1: native: a JSON object, not '[]'"),
    (cell("native", "{}"), "row 1: native.minor_units: a whole number of at least 1, not None"),
    (cell("native", '{"minor_units": 1, "min_daily_budget": "-1"}'), "native.min_daily_budget: an amount of at least"),
    (cell("native", '{"minor_units": 1, "min_daily_budget": 1e400}'), "native.min_daily_budget: an amount of at least"),
    (lambda rows: rows.filter(~OWN), "level: no row is the account's own"),
    (lambda rows: pl.concat([rows, rows.filter(OWN)]), "rows 1 and 6: level: only one row is the account's own"),
]


@pytest.mark.parametrize(("change", "told"), ROWS)
def test_an_account_row_that_cannot_be_read_sets_its_account_aside_and_the_other_goes_on(lake, change, told):
    path = damage(lake, change)
    states, result, unready = run(lake)
    assert states == {"1": {"insufficient"}, "2": {"ok"}}
    assert moved(result.frame) == {"2"}
    kept = result.frame.filter(account_id="1")
    assert kept["proposed_budget"].to_list() == [float(BUDGET["1"])] * GROUPS
    assert set(unready) == {"1"}
    for words in (str(path), told, "read its entities again"):
        assert words in unready["1"]
    [summary] = [one for one in result.accounts if one.account_id == "1"]
    assert unready["1"] in summary.reason


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def torn_inside(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-200:-8] = bytes(192)  # the footer, its length left standing
    path.write_bytes(content)


def other_types(path: Path) -> None:
    snapshot("1").with_columns(timezone=pl.lit(7)).write_parquet(path)


def rows(change: Damage) -> Callable[[Path], None]:
    return lambda path: change(snapshot("1")).write_parquet(path)


FILES = [
    (torn, "is torn"),
    (torn_inside, ""),
    (other_types, "timezone"),
    (rows(cell("account_id", None)), "row 1: account_id: nothing, in a file of meta/1"),
    (rows(cell("platform", "other")), "row 1: platform: other, in a file of meta/1"),
    (rows(cell("level", None)), "row 1: level: one of account, "),
    (rows(cell("entity_id", None)), "row 1: entity_id: is empty"),
    (rows(cell("status", None)), "row 1: status: is empty"),
]


@pytest.mark.parametrize(("ruin", "told"), FILES)
def test_a_file_that_cannot_be_used_is_named_and_its_account_is_no_import(lake, ruin, told):
    path = keep(lake, "1")
    ruin(path)
    states, result, unready = run(lake)
    assert states == {"2": {"ok"}}
    assert set(result.frame["account_id"]) == {"2"}
    assert set(unready) == {"1"}
    for words in (str(path), told, "read its entities again, or delete the file"):
        assert words in unready["1"]


@pytest.mark.parametrize("ruin", [torn, rows(cell("entity_id", None))])
def test_a_newest_snapshot_that_cannot_be_used_leaves_the_budgets_of_the_one_before(lake, ruin):
    keep(lake, "1", NOW - timedelta(days=1), Decimal(20))
    path = keep(lake, "1")
    ruin(path)
    states, result, unready = run(lake)
    assert states == {"1": {"insufficient"}, "2": {"ok"}}
    assert result.frame.filter(account_id="1")["proposed_budget"].to_list() == [20.0] * GROUPS
    assert str(path) in unready["1"]
    keep(lake, "1", NOW + timedelta(minutes=1))  # read again
    assert run(lake)[0] == {"1": {"ok"}, "2": {"ok"}}


def test_a_snapshot_that_was_ruined_after_readiness_was_told_holds_its_account_all_the_same(lake):
    keep(lake, "1")
    run(lake)
    keep(lake, "1", NOW + timedelta(days=1)).write_bytes(b"PAR1")
    known = known_accounts(lake, MORNING + timedelta(days=1))
    result = allocate_day(lake, Policy(), DAY, accounts=known, ledgers={}, rates=RATES, sandbox=True)
    assert moved(result.frame) == {"2"}


@pytest.mark.parametrize("ruin", [torn, torn_inside, rows(cell("entity_id", None))])
def test_marts_are_built_from_the_snapshot_before(lake, ruin):
    before, path = keep(lake, "1", NOW - timedelta(days=1)), keep(lake, "1")
    ruin(path)
    assert [bad.path for bad in request_days(lake, [DAY])] == [path]
    files = pl.read_parquet(lake.root / ".build" / "files.parquet").filter(dataset="entities", account_id="1")
    assert files["file"].to_list() == [str(before)]


def test_an_edit_in_a_time_zone_that_is_none_counts_by_the_day_in_utc(lake):
    keep(lake, "1")
    names = {"platform": "meta", "account_id": "1", "campaign_id": "c1", "ad_group_id": "g10", "level": "ad_group"}
    edit = pl.DataFrame(names | {"timezone": "Mars/Olympus", "entity_id": "g10", "what": "status", "changed_at": NOW})
    frame = edit.with_columns(fetched_at=pl.lit(NOW))
    lake.append_raw("meta", "edits", day=NOW.date(), account_id="1", fetched_at=NOW, frame=frame)
    _, arms = arm_days(lake, MORNING, 90)
    assert dict(arms.select("arm_id", "changed_on").iter_rows())["g10"] == NOW.date()


def test_the_assets_set_aside_one_account_and_estimate_and_allocate_the_other(lake, resources_of):
    path = damage(lake, cell("timezone", "Mars/Olympus"))
    resources = resources_of(lake, "platforms: [meta]\naccounts: {meta/1: {}}\n")
    with DagsterInstance.ephemeral() as instance:
        chain = [account_readiness, roas_estimates, budget_allocations]
        done = materialize(chain, instance=instance, partition_key=str(DAY), resources=resources)
    checks = {one.check_name: one for one in done.get_asset_check_evaluations()}
    assert not checks["fresh_and_reconciled"].passed
    shown = str(checks["fresh_and_reconciled"].metadata["not_ready"])
    assert re.search(rf"{re.escape(path.name)}: row 1: timezone: unknown time zone", shown), shown
    assert checks["policy_names_known_accounts"].passed
    states = dict(lake.read_asset(ESTIMATES, DAY).group_by("account_id").agg(pl.col("state").unique()).iter_rows())
    assert states == {"1": ["insufficient"], "2": ["ok"]}
    assert moved(lake.read_asset(ALLOCATIONS, DAY)) == {"2"}
