"""Who the token is and what it may see: oauth2, advertiser info, user info."""

from typing import Any

from stakazo_pipelines.sandbox.emulation import spoil
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError, invalid, missing
from stakazo_pipelines.sandbox.tiktok.reading import advertiser_row

_SCOPES = [2, 3, 4, 200, 210, 220, 221, 5, 6, 7, 8, 9]
_QUOTA = 1000


class Accounts:
    """`token` is what an auth code is exchanged for; a code works once."""

    def __init__(self, directory: Directory, token: str) -> None:
        self._directory, self._token = directory, token
        self._codes: set[str] = set()

    def exchange(self, call: Call) -> Answer:
        call.params.require("app_id", "secret", "auth_code")
        code = call.params.text("auth_code")
        if code in self._codes:
            raise TikTokError(40110, "Auth code is used or expired.")
        self._codes.add(code)
        ids = [account.id for account in self._directory.accounts()]
        return Answer({"access_token": self._token, "advertiser_ids": ids, "scope": _SCOPES})

    def authorised(self, call: Call) -> Answer:
        call.params.require("app_id", "secret")
        rows = [{"advertiser_id": found.id, "advertiser_name": found.name} for found in self._directory.accounts()]
        return Answer({"list": rows})

    def info(self, call: Call) -> Answer:
        ids = call.params.names("advertiser_ids", most=100)
        if ids is None:
            raise missing(["advertiser_ids"])
        rows = [advertiser_row(self._directory, self._directory.account(name)) for name in ids]
        fields = call.params.names("fields")
        if fields is not None:
            unknown = [name for name in fields if name not in rows[0]]
            if unknown:
                raise invalid(f"fields: {', '.join(unknown)} not supported for advertiser.")
            rows = [{name: row[name] for name in fields} for row in rows]
        spoil(rows, call.draw, "name")
        return Answer({"list": rows})

    def user(self, _call: Call) -> Answer:
        data: dict[str, Any] = {"core_user_id": "7000000000000000001", "display_name": "Sandbox User"}
        return Answer(data | {"email": "user@sandbox.invalid", "create_time": 1_600_000_000, "avatar_url": ""})

    def quota(self, call: Call) -> Answer:
        account = self._directory.account(call.params.needed("advertiser_id"))
        used = sum(not self._directory.gone(group) for group in self._directory.all(account, "ad_group"))
        return Answer({"total_adgroup_quota": _QUOTA, "used_adgroup_quota": used})
