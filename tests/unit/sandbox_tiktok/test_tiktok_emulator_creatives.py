"""Ads and the asset library: what an ad shows, what makes it new, uploads checked by signature and name."""

import hashlib
import struct
from typing import Any

import pytest

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(64)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(9)


def upload(api: Any, kind: str, content: bytes, name: str = "file.bin", **fields: Any) -> dict[str, Any]:
    digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
    data = {"advertiser_id": api.account().id, "upload_type": "UPLOAD_BY_FILE", f"{kind}_signature": digest} | fields
    files = {f"{kind}_file": (name, content)}
    body: dict[str, Any] = api.raw("POST", f"/file/{kind}/ad/upload/", data=data, files=files).json()
    return body


def update(api: Any, made: dict[str, str], **fields: Any) -> dict[str, Any]:
    patch = fields.pop("patch_update", True)
    creatives = [{"ad_id": made["ad"], **fields}]
    params = {"advertiser_id": made["advertiser"], "adgroup_id": made["adgroup"], "patch_update": patch}
    body: dict[str, Any] = api.post("/ad/update/", **params, creatives=creatives)
    return body


def test_an_image_is_one_object_and_a_video_a_list(api: Any) -> None:
    image = api.data(upload(api, "image", png(720, 1280), file_name="shelf.png"))
    assert (image["width"], image["height"], image["format"], image["file_name"]) == (720, 1280, "png", "shelf.png")
    [video] = api.data(upload(api, "video", MP4, "clip.mp4"))
    assert (video["format"], video["file_name"], video["size"]) == ("mp4", "clip.mp4", len(MP4))
    owner = api.account().id
    [found] = api.data(api.get("/file/image/ad/info/", advertiser_id=owner, image_ids=[image["image_id"], "none"]))[
        "list"
    ]
    assert found == image
    searched = api.data(api.get("/file/video/ad/search/", advertiser_id=owner, page_size=100))["list"]
    assert searched[0] == video
    assert api.video_id() in [row["video_id"] for row in searched]
    wanted = {"video_ids": [video["video_id"]]}
    assert api.data(api.get("/file/video/ad/search/", advertiser_id=owner, filtering=wanted))["list"] == [video]


@pytest.mark.parametrize(
    ("content", "fields", "code"),
    [(png(1, 1), {"image_signature": "0" * 32}, 40900), (b"GIF89a", {}, 40908), (b"", {}, 40906),
     (png(4000, 4000), {}, 40907), (png(1, 1), {"image_signature": ""}, 40002),
     (png(1, 1), {"file_name": "x" * 101}, 40002),
     (png(1, 1), {"upload_type": "UPLOAD_BY_FILE_ID", "file_id": "9"}, 40905),
     (png(1, 1), {"upload_type": "UPLOAD_BY_URL", "image_url": "ftp://x"}, 40903)],
)  # fmt: skip
def test_uploads_that_are_not_right_are_refused(api: Any, content: bytes, fields: dict[str, Any], code: int) -> None:
    assert upload(api, "image", content, **fields)["code"] == code


def test_a_name_is_used_once_for_each_advertiser(api: Any) -> None:
    api.data(upload(api, "image", png(1, 1), file_name="a.png"))
    assert upload(api, "image", png(2, 2), file_name="a.png")["code"] == 40911
    yen = {"advertiser_id": api.account("JPY").id}
    api.data(upload(api, "image", png(2, 2), file_name="a.png", **yen))
    files = [{"file_name": "a.png"}, {"file_name": "b.png"}]
    data = api.data(api.post("/file/name/check/", advertiser_id=api.account().id, files=files))
    assert [row["is_available"] for row in data["file_names"]] == [False, True]


def test_uploads_by_url_and_from_another_advertiser(api: Any) -> None:
    params = {"advertiser_id": api.account().id, "upload_type": "UPLOAD_BY_URL"}
    image = api.data(api.post("/file/image/ad/upload/", **params, image_url="https://shop.example/a.jpg"))
    assert image["file_name"] == "a.jpg"
    params = {"advertiser_id": api.account("JPY").id, "upload_type": "UPLOAD_BY_VIDEO_ID"}
    [copied] = api.data(api.post("/file/video/ad/upload/", **params, video_id=api.video_id()))
    assert copied["video_id"] == api.video_id()
    assert api.post("/file/video/ad/upload/", **params, video_id="none")["code"] == 40053


def test_uploads_outlive_the_server(make_api: Any, tmp_path: Any) -> None:
    api = make_api(state_file=tmp_path / "events.jsonl")
    image = api.data(upload(api, "image", png(3, 3), file_name="kept.png"))
    again = make_api(state_file=tmp_path / "events.jsonl")
    info = again.get("/file/image/ad/info/", advertiser_id=api.account().id, image_ids=[image["image_id"]])
    assert again.data(info)["list"] == [image]


