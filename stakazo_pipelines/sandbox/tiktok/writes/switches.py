"""The three status endpoints: up to 20 ids switched on or off or deleted for good, all or (if allowed) what can be."""

from typing import Any

from stakazo_pipelines.sandbox.tiktok import vocabulary as words
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, failing, partial_success
from stakazo_pipelines.sandbox.tiktok.directory import Directory, ListLevel
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError, missing
from stakazo_pipelines.sandbox.tiktok.writes.making import existing, fate_of, update
from stakazo_pipelines.sandbox.world import Account

MAX_IDS = 20


class Switches:
    """`/campaign/status/update/`, `/adgroup/status/update/`, `/ad/status/update/`."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, call: Call, level: ListLevel) -> Answer:
        params, field = call.params, words.ID_FIELDS[level]
        account = self._directory.account(params.needed("advertiser_id"))
        ids = params.names(f"{field}s", most=MAX_IDS)
        if ids is None:
            raise missing([f"{field}s"])
        params.require("operation_status")
        operation = params.choice("operation_status", words.OPERATIONS)
        partial = level == "ad_group" and params.boolean("allow_partial_success")
        entities, errors = self._find(account, level, ids, tolerant=partial)
        fate = fate_of(call.draw, update=True)
        # All or nothing is all of nothing: without leave to succeed in part there is no partial failure.
        failed = failing(call.draw, len(entities)) if partial or level != "ad_group" else set()
        done = []
        for i, entity in enumerate(entities):
            if i in failed:
                errors.append({field: entity.id, "error_message": "The status could not be updated."})
                continue
            done.append(entity.id)
            if words.OPERATION_OF[entity.status] != operation:
                update(self._directory, fate, level, entity, {"status": words.OPERATIONS[operation]})
        return partial_success(_data(level, done, operation), errors)

    def _find(
        self, account: Account, level: ListLevel, ids: list[str], *, tolerant: bool
    ) -> tuple[list[Any], list[dict[str, str]]]:
        """The entities, and what is wrong with the rest; raises unless tolerant."""
        found, errors = [], []
        for entity_id in dict.fromkeys(ids):
            try:
                found.append(existing(self._directory, account, level, entity_id))
            except TikTokError as error:
                if not tolerant:
                    raise
                errors.append({words.ID_FIELDS[level]: entity_id, "error_message": error.message})
        return found, errors


def _data(level: ListLevel, done: list[str], operation: str) -> dict[str, Any]:
    data: dict[str, Any] = {f"{words.ID_FIELDS[level]}s": done, "status": operation}
    if level == "campaign":
        data["campaign_list"] = [
            {"campaign_id": name, "status": operation, "postback_window_mode": None} for name in done
        ]
    if level == "ad":
        data["aco_ad_ids"] = []
    return data
