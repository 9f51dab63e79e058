"""Where the next unit of money earns most, and what is decided to do about it."""

from dataclasses import asdict
from datetime import timedelta
from math import isnan

import polars as pl
from dagster import AssetCheckResult, AssetCheckSpec, AssetExecutionContext, MaterializeResult, MetadataValue, asset

from assets.ingest import OWNERS
from assets.metadata import table
from assets.partitions import RANGE_RUNS, REPORT_DAYS, as_days
from assets.pictures import account_totals, budget_moves, by_weight, frontier_plot
from resources import ClockResource, LakeResource, OperationsResource, PolicyResource
from stakazo_pipelines.currency import load_rates
from stakazo_pipelines.cycle.accounts import known_accounts
from stakazo_pipelines.cycle.budgets import ALLOCATIONS, held_entities, platform_ledgers
from stakazo_pipelines.cycle.changes import decide
from stakazo_pipelines.cycle.portfolio import allocate_day
from stakazo_pipelines.cycle.portfolio_summary import PortfolioSummary
from stakazo_pipelines.cycle.returns import ESTIMATES
from stakazo_pipelines.cycle.track_record import TRACK_RECORD
from stakazo_pipelines.decisions.record import current_stops
from stakazo_pipelines.marts import with_names
from stakazo_pipelines.quality import out_of_bounds

DECISIONS = "decisions"
_SHOWN = [
    "account_id", "name", "arm_id", "currency", "current_budget", "proposed_budget", "marginal_roas", "expected_gain",
    "expected_gain_low", "expected_gain_high", "state", "binding",
]  # fmt: skip


