"""Entities from LinkedIn's JSON to the port's types. Pure; a row that cannot be trusted raises WireError."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from stakazo_pipelines.platforms.linkedin import money, urns
from stakazo_pipelines.platforms.linkedin.fields import RESOURCES, SETTINGS, STATUS_FROM_WIRE, TELLING_STATES
from stakazo_pipelines.platforms.port import Account, Budget, BudgetPeriod, EntitiesResult, Entity
from stakazo_pipelines.platforms.rows import collect_entities
from stakazo_pipelines.platforms.wire import WireError, count, settings_digest, text
from stakazo_pipelines.vocabulary import EntityStatus, Level

Row = Mapping[str, object]
_PARENTS = {Level.AD_GROUP: ("campaignGroup", urns.GROUP), Level.AD: ("campaign", urns.CAMPAIGN)}


def parse_entity(row: Row, level: Level, account: Account) -> Entity:
    """One campaign group, campaign or creative of the account. Raises WireError."""
    resource = RESOURCES[level]
    if row.get("account") is not None and (owner := urns.number_of(row, "account", urns.ACCOUNT)) != account.id:
        raise WireError("account", f"belongs to account {owner}")
    word = text(row, resource.status)
    if word not in STATUS_FROM_WIRE:
        raise WireError(resource.status, f"unknown: {word[:40]!r}" if word else "missing")
    return Entity(
        level=level,
        id=urns.number_of(row, "id", resource.kind),
        account_id=account.id,
        parent_id=urns.number_of(row, *_PARENTS[level]) if level in _PARENTS else account.id,
        name=text(row, "name"),
        status=STATUS_FROM_WIRE[word],
        native_type=resource.kind,
        delivery=_delivery(row, word),
        objective=text(row, "objectiveType"),
        optimization_goal=text(row, "optimizationTargetType"),
        budget=_budget(row, level, account.currency),
        created_at=_stamp(row, "created", "createdAt"),
        updated_at=_stamp(row, "lastModified", "lastModifiedAt"),
        creative_id=_content_id(row) if level is Level.AD else None,
        settings=settings_digest(row, SETTINGS.get(level, ())),
        native=row,
    )


def parse_entities(rows: Iterable[object], level: Level, account: Account) -> EntitiesResult:
    """Every row that can be read, once; the others quarantined with field and reason."""
    where = f"{level} list of account {account.id}"
    return collect_entities(rows, lambda row: parse_entity(row, level, account), where=where)


def parse_contents(ads: Iterable[object], account: Account) -> EntitiesResult:
    """What the ads show, each once, from their rows. Ads whose content is no object of its own (text ads) have none."""
    different: dict[object, object] = {}
    for ad in ads:
        content = ad.get("content") if isinstance(ad, dict) else None
        reference = content.get("reference") if isinstance(content, dict) else None
        if reference is None and isinstance(content, dict):
            continue
        different.setdefault(reference if isinstance(reference, str) else id(ad), ad)
    where = f"{Level.CREATIVE} list of account {account.id}"
    return collect_entities(different.values(), lambda row: parse_content(row, account), where=where)


def parse_content(ad: Row, account: Account) -> Entity:
    """The content of an ad's row. It has neither a name nor a switch of its own. Raises WireError."""
    content = ad.get("content")
    if not isinstance(content, dict):
        raise WireError("content", "missing" if content is None else "not an object")
    return _content(content.get("reference"), "content.reference", text(ad, "name"), account, content)


def parse_post(post: Row, account: Account) -> Entity:
    """A post as it is read by itself. Raises WireError."""
    context = post.get("adContext")
    name = text(context, "dscName") if isinstance(context, dict) else ""
    return _content(post.get("id"), "id", name, account, post)


def _content(reference: object, field: str, name: str, account: Account, native: Row) -> Entity:
    parts = urns.split(reference)
    if parts is None:
        raise WireError(field, f"not a URN: {str(reference)[:60]!r}")
    return Entity(
        level=Level.CREATIVE,
        id=parts[1],
        account_id=account.id,
        parent_id=account.id,
        name=name,
        status=EntityStatus.ACTIVE,
        native_type=parts[0],
        native=native,
    )


def _content_id(row: Row) -> str | None:
    content = row.get("content")
    if content is None:
        return None
    if not isinstance(content, dict):
        raise WireError("content", "not an object")
    reference = content.get("reference")
    if reference is None:
        return None
    parts = urns.split(reference)
    if parts is None:
        raise WireError("content.reference", f"not a URN: {str(reference)[:60]!r}")
    return parts[1]


def _delivery(row: Row, word: str) -> str:
    """The platform's words for what holds it back, or RUNNABLE; before them a status the port has no word for."""
    words: list[object] = [word] if word in TELLING_STATES else []
    for field in ("servingStatuses", "servingHoldReasons"):
        told = row.get(field)
        if told is not None and not isinstance(told, list):
            raise WireError(field, "not a list")
        words += told or []
    if row.get("isServing") is True:
        words.append("RUNNABLE")
    return ",".join(str(each) for each in words)


def _budget(row: Row, level: Level, currency: str) -> Budget | None:
    """What a day may cost; else what the whole flight may. A group's daily budget counts only where it is spread."""
    if level is Level.AD:
        return None
    daily = money.from_wire(row, "dailyBudget", currency=currency)
    total = money.from_wire(row, "totalBudget", currency=currency)
    if daily is not None and (level is Level.AD_GROUP or _spread(row)):
        return Budget(daily, BudgetPeriod.DAILY)
    return Budget(total, BudgetPeriod.LIFETIME) if total is not None else None


def _spread(row: Row) -> bool:
    optimization = row.get("budgetOptimization")
    return isinstance(optimization, dict) and optimization.get("budgetOptimizationStrategy") == "DYNAMIC"


def _stamp(row: Row, audit: str, field: str) -> datetime | None:
    """An instant from milliseconds: in the audit stamps, or in a field of its own (creatives)."""
    stamps = row.get("changeAuditStamps")
    stamp = stamps.get(audit) if isinstance(stamps, dict) else None
    holder, name = (stamp, "time") if isinstance(stamp, dict) else (row, field)
    if holder.get(name) is None:
        return None
    milliseconds = count(holder, name)
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        raise WireError(name, f"not an instant: {milliseconds}") from None
