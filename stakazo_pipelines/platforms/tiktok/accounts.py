"""The advertisers of a token. TikTok lists them only to an app that names itself, so a live token carries the app's id.

A token is written `app_id:secret:access_token`, or bare where the server takes any app (the sandbox does).
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import SecretStr

from stakazo_pipelines.errors import AuthError, NotFoundError, PermissionDeniedError, RejectedError
from stakazo_pipelines.platforms.http import ApiClient
from stakazo_pipelines.platforms.port import Account
from stakazo_pipelines.platforms.tiktok.calls import get
from stakazo_pipelines.platforms.tiktok.entities import parse_account
from stakazo_pipelines.platforms.tiktok.fields import ACCOUNT_FIELDS
from stakazo_pipelines.platforms.wire import WireError, ident, text
from stakazo_pipelines.vocabulary import EntityStatus

_LOG = logging.getLogger(__name__)
_AT_ONCE = 100
_NO_APP = "0"
_APP_REFUSED = frozenset({"40002", "40101", "40113"})
_ADVICE = "write the token as app_id:secret:access_token, because TikTok lists a token's advertisers only to its app"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a token consists of. Printing it shows stars."""

    token: SecretStr
    app_id: str
    secret: SecretStr

    @classmethod
    def read(cls, token: SecretStr) -> "Credentials":
        """A bare token, or `app_id:secret:access_token`."""
        parts = token.get_secret_value().split(":")
        if len(parts) != 3 or not all(parts):
            return cls(token, "", SecretStr(""))
        return cls(SecretStr(parts[2]), parts[0], SecretStr(parts[1]))


async def list_accounts(client: ApiClient, credentials: Credentials) -> Sequence[Account]:
    """Every advertiser that authorised the app; one that cannot be worked on says why in `problem`."""
    names = await _advertisers(client, credentials)
    ids = list(names)
    rows: dict[str, Account] = {}
    for start in range(0, len(ids), _AT_ONCE):
        for account in await _details(client, ids[start : start + _AT_ONCE], names):
            rows[account.id] = account
    return [rows.get(one) or _useless(one, names[one], "TikTok tells nothing about it") for one in ids]


async def _advertisers(client: ApiClient, credentials: Credentials) -> dict[str, str]:
    """Name by id."""
    app = {
        "app_id": credentials.app_id or _NO_APP,
        "secret": credentials.secret.get_secret_value() or _NO_APP,
    }
    try:
        found = (await get(client, "oauth2/advertiser/get/", app, account="")).get("list")
    except (AuthError, RejectedError) as error:
        if not credentials.app_id and error.code in _APP_REFUSED:
            error.message += f"; {_ADVICE}"
        raise
    return _names(found if isinstance(found, list) else [])


def _names(rows: Sequence[object]) -> dict[str, str]:
    names: dict[str, str] = {}
    for row in rows:
        try:
            advertiser = row if isinstance(row, dict) else {}
            names[ident(advertiser, "advertiser_id")] = text(advertiser, "advertiser_name")
        except WireError as error:
            _LOG.error("an advertiser is left out, its %s cannot be read: %s", error.field, error.reason)
    return names


async def _details(client: ApiClient, ids: Sequence[str], names: dict[str, str]) -> list[Account]:
    """These advertisers in one call; one by one where one of them spoils the call for all."""
    try:
        data = await get(
            client, "advertiser/info/", {"advertiser_ids": list(ids), "fields": ACCOUNT_FIELDS}, account=""
        )
    except (PermissionDeniedError, NotFoundError, RejectedError) as error:
        if len(ids) == 1:
            return [_useless(ids[0], names[ids[0]], error.message)]
        return [account for one in ids for account in await _details(client, [one], names)]
    accounts = []
    rows = data.get("list")
    for row in rows if isinstance(rows, list) else []:
        try:
            accounts.append(parse_account(row if isinstance(row, dict) else {}))
        except WireError as error:
            _LOG.error("an advertiser's %s cannot be read: %s", error.field, error.reason)
    return accounts


def _useless(account_id: str, name: str, problem: str) -> Account:
    return Account(account_id, name or account_id, "", "", 0, EntityStatus.PAUSED, problem=problem)
