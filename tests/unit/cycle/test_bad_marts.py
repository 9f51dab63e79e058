"""Marts that hold what no platform should say: a clear error, or one account set aside.

Through the functions that the assets call, on days that lie in a lake as dbt leaves them there.
"""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from dagster import DagsterInstance, materialize
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assets.allocation import budget_allocations
from assets.measurement import account_readiness, response_curves, roas_estimates
from stakazo_pipelines.currency import parse_rates
from stakazo_pipelines.cycle.accounts import known_accounts
from stakazo_pipelines.cycle.budgets import READINESS
from stakazo_pipelines.cycle.portfolio import PortfolioResult, allocate_day
from stakazo_pipelines.cycle.returns import CURVES, ESTIMATES, POPULATION, calibrated_day, curve_points
from stakazo_pipelines.cycle.soundness import readiness_with, sound, sound_days
from stakazo_pipelines.errors import LakeError, MeasurementError, StakazoError
from stakazo_pipelines.lake import RAW_ENTITIES_SCHEMA, Lake
from stakazo_pipelines.marts import MART_SCHEMAS, arm_days, read_mart
from stakazo_pipelines.marts.tables import day_file
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.quality import disordered, out_of_bounds, readiness
from stakazo_pipelines.vocabulary import ArmState

DAY = date(2026, 6, 29)
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
DAYS, GROUPS = 20, 3
ACCOUNTS = {"1": "EUR", "2": "USD"}
GROUP, SHOP = "ad_reporting__ad_group_report", "ad_reporting__account_report"
RATES = parse_rates("date_from,currency,units_per_usd\n2026-01-01,USD,1\n2026-01-01,EUR,0.92\n", source="rates.csv")
Damage = Callable[[pl.DataFrame], pl.DataFrame]


def mart(model: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict(MART_SCHEMAS[model]))


def good() -> dict[str, pl.DataFrame]:
    """Two accounts of three ad groups, some of them worth more than others, over twenty days."""
    rng = np.random.default_rng(4)
    facts = {"timezone": "UTC", "attribution_window": "7d", "reported_level": "ad_group", "impressions": 900}
    groups, shops = [], []
    for account, currency in ACCOUNTS.items():
        for back in range(DAYS):
            day = DAY - timedelta(days=back)
            keys = {"date_day": day, "platform": "meta", "account_id": account, "currency": currency, **facts}
            keys |= {"fetched_at": NOW, "age_days": back + 1}
            own = []
            for number in range(GROUPS):
                sold = int(rng.poisson(4 * (number + 1)))
                spend = Decimal(str(round(50 * rng.uniform(0.8, 1.2), 2)))
                names = {"campaign_id": f"c{account}", "ad_group_id": f"g{account}{number}"}
                own.append({**keys, **names, "spend": spend, "conversions": sold, "conversions_value": 20 * sold})
            groups += own
            sums = {name: sum(row[name] for row in own) for name in ("spend", "conversions", "conversions_value")}
            shops.append({**keys, **sums})
    return {GROUP: mart(GROUP, groups), SHOP: mart(SHOP, shops)}


def snapshot() -> pl.DataFrame:
    rows = []
    for account, currency in ACCOUNTS.items():
        keys = {"platform": "meta", "account_id": account, "account_name": f"shop {account}", "currency": currency}
        keys |= {"timezone": "UTC", "status": "active", "fetched_at": NOW, "native": "{}"}
        least = '{"minor_units": 100, "min_daily_budget": "1"}'
        rows.append({**keys, "level": "account", "entity_id": account, "native": least})
        rows.append(
            {**keys, "level": "campaign", "entity_id": f"c{account}", "parent_id": account, "objective": "sales"}
        )
        for number in range(GROUPS):
            budget = {"budget": Decimal(50), "budget_period": "daily"}
            entity = {"level": "ad_group", "entity_id": f"g{account}{number}", "parent_id": f"c{account}"}
            rows.append({**keys, **entity, **budget})
    return pl.DataFrame(rows, schema=dict(RAW_ENTITIES_SCHEMA))


GOOD, ENTITIES = good(), snapshot()


