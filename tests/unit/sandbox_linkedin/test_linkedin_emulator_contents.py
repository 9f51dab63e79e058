"""Images, videos and posts: from the upload's address to the creative's reference."""

from pathlib import Path
from typing import Any

import pytest

PART = 4 * 1024 * 1024


def started(api: Any, kind: str, **more: Any) -> dict[str, Any]:
    owner = f"urn:li:organization:{api.account}"
    asked = {"initializeUploadRequest": {"owner": owner, **more}}
    response = api.call("POST", kind, "action=initializeUpload", "ACTION", json=asked)
    assert response.status_code == 200, response.text
    value: dict[str, Any] = response.json()["value"]
    return value


def image(api: Any) -> str:
    value = started(api, "images")
    assert api.request("PUT", value["uploadUrl"], content=b"pixels").status_code == 201
    return str(value["image"])


def video(api: Any, content: bytes) -> tuple[str, Any]:
    """The video's URN and the answer to finalizeUpload."""
    value = started(api, "videos", fileSizeBytes=len(content), uploadCaptions=False, uploadThumbnail=False)
    tags = []
    for part in value["uploadInstructions"]:
        put = api.request("PUT", part["uploadUrl"], content=content[part["firstByte"] : part["lastByte"] + 1])
        tags.append(put.headers["etag"])
    asked = {"video": value["video"], "uploadToken": value["uploadToken"], "uploadedPartIds": tags}
    finish = {"finalizeUploadRequest": asked}
    return value["video"], api.call("POST", "videos", "action=finalizeUpload", "ACTION", json=finish)


def test_an_image_is_available_once_its_bytes_arrived(api: Any) -> None:
    value = started(api, "images")
    path = f"images/{value['image'].replace(':', '%3A')}"
    assert api.get(path).json()["status"] == "WAITING_UPLOAD"
    for _ in range(2):
        assert api.request("PUT", value["uploadUrl"], content=b"pixels").status_code == 201
    assert api.get(path).json()["status"] == "AVAILABLE"


def test_a_video_comes_in_parts_and_is_finalized(api: Any) -> None:
    urn, answer = video(api, b"x" * (PART + 10))
    assert answer.status_code == 200
    assert api.get(f"videos/{urn.replace(':', '%3A')}").json()["status"] == "AVAILABLE"


def test_a_video_with_missing_parts_is_not_finalized(api: Any) -> None:
    value = started(api, "videos", fileSizeBytes=PART + 10)
    asked = {"finalizeUploadRequest": {"video": value["video"], "uploadToken": "", "uploadedPartIds": []}}
    assert api.call("POST", "videos", "action=finalizeUpload", "ACTION", json=asked).status_code == 400


@pytest.mark.parametrize(("kind", "status"), [("async_failed", "PROCESSING_FAILED"), ("async_stuck", "PROCESSING")])
def test_a_video_may_never_become_available(api: Any, kind: str, status: str) -> None:
    api.fault(kind)
    urn, _ = video(api, b"film")
    assert api.get(f"videos/{urn.replace(':', '%3A')}").json()["status"] == status


def test_nobody_uploads_for_a_stranger(api: Any) -> None:
    asked = {"initializeUploadRequest": {"owner": "urn:li:organization:5"}}
    assert api.call("POST", "images", "action=initializeUpload", "ACTION", json=asked).status_code == 403


def test_an_address_that_was_never_given_takes_nothing(api: Any) -> None:
    assert api.request("PUT", "/dms-uploads/image/D4/0", content=b"x").status_code == 404


def test_assets_are_read_by_their_ids(api: Any) -> None:
    known, gone = image(api).replace(":", "%3A"), "urn%3Ali%3Aimage%3AD4"
    for ids in (f"List({known},{gone})", known):
        assert list(api.get("images", f"ids={ids}").json()["results"]) == [known.replace("%3A", ":")]
    assert api.get("images", "", "BATCH_GET").status_code == 400


