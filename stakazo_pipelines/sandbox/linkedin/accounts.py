"""/adAccounts and /adAccountUsers: search, read, what little of an account can be changed, and who may."""

from collections.abc import Mapping
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply, write_fate
from stakazo_pipelines.sandbox.linkedin import batches, finders, paging, urns, views
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import (
    bad_input,
    bad_param,
    not_allowed,
    not_found,
    refused,
)
from stakazo_pipelines.sandbox.linkedin.restli import as_list
from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks
from stakazo_pipelines.sandbox.world import Account

_NOTICES = (
    "notifiedOnCampaignOptimization", "notifiedOnCreativeApproval", "notifiedOnCreativeRejection",
    "notifiedOnEndOfCampaign", "notifiedOnNewFeaturesEnabled",
)  # fmt: skip
_READ_ONLY = ("id", "servingStatuses", "test", "changeAuditStamps", "version", "type")


class Accounts:
    """Answers /rest/adAccounts (but not what lies below an account) and /rest/adAccountUsers."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, call: Call) -> Reply:
        """Raises LinkedInError."""
        if len(call.parts) == 2:
            return self._one(call)
        method = call.method(has_key=False)
        fields = call.fields()
        if method == "BATCH_GET":
            return batches.read_each(call, lambda key: self._view(self._find(key), fields), name=str)
        if method != "FINDER":
            raise not_allowed(method, call.path)
        if not call.choice("q", ("search",), ""):
            raise bad_param("q", "a finder is needed")
        found = finders.search(call, self._directory, self._directory.accounts(), "adAccounts")
        return Reply(paging.cursor_page(call, found, lambda account: self._view(account, fields)))

    def users(self, call: Call) -> Reply:
        """The member behind the token holds the highest role everywhere."""
        if len(call.parts) == 2:
            key = call.parts[1]
            number = urns.number(key.get("account"), urns.ACCOUNT) if isinstance(key, dict) else None
            account = self._directory.find_account(number)
            if call.verb != "GET":
                raise not_allowed(call.verb, call.path)
            if account is None or key.get("user") != urns.MEMBER:
                raise not_found(str(key))
            return Reply(self._user(account))
        finder = call.choice("q", ("authenticatedUser", "accounts"), "")
        if not finder:
            raise bad_param("q", "a finder is needed")
        accounts = self._directory.accounts()
        if finder == "accounts":
            wanted = urns.numbers(as_list(call.params.get("accounts")), urns.ACCOUNT, "accounts")
            accounts = [account for account in accounts if account.id in (wanted or ())]
        return Reply(paging.index_page(call, accounts, self._user, default=100))

    def _one(self, call: Call) -> Reply:
        account = self._find(call.parts[1])
        method = call.method(has_key=True)
        if method == "GET":
            return Reply(self._view(account, call.fields()))
        if method != "PARTIAL_UPDATE":
            raise not_allowed(method, call.path)
        patch = call.mapping().get("patch")
        changes = patch.get("$set") if isinstance(patch, Mapping) else None
        if not isinstance(changes, dict):
            raise bad_input("MISSING_FIELD", "/patch", "the body must be {patch:{$set:{…}}}")
        self._check(account, changes)
        fate = write_fate(call.draw, update=False)
        if fate.refused:
            raise refused()
        if changes and not fate.lost:
            self._directory.edit(account.id, changes)
        return Reply("", 204)

    def _check(self, account: Account, changes: dict[str, Any]) -> None:
        before = views.account_view(self._directory, account)
        checks = Checks({"name": before["name"], **changes}, before)
        checks.known(("name", "status", "currency", "reference", *_NOTICES), _READ_ONLY)
        if not str(changes.get("name", "named")).strip():
            checks.add("BLANK_ACCOUNT_NAME", "name", "must not be blank")
        checks.boolean(*_NOTICES)
        if changes.get("status", account.status) != account.status:
            # The world's accounts do not close.
            checks.add("STATUS_CHANGE_NOT_ALLOWED", "status", "cannot be changed by this member")
        if changes.get("currency", account.currency) != account.currency:
            checks.add("FIELD_NOT_ALLOWED", "currency", "cannot be changed")
        if changes.get("reference", before["reference"]) != before["reference"]:
            checks.add("UPDATE_REFERENCE_NOT_ALLOWED", "reference", "cannot be changed")
        checks.raise_any()

    def _find(self, key: object) -> Account:
        return self._directory.account(urns.number(key, urns.ACCOUNT))

    def _view(self, account: Account, fields: list[str] | None) -> views.View:
        return views.projected(views.account_view(self._directory, account), fields)

    def _user(self, account: Account) -> views.View:
        stamp = {"actor": "urn:li:unknown:0", "time": views.millis(account.created_at)}
        return {
            "account": urns.urn(urns.ACCOUNT, account.id),
            "user": urns.MEMBER,
            "role": "ACCOUNT_BILLING_ADMIN",
            "changeAuditStamps": {"created": stamp, "lastModified": stamp},
        }
