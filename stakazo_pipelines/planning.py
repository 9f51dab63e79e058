"""`stakazo plan`: from a table of ad group days to proposed budgets, without a platform, a database or Dagster.

The same measurement and allocation as the pipeline's, on a frame that `table_input` has checked. Pure: no files.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.allocation.report import AccountSummary
from stakazo_pipelines.coins import minor_units
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.lift_tests import LiftTests
from stakazo_pipelines.lifted_table import NO_TESTS, lifted_table
from stakazo_pipelines.measurement.completeness import COMPLETE, seems_complete
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity import MaturityCurve
from stakazo_pipelines.measurement.maturity_report import assumed_of_a_table
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.paper import Wishes, far, on_paper, outside
from stakazo_pipelines.paper_total import brought_to, check_currencies, check_total, since_today
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.table_input import REQUIRED
from stakazo_pipelines.value_counts import counted

COLUMNS = (
    "ad_group",
    "current_budget",
    "proposed_budget",
    "roas",
    "roas_low",
    "roas_high",
    "marginal_roas",
    "marginal_roas_low",
    "marginal_roas_high",
    "expected_gain",
    "expected_gain_low",
    "expected_gain_high",
    "state",
    "binding",
    "shadow_price",
)
BUDGET_DAYS = 7  # report days whose mean spend stands in for a budget that the table does not give


@dataclass(frozen=True, slots=True)
class PlanResult:
    """frame: one row per ad group with `COLUMNS` (money per day, intervals at 90 %). summaries: one per currency.

    groups: one row per group asked for, as `allocation.group_report` gives it, from the budgets that steps count from.
    """

    frame: pl.DataFrame
    as_of: date
    summaries: tuple[AccountSummary, ...]
    notes: tuple[str, ...]
    groups: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Planner:
    """A table estimated once, to be planned with any total. Made by `planner`."""

    estimates: Estimates
    arms: pl.DataFrame
    policy: Policy
    wishes: Wishes
    step_cap: float | None
    as_of: date
    seed: int
    notes: tuple[str, ...]
    beside: pl.DataFrame  # arm_id and what lift tests add to the rows of a plan

    @property
    def today(self) -> float:
        """Today's budgets together, a day."""
        return float(self.arms["budget"].sum())

    def plan(self, total: Decimal | None = None) -> PlanResult:
        """Budgets for a total a day; None keeps each currency's own. Errors as in `plan_table`."""
        notes, arms, seed = list(self.notes), self.arms, self.seed
        check_total(total)
        check_currencies(arms, total, self.wishes)
        units = {account: minor_units(str(account)) for account in arms["account_id"].unique()}
        start, wished = arms, on_paper(self.policy, arms, self.wishes, step_cap=self.step_cap)
        if total is not None:
            own = wished.account(arms["platform"][0], arms["account_id"][0])
            start = brought_to(arms, self.estimates, total, self.policy, own, self.step_cap, units, notes)
        result = allocate(
            estimates=self.estimates,
            arms=start,
            policy=wished,
            ledger=ChangeLedger(),
            total=None if total is None else float(total),
            minor_units=units,
            seed=seed,
            step_cap=self.step_cap,
            min_viable=self.wishes.min_viable,
        )
        coins = pl.col("budget") * pl.col("account_id").replace_strict(units, return_dtype=pl.Int64)
        if tiny := start.filter(pl.col("budget") > 0, coins < 1).height:
            notes.append(f"{tiny} budgets are below the smallest coin of their currency: are the amounts in its units?")
        notes += outside(arms, self.wishes)
        notes += far(result, self.policy, self.wishes)
        frame, summaries = result.frame, result.accounts
        if total is not None:
            unit = units[arms["account_id"][0]]
            frame, summary = since_today(frame, result.accounts[0], arms, self.estimates, unit, seed)
            summaries = (summary,)
        notes += [f"{one.currency or 'all'}: {one.reason}" for one in result.accounts if one.reason]
        labels = arms.select("arm_id", "ad_group", "order")
        return PlanResult(
            frame=frame.join(labels, on="arm_id")
            .join(self.beside, on="arm_id")
            .sort("order")
            .select(*COLUMNS, *self.beside.columns[1:]),
            as_of=self.as_of,
            summaries=summaries,
            notes=tuple(notes),
            groups=result.groups,
        )