def test_a_dark_post_reads_as_it_was_written(api: Any) -> None:
    body = api.post_body(content={"media": {"id": image(api), "title": "Look"}})
    post = api.made("posts", body)
    assert post.startswith("urn:li:share:")
    row = api.get(f"posts/{post.replace(':', '%3A')}").json()
    assert row["id"] == post
    assert (row["commentary"], row["content"]) == (body["commentary"], body["content"])
    made = api.world.creatives[post.rsplit(":", 1)[-1]]
    assert (made.name, made.kind, made.title, made.account_id) == ("New post", "image", "Look", api.account)


def test_a_video_post_is_a_ugc_post(api: Any) -> None:
    urn, _ = video(api, b"film")
    post = api.made("posts", api.post_body(content={"media": {"id": urn, "title": "Watch"}}))
    assert post.startswith("urn:li:ugcPost:")
    account = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    rows = api.get("posts", f"q=dscAdAccount&dscAdAccount={account}&dscAdTypes=List(VIDEO)&count=1000").json()[
        "elements"
    ]
    assert post in {row["id"] for row in rows}
    assert {row["id"].split(":")[2] for row in rows} == {"ugcPost"}


def test_the_posts_of_an_account_are_paged_by_links(api: Any) -> None:
    account = f"urn%3Ali%3AsponsoredAccount%3A{api.account}"
    response = api.get("posts", f"q=dscAdAccount&dscAdAccount={account}&dscAdTypes=List(STANDARD,VIDEO)&count=4").json()
    ids = [row["id"] for row in response["elements"]]
    while links := response["paging"]["links"]:
        response = api.request("GET", links[0]["href"], headers=api.headers).json()
        ids += [row["id"] for row in response["elements"]]
    assert len(ids) == len(set(ids)) == response["paging"]["total"]


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"content": {"media": {"id": "urn:li:image:none"}}}, 400),
        ({"author": "urn:li:organization:5"}, 403),
        ({"adContext": {"dscAdAccount": "urn:li:sponsoredAccount:5"}}, 403),
        ({"lifecycleState": "GONE"}, 400),
        ({"visibility": None}, 400),
        ({"commentary": "x" * 3001}, 400),
        ({"id": "urn:li:share:1"}, 422),
    ],
)
def test_a_wrong_post_is_refused(api: Any, changes: dict[str, Any], status: int) -> None:
    assert api.create("posts", api.post_body() | changes).status_code == status


def test_bootstrapped_creatives_show_posts_that_can_be_read(api: Any) -> None:
    rows = api.get(api.below("creatives"), "q=criteria", "FINDER").json()["elements"]
    references = [row["content"]["reference"] for row in rows]
    assert all(api.get(f"posts/{urn.replace(':', '%3A')}").json()["id"] == urn for urn in references)


def test_uploads_are_there_after_a_restart(make_api: Any, tmp_path: Path) -> None:
    state = tmp_path / "events.jsonl"
    api = make_api(state_file=state)
    kept = image(api)
    api.kernel.close()
    again = make_api(state_file=state)
    again.made("posts", again.post_body(content={"media": {"id": kept, "title": "Look"}}))
    assert image(again) != kept


def test_an_upload_begun_before_a_restart_ends_after_it(make_api: Any, tmp_path: Path) -> None:
    state = tmp_path / "events.jsonl"
    api = make_api(state_file=state)
    begun, kept = started(api, "videos", fileSizeBytes=PART + 10), image(api)
    first, second = begun["uploadInstructions"]
    tags = [api.request("PUT", first["uploadUrl"], content=b"x" * PART).headers["etag"]]
    api.kernel.close()
    again = make_api(state_file=state)
    assert image(again) not in (kept, begun["video"])
    tags.append(again.request("PUT", second["uploadUrl"], content=b"x" * 10).headers["etag"])
    finish = {"finalizeUploadRequest": {"video": begun["video"], "uploadToken": "", "uploadedPartIds": tags}}
    assert again.call("POST", "videos", "action=finalizeUpload", "ACTION", json=finish).status_code == 200
    again.made("posts", again.post_body(content={"media": {"id": kept, "title": "Look"}}))
