"""What each unit of money earns: readiness of the data, the population model, ROAS estimates and response curves."""

from datetime import timedelta

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    MaterializeResult,
    MetadataValue,
    asset,
)

from assets.ingest import OWNERS
from assets.isolation import apart
from assets.metadata import listing, table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from assets.pictures import by_weight, maturity_curve, response_curves_plot, roas_forest
from resources import ClockResource, LakeResource, PolicyResource
from stakazo_pipelines import marts
from stakazo_pipelines.cycle.accounts import accounts_in
from stakazo_pipelines.cycle.lift import UNSETTLED
from stakazo_pipelines.cycle.maturity import MATURITY
from stakazo_pipelines.cycle.returns import (
    CURVES,
    ESTIMATES,
    POPULATION,
    calibrated_day,
    curve_points,
    refit_population,
)
from stakazo_pipelines.cycle.soundness import readiness_with, sound_days
from stakazo_pipelines.measurement.calibrated import INCREMENTAL
from stakazo_pipelines.measurement.estimate import Estimates
from stakazo_pipelines.measurement.maturity_report import still_to_come, summary, told, wide_groups
from stakazo_pipelines.quality import FINER_GRAINS, READINESS_DAYS, disordered, readiness
from stakazo_pipelines.vocabulary import ArmState

REPORTS = [AssetKey(f"ad_reporting__{grain}_report") for grain in ("account", "campaign", "ad_group", "ad")]


@asset(
    deps=REPORTS,
    group_name="measurement",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    check_specs=[
        AssetCheckSpec(
            "fresh_and_reconciled",
            asset="account_readiness",
            blocking=True,
            description=(
                "At least one account has a recent report whose parts add up to its own total. Accounts that do not "
                "keep their budgets; the others go on."
            ),
        ),
        AssetCheckSpec(
            "policy_names_known_accounts",
            asset="account_readiness",
            description="Every account that policy.yaml names is one that a platform showed or an import brought.",
        ),
    ],
    description=(
        "Which accounts' data may be acted upon on this day: reported recently, without impossible figures, the newest "
        "entity snapshot readable, and the spend of campaigns, ad groups and ads adds up to the account's total, which "
        "is fetched separately."
    ),
)
def account_readiness(context: AssetExecutionContext, lake: LakeResource, policy: PolicyResource) -> MaterializeResult:
    opened, rules = lake.open(), policy.load()
    snapshots = opened.entities()
    known = accounts_in(snapshots)
    for day in as_days(list(context.partition_keys)):
        since = day - timedelta(days=READINESS_DAYS - 1)
        verdicts = readiness(
            marts.read_mart(opened, "ad_reporting__account_report", since=since, until=day),
            {
                name: marts.read_mart(opened, f"ad_reporting__{grain}_report", since=since, until=day)
                for name, grain in FINER_GRAINS.items()
            },
            day=day,
            tolerance=rules.ingest.reconciliation_tolerance,
            max_age_days=rules.measurement.stale_after_days,
            known=snapshots.frame,
        )
        aside = sound_days(opened, day + timedelta(days=1), rules.measurement.window_days).aside
        verdicts = readiness_with(verdicts, {**known.aside, **aside})
        opened.write_asset("account_readiness", day, verdicts)
    seen = {f"{platform}/{account}" for platform, account in snapshots.accounts}
    seen |= {f"{row['platform']}/{row['account_id']}" for row in verdicts.iter_rows(named=True)}
    strangers = sorted(rules.accounts.keys() - seen)
    unready = verdicts.filter(~pl.col("ready"))
    return MaterializeResult(
        metadata={"dagster/row_count": verdicts.height, "accounts": table(verdicts)},
        check_results=[
            AssetCheckResult(
                check_name="fresh_and_reconciled",
                passed=unready.is_empty() and not verdicts.is_empty(),
                severity=(AssetCheckSeverity.ERROR if unready.height == verdicts.height else AssetCheckSeverity.WARN),
                metadata={"not_ready": table(unready)},
            ),
            AssetCheckResult(
                check_name="policy_names_known_accounts",
                passed=not strangers,
                severity=AssetCheckSeverity.WARN,
                metadata={"unknown": listing(strangers)},
            ),
        ],
    )


@asset(
    deps=REPORTS,
    group_name="measurement",
    owners=OWNERS,
    kinds={"pymc"},
    check_specs=[
        AssetCheckSpec(
            "sampler_converged",
            asset=POPULATION,
            description="R-hat, effective sample size and divergences. A bad fit is not kept: the last good one stays.",
        )
    ],
    description=(
        "What is common to all arms, by full Bayesian sampling (PyMC): how returns and elasticities vary between ad "
        "groups, how noisy days are. Refit weekly; every daily estimate starts from the newest one."
    ),
)
def response_population(lake: LakeResource, policy: PolicyResource, clock: ClockResource) -> MaterializeResult:
    as_of = clock.now().date()
    fit = apart(refit_population, lake.open(), policy.load(), as_of)
    figures = {name: float(value) for name, value in fit.diagnostics.items()}
    return MaterializeResult(
        metadata={
            "as_of": str(as_of),
            "outcome": fit.told,
            "sampled": MetadataValue.json(fit.population.to_json()),
            **figures,
        },
        check_results=[
            AssetCheckResult(
                check_name="sampler_converged",
                passed=not fit.problems,
                severity=AssetCheckSeverity.WARN,
                description=fit.told,
                metadata=figures,
            )
        ],
    )


