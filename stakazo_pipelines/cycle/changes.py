"""From proposed budgets to verified changes: candidates, the arbiter's decisions on record, plans, publishing."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

import polars as pl

from stakazo_pipelines.currency import Rates
from stakazo_pipelines.cycle.experiments import EXPERIMENT, rule_with
from stakazo_pipelines.cycle.portfolio import worth_for
from stakazo_pipelines.decisions.arbiter import arbitrate
from stakazo_pipelines.decisions.candidate import ActionKind, Candidate, Decision, EntityRef, Gain, Module
from stakazo_pipelines.decisions.record import current_holds, current_stops, last_switches, record_decisions
from stakazo_pipelines.errors import NotFoundError, PlatformError, PublishError, UnfundedError
from stakazo_pipelines.ingest import LAST_ZONE, last_complete_day
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import Operations
from stakazo_pipelines.operations.column_types import canonical_json
from stakazo_pipelines.operations.plans import approved_plans
from stakazo_pipelines.operations.states import PlanStatus
from stakazo_pipelines.platforms.port import Account, AdPlatform
from stakazo_pipelines.policy import Policy
from stakazo_pipelines.publishing.funding import grows
from stakazo_pipelines.publishing.plan import ChangePlan, build_plan
from stakazo_pipelines.publishing.publisher import Publisher
from stakazo_pipelines.publishing.store import PlanResult, result_of
from stakazo_pipelines.vocabulary import EntityStatus, Level

_UNLISTED = "the platform no longer lists it"
_GONE = frozenset({EntityStatus.ARCHIVED, EntityStatus.DELETED})
RULE = "equal marginal returns"
_INPUTS = ("roas", "roas_low", "roas_high", "marginal_roas", "marginal_roas_low", "marginal_roas_high")


@dataclass
class PublishReport:
    """What became of each account of one platform: plans by account, and accounts that failed or were left alone.

    failed: also accounts whose plan (among `plans`) had to leave out an entity that could not be read.
    waiting: accounts whose total would grow, whose plan (among `plans`, still approved) waits for cuts in others.
    """

    plans: list[PlanResult] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left_alone: dict[str, str] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)


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
    rates: Rates | None = None,
) -> PublishReport:
    """Finish what a killed run left, then plan and, where autonomy allows, carry out each account's decisions.

    Acted upon is a day that is the account's newest complete one, or the newest that has ended in every zone: an older
    day was decided on old data. Accounts that free money go first. One whose total grows goes when the verified cuts
    of the same day in other accounts, on any platform, pay for it; else it is reported as waiting (`publish_waiting`
    takes it from there). rates: as the budgets were allocated with; None where no money moved between accounts.
    """
    report = PublishReport()
    publisher = _publisher(platform, operations, policy, now, sandbox=sandbox)
    report.plans.extend(await publisher.recover())
    growing: list[PlanResult] = []
    accounts = await platform.accounts()
    for account_id in sorted(_decided(decisions, platform.name) - {account.id for account in accounts}):
        report.failed[account_id] = _UNLISTED
    for account in accounts:
        if why := _not_now(account, day, now()):
            (report.failed if account.problem else report.left_alone)[account.id] = why
            continue
        worth = None if rates is None else worth_for(policy, rates, platform.name, account, day)
        try:
            plan = await _planned(publisher, platform, account, decisions, day, worth)
            if lost := await _unread(platform, account, plan):
                report.failed[account.id] = f"not changed: {'; '.join(lost)}"
            proposed = publisher.propose(plan)
            if proposed.status is not PlanStatus.APPROVED:
                report.plans.append(proposed)
            elif plan.total_after > plan.total_before:
                growing.append(proposed)
            else:
                report.plans.append(await publisher.execute(proposed.plan_id))
        except (PlatformError, PublishError) as error:
            report.failed[account.id] = str(error)
    for plan_result in growing:
        await _publish_when_funded(publisher, plan_result, report)
    return report


async def publish_waiting(
    platforms: Sequence[AdPlatform],
    operations: Operations,
    policy: Policy,
    *,
    day: date,
    now: Callable[[], datetime],
    sandbox: bool,
) -> dict[str, PublishReport]:
    """Carry out what still waits for money that other accounts have freed by now; a report by platform.

    Call it once `publish_day` has been through every platform. Plans are those on record for `day`, approved and not
    begun; each passes the same checks as in `publish_day`. What is still not paid for stays approved, with its reason.
    """
    reports: dict[str, PublishReport] = {}
    for platform in platforms:
        report = reports[platform.name] = PublishReport()
        waiting = {plan.account_id: plan for plan in waiting_plans(operations, policy, platform.name, day)}
        if not waiting:
            continue
        publisher = _publisher(platform, operations, policy, now, sandbox=sandbox)
        try:
            accounts = {account.id: account for account in await platform.accounts()}
        except PlatformError as error:
            report.failed = dict.fromkeys(waiting, str(error))
            continue
        for account_id, plan in waiting.items():
            account = accounts.get(account_id)
            why = _UNLISTED if account is None else _not_now(account, day, now())
            if why:
                report.left_alone[account_id] = why
                continue
            await _publish_when_funded(publisher, plan, report)
    return reports


def waiting_plans(operations: Operations, policy: Policy, platform: str, day: date) -> list[PlanResult]:
    """The approved plans of a day that other accounts have to pay for, not begun yet."""
    with operations.read() as session:
        return [result_of(row) for row in approved_plans(session, platform, day) if grows(row, policy)]


async def _publish_when_funded(publisher: Publisher, plan: PlanResult, report: PublishReport) -> None:
    why = publisher.waits(plan.plan_id)
    if not why:
        try:
            report.plans.append(await publisher.execute(plan.plan_id))
        except UnfundedError as error:
            why = str(error)  # another run has taken the money since
        except (PlatformError, PublishError) as error:
            report.failed[plan.account_id] = str(error)
    if why:
        report.plans.append(plan)
        report.waiting[plan.account_id] = why


def _publisher(
    platform: AdPlatform, operations: Operations, policy: Policy, now: Callable[[], datetime], *, sandbox: bool
) -> Publisher:
    return Publisher(
        platform,
        operations,
        policy=policy,
        autonomy_of=lambda account: policy.autonomy_of(platform.name, account, sandbox=sandbox),
        now=now,
    )


def _decided(decisions: tuple[Decision, ...], platform: str) -> set[str]:
    """The platform's accounts that something is to be changed in."""
    entities = (decision.candidate.entity for decision in decisions if decision.chosen)
    return {entity.account_id for entity in entities if entity.platform == platform}


