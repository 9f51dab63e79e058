"""Carrying writes out, or not when a fault says so, and showing what they made as TikTok's answers do."""

import dataclasses
from typing import Any

from stakazo_pipelines.sandbox.emulation import Draw, Fate, carry_out, unmade_id, write_fate
from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.errors import deleted_object, invalid, refused_write
from stakazo_pipelines.sandbox.tiktok.vocabulary import KINDS
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup, Campaign, Level, WorldError

_TYPES: dict[ListLevel, type[Campaign | AdGroup | Ad]] = {"campaign": Campaign, "ad_group": AdGroup, "ad": Ad}


def fate_of(draw: Draw, *, update: bool) -> Fate:
    """What becomes of one call's writes. Raises 40002 for a refused one."""
    fate = write_fate(draw, update=update)
    if fate.refused:
        raise refused_write()
    return fate


def create(directory: Directory, fate: Fate, level: Level, fields: dict[str, Any]) -> Any:
    """The new entity. A lost one looks the same and is nowhere."""
    if fate.lost:
        return _phantom(directory, level, fields)
    try:
        return directory.kernel.create(level, **fields)
    except WorldError as error:
        raise invalid(str(error)) from error


def update(directory: Directory, fate: Fate, level: Level, entity: Any, fields: dict[str, Any]) -> Any:
    """The entity as the answer shows it: changed, whether or not the change has come into force."""
    if not fields:
        return entity
    shown = dataclasses.replace(entity, **fields)
    if "native" in fields:
        shown.native = {**entity.native, **fields["native"]}
    try:
        carry_out(directory.kernel, fate, level, entity.id, fields)
    except WorldError as error:
        raise invalid(str(error)) from error
    return shown


def existing(directory: Directory, account: Account, level: ListLevel, entity_id: str) -> Any:
    """An entity that may still be changed. Raises 40007 or, deleted with or without its parent, 40002."""
    entity = directory.get(account, level, entity_id)
    if directory.gone(entity):
        raise deleted_object(KINDS[level], entity_id)
    return entity


def _phantom(directory: Directory, level: Level, fields: dict[str, Any]) -> Any:
    now = directory.now
    stamps: dict[str, Any] = {"id": unmade_id(directory.kernel), "created_at": now, "updated_at": now}
    if level == "creative":
        return None
    if level == "ad_group":
        stamps["last_significant_edit"] = now
    if level == "ad":
        stamps["review_until"] = now
    return _TYPES[level](**fields, **stamps)