@asset(
    deps=[ESTIMATES, "account_readiness", TRACK_RECORD],
    group_name="allocation",
    owners=OWNERS,
    kinds={"polars", "parquet"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    check_specs=[
        AssetCheckSpec(
            "within_bounds",
            asset=ALLOCATIONS,
            blocking=True,
            description=(
                "No proposal is further from today's budget than policy's step, no account's total grows by more than "
                "portfolio.account_step, and all accounts that share money together do not grow."
            ),
        )
    ],
    description=(
        "The daily budgets that earn most under the estimates, for the same total over all accounts in the reporting "
        "currency: exact, within policy's steps, minimums, cumulative caps and holds. Binding says what keeps each "
        "budget, and each account's total, from moving further."
    ),
)
def budget_allocations(
    context: AssetExecutionContext,
    lake: LakeResource,
    policy: PolicyResource,
    operations: OperationsResource,
    clock: ClockResource,
) -> MaterializeResult:
    opened, rules, rates = lake.open(), policy.load(), load_rates()
    with operations.open() as database:
        stops = current_stops(database)
        for day in as_days(list(context.partition_keys)):
            now = clock.now()
            accounts = known_accounts(opened, now.date() + timedelta(days=1))  # some zones are a day ahead
            ledgers = platform_ledgers(database, accounts.found, now=now)
            held = held_entities(database, accounts.found, now=now)
            result = allocate_day(
                opened, rules, day, accounts=accounts, ledgers=ledgers, held=held,
                rates=rates, sandbox=clock.sandbox_url is not None, stops=stops,
            )  # fmt: skip
            opened.write_asset(ALLOCATIONS, day, result.frame)
    portfolio, step = result.portfolio, rules.portfolio
    growth = max(rules.guardrails.max_budget_growth, step.account_step if step.move_between_accounts else 0.0)
    violations = out_of_bounds(result.frame, step_cap=rules.allocation.step_cap, growth=growth)
    shared = portfolio.traded_after <= portfolio.traded_before * (1 + 1e-9)
    for move in portfolio.accounts:
        if move.current_total is None:
            context.log.warning(f"account {move.account_id} of {move.platform} keeps its own total: {move.reason}")
    moves_between = pl.DataFrame([asdict(move) for move in portfolio.accounts])
    summaries = pl.DataFrame([asdict(summary) for summary in result.accounts])
    named = with_names(opened, result.frame, as_of=day + timedelta(days=1))
    moves = named.filter(pl.col("proposed_budget") != pl.col("current_budget"))
    return MaterializeResult(
        metadata={
            "dagster/row_count": result.frame.height,
            "moves": moves.height,
            "portfolio": MetadataValue.md(told(portfolio)),
            "accounts_together": table(moves_between, most=40),
            "totals": account_totals(moves_between, currency=portfolio.currency),
            "frontier": frontier_plot(result.frontier, now=portfolio.traded_before, currency=portfolio.currency),
            "what_if": table(result.frontier),
            "accounts": table(summaries),
            "groups": table(result.groups, most=40),
            "budgets": budget_moves(named),
            "largest_gains": table(by_weight(moves, money="expected_gain").select(_SHOWN)),
            "policy": MetadataValue.md(f"```yaml\n{policy.text()}\n```"),
        },
        check_results=[
            AssetCheckResult(
                check_name="within_bounds",
                passed=violations.is_empty() and shared,
                metadata={
                    "violations": table(violations),
                    "shared_total_before": portfolio.traded_before,
                    "shared_total_after": portfolio.traded_after,
                },
            )
        ],
    )


def told(portfolio: PortfolioSummary) -> str:
    """The portfolio's figures as one line of Markdown."""
    gain, currency = portfolio.expected_gain, portfolio.currency
    words = (
        f"{portfolio.current_total:,.2f} > {portfolio.proposed_total:,.2f} {currency} a day, expected gain "
        f"{gain.mean:+,.2f} ({gain.low:+,.2f} to {gain.high:+,.2f}) {currency} a day"
    )
    price = portfolio.shadow_price
    words += "" if isnan(price) else f", the next {currency} earns {price:,.2f}"
    return words + (f". {portfolio.reason}" if portfolio.reason else "")


@asset(
    key=DECISIONS,
    deps=[ALLOCATIONS],
    group_name="allocation",
    owners=OWNERS,
    kinds={"sqlalchemy"},
    partitions_def=REPORT_DAYS,
    backfill_policy=RANGE_RUNS,
    description=(
        "What the one arbiter made of every proposal: at most one action per entity, stops and holds first. On record "
        "with the rule, thresholds and inputs as they were known."
    ),
)
def decisions(
    context: AssetExecutionContext,
    lake: LakeResource,
    policy: PolicyResource,
    operations: OperationsResource,
    clock: ClockResource,
) -> MaterializeResult:
    opened, rules = lake.open(), policy.load()
    with operations.open() as database:
        for day in as_days(list(context.partition_keys)):
            proposals = opened.read_asset(ALLOCATIONS, day)
            cycle, made = decide(database, proposals, rules, day=day, now=clock.now())
            rows = pl.DataFrame(
                [
                    {
                        "cycle": cycle,
                        "platform": one.candidate.entity.platform,
                        "account_id": one.candidate.entity.account_id,
                        "entity": f"{one.candidate.entity.level} {one.candidate.entity.id}",
                        "action": one.candidate.kind.value,
                        "before": str(one.candidate.before),
                        "after": str(one.candidate.after),
                        "outcome": one.outcome.value,
                        "reason": one.reason,
                    }
                    for one in made
                ],
                schema=dict.fromkeys(
                    ("cycle", "platform", "account_id", "entity", "action", "before", "after", "outcome", "reason"),
                    pl.String(),
                ),
            )
            opened.write_asset(DECISIONS, day, rows)
    outcomes = rows.group_by("outcome").len().sort("outcome")
    return MaterializeResult(
        metadata={
            "dagster/row_count": rows.height,
            "cycle": cycle,
            **{f"decisions_{outcome}": count for outcome, count in outcomes.iter_rows()},
            "decisions": table(rows),
        }
    )