def fill(lake: Lake, marts: dict[str, pl.DataFrame], entities: pl.DataFrame = ENTITIES) -> Lake:
    """A lake with these marts, all days in the file of the last one, and a population that costs no fitting."""
    for model, frame in marts.items():
        path = day_file(lake, model, DAY)
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(path)
    for (account,), own in entities.group_by("account_id", maintain_order=True):
        written = {"day": DAY + timedelta(days=1), "account_id": str(account), "fetched_at": NOW, "frame": own}
        lake.append_raw("meta", "entities", **written)
    lake.write_asset(POPULATION, DAY, pl.DataFrame([Population().to_json()]))
    return lake


def run(lake: Lake, policy: Policy = Policy()) -> tuple[Estimates, PortfolioResult]:  # noqa: B008  # frozen
    """A day as the assets do it: readiness, estimates, curves, budgets."""
    marts = {name: read_mart(lake, name, DAY - timedelta(days=6), DAY) for name in (SHOP, GROUP)}
    finer = {"ad groups": marts[GROUP]}
    known = lake.entities().frame
    verdicts = readiness(marts[SHOP], finer, day=DAY, tolerance=0.01, max_age_days=3, known=known)
    aside = sound_days(lake, DAY + timedelta(days=1), policy.measurement.window_days).aside
    lake.write_asset(READINESS, DAY, readiness_with(verdicts, aside))
    frame = calibrated_day(lake, policy, DAY).frame
    lake.write_asset(ESTIMATES, DAY, frame)
    estimates = Estimates.from_frame(lake.read_asset(ESTIMATES, DAY))
    lake.write_asset(CURVES, DAY, curve_points(estimates, seed=1))
    accounts = known_accounts(lake, DAY + timedelta(days=1))
    return estimates, allocate_day(lake, policy, DAY, accounts=accounts, ledgers={}, rates=RATES, sandbox=True)


def check(estimates: Estimates, result: PortfolioResult, policy: Policy = Policy()) -> None:  # noqa: B008  # frozen
    """Nothing undefined is published, every state is stated, and every budget is within its bounds."""
    frame = estimates.frame
    assert set(frame["state"]) <= {state.value for state in ArmState}
    for name in frame.select(pl.selectors.float()).columns:
        assert frame[name].is_finite().fill_null(value=True).all(), name
    assert disordered(frame).is_empty()
    assert result.frame["proposed_budget"].is_finite().all()
    assert out_of_bounds(
        result.frame, step_cap=policy.allocation.step_cap, growth=policy.portfolio.account_step
    ).is_empty()
    assert frame.filter(pl.col("state") == "ok")["roas"].null_count() == 0


def with_cell(column: str, value: Any, *, account: str = "1") -> Damage:
    """The newest day of the account's first ad group says something else."""
    here = (pl.col("ad_group_id") == f"g{account}0") & (pl.col("date_day") == DAY)
    return lambda frame: frame.with_columns(
        pl.when(here).then(pl.lit(value)).otherwise(column).cast(frame.schema[column]).alias(column)
    )


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


def test_good_marts_are_estimated_and_allocated(lake):
    estimates, result = run(fill(lake, GOOD))
    check(estimates, result)
    assert set(estimates.frame["state"]) == {"ok"}
    assert (result.frame["proposed_budget"] != result.frame["current_budget"]).any()


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda frame: frame.drop("spend"), "lacks spend"),
        (lambda frame: frame.drop("conversions", "currency"), "lacks currency, conversions"),
        (lambda frame: frame.drop("ad_group_id"), "lacks ad_group_id"),
        (lambda frame: frame.with_columns(spend=pl.lit("ten")), "holds spend as String, not Decimal"),
        (lambda frame: frame.with_columns(spend=pl.lit(float("inf"))), "holds spend as Float64, not Decimal"),
        (lambda frame: frame.with_columns(date_day=pl.lit("yesterday")), "holds date_day as String, not Date"),
    ],
)
def test_a_column_that_is_missing_or_of_another_kind_is_told_with_its_file_and_what_to_do(lake, damage, told):
    fill(lake, {**GOOD, GROUP: damage(GOOD[GROUP])})
    with pytest.raises(LakeError) as error:
        run(lake)
    for words in (GROUP, f"date_day={DAY}", told, "build those days again"):
        assert words in str(error.value)


