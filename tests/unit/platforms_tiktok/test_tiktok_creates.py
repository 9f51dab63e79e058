"""Creating so that a repeat makes no second entity: request ids, tags, lost answers; and uploading files."""

import asyncio
import hashlib
import json
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import MalformedError, RejectedError, UnknownOutcomeError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityDraft, Media, MediaKind
from stakazo_pipelines.vocabulary import EntityStatus, Level


def daily(amount, currency="EUR"):
    return Budget(Money(Decimal(amount), currency), BudgetPeriod.DAILY)


def draft(**more):
    given = {"objective": "WEB_CONVERSIONS", "budget": daily("80"), "tag": "t-1"} | more
    return EntityDraft(Level.CAMPAIGN, "7001", "7001", "Spring", **given)


class Store:
    """Campaigns, ad groups and ads behind the handler; `lose` answers take effect and are then cut."""

    def __init__(self, ok, page, *, lose=0, dedup=True, shows=True):
        self.ok, self.page = ok, page
        self.rows = {"campaign": [], "adgroup": [], "ad": []}
        self.lose, self.dedup, self.shows = lose, dedup, shows
        self.used = set()

    def __call__(self, request):
        kind = request.url.path.removeprefix("/open_api/v1.3/").split("/")[0]
        if request.method == "GET":
            return self.page(*(self.rows[kind] if self.shows else []))
        body = json.loads(request.content)
        if self.dedup and body.get("request_id") in self.used:
            return self.ok(code=40050, message="Duplicate request")
        if "request_id" in body:
            self.used.add(body["request_id"])
        number = str(900 + len(self.rows[kind]))
        name = body["creatives"][0]["ad_name"] if kind == "ad" else body[f"{kind}_name"]
        self.rows[kind].append({f"{kind}_id": number, f"{kind}_name": name})
        if self.lose:
            self.lose -= 1
            raise httpx.ReadTimeout("lost")
        return self.ok({"ad_ids": [number]} if kind == "ad" else {f"{kind}_id": number})


@pytest.fixture
def store(ok, page):
    return lambda **options: Store(ok, page, **options)


@pytest.fixture
def create(tiktok, account):
    async def each(platform, drafts):
        return [await platform.create(account, one) for one in drafts]

    return lambda server, *drafts: tiktok.run(server, lambda platform: each(platform, drafts))


def test_a_create_repeated_with_its_tag_makes_one_campaign(tiktok, create, store):
    assert create(store(), draft(), draft(), draft(tag="t-2")) == ["900", "900", "901"]
    first, second = tiktok.bodies("campaign/create/")
    number = first.pop("request_id")
    assert 0 <= int(number) < 2**63
    assert second["request_id"] != number
    assert first == {
        "advertiser_id": "7001",
        "campaign_name": "Spring [t-1]",
        "operation_status": "DISABLE",
        "objective_type": "WEB_CONVERSIONS",
        "budget_mode": "BUDGET_MODE_DAY",
        "budget": 80.0,
        "budget_optimize_on": True,
    }
    looked = json.loads(tiktok.requests[0].url.params["filtering"])
    assert looked == {"primary_status": "STATUS_NOT_DELETE", "campaign_name": "t-1"}


def test_a_campaign_without_a_budget_leaves_it_to_its_ad_groups(tiktok, create, store):
    create(store(), draft(budget=None, status=EntityStatus.ACTIVE))
    (body,) = tiktok.bodies("campaign/create/")
    assert (body["budget_mode"], body["budget_optimize_on"]) == ("BUDGET_MODE_INFINITE", False)
    assert "budget" not in body
    assert body["operation_status"] == "ENABLE"


@pytest.mark.parametrize("dedup", [True, False])
def test_a_create_whose_answer_is_lost_is_found_and_made_once(create, store, dedup):
    server = store(lose=1, dedup=dedup)
    if not dedup:  # an ad has no request id: it is only looked for
        one = EntityDraft(Level.AD, "7001", "21", "Film", "t-3", settings={"ad_format": "SINGLE_VIDEO"})
    else:
        one = draft()
    assert create(server, one) == ["900"]
    assert sum(len(rows) for rows in server.rows.values()) == 1