def _not_now(account: Account, day: date, now: datetime) -> str:
    """Why nothing may be published to an account for this day; '' when it may."""
    if account.problem:
        return account.problem
    own, everywhere = last_complete_day(now, account.timezone), last_complete_day(now, LAST_ZONE)
    if day in {own, everywhere}:
        return ""
    other = "" if own == everywhere else f", nor the newest that has ended everywhere ({everywhere})"
    return f"{day} is not its newest complete day ({own}){other}"


async def _planned(
    publisher: Publisher,
    platform: AdPlatform,
    account: Account,
    decisions: tuple[Decision, ...],
    day: date,
    worth: Decimal | None,
) -> ChangePlan:
    """The account's plan against what the platform holds now, once late writes of earlier plans are looked at."""
    await publisher.recheck(account.id)
    observed = [
        entity
        for level in (Level.CAMPAIGN, Level.AD_GROUP)
        for entity in (await platform.entities(account, level)).entities
    ]
    return build_plan(
        platform=platform.name, account=account, as_of=day, decisions=decisions, observed=observed, worth=worth
    )


async def _unread(platform: AdPlatform, account: Account, plan: ChangePlan) -> list[str]:
    """What the plan left out because the platform did not list it, though it is there or cannot be read."""
    found: list[str] = []
    for entity in (skipped.entity for skipped in plan.skipped if not skipped.listed):
        try:
            held = await platform.read(account, entity.level, entity.id)
        except NotFoundError:
            continue
        except PlatformError as error:
            found.append(f"{entity} ({error})")
            continue
        if held.status not in _GONE:
            found.append(f"{entity} (it was not listed, though it is there)")
    return found


def _candidates(allocations: pl.DataFrame, policy: Policy) -> list[Candidate]:
    moved = allocations.filter(pl.col("proposed_budget") != pl.col("current_budget"))
    thresholds = {
        "step_cap": policy.allocation.step_cap,
        "min_change": policy.allocation.min_change,
        "account_step": policy.portfolio.account_step if policy.portfolio.move_between_accounts else 0.0,
        "min_conversions": policy.measurement.min_conversions,
    }
    return [
        Candidate(
            module=Module.ALLOCATION,
            entity=EntityRef(row["platform"], row["account_id"], Level(row["level"]), row["arm_id"]),
            kind=ActionKind.SET_BUDGET,
            before=_money(row["current_budget"], row["currency"]),
            after=_money(row["proposed_budget"], row["currency"]),
            rule=rule_with(RULE, row.get(EXPERIMENT)),
            gain=Gain(row["expected_gain"], row["expected_gain_low"], row["expected_gain_high"]),
            thresholds=thresholds,
            inputs={name: row[name] for name in (*_INPUTS, "state", "binding", "shadow_price")}
            | ({EXPERIMENT: row[EXPERIMENT]} if row.get(EXPERIMENT) else {}),
            ancestors=(EntityRef(row["platform"], row["account_id"], Level.CAMPAIGN, row["campaign_id"]),),
        )
        for row in moved.iter_rows(named=True)
    ]


def _money(amount: float, currency: str) -> Money:
    # The allocator's amounts are whole minor units; their shortest text is exactly that amount.
    return Money(Decimal(repr(round(amount, 6))).normalize() + 0, currency)