def test_a_file_whose_inside_is_torn_is_named(lake):
    path = day_file(fill(lake, GOOD), GROUP, DAY)
    whole = path.read_bytes()
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    path.write_bytes(whole[:-footer] + b"\xff" * (footer - 8) + whole[-8:])
    with pytest.raises(LakeError, match=f"{GROUP}: .*date_day={DAY}.*; build those days again"):
        run(lake)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (with_cell("spend", -5), r"arm_days\.spend is negative, infinite or undefined \(g10 on 2026-06-29\)"),
        (with_cell("conversions", -1), r"arm_days\.conversions is negative"),
        (with_cell("conversions_value", -1), r"arm_days\.conversions_value is negative"),
        (with_cell("currency", "JPY"), r"arm_days\.currency of the account is EUR and JPY"),
        (with_cell("currency", None), r"arm_days\.currency of the account is EUR and none"),
        (with_cell("date_day", None), r"arm_days\.date_day is empty \(g10 on no day\)"),
        (lambda frame: pl.concat([frame, frame.filter(pl.col("ad_group_id") == "g10").head(1)]), "more than once"),
    ],
)  # fmt: skip
def test_an_account_with_impossible_figures_is_set_aside_and_the_other_goes_on(lake, damage, told):
    estimates, result = run(fill(lake, {**GOOD, GROUP: damage(GOOD[GROUP])}))
    check(estimates, result)
    states = {account: set(own["state"]) for (account,), own in estimates.frame.group_by("account_id")}
    assert states == {"1": {"insufficient"}, "2": {"ok"}}
    moved = result.frame.filter(pl.col("proposed_budget") != pl.col("current_budget"))
    assert set(moved["account_id"]) == {"2"}
    verdicts = lake.read_asset(READINESS, DAY)
    assert dict(verdicts.select("account_id", "ready").iter_rows()) == {"1": False, "2": True}
    [reason] = verdicts.filter(~pl.col("ready"))["reason"]
    assert re.search(told, reason), reason
    assert "build the marts of those days again" in reason
    [summary] = [one for one in result.accounts if one.account_id == "1"]
    assert reason.removeprefix("impossible figures: ") in summary.reason


G10 = pl.col("entity_id") == "g10"
NEGATIVE = ENTITIES.with_columns(budget=pl.when(G10).then(-pl.col("budget")).otherwise("budget"))


@pytest.mark.parametrize(
    ("entities", "told", "arms"),
    [
        (NEGATIVE, "arms.budget is no amount of at least 0 (g10)", 5),
        (pl.concat([ENTITIES, ENTITIES.filter(G10)]), "arms.arm_id stands more than once (g10)", 5),
    ],
)
def test_an_arm_whose_budget_is_not_known_is_left_out_and_its_account_keeps_the_rest(lake, entities, told, arms):
    estimates, result = run(fill(lake, GOOD, entities))
    check(estimates, result)
    assert len(estimates.frame) == arms
    own = result.frame.filter(pl.col("account_id") == "1")
    assert own["proposed_budget"].to_list() == own["current_budget"].to_list() == [50.0, 50.0]
    [reason] = lake.read_asset(READINESS, DAY).filter(~pl.col("ready"))["reason"]
    assert told in reason


def test_an_imported_row_that_stands_twice_is_no_second_campaign(lake):
    imported = GOOD[GROUP].filter(pl.col("account_id") == "1").with_columns(account_id=pl.lit("file"))
    imported = imported.with_columns(ad_group_id=pl.lit("i") + pl.col("ad_group_id"))
    two_campaigns = pl.concat([imported, imported.head(3).with_columns(campaign_id=pl.lit("other"))])
    for rows, aside in ((two_campaigns, set()), (pl.concat([imported, imported.head(1)]), {("meta", "file")})):
        given = sound_days(fill(lake, {**GOOD, GROUP: pl.concat([GOOD[GROUP], rows])}), DAY + timedelta(days=1), 90)
        assert set(given.aside) == aside
    assert "arm_days.date_day stands more than once" in given.aside["meta", "file"]


