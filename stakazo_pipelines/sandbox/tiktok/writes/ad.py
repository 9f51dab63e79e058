"""Creating and updating ads. What an ad shows is a creative of the world; changed pictures make a new, unworn one."""

from datetime import timedelta
from typing import Any

from stakazo_pipelines.sandbox.emulation import Fate
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, failing, partial_success
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.errors import TikTokError, invalid, missing
from stakazo_pipelines.sandbox.tiktok.files import Library
from stakazo_pipelines.sandbox.tiktok.params import Params
from stakazo_pipelines.sandbox.tiktok.reading import AD_CONTENT, ad_group_row, ad_row, content
from stakazo_pipelines.sandbox.tiktok.vocabulary import width
from stakazo_pipelines.sandbox.tiktok.writes.common import checked_name, initial_status
from stakazo_pipelines.sandbox.tiktok.writes.making import create, existing, fate_of, update
from stakazo_pipelines.sandbox.world import Account, Ad, AdGroup

MAX_CREATIVES = 20
MAX_ADS = 20  # live ads an ad group
_IDENTITIES = ("CUSTOMIZED_USER", "AUTH_CODE", "TT_USER", "BC_AUTH_TT")
_FORMATS = ("SINGLE_VIDEO", "SINGLE_IMAGE", "CAROUSEL_ADS", "CATALOG_CAROUSEL", "LIVE_CONTENT")
_PATCHABLE = (
    *("identity_type", "identity_id", "identity_authorized_bc_id", "video_id", "image_ids", "music_id"),
    *("tiktok_item_id", "ad_text"),
)
# What the official SDK sends with every ad, asked or not.
_UNSAID = {"deeplink_type": "NORMAL", "aigc_disclosure_type": "NOT_DECLARED"}
_SHOWN = ("video_id", "image_ids", "tiktok_item_id")
_REVIEW = timedelta(hours=1)