def test_an_ad_that_cannot_be_found_is_told_as_unknown_and_not_sent_again(tiktok, create, store):
    one = EntityDraft(Level.AD, "7001", "21", "Film", "t-3", settings={"ad_format": "SINGLE_VIDEO"})
    with pytest.raises(UnknownOutcomeError, match="same tag"):
        create(store(lose=9, shows=False), one)
    assert len(tiktok.bodies("ad/create/")) == 1


def test_a_used_request_id_is_looked_for_by_its_tag(create, store, account, tiktok):
    server = store()
    create(server, draft())
    server.shows = False
    with pytest.raises(UnknownOutcomeError, match="Duplicate request"):
        create(server, draft())
    server.shows = True
    assert create(server, draft()) == ["900"]
    assert len(server.rows["campaign"]) == 1


def test_two_creates_of_one_tag_at_once_make_one_entity(tiktok, account, store):
    async def both(platform):
        return await asyncio.gather(platform.create(account, draft()), platform.create(account, draft()))

    assert tiktok.run(store(), both) == ["900", "900"]


def test_children_name_their_parent_and_settings_win(tiktok, create, store):
    settings = {"optimization_goal": "CONVERT", "billing_event": "OCPM", "operation_status": "ENABLE"}
    child = EntityDraft(Level.AD_GROUP, "7001", "11", "Broad", "t-4", budget=daily("30"), settings=settings)
    create(store(), child)
    (body,) = tiktok.bodies("adgroup/create/")
    assert (body["campaign_id"], body["budget_mode"], body["budget"]) == ("11", "BUDGET_MODE_DAY", 30.0)
    assert (body["optimization_goal"], body["operation_status"]) == ("CONVERT", "ENABLE")
    assert json.loads(tiktok.requests[0].url.params["filtering"])["campaign_ids"] == ["11"]


def test_an_ad_takes_over_the_content_that_other_ads_show(tiktok, create, store, golden):
    server = store()
    server.rows["ad"] = golden("ads")["data"]["list"]
    one = EntityDraft(
        Level.AD, "7001", "21", "Film B", "t-5", creative_id="v10033g50000abc", settings={"ad_text": "Other words"}
    )
    create(server, one)
    (body,) = tiktok.bodies("ad/create/")
    assert body["adgroup_id"] == "21"
    (entry,) = body["creatives"]
    assert entry["ad_name"] == "Film B [t-5]"
    assert (entry["video_id"], entry["image_ids"], entry["identity_id"]) == ("v10033g50000abc", ["tos-cover-1"], "4001")
    assert (entry["ad_text"], entry["call_to_action"]) == ("Other words", "SHOP_NOW")
    assert "request_id" not in body


@pytest.mark.parametrize(
    ("creative_id", "settings", "content"),
    [
        ("v9", {"ad_format": "SINGLE_VIDEO"}, {"video_id": "v9"}),
        ("p1", {"ad_format": "SINGLE_IMAGE"}, {"image_ids": ["p1"]}),
        ("p1,p2", {}, {"image_ids": ["p1", "p2"]}),
    ],
)
def test_a_creative_that_no_ad_shows_yet_is_taken_by_its_id(tiktok, create, store, creative_id, settings, content):
    create(store(), EntityDraft(Level.AD, "7001", "21", "New", "t-6", creative_id=creative_id, settings=settings))
    (entry,) = tiktok.bodies("ad/create/")[0]["creatives"]
    assert content.items() <= entry.items()