def test_an_id_that_two_accounts_have_belongs_to_the_first():
    arms = pl.DataFrame(
        {"platform": ["meta", "tiktok"], "account_id": ["2", "1"], "arm_id": ["g", "g"], "campaign_id": ["c", "c"]}
    ).with_columns(objective=pl.lit(""), currency=pl.lit("USD"), budget=pl.lit(5.0))
    days = arms.drop("budget").with_columns(
        date_day=DAY, spend=pl.lit(1.0), conversions=pl.lit(1.0), conversions_value=pl.lit(1.0), age_days=pl.lit(1)
    )
    found = sound(days, arms)
    assert found.arms["platform"].to_list() == found.arm_days["platform"].to_list() == ["meta"]
    assert "arm_id g is also one of another account" in found.aside["tiktok", "1"]


@pytest.mark.parametrize(
    ("table", "damage", "told"),
    [
        ("arm_days", lambda frame: frame.drop("conversions"), "arm_days lacks conversions; give one column for each"),
        ("arm_days", lambda frame: frame.with_columns(spend=pl.lit("ten")), "arm_days.spend holds String, not numbers"),
        (
            "arm_days",
            lambda frame: frame.with_columns(pl.col("date_day").cast(pl.String)),
            "arm_days.date_day holds String, not days",
        ),
        ("arms", lambda frame: frame.drop("budget"), "arms lacks budget"),
        ("arms", lambda frame: frame.with_columns(budget=pl.lit("ten")), "arms.budget holds String, not numbers"),
    ],
)
def test_frames_without_a_column_are_refused_with_its_name(lake, table, damage, told):
    frames = dict(zip(("arm_days", "arms"), arm_days(fill(lake, GOOD), DAY + timedelta(days=1), 90), strict=True))
    frames[table] = damage(frames[table])
    with pytest.raises(MeasurementError, match=re.escape(told)):
        sound(frames["arm_days"], frames["arms"])


@pytest.mark.parametrize(
    ("damage", "states"),
    [
        (
            lambda frame: frame.with_columns(pl.col("conversions", "conversions_value") * 0).cast(frame.schema),
            {"insufficient"},
        ),
        (lambda frame: frame.filter(pl.col("date_day") == DAY), {"insufficient"}),
        (lambda frame: frame.filter(pl.col("ad_group_id") == "g12"), {"ok", "insufficient"}),
        (lambda frame: frame.clear(), {"insufficient"}),
        (lambda frame: frame.with_columns(pl.col("date_day").dt.offset_by("-60d")), {"stale"}),
    ],
    ids=["no conversions", "a single day", "one arm", "no rows", "long ago"],
)
def test_little_data_is_a_state_and_no_raise(lake, damage, states):
    marts = {GROUP: damage(GOOD[GROUP]), SHOP: GOOD[SHOP]}
    estimates, result = run(fill(lake, marts))
    check(estimates, result)
    assert set(estimates.frame["state"]) == states
    few = result.frame.filter(pl.col("state") != "ok")
    assert (few["proposed_budget"] <= few["current_budget"]).all()


def test_ten_years_of_marts_cost_only_the_window(lake):
    old = pl.concat(
        [GOOD[GROUP].with_columns(pl.col("date_day").dt.offset_by(f"-{20 * step}d")) for step in range(180)]
    )
    fill(lake, {**GOOD, GROUP: GOOD[GROUP]})
    for (month,), own in old.group_by(pl.col("date_day").dt.truncate("1mo")):
        path = day_file(lake, GROUP, month)
        path.parent.mkdir(parents=True, exist_ok=True)
        own.filter(pl.col("date_day") < DAY - timedelta(days=DAYS)).write_parquet(path)
    estimates, result = run(lake)
    check(estimates, result)
    assert estimates.frame["days"].max() <= Policy().measurement.window_days


COLUMNS = sorted(GOOD[GROUP].columns)
WRONG = (None, -1, -1e9, 0, 1e11, "ten", float("nan"), float("inf"), DAY + timedelta(days=400), date(1900, 1, 1), True)
cells = st.tuples(
    st.just("cell"), st.sampled_from(COLUMNS), st.integers(0, len(GOOD[GROUP]) - 1), st.sampled_from(WRONG)
)
columns = st.tuples(
    st.sampled_from(("drop", "fill", "text")), st.sampled_from(COLUMNS), st.just(0), st.sampled_from(WRONG)
)
rows = st.tuples(
    st.sampled_from(("twice", "lost", "moved")), st.just(""), st.integers(0, len(GOOD[GROUP]) - 1), st.none()
)