@asset(
    deps=[*REPORTS, "stg_entities", "account_readiness", POPULATION],
    group_name="measurement",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    check_specs=[
        AssetCheckSpec(
            "intervals_in_order",
            asset=ESTIMATES,
            blocking=True,
            description="Every estimate lies within its own interval and is above zero; no arm stands twice.",
        ),
        AssetCheckSpec(
            "most_money_is_measured",
            asset=ESTIMATES,
            description="Arms that can be acted upon (state ok) hold at least half of the budgets; warns below.",
        ),
        AssetCheckSpec(
            "lift_tests_usable",
            asset=ESTIMATES,
            description=(
                "Every row of the lift tests that policy.yaml names is used, and their fit settled; each row that is "
                "not used says why."
            ),
        ),
    ],
    description=(
        "What each budget holder (an arm: an ad group, or a campaign with its own budget) earns per unit of money at "
        "today's budget, and what the next unit would earn, with 90 % intervals, corrected for conversions that are "
        "still to come: how they arrive is learned from the raw vintages, by platform, attribution window, objective "
        "and account. State says whether there is enough, mature and recent data to act on. Basis says what the "
        "returns are: attributed by the platform, or incremental where lift tests tell (the factor stands beside them)."
    ),
)
def roas_estimates(context: AssetExecutionContext, lake: LakeResource, policy: PolicyResource) -> MaterializeResult:
    opened, rules = lake.open(), policy.load()
    for day in as_days(list(context.partition_keys)):
        found = calibrated_day(opened, rules, day)
        frame = found.frame
        opened.write_asset(ESTIMATES, day, frame)
    wrong = disordered(frame)
    measured = _budget_share(frame, ArmState.OK)
    learned, mature_share = found.maturity, rules.measurement.mature_share
    platforms = wide_groups(learned)
    mature = summary(learned, day=day, threshold=mature_share)
    opened.write_asset(MATURITY, day, mature)
    to_come = still_to_come(platforms, day=day)
    named = marts.with_names(opened, frame, as_of=day + timedelta(days=1))
    counts = {f"arms_{state}": int((frame["state"] == state.value).sum()) for state in ArmState}
    return MaterializeResult(
        metadata={
            "dagster/row_count": frame.height,
            **counts,
            "budget_share_measured": measured,
            "arms_incremental": int((frame["basis"] == INCREMENTAL).sum()),
            "lift_tests": table(found.tests, most=40),
            "roas_intervals": roas_forest(named, target=rules.measurement.target_roas),
            "mature_as_of": "; ".join(
                f"{name}: {told(curve, day=day, threshold=mature_share)}" for name, curve in platforms.items()
            ),
            "maturity": maturity_curve(wide_groups(learned, parts=3), to_come, threshold=mature_share),
            "maturity_by_group": table(mature),
            "still_to_come": table(to_come.sort("age_days", maintain_order=True)),
            "largest_budgets": table(by_weight(named).select(_SHOWN)),
        },
        check_results=[
            AssetCheckResult(check_name="intervals_in_order", passed=wrong.is_empty(), metadata={"rows": table(wrong)}),
            AssetCheckResult(
                check_name="most_money_is_measured",
                passed=measured >= 0.5,
                severity=AssetCheckSeverity.WARN,
                metadata={"budget_share_measured": measured},
            ),
            AssetCheckResult(
                check_name="lift_tests_usable",
                passed=found.set_aside.is_empty() and found.settled,
                severity=AssetCheckSeverity.WARN,
                description=None if found.settled else UNSETTLED,
                metadata={"set_aside": table(found.set_aside.select("row", "entity", "reason"), most=40)},
            ),
        ],
    )


@asset(
    deps=[ESTIMATES],
    group_name="measurement",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    description=(
        "Expected daily value of each arm at a quarter to three times today's budget, with 90 % bands: what raising or "
        "cutting a budget would do."
    ),
)
def response_curves(context: AssetExecutionContext, lake: LakeResource) -> MaterializeResult:
    opened = lake.open()
    for day in as_days(list(context.partition_keys)):
        estimates = Estimates.from_frame(opened.read_asset(ESTIMATES, day))
        curve = curve_points(estimates, seed=day.toordinal())
        opened.write_asset(CURVES, day, curve)
    return MaterializeResult(
        metadata={
            "dagster/row_count": curve.height,
            "curves": response_curves_plot(
                marts.with_names(opened, estimates.frame, as_of=day + timedelta(days=1)), curve
            ),
            "points": table(curve),
        }
    )


_SHOWN = [
    "name",
    "arm_id",
    "account_id",
    "currency",
    "state",
    "budget",
    "roas",
    "roas_low",
    "roas_high",
    "marginal_roas",
    "basis",
    "incremental_factor",
    "incremental_low",
    "incremental_high",
    "lift_tests",
]


def _budget_share(frame: pl.DataFrame, state: ArmState) -> float:
    """Share of the budgets held by arms of a state, the mean over currencies (they cannot be added)."""
    shares = frame.group_by("currency").agg(
        share=pl.col("budget").filter(pl.col("state") == state.value).sum() / pl.col("budget").sum()
    )
    mean = shares["share"].mean()
    return float(mean) if isinstance(mean, float) else 0.0
