"""`stakazo plan`: from a table of ad group days to proposed budgets, without a platform, a database or Dagster.

The same measurement and allocation as the pipeline's, on a frame that `table_input` has checked. Pure: no files.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.allocate import allocate
from stakazo_pipelines.allocation.guardrails import ChangeLedger, judged
from stakazo_pipelines.allocation.posterior import gains
from stakazo_pipelines.allocation.problem import Floats, Ints
from stakazo_pipelines.allocation.report import AccountSummary
from stakazo_pipelines.allocation.rounding import round_to_total
from stakazo_pipelines.errors import InputError
from stakazo_pipelines.lift_tests import LiftTests
from stakazo_pipelines.lifted_table import NO_TESTS, lifted_table
from stakazo_pipelines.measurement.estimate import Estimates, estimate
from stakazo_pipelines.measurement.hyperparameters import Population
from stakazo_pipelines.measurement.maturity_report import assumed_of_a_table
from stakazo_pipelines.measurement.population import fit_population
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
)
BUDGET_DAYS = 7  # report days whose mean spend stands in for a budget that the table does not give
# A larger total goes to ad groups that are `ok` as long as this grows them at most so many times more than the total.
MAX_STRETCH = 2.0
# ISO 4217 currencies whose smallest coin is not a hundredth.
_WHOLE = frozenset(
    (
        "BIF",
        "CLP",
        "DJF",
        "GNF",
        "ISK",
        "JPY",
        "KMF",
        "KRW",
        "PYG",
        "RWF",
        "UGX",
        "UYI",
        "VND",
        "VUV",
        "XAF",
        "XOF",
        "XPF",
    )
)
_THOUSANDTHS = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))


@dataclass(frozen=True, slots=True)
class PlanResult:
    """frame: one row per ad group with `COLUMNS` (money per day, intervals at 90 %). summaries: one per currency."""

    frame: pl.DataFrame
    as_of: date
    summaries: tuple[AccountSummary, ...]
    notes: tuple[str, ...]


def plan_table(
    table: pl.DataFrame,
    *,
    policy: Policy,
    total: Decimal | None = None,
    as_of: date | None = None,
    step_cap: float | None = None,
    seed: int = 7,
    lift_tests: LiftTests = NO_TESTS,
) -> PlanResult:
    """Propose a daily budget for every ad group of a table as `table_input` makes it.

    as_of: days before it are known, later rows are ignored (they only tell that the table was made after them, so that
    its earlier days are less immature); the day after the last row when not given. The current
    budget is the last `budget` of the table, else the mean spend of the ad group's last 7 report days.
    total: what to spend a day. When it differs from today's sum and the step caps cannot reach it, today's budgets are
    first brought to it: a cut in proportion; a raise on the ad groups whose state is `ok`, in proportion, unless that
    would stretch them more than twice as much as the total (then on all alike). The step cap then counts from there.
    lift_tests: what experiments found; where they tell, the returns are incremental and `LIFT_COLUMNS` are added.
    step_cap: instead of policy's; cumulative caps do not bind below it, since a plan on paper publishes nothing.
    Raises InputError for a table without usable rows before as_of, an ad group in two currencies, or a total over
    more than one currency.
    """
    notes: list[str] = []
    known, day = _known(table, as_of, notes)
    days, arms = arms_of(known)
    reported = max(day, table.select(pl.col("date").max()).item() + timedelta(days=1))
    aged = _aged(days, reported)
    days, why = counted(days)
    notes += [why] if why else []
    if step_cap is not None and not (np.isfinite(step_cap) and step_cap > 0):
        raise InputError(f"the step cap must be a fraction above 0, such as 0.2, not {step_cap}")
    if total is not None and not (total.is_finite() and total > 0):
        raise InputError(f"the total must be an amount above 0, not {total}")
    currencies = arms["currency"].unique().sort().to_list()
    if total is not None and len(currencies) > 1:
        raise InputError(
            f"one total cannot be split over several currencies ({', '.join(currencies)}); "
            "give a table of one currency, or leave the total out to keep each currency's own"
        )
    estimates, _ = estimated(days, arms, policy=policy, as_of=day, reported=reported, seed=seed)
    lifted = lifted_table(estimates, arms, aged, lift_tests, as_of=day, target=policy.measurement.target_roas)
    estimates = lifted.estimates
    notes += lifted.notes
    units = {account: _minor_units(str(account)) for account in arms["account_id"].unique()}
    start = arms if total is None else _brought_to(arms, estimates, total, policy, step_cap, units, notes)
    result = allocate(
        estimates=estimates,
        arms=start,
        policy=_on_paper(policy, step_cap),
        ledger=ChangeLedger(),
        total=None if total is None else float(total),
        minor_units=units,
        seed=seed,
        step_cap=step_cap,
    )
    coins = pl.col("budget") * pl.col("account_id").replace_strict(units, return_dtype=pl.Int64)
    if tiny := start.filter(pl.col("budget") > 0, coins < 1).height:
        notes.append(f"{tiny} budgets are below the smallest coin of their currency: are the amounts in its units?")
    frame, summaries = result.frame, result.accounts
    if total is not None:
        unit = units[arms["account_id"][0]]
        frame, summary = _since_today(frame, result.accounts[0], arms, estimates, unit, seed)
        summaries = (summary,)
    notes += assumed_of_a_table(day, reported, threshold=policy.measurement.mature_share)
    notes += [f"{one.currency or 'all'}: {one.reason}" for one in result.accounts if one.reason]
    labels = arms.select("arm_id", "ad_group", "order")
    added = lifted.columns if lift_tests.tests else labels.select("arm_id")
    return PlanResult(
        frame=frame.join(labels, on="arm_id")
        .join(added, on="arm_id")
        .sort("order")
        .select(*COLUMNS, *added.columns[1:]),
        as_of=day,
        summaries=summaries,
        notes=tuple(notes),
    )


def estimated(
    days: pl.DataFrame, arms: pl.DataFrame, *, policy: Policy, as_of: date, reported: date, seed: int
) -> tuple[Estimates, Population]:
    """What `plan_table` estimates from `days` and `arms` as `arms_of` gives them, and with which population.

    reported: when the table was made, from which the age of its days counts: late conversions had until then to arrive.
    """
    arm_days = _aged(days, reported)
    population = fit_population(arm_days, {}, as_of=as_of, window_days=policy.measurement.window_days, seed=seed)
    found = estimate(
        arm_days=arm_days, arms=arms, as_of=as_of, maturity={}, population=population, settings=policy.measurement
    )
    return found, population


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


def _minor_units(account: str) -> int:
    currency = account.removeprefix("table/")
    return 1 if currency in _WHOLE else 1000 if currency in _THOUSANDTHS else 100


def _on_paper(policy: Policy, step_cap: float | None) -> Policy:
    """Policy without a total of its own, and with cumulative caps that leave room for the step that was asked for."""
    step = policy.allocation.step_cap if step_cap is None else step_cap
    rails = policy.guardrails
    widened: dict[str, float] = {
        name: max(getattr(rails, name), step) for name in ("entity_24h", "account_day", "account_month")
    }
    widened["max_budget_growth"] = max(rails.max_budget_growth, step)
    return policy.model_copy(
        update={
            "allocation": policy.allocation.model_copy(update={"total": None}),
            "guardrails": rails.model_copy(update=widened),
            "accounts": {},
        }
    )


def _brought_to(
    arms: pl.DataFrame,
    estimates: Estimates,
    total: Decimal,
    policy: Policy,
    step_cap: float | None,
    units: dict[str, int],
    notes: list[str],
) -> pl.DataFrame:
    """The arms with budgets that add up to the total, from which the step cap counts (see `plan_table`)."""
    unit = units[arms["account_id"][0]]
    today: Floats = arms["budget"].to_numpy()
    sum_today, wanted = float(today.sum()), float(total)
    if sum_today <= 0:
        raise InputError("no ad group has a budget or spend to start from, so the total cannot be split")
    found = arms.select("arm_id").join(estimates.frame, on="arm_id", how="left", maintain_order="left")
    ok, may_fall = judged(found, policy)
    step = policy.allocation.step_cap if step_cap is None else step_cap
    average = (found["spend"] / found["days"]).fill_nan(0.0).to_numpy()
    floor = np.maximum(today * max(1 - step, 0.0), np.minimum(policy.allocation.min_budget_share * average, today))
    least, most = float(np.where(may_fall, floor, today).sum()), float(np.where(ok, today * (1 + step), today).sum())
    margin = len(today) / unit  # bounds are rounded inwards to the minor unit
    if least + margin <= wanted <= most - margin:
        return arms
    factor = wanted / sum_today
    known = float(today[ok].sum())
    stretch = (wanted - (sum_today - known)) / known if known > 0 else np.inf
    base = today * factor
    if abs(factor - 1) <= 0.5 / unit / sum_today:
        words = ""
    elif factor < 1:
        words = f"every budget is first cut to {factor:.1%}"
    elif stretch <= MAX_STRETCH * factor:
        base = np.where(ok, today * stretch, today)
        words = f"the {int(ok.sum())} ad groups that are ok are first raised to {stretch:.1%}, the others stay"
    else:
        words = f"too little is known of most ad groups, so every budget is first raised to {factor:.1%}"
    if words:
        notes.append(
            f"steps of {step:.0%} from today's {sum_today:,.2f} do not reach the total of {wanted:,.2f}: {words}, "
            "and the steps count from there"
        )
    low: Ints = np.zeros(len(base), dtype=np.int64)
    whole = round_to_total(base * unit, low, np.full(len(base), np.iinfo(np.int64).max // 2), int(total * unit))
    return arms.with_columns(pl.Series("budget", whole / unit))


def _since_today(
    frame: pl.DataFrame, summary: AccountSummary, arms: pl.DataFrame, estimates: Estimates, unit: int, seed: int
) -> tuple[pl.DataFrame, AccountSummary]:
    """The same plan told from today's budgets instead of those that the total started from."""
    rows = estimates.frame.select("arm_id", pl.int_range(pl.len(), dtype=pl.Int64).alias("row"))
    today = arms.select("arm_id", ((pl.col("budget") * unit).round() / unit).alias("current_budget"))
    table = (
        frame.drop("current_budget")
        .join(today, on="arm_id", maintain_order="left")
        .join(rows, on="arm_id", maintain_order="left")
    )
    current, proposed = table["current_budget"].to_numpy(), table["proposed_budget"].to_numpy()
    account: Ints = np.zeros(len(table), dtype=np.int64)
    gain = gains(
        estimates,
        row=table["row"].to_numpy(),
        account=account,
        accounts=1,
        current=current,
        proposed=proposed,
        seed=seed,
    )
    told = replace(
        summary,
        changes=int((current != proposed).sum()),
        current_total=float(current.sum()),
        moved=float(np.abs(proposed - current).sum()),
        expected_gain=float(gain.account_mean[0]),
        expected_gain_low=float(gain.account_low[0]),
        expected_gain_high=float(gain.account_high[0]),
        chance_of_gain=float(gain.account_chance[0]),
    )
    columns = {"expected_gain": gain.mean, "expected_gain_low": gain.low, "expected_gain_high": gain.high}
    return table.with_columns(pl.Series(name, column) for name, column in columns.items()), told