def damaged(frame: pl.DataFrame, kind: str, column: str, row: int, value: Any) -> pl.DataFrame:
    """The frame with one fault; a value that its column's type cannot hold changes the type of the whole column."""
    if column and column not in frame.columns:
        return frame
    match kind:
        case "drop":
            return frame.drop(column)
        case "text":
            return frame.with_columns(pl.col(column).cast(pl.String))
        case "fill":
            return frame.with_columns(pl.lit(value).alias(column))
        case "twice":
            return pl.concat([frame, frame.slice(row % len(frame), 3)])
        case "lost":
            return pl.concat([frame.head(row), frame.slice(row + 7)])
        case "moved" if frame.schema.get("account_id") != pl.String:
            return frame
        case "moved":  # to another account, under ids that this one has
            return frame.with_columns(
                account_id=pl.when(pl.int_range(pl.len()) == row).then(pl.lit("2")).otherwise("account_id")
            )
    values = frame[column].to_list()
    values[row % len(values)] = value
    try:
        return frame.with_columns(pl.Series(column, values, dtype=frame.schema[column], strict=True))
    except (TypeError, pl.exceptions.PolarsError):
        return frame.with_columns(pl.Series(column, [str(one) for one in values]))


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(faults=st.lists(st.one_of(cells, columns, rows), min_size=1, max_size=3))
def test_no_damage_to_a_mart_ends_in_anything_but_words_or_sound_budgets(tmp_path_factory, faults):
    frame = GOOD[GROUP]
    for fault in faults:
        frame = damaged(frame, *fault)
    told = ""
    try:
        estimates, result = run(fill(Lake(tmp_path_factory.mktemp("lake")), {**GOOD, GROUP: frame}))
    except StakazoError as error:
        told = str(error)
    if told:
        assert re.search(r"ad_reporting__ad_group_report: .*build those days again", told)
    else:
        check(estimates, result)


@pytest.mark.parametrize(
    "damage", [None, with_cell("spend", -5), lambda frame: frame.drop("spend")], ids=["good", "negative", "missing"]
)
def test_the_assets_say_the_same(tmp_path, resources_of, damage):
    lake = fill(Lake(tmp_path / "lake"), GOOD if damage is None else {**GOOD, GROUP: damage(GOOD[GROUP])})
    campaigns = GOOD[SHOP].select(
        "date_day", "platform", "account_id", "spend", campaign_id=pl.format("c{}", "account_id")
    )
    for model, keys in (("ad_reporting__campaign_report", campaigns), ("ad_reporting__ad_report", campaigns)):
        frame = keys.join(GOOD[SHOP].drop("spend"), on=["date_day", "platform", "account_id"])
        columns = [pl.col(name) if name in frame.columns else pl.lit("a").alias(name) for name in MART_SCHEMAS[model]]
        fill(lake, {model: frame.select(columns).cast(pl.Schema(MART_SCHEMAS[model]), strict=False)})
    resources = resources_of(lake, "platforms: [meta]\n")
    with DagsterInstance.ephemeral() as instance:
        chain = [account_readiness, roas_estimates, response_curves, budget_allocations]
        result = materialize(
            chain, instance=instance, partition_key=str(DAY), resources=resources, raise_on_error=False
        )
        failures = [event for event in result.all_events if event.is_step_failure]
        said = " ".join(str(event.step_failure_data.error) for event in failures)
    if damage is not None and "spend" not in damage(GOOD[GROUP]).columns:
        assert not result.success
        assert "lacks spend" in said
        return
    assert result.success, said
    checks = {one.check_name: one for one in result.get_asset_check_evaluations()}
    assert checks["within_bounds"].passed
    assert checks["intervals_in_order"].passed
    assert checks["fresh_and_reconciled"].passed == (damage is None)
    if damage is not None:
        assert "arm_days.spend is negative" in str(checks["fresh_and_reconciled"].metadata["not_ready"])