def plan_table(
    table: pl.DataFrame,
    *,
    policy: Policy,
    total: Decimal | None = None,
    as_of: date | None = None,
    step_cap: float | None = None,
    wishes: Wishes | None = None,
    seed: int = 7,
    lift_tests: LiftTests = NO_TESTS,
) -> PlanResult:
    """Propose a daily budget for every ad group of a table as `table_input` makes it.

    as_of: days before it are known, later rows are ignored (they only tell that the table was made after them, so that
    its earlier days are less immature); the day after the last row when not given. The current
    budget is the last `budget` of the table, else the mean spend of the ad group's last 7 report days.
    total: what to spend a day. When it differs from today's sum and the step caps cannot reach it, today's budgets are
    first brought to it: a cut in proportion; a raise on the ad groups whose state is `ok`, in proportion, unless that
    would stretch them more than twice as much as the total (then on all alike). Wishes' bounds hold on the way: what
    one keeps from an ad group goes to the others in proportion. The step cap then counts from there.
    lift_tests: what experiments found; where they tell, the returns are incremental and `LIFT_COLUMNS` are added.
    step_cap: instead of policy's; cumulative caps do not bind below it, since a plan on paper publishes nothing.
    Raises InputError for a table without usable rows before as_of, an ad group in two currencies, a total over more
    than one currency or that the wishes' bounds do not allow, or wishes that name what the table has not;
    InfeasibleError where no choice of ad groups that are on keeps the wishes.
    """
    check_total(total)
    made = planner(
        table, policy=policy, as_of=as_of, step_cap=step_cap, wishes=wishes, seed=seed, lift_tests=lift_tests
    )
    return made.plan(total)


def planner(
    table: pl.DataFrame,
    *,
    policy: Policy,
    as_of: date | None = None,
    step_cap: float | None = None,
    wishes: Wishes | None = None,
    seed: int = 7,
    lift_tests: LiftTests = NO_TESTS,
) -> Planner:
    """The table, estimated. Arguments and errors as in `plan_table`."""
    if step_cap is not None and not (np.isfinite(step_cap) and step_cap > 0):
        raise InputError(f"the step cap must be a fraction above 0, such as 0.2, not {step_cap}")
    notes: list[str] = []
    known, day = _known(table, as_of, notes)
    days, arms = arms_of(known)
    reported = max(day, table.select(pl.col("date").max()).item() + timedelta(days=1))
    aged = _aged(days, reported)
    days, why = counted(days)
    notes += [why] if why else []
    maturity = maturity_of_table(days, reported)
    estimates, _ = estimated(days, arms, policy=policy, as_of=day, reported=reported, maturity=maturity, seed=seed)
    lifted = lifted_table(
        estimates, arms, aged, lift_tests, as_of=day, target=policy.measurement.target_roas, maturity=maturity
    )
    notes += lifted.notes
    if maturity:
        notes.append("the last days sold as those before them, so no conversions are taken to be still to come")
    else:
        notes += assumed_of_a_table(day, reported, threshold=policy.measurement.mature_share)
    columns = lifted.columns if lift_tests.tests else arms.select("arm_id")
    return Planner(lifted.estimates, arms, policy, wishes or Wishes(), step_cap, day, seed, tuple(notes), columns)


def estimated(
    days: pl.DataFrame,
    arms: pl.DataFrame,
    *,
    policy: Policy,
    as_of: date,
    reported: date,
    maturity: Mapping[str, MaturityCurve],
    seed: int,
) -> tuple[Estimates, Population]:
    """What `plan_table` estimates from `days` and `arms` as `arms_of` gives them, and with which population.

    reported: when the table was made, from which the age of its days counts: late conversions had until then to arrive.
    maturity: as `maturity_of_table` gives it.
    """
    arm_days = _aged(days, reported)
    population = fit_population(arm_days, maturity, as_of=as_of, window_days=policy.measurement.window_days, seed=seed)
    found = estimate(
        arm_days=arm_days, arms=arms, as_of=as_of, maturity=maturity, population=population, settings=policy.measurement
    )
    return found, population


