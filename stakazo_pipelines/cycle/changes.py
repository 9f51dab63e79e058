"""From proposed budgets to verified changes: candidates, the arbiter's decisions on record, plans, publishing."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from stakazo_pipelines.decisions.arbiter import arbitrate
from stakazo_pipelines.decisions.candidate import ActionKind, Candidate, Decision, EntityRef, Gain, Module
from stakazo_pipelines.decisions.record import current_holds, current_stops, last_switches, record_decisions
from stakazo_pipelines.errors import PlatformError, PublishError
from stakazo_pipelines.ingest import last_complete_day
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import Operations
from stakazo_pipelines.operations.column_types import canonical_json
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.platforms.port import Account, AdPlatform
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.plan import build_plan
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.publishing.store import PlanResult
from stakazo_pipelines.vocabulary import Level

RULE = "equal marginal returns"
_INPUTS = ("roas", "roas_low", "roas_high", "marginal_roas", "marginal_roas_low", "marginal_roas_high")


@dataclass
class PublishReport:
    """What became of each account of one platform: plans by account, and accounts that failed or were left alone."""

    plans: list[PlanResult] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)


def decide(
    operations: Operations, allocations: pl.DataFrame, policy: Policy, *, day: date, now: datetime
) -> tuple[str, tuple[Decision, ...]]:
    """Arbitrate a day's proposals and put the decisions on record; returns the cycle's id and the decisions.

    The id is made of the day and of what was proposed: the same proposals again are the same cycle.
    """
    candidates = _candidates(allocations, policy)
    accounts = sorted({(one.entity.platform, one.entity.account_id) for one in candidates})
    decisions = arbitrate(
        candidates,
        now=now,
        holds=[hold for account in accounts for hold in current_holds(operations, *account, now=now)],
        stops=current_stops(operations),
        switches={
            entity: switch for account in accounts for entity, switch in last_switches(operations, *account).items()
        },
    )
    content = [
        (str(one.candidate.entity), str(one.candidate.before), str(one.candidate.after), one.outcome)
        for one in decisions
    ]
    cycle = f"{day}-{hashlib.sha256(canonical_json(content).encode()).hexdigest()[:12]}"
    record_decisions(operations, decisions, cycle=cycle, as_of=day, now=now)
    return cycle, decisions


async def publish_day(
    platform: AdPlatform,
    operations: Operations,
    policy: Policy,
    decisions: tuple[Decision, ...],
    *,
    day: date,
    now: Callable[[], datetime],
    sandbox: bool,
) -> PublishReport:
    """Finish what a killed run left, then plan and, where autonomy allows, carry out each account's decisions.

    Only a day that is the account's newest complete one is acted upon: an older day was decided on old data.
    """
    report = PublishReport()
    publisher = Publisher(
        platform,
        operations,
        policy=policy,
        autonomy_of=lambda account_id: policy.autonomy_of(platform.name, account_id, sandbox=sandbox),
        now=now,
    )
    report.plans.extend(await publisher.recover())
    for account in await platform.accounts():
        if account.problem:
            report.failed[account.id] = account.problem
            continue
        newest = last_complete_day(now(), account.timezone)
        if day != newest:
            report.left_alone[account.id] = f"{day} is not its newest complete day ({newest})"
            continue
        try:
            report.plans.append(await _publish_account(publisher, platform, account, decisions, day))
        except (PlatformError, PublishError) as error:
            report.failed[account.id] = str(error)
    return report


async def _publish_account(
    publisher: Publisher, platform: AdPlatform, account: Account, decisions: tuple[Decision, ...], day: date
) -> PlanResult:
    await publisher.recheck(account.id)
    observed = [
        entity
        for level in (Level.CAMPAIGN, Level.AD_GROUP)
        for entity in (await platform.entities(account, level)).entities
    ]
    plan = build_plan(platform=platform.name, account=account, as_of=day, decisions=decisions, observed=observed)
    result = publisher.propose(plan)
    return await publisher.execute(result.plan_id) if result.status is PlanStatus.APPROVED else result


def _candidates(allocations: pl.DataFrame, policy: Policy) -> list[Candidate]:
    moved = allocations.filter(pl.col("proposed_budget") != pl.col("current_budget"))
    thresholds = {
        "step_cap": policy.allocation.step_cap,
        "min_change": policy.allocation.min_change,
        "min_conversions": policy.measurement.min_conversions,
    }
    return [
        Candidate(
            module=Module.ALLOCATION,
            entity=EntityRef(row["platform"], row["account_id"], Level(row["level"]), row["arm_id"]),
            kind=ActionKind.SET_BUDGET,
            before=_money(row["current_budget"], row["currency"]),
            after=_money(row["proposed_budget"], row["currency"]),
            rule=RULE,
            gain=Gain(row["expected_gain"], row["expected_gain_low"], row["expected_gain_high"]),
            thresholds=thresholds,
            inputs={name: row[name] for name in (*_INPUTS, "state", "binding", "shadow_price")},
            ancestors=(EntityRef(row["platform"], row["account_id"], Level.CAMPAIGN, row["campaign_id"]),),
        )
        for row in moved.iter_rows(named=True)
    ]


def _money(amount: float, currency: str) -> Money:
    # The allocator's amounts are whole minor units; their shortest text is exactly that amount.
    return Money(Decimal(repr(round(amount, 6))).normalize() + 0, currency)