def test_long_names_give_way_to_the_tag(tiktok, create, store):
    create(store(), EntityDraft(Level.AD_GROUP, "7001", "11", "n" * 600, "t-7"))
    name = tiktok.bodies("adgroup/create/")[0]["adgroup_name"]
    assert len(name) == 512
    assert name.endswith(" [t-7]")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (draft(tag=" "), "needs a tag"),
        (draft(status=EntityStatus.ARCHIVED), "active or paused"),
        (draft(budget=daily("80", "USD")), "account in EUR"),
        (EntityDraft(Level.AD, "7001", "21", "x", "t", budget=daily("5")), "not to ad"),
        (EntityDraft(Level.CREATIVE, "7001", "7001", "x", "t"), "not a level"),
    ],
)
def test_a_draft_that_tiktok_cannot_take_is_refused_without_a_call(tiktok, create, store, bad, reason):
    with pytest.raises(RejectedError, match=reason):
        create(store(), bad)
    assert tiktok.requests == []


def test_validating_only_is_refused_as_the_capabilities_say(tiktok, account, store):
    server = store()
    with pytest.raises(RejectedError, match="cannot validate"):
        tiktok.run(server, lambda platform: platform.create(account, draft(), validate_only=True))
    assert tiktok.requests == []


# Files ------------------------------------------------------------------------------------------------------------

PICTURE = Media(MediaKind.IMAGE, "spring sale.png", b"\x89PNG\r\n\x1a\n" + bytes(64))
FILM = Media(MediaKind.VIDEO, "a" * 200 + ".mp4", bytes(32))


def upload(tiktok, account, media, handler):
    return tiktok.run(handler, lambda platform: platform.upload(account, media))


def test_a_picture_goes_up_with_its_signature_under_a_name_of_its_own(tiktok, account, ok):
    assert upload(tiktok, account, PICTURE, lambda _: ok({"image_id": "ad-site/1"})) == "ad-site/1"
    content = tiktok.requests[0].content
    signature = hashlib.md5(PICTURE.content, usedforsecurity=False).hexdigest()
    assert tiktok.calls() == ["POST file/image/ad/upload/"]
    for part in (b"UPLOAD_BY_FILE", b'name="image_file"', f"spring sale-{signature}.png".encode(), PICTURE.content):
        assert part in content
    assert b'name="image_signature"\r\n\r\n' + signature.encode() in content


def test_a_film_is_answered_as_a_list_and_its_name_is_cut_to_a_hundred(tiktok, account, ok):
    assert upload(tiktok, account, FILM, lambda _: ok([{"video_id": "v1"}])) == "v1"
    assert b'name="video_signature"' in tiktok.requests[0].content
    name = tiktok.requests[0].content.split(b'name="file_name"\r\n\r\n')[1].split(b"\r\n")[0]
    assert len(name) == 100


def test_the_same_content_again_gives_the_same_id(tiktok, account, ok):
    signature = hashlib.md5(PICTURE.content, usedforsecurity=False).hexdigest()

    def handler(request):
        if request.method == "POST":
            return ok(code=40911, message="Duplicated material name")
        number = int(request.url.params["page"])
        rows = [{"image_id": str(number), "signature": signature if number == 2 else "x", "file_name": "y"}]
        return ok({"list": rows, "page_info": {"page": number, "total_page": 3, "total_number": 3, "page_size": 100}})

    assert upload(tiktok, account, PICTURE, handler) == "2"
    assert tiktok.calls() == ["POST file/image/ad/upload/", *["GET file/image/ad/search/"] * 2]


def test_a_taken_name_without_its_file_is_refused(tiktok, account, ok, page):
    handler = lambda request: page() if request.method == "GET" else ok(code=40911, message="Duplicated")  # noqa: E731
    with pytest.raises(RejectedError, match="Duplicated"):
        upload(tiktok, account, PICTURE, handler)


@pytest.mark.parametrize("data", [[{"video_id": "None"}], [], {}, [{"video_id": 7}]])
def test_an_upload_that_failed_silently_is_malformed(tiktok, account, ok, data):
    with pytest.raises(MalformedError, match="without an id"):
        upload(tiktok, account, FILM, lambda _: ok(data))