def maturity_of_table(days: pl.DataFrame, reported: date) -> dict[str, MaturityCurve]:
    """How conversions arrive, by platform: all at once where the table's last days lack none, else as usual ({})."""
    return dict.fromkeys(days["platform"].unique(), COMPLETE) if seems_complete(_aged(days, reported)) else {}


def _aged(days: pl.DataFrame, reported: date) -> pl.DataFrame:
    return days.with_columns((pl.lit(reported) - pl.col("date_day")).dt.total_days().alias("age_days"))


def _known(table: pl.DataFrame, as_of: date | None, notes: list[str]) -> tuple[pl.DataFrame, date]:
    if missing := [name for name in REQUIRED if name not in table.columns]:
        raise InputError(f"the table lacks {', '.join(missing)}; found: {', '.join(table.columns) or 'nothing'}")
    if table.is_empty():
        raise InputError("the table has no rows")
    day = as_of or table.select(pl.col("date").max()).item() + timedelta(days=1)
    known = table.filter(pl.col("date") < day)
    if known.is_empty():
        first, last = table.select(first=pl.col("date").min(), last=pl.col("date").max()).row(0)
        raise InputError(f"no row lies before {day}: the table runs from {first} to {last}")
    if len(known) < len(table):
        notes.append(f"{len(table) - len(known):,} rows of {day} and later are ignored")
    return known, day


def arms_of(known: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Measurement's `arm_days` and `arms`; arms also carry the printed name `ad_group` and the row `order`.

    An ad group is its platform and name, and its campaign too where one name occurs twice in a day.
    """
    full = known.with_columns(
        pl.col(name).fill_null("") if name in known.columns else pl.lit("").alias(name)
        for name in ("campaign", "platform", "currency")
    )
    shared = full.select(pl.struct("date", "platform", "ad_group", "currency").is_duplicated().any()).item()
    key = ["platform", "campaign", "ad_group"] if shared else ["platform", "ad_group"]
    full = full.sort("date", "platform", "campaign", "ad_group").with_columns(
        pl.concat_str([pl.col(name).str.replace_all("/", "//", literal=True) for name in key], separator=" / ").alias(
            "arm_id"
        )
    )
    budget = pl.col("budget").drop_nulls().last() if "budget" in full.columns else pl.lit(None, dtype=pl.Float64)
    arms = (
        full.group_by("arm_id", maintain_order=True)
        .agg(
            pl.col("ad_group").last(),
            pl.col("campaign").last(),
            pl.col("platform").last(),
            pl.col("currency").last(),
            pl.col("currency").n_unique().alias("currencies"),
            budget.alias("given"),
            pl.col("spend").tail(BUDGET_DAYS).mean().alias("recent"),
        )
        .sort("platform", "campaign", "ad_group")
        .with_row_index("order")
    )
    several = arms.filter(pl.col("currencies") > 1)
    if len(several):
        raise InputError(f"ad group {several['ad_group'][0]} has rows in more than one currency; split or convert them")
    same = pl.col("ad_group").is_duplicated()
    where = pl.when(pl.col("campaign") != "").then("campaign").otherwise("platform")
    named = arms.with_columns(
        pl.when(same).then(pl.format("{} / {}", where, "ad_group")).otherwise("ad_group").alias("label"),
        pl.concat_str(pl.lit("table/"), "currency").alias("account_id"),
        pl.lit("").alias("objective"),
        pl.coalesce("given", "recent").alias("budget"),
    ).with_columns(pl.when(pl.col("label").is_duplicated()).then("arm_id").otherwise("label").alias("ad_group"))
    keys = ["account_id", "campaign_id", "platform", "objective", "currency"]
    arms = named.rename({"campaign": "campaign_id"}).select("arm_id", *keys, "budget", "ad_group", "order")
    days = (
        full.filter(pl.col("spend") > 0)
        .select("arm_id", pl.col("date").alias("date_day"), "spend", "conversions", "conversions_value")
        .join(arms.select("arm_id", *keys), on="arm_id", maintain_order="left")
    )
    return days, arms
