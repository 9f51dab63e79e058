"""Changes as the bodies of TikTok's updates. Pure.

An ad group's update replaces it: what is not sent again is lost. So does an ad's, unless it is patched, which only some
fields can be.
"""

from collections.abc import Mapping, Sequence

from stakazo_pipelines.errors import RejectedError
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange
from stakazo_pipelines.platforms.tiktok.entities import budget_of, is_cbo
from stakazo_pipelines.platforms.tiktok.fields import NO_BUDGET, PERIODS, STATUS_TO_WIRE, kind_of
from stakazo_pipelines.platforms.tiktok.money import to_wire
from stakazo_pipelines.platforms.tiktok.updatable import PATCHABLE_AD, UPDATABLE
from stakazo_pipelines.platforms.wire import WireError
from stakazo_pipelines.vocabulary import EntityStatus, Level

BATCH = 20  # ids of one status update
BUDGET_LEVELS = frozenset({Level.CAMPAIGN, Level.AD_GROUP})


def check_change(change: EntityChange) -> None:
    """Raises RejectedError for a change that changes nothing, or something that never changes on TikTok."""
    kind = kind_of(change.level)
    if change.name is None and change.status is None and change.budget is None and not change.settings:
        raise RejectedError(f"the change of {change.level} {change.id} changes nothing", "tiktok")
    if change.budget is not None and change.level not in BUDGET_LEVELS:
        raise RejectedError(f"a budget belongs to a campaign or an ad group, not to {change.level}", "tiktok")
    if change.status is EntityStatus.ARCHIVED:
        raise RejectedError("TikTok has no archive: pause or delete", "tiktok")
    fixed = sorted(set(change.settings) - UPDATABLE[change.level])
    if fixed:
        raise RejectedError(f"{', '.join(fixed)} of a TikTok {kind.path} cannot be changed", "tiktok")


def has_fields(change: EntityChange) -> bool:
    """Whether anything but the status changes."""
    return change.name is not None or change.budget is not None or bool(change.settings)


def needs_current(change: EntityChange) -> bool:
    """Whether the entity as it is now has to be read before it is updated."""
    match change.level:
        case Level.AD_GROUP:
            return has_fields(change)
        case Level.CAMPAIGN:
            return change.budget is not None
        case _:
            return has_fields(change) and (not change.parent_id or not _is_patch(change))


def update_body(change: EntityChange, current: Mapping[str, object], currency: str) -> Mapping[str, object]:
    """The body of the update; `current` is the entity as read where `needs_current`, else empty.

    Raises RejectedError for a budget where none is held, of another period, or that TikTok cannot take.
    """
    kind = kind_of(change.level)
    changed: dict[str, object] = dict(change.settings)
    if change.name is not None:
        changed[kind.name] = change.name
    if change.budget is not None:
        _check_holds(change, change.budget.period, current, currency)
        changed["budget"] = budget_value(change.budget, currency)
    match change.level:
        case Level.CAMPAIGN:
            return {"campaign_id": change.id, **changed}
        case Level.AD_GROUP:
            return {"adgroup_id": change.id, **_kept(current, UPDATABLE[Level.AD_GROUP]), **changed}
        case _:
            return _ad_body(change, current, changed)


def schedule_body(change: EntityChange, currency: str) -> Mapping[str, object]:
    """The body that sets an ad group's daily budget from the account's next midnight on.

    Only for a change that `update_body` let pass. Raises RejectedError for a change without a budget.
    """
    if change.budget is None:
        raise RejectedError(f"the change of {change.level} {change.id} sets no budget", "tiktok")
    wanted = {"adgroup_id": change.id, "scheduled_budget": budget_value(change.budget, currency)}
    return {"scheduled_budget": [wanted]}


def budget_value(budget: Budget, currency: str) -> float:
    return to_wire(budget.money, currency=currency)


def by_target(changes: Mapping[int, EntityChange]) -> Sequence[tuple[Level, EntityStatus, Sequence[int]]]:
    """Positions of the status changes that may share a call: one level, one target, at most 20 ids."""
    groups: dict[tuple[Level, EntityStatus], list[int]] = {}
    for at, change in changes.items():
        if change.status is not None:
            groups.setdefault((change.level, change.status), []).append(at)
    return [
        (level, status, members[start : start + BATCH])
        for (level, status), members in groups.items()
        for start in range(0, len(members), BATCH)
    ]


def status_body(level: Level, status: EntityStatus, ids: Sequence[str]) -> Mapping[str, object]:
    """Ad groups may fail one by one; of campaigns and ads all or none."""
    body: dict[str, object] = {kind_of(level).ids: list(ids), "operation_status": STATUS_TO_WIRE[status]}
    if level is Level.AD_GROUP:
        body["allow_partial_success"] = True
    return body


def _check_holds(change: EntityChange, period: BudgetPeriod, current: Mapping[str, object], currency: str) -> None:
    """Raises RejectedError unless the entity holds a budget of the same period."""
    try:
        held = budget_of(current, change.level, currency)
        cbo = change.level is Level.CAMPAIGN and is_cbo(current)
    except WireError as error:
        raise RejectedError(f"{change.level} {change.id}: its budget cannot be read: {error}", "tiktok") from None
    if held is None:
        where = "its ad groups" if change.level is Level.CAMPAIGN and not cbo else "its campaign"
        raise RejectedError(f"{change.level} {change.id} holds no budget of its own; {where} may", "tiktok")
    if held.period is not period:
        raise RejectedError(
            f"{change.level} {change.id} has a {held.period} budget; TikTok cannot make it {period}",
            "tiktok",
        )


def _kept(current: Mapping[str, object], fields: frozenset[str]) -> dict[str, object]:
    """What has to be sent again: everything that is set and may be sent. Under CBO the budget is the campaign's."""
    kept = {field: value for field, value in current.items() if field in fields and value is not None}
    if current.get("budget_mode") == NO_BUDGET or current.get("budget_mode") not in PERIODS:
        kept.pop("budget", None)
    return kept


def _ad_body(
    change: EntityChange, current: Mapping[str, object], changed: Mapping[str, object]
) -> Mapping[str, object]:
    group = change.parent_id or current.get("adgroup_id")
    if _is_patch(change):
        return {"adgroup_id": group, "patch_update": True, "creatives": [{"ad_id": change.id, **changed}]}
    whole = {"ad_id": change.id, **_kept(current, UPDATABLE[Level.AD]), **changed}
    return {"adgroup_id": group, "creatives": [whole]}


def _is_patch(change: EntityChange) -> bool:
    return set(change.settings) <= PATCHABLE_AD