def test_a_new_ad_shows_what_was_written_and_is_under_review(api: Any) -> None:
    made = api.tree(ad_name="", utm_params=[{"key": "a", "value": "b"}])
    row = api.one("ad", made["ad"])
    assert row["ad_name"] == "New ad group 1"
    assert (row["video_id"], row["utm_params"]) == (api.video_id(), [{"key": "a", "value": "b"}])
    assert row["secondary_status"] == "AD_STATUS_AUDIT"
    assert api.world.creatives[api.world.ads[made["ad"]].creative_id].kind == "video"


@pytest.mark.parametrize(
    ("fields", "code", "word"),
    [({"video_id": "v999"}, 40053, "v999"), ({"video_id": None}, 40002, "video_id"),
     ({"image_ids": ["none"]}, 40002, "none"), ({"identity_id": ""}, 40002, "identity_id"),
     ({"identity_type": "BC_AUTH_TT"}, 40002, "identity_authorized_bc_id"),
     ({"ad_text": "服" * 51}, 40002, "ad_text"), ({"ad_format": "POEM"}, 40002, "ad_format"),
     ({"ad_format": "SINGLE_IMAGE", "video_id": None}, 40002, "image_ids")],
)  # fmt: skip
def test_ads_that_tiktok_would_refuse(api: Any, fields: dict[str, Any], code: int, word: str) -> None:
    with pytest.raises(AssertionError) as info:
        api.tree(**fields)
    assert f"'code': {code}" in str(info.value)
    assert word in str(info.value)


def test_a_still_image_does_not_run_on_tiktok_alone(api: Any) -> None:
    made = api.tree()
    terms = {"placement_type": "PLACEMENT_TYPE_NORMAL", "placements": ["PLACEMENT_TIKTOK"]}
    group = {"adgroup_name": "G", "promotion_type": "WEBSITE", "optimization_goal": "CONVERT", "billing_event": "OCPM"}
    budget = {"budget_mode": "BUDGET_MODE_DAY", "budget": 50, "location_ids": ["6252001"]}
    owner = {"advertiser_id": made["advertiser"]}
    created = api.post("/adgroup/create/", **owner, campaign_id=made["campaign"], **group, **budget, **terms)
    adgroup = api.data(created)["adgroup_id"]
    image = api.data(upload(api, "image", png(1, 1)))["image_id"]
    still = {"identity_type": "CUSTOMIZED_USER", "identity_id": "1", "ad_format": "SINGLE_IMAGE", "image_ids": [image]}
    assert api.post("/ad/create/", **owner, adgroup_id=adgroup, creatives=[still])["code"] == 40002
    api.data(api.post("/ad/create/", **owner, adgroup_id=made["adgroup"], creatives=[still]))


def test_a_patch_changes_a_few_fields_and_leaves_the_rest(api: Any) -> None:
    made = api.tree()
    api.advance(advance_hours=24)
    shown = api.world.ads[made["ad"]].creative_id
    data = api.data(update(api, made, ad_text="Fresh words"))
    assert data["ad_ids"] == [made["ad"]]
    row = api.one("ad", made["ad"])
    assert (row["ad_text"], row["landing_page_url"]) == ("Fresh words", "https://shop.example/")
    assert (row["secondary_status"], api.world.ads[made["ad"]].creative_id) == ("AD_STATUS_REAUDIT", shown)
    body = update(api, made, landing_page_url="https://other.example/")
    assert (body["code"], "patch_update" in body["message"]) == (40002, True)


def test_a_changed_video_is_a_new_creative(api: Any) -> None:
    made = api.tree()
    shown = api.world.ads[made["ad"]].creative_id
    [video] = api.data(upload(api, "video", MP4, "new.mp4"))
    api.data(update(api, made, video_id=video["video_id"]))
    assert api.world.ads[made["ad"]].creative_id != shown
    assert api.one("ad", made["ad"])["video_id"] == video["video_id"]


def test_without_patch_an_ad_update_replaces(api: Any) -> None:
    made = api.tree()
    whole = {"identity_type": "TT_USER", "identity_id": "5", "ad_format": "SINGLE_VIDEO", "video_id": api.video_id()}
    api.data(update(api, made, patch_update=False, **whole))
    row = api.one("ad", made["ad"])
    assert (row["identity_type"], row["ad_text"], row["landing_page_url"]) == ("TT_USER", None, None)
    assert row["ad_name"] == "New ad"


def test_an_ad_group_holds_so_many_ads(api: Any) -> None:
    made = api.tree()
    one = {
        "identity_type": "CUSTOMIZED_USER",
        "identity_id": "1",
        "ad_format": "SINGLE_VIDEO",
        "video_id": api.video_id(),
    }
    owner = {"advertiser_id": made["advertiser"], "adgroup_id": made["adgroup"]}
    assert api.post("/ad/create/", **owner, creatives=[one] * 21)["code"] == 40002
    assert api.post("/ad/create/", **owner, creatives=[one] * 20)["code"] == 40502
    assert len(api.data(api.post("/ad/create/", **owner, creatives=[one] * 19))["ad_ids"]) == 19