class Ads:
    """`/ad/create/` and `/ad/update/`."""

    def __init__(self, directory: Directory, library: Library) -> None:
        self._directory, self._library = directory, library

    def create(self, call: Call) -> Answer:
        account, group, items = self._addressed(call.params)
        live = len(self._directory.ads_of(group))
        if live + len(items) > MAX_ADS:
            raise TikTokError(40502, f"The number of ads in ad group {group.id} exceeds the limit of {MAX_ADS}.")
        wanted = [self._new(item, account, group, live + i) for i, item in enumerate(items)]
        fate, failed = fate_of(call.draw, update=False), failing(call.draw, len(items))
        rows, errors = [], []
        for i, (fields, shown) in enumerate(wanted):
            if i in failed:
                errors.append({"ad_name": fields["name"], "error_message": "The ad could not be created."})
                continue
            rows.append(self._make(fate, account, group, fields, shown))
        return partial_success({"ad_ids": [row["ad_id"] for row in rows], "creatives": rows}, errors)

    def update(self, call: Call) -> Answer:
        account, group, items = self._addressed(call.params)
        patch = call.params.boolean("patch_update")
        wanted = [self._changed(item, account, group, patch=patch) for item in items]
        fate, failed = fate_of(call.draw, update=True), failing(call.draw, len(items))
        rows, errors = [], []
        for i, (ad, name, shown) in enumerate(wanted):
            if i in failed:
                errors.append({"ad_id": ad.id, "error_message": "The ad could not be updated."})
                continue
            rows.append(self._rewrite(fate, ad, name, shown))
        return partial_success({"ad_ids": [row["ad_id"] for row in rows], "creatives": rows}, errors)

    def _addressed(self, params: Params) -> tuple[Account, AdGroup, list[Params]]:
        """Whose ads these are, the ad group they stand in, and each ad's own parameters."""
        params.require("advertiser_id", "adgroup_id", "creatives")
        account = self._directory.account(params.text("advertiser_id"))
        group: AdGroup = existing(self._directory, account, "ad_group", params.text("adgroup_id"))
        return account, group, params.objects("creatives", most=MAX_CREATIVES)

    # One ad -----------------------------------------------------------------------------------------------------

    def _new(
        self, item: Params, account: Account, group: AdGroup, number: int
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """World fields and content of a new ad. Raises 40002 and 40053."""
        item.require("identity_type", "identity_id", "ad_format")
        shown = item.raw(AD_CONTENT)
        self._check(item, shown, account, group)
        name = checked_name(item, "ad_name") if item.given("ad_name") else f"{group.name} {number + 1}"
        fields = {"ad_group_id": group.id, "account_id": account.id, "campaign_id": group.campaign_id}
        return {**fields, "name": name, "status": initial_status(item)}, shown

    def _changed(
        self, item: Params, account: Account, group: AdGroup, *, patch: bool
    ) -> tuple[Ad, str, dict[str, Any]]:
        """The ad, its name and its content after the update."""
        item.require("ad_id")
        ad: Ad = existing(self._directory, account, "ad", item.text("ad_id"))
        if ad.ad_group_id != group.id:
            raise invalid(f"ad_id: Ad {ad.id} does not belong to ad group {group.id}.")
        given = item.raw(AD_CONTENT)
        if patch:
            before = content(self._directory, ad)
            said = {name: value for name, value in given.items() if value != before.get(name, _UNSAID.get(name))}
            stray = [name for name in said if name not in _PATCHABLE]
            if stray:
                raise invalid(f"{', '.join(stray)}: Not supported with patch_update.")
            given = before | said
        self._check(Params(given), given, account, group)
        name = checked_name(item, "ad_name") if item.given("ad_name") else ad.name
        return ad, name, given

    def _check(self, item: Params, shown: dict[str, Any], account: Account, group: AdGroup) -> None:
        item.choice("identity_type", _IDENTITIES)
        if item.text("identity_type") == "BC_AUTH_TT" and not item.given("identity_authorized_bc_id"):
            raise missing(["identity_authorized_bc_id"])
        kind = item.choice("ad_format", _FORMATS)
        images = item.names("image_ids") or []
        if kind == "SINGLE_VIDEO" and not (shown.get("video_id") or shown.get("tiktok_item_id")):
            raise missing(["video_id"])
        if kind in ("SINGLE_IMAGE", "CAROUSEL_ADS") and not (images or shown.get("tiktok_item_id")):
            raise missing(["image_ids"])
        if kind == "CAROUSEL_ADS" and len(images) > 35:
            raise invalid("image_ids: Length must be between 1 and 35.")
        placements = ad_group_row(self._directory, group)
        only_tiktok = placements["placements"] == ["PLACEMENT_TIKTOK"]
        if kind == "SINGLE_IMAGE" and placements["placement_type"] == "PLACEMENT_TYPE_NORMAL" and only_tiktok:
            raise invalid("ad_format: SINGLE_IMAGE is not supported on placement PLACEMENT_TIKTOK.")
        if item.given("ad_text") and width(item.text("ad_text")) > 100:
            raise invalid("ad_text: Longer than maximum length 100.")
        self._library.check(account, item.text("video_id"), images)

    def _make(
        self, fate: Fate, account: Account, group: AdGroup, fields: dict[str, Any], shown: dict[str, Any]
    ) -> dict[str, Any]:
        if fate.lost:
            phantom = create(self._directory, fate, "ad", {**fields, "creative_id": ""})
            status = "ENABLE" if fields["status"] == "ACTIVE" else "DISABLE"
            return {
                **dict.fromkeys(AD_CONTENT),
                **shown,
                "advertiser_id": account.id,
                "campaign_id": group.campaign_id,
                "adgroup_id": group.id,
                "ad_id": phantom.id,
                "ad_name": phantom.name,
                "operation_status": status,
                "secondary_status": "AD_STATUS_AUDIT",
            }
        creative = create(self._directory, fate, "creative", _creative(account, fields["name"], shown))
        return ad_row(self._directory, create(self._directory, fate, "ad", {**fields, "creative_id": creative.id}))

    def _rewrite(self, fate: Fate, ad: Ad, name: str, shown: dict[str, Any]) -> dict[str, Any]:
        before = content(self._directory, ad)
        changes: dict[str, Any] = {} if name == ad.name else {"name": name}
        if before != shown and not fate.lost:
            account = self._directory.account(ad.account_id)
            # New pictures are a new creative; new words only go through review again.
            if any(before.get(part) != shown.get(part) for part in _SHOWN) or fate.late is not None:
                made = create(self._directory, fate, "creative", _creative(account, name, shown))
                changes["creative_id"] = made.id
            else:
                fields = _creative(account, name, shown)
                del fields["account_id"]
                gone = {part: None for part in before if part not in shown}
                update(
                    self._directory, fate, "creative", self._directory.creative(ad), fields | {"native": gone | shown}
                )
            changes["native"] = {"reaudit_until": (self._directory.now + _REVIEW).isoformat()}
        changed = update(self._directory, fate, "ad", ad, changes)
        return ad_row(self._directory, changed) | ({} if before == shown else dict(shown))


def _creative(account: Account, name: str, shown: dict[str, Any]) -> dict[str, Any]:
    """World fields of what an ad shows."""
    images = shown.get("image_ids") or [""]
    return {
        "account_id": account.id,
        "name": name,
        "kind": "video" if shown.get("video_id") else "image",
        "title": str(shown.get("display_name") or ""),
        "body": str(shown.get("ad_text") or ""),
        "call_to_action": str(shown.get("call_to_action") or ""),
        "link_url": str(shown.get("landing_page_url") or ""),
        "image_hash": str(images[0]),
        "video_id": shown.get("video_id"),
        "native": dict(shown),
    }
