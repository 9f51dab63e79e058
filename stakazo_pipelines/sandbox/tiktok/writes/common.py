"""What campaigns, ad groups and ads share when they are written: names, first status, fields that never change."""

from collections.abc import Iterable, Mapping
from typing import Any

from stakazo_pipelines.sandbox.tiktok.errors import invalid
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.vocabulary import OPERATIONS, width

MAX_NAME = 512


def checked_name(params: Params, name: str, *, emoji: bool = True) -> str:
    text = params.needed(name)
    if width(text) > MAX_NAME:
        raise invalid(f"{name}: Longer than maximum length {MAX_NAME}.")
    if not emoji and any(ord(character) >= 0x1F000 for character in text):
        raise invalid(f"{name}: Emojis are not supported.")
    return text


def initial_status(params: Params) -> str:
    return OPERATIONS[params.choice("operation_status", ("ENABLE", "DISABLE"), "ENABLE")]


def same_or_absent(params: Params, names: Iterable[str], shown: Mapping[str, Any]) -> None:
    """Fields that cannot be updated may be sent along only as they are."""
    for name, value in params.raw(names).items():
        if value != shown.get(name) and str(value) != str(shown.get(name)):
            raise invalid(f"{name}: Cannot be updated.")
