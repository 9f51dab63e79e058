"""What writes send, and what becomes of them when an answer is refused, lost or torn."""

import json
from decimal import Decimal
from urllib.parse import unquote

import httpx
import pytest

from stakazo_pipelines.errors import (
    MalformedError,
    NotFoundError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import (
    Budget,
    BudgetPeriod,
    EntityChange,
    EntityDraft,
    Media,
    MediaKind,
)
from stakazo_pipelines.vocabulary import EntityStatus, Level


def daily(amount, currency="EUR"):
    return Budget(Money(Decimal(amount), currency), BudgetPeriod.DAILY)


def body(request):
    return json.loads(request.content)


def settled(request, **others):
    """The answer of a batch: 204 for all but `others`, by key."""
    keys = [unquote(key) for key in body(request)["entities"]]
    good = {key: {"status": 204} for key in keys if key not in others}
    return httpx.Response(200, json={"results": good, "errors": others})


# Updates ------------------------------------------------------------------------------------------------------------


def test_changes_of_a_level_travel_together(linkedin, account):
    changes = [
        EntityChange(Level.AD_GROUP, "711", "500", budget=daily(60)),
        EntityChange(Level.AD, "811", "500", status=EntityStatus.PAUSED, name="Resting"),
        EntityChange(Level.AD_GROUP, "712", "500", status=EntityStatus.ARCHIVED),
        EntityChange(Level.CAMPAIGN, "611", "500", budget=Budget(Money(Decimal(900), "EUR"), BudgetPeriod.LIFETIME)),
    ]
    outcomes = linkedin.run(settled, lambda li: li.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None] * 4
    assert {request.headers["x-restli-method"] for request in linkedin.requests} == {"BATCH_PARTIAL_UPDATE"}
    sent = {request.url.raw_path.decode(): body(request)["entities"] for request in linkedin.requests}
    assert sent == {
        "/rest/adAccounts/500/adCampaigns?ids=List(711,712)": {
            "711": {"patch": {"$set": {"dailyBudget": {"amount": "60.00", "currencyCode": "EUR"}}}},
            "712": {"patch": {"$set": {"status": "ARCHIVED"}}},
        },
        "/rest/adAccounts/500/creatives?ids=List(urn%3Ali%3AsponsoredCreative%3A811)": {
            "urn%3Ali%3AsponsoredCreative%3A811": {"patch": {"$set": {"name": "Resting", "intendedStatus": "PAUSED"}}}
        },
        "/rest/adAccounts/500/adCampaignGroups?ids=List(611)": {
            "611": {"patch": {"$set": {"totalBudget": {"amount": "900.00", "currencyCode": "EUR"}}}}
        },
    }


def test_one_refused_change_leaves_the_others(linkedin, account, golden):
    changes = [EntityChange(Level.AD_GROUP, each, "500", budget=daily(3)) for each in ("711", "712")]
    low = {"711": {**golden("error_too_low"), "status": 400}}
    refused, fine = linkedin.run(lambda request: settled(request, **low), lambda li: li.update(account, changes))
    assert isinstance(refused.error, RejectedError)
    assert "ad_group 711" in refused.error.message
    assert "dailyBudget/amount" in refused.error.message
    assert fine.error is None


def test_what_cannot_be_written_is_told_without_sending_it(linkedin, account):
    changes = [
        EntityChange(Level.AD, "811", "500", budget=daily(3)),
        EntityChange(Level.AD_GROUP, "711", "500", budget=daily(3, "USD")),
        EntityChange(Level.AD_GROUP, "711", "500"),
        EntityChange(Level.CREATIVE, "9", "500", name="n"),
        EntityChange(Level.AD_GROUP, "../1", "500", name="n"),
    ]
    outcomes = linkedin.run(settled, lambda li: li.update(account, changes))
    kinds = [type(outcome.error) for outcome in outcomes]
    assert kinds == [RejectedError, RejectedError, RejectedError, RejectedError, NotFoundError]
    assert linkedin.requests == []


def test_a_conflict_is_read_back_and_sent_again_only_where_it_is_not_there(linkedin, account, golden):
    row = golden("campaigns")["elements"][0]
    conflicts = {each: {"status": 409, "code": "CONFLICT", "message": "conflict"} for each in ("711", "712")}
    posts = []

    def answer(request):
        if request.method == "POST":
            posts.append(sorted(body(request)["entities"]))
            return settled(request, **(conflicts if len(posts) == 1 else {}))
        amount = "60.00" if request.url.path.endswith("711") else "50.00"
        number = int(request.url.path.rpartition("/")[2])
        money = {"amount": amount, "currencyCode": "EUR"}
        return httpx.Response(200, json={**row, "id": number, "dailyBudget": money})

    changes = [EntityChange(Level.AD_GROUP, each, "500", budget=daily(60)) for each in ("711", "712")]
    outcomes = linkedin.run(answer, lambda li: li.update(account, changes))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert posts == [["711", "712"], ["712"]]


def test_a_conflict_that_lasts_may_be_tried_later(linkedin, account):
    def answer(request):
        return httpx.Response(409 if request.method == "POST" else 404, json={"code": "CONFLICT", "message": "c"})

    (outcome,) = linkedin.run(
        answer, lambda li: li.update(account, [EntityChange(Level.AD_GROUP, "711", "500", name="n")])
    )
    assert type(outcome.error) is TransientError
    assert sum(request.method == "POST" for request in linkedin.requests) == 4


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(500, json={"message": "m"}),
        httpx.Response(200, json={"results": {}, "errors": {}}),
        httpx.Response(200, json={"results": {"711": {"status": 503}}}),
        httpx.Response(200, json=[]),
        httpx.Response(200, content=b'{"results": {"711"', headers={"content-type": "application/json"}),
    ],
    ids=["server error", "not in the answer", "item's server error", "no object", "torn"],
)
def test_a_change_whose_fate_is_unknown_is_sent_once(linkedin, account, answer):
    (outcome,) = linkedin.run(
        lambda _: answer, lambda li: li.update(account, [EntityChange(Level.AD_GROUP, "711", "500", name="n")])
    )
    assert isinstance(outcome.error, UnknownOutcomeError)
    assert len(linkedin.requests) == 1


def test_more_changes_than_fit_go_in_several_requests_and_those_of_one_entity_in_order(linkedin, account):
    changes = [EntityChange(Level.AD, str(1_000_000_000 + i), "500", name="n") for i in range(70)]
    changes.append(EntityChange(Level.AD, "1000000000", "500", name="later"))
    outcomes = linkedin.run(settled, lambda li: li.update(account, changes))
    assert all(outcome.error is None for outcome in outcomes)
    sizes = [len(body(request)["entities"]) for request in linkedin.requests]
    assert sizes == [50, 21]
    assert all(len(str(request.url)) < 4000 for request in linkedin.requests)
    first, second = (body(request)["entities"] for request in linkedin.requests)
    key = "urn%3Ali%3AsponsoredCreative%3A1000000000"
    assert first[key]["patch"]["$set"] == {"name": "n"}
    assert second[key]["patch"]["$set"] == {"name": "later"}


def test_a_daily_limit_within_a_batch_is_told_with_its_wait(linkedin, account):
    limit = {"711": {"status": 429, "serviceErrorCode": 101, "message": "DAY limit"}}
    (outcome,) = linkedin.run(
        lambda request: settled(request, **limit),
        lambda li: li.update(account, [EntityChange(Level.AD_GROUP, "711", "500", name="n")]),
    )
    assert isinstance(outcome.error, ThrottledError)
    assert outcome.error.retry_after == 3600


# Creates ------------------------------------------------------------------------------------------------------------


def draft(level=Level.AD_GROUP, parent="612", **more):
    given = {"name": "Launch", "tag": "run-7"} | more
    return EntityDraft(level=level, account_id="500", parent_id=parent, **given)


def created(number):
    return httpx.Response(201, headers={"x-restli-id": number})


def test_a_create_looks_for_its_tag_then_sends_once(linkedin, listed, account):
    wanted = draft(objective="WEBSITE_VISIT", budget=daily(50), settings={"type": "SPONSORED_UPDATES"})
    made = linkedin.run(
        lambda request: listed([]) if request.method == "GET" else created("720"),
        lambda li: li.create(account, wanted),
    )
    assert made == "720"
    look, send = linkedin.requests
    assert "campaignGroup:(values:List(urn%3Ali%3AsponsoredCampaignGroup%3A612))" in look.url.query.decode()
    assert body(send) == {
        "account": "urn:li:sponsoredAccount:500",
        "campaignGroup": "urn:li:sponsoredCampaignGroup:612",
        "name": "Launch [run-7]",
        "status": "PAUSED",
        "objectiveType": "WEBSITE_VISIT",
        "dailyBudget": {"amount": "50.00", "currencyCode": "EUR"},
        "type": "SPONSORED_UPDATES",
    }


def test_a_repeated_create_finds_what_was_made(linkedin, listed, account):
    rows = [{"id": 719, "name": "Launch [run-70]"}, {"id": 720, "name": "Renamed [run-7]"}]
    assert linkedin.run(lambda _: listed(rows), lambda li: li.create(account, draft())) == "720"
    assert len(linkedin.requests) == 1


@pytest.mark.parametrize("lost", [httpx.Response(500), httpx.Response(201), httpx.Response(504, json={"message": "m"})])
def test_a_create_whose_answer_is_lost_is_looked_for_not_repeated(linkedin, listed, account, lost):
    looks = iter([listed([]), listed([]), listed([{"id": 720, "name": "Launch [run-7]"}])])
    made = linkedin.run(
        lambda request: next(looks) if request.method == "GET" else lost, lambda li: li.create(account, draft())
    )
    assert made == "720"
    assert sum(request.method == "POST" for request in linkedin.requests) == 1


def test_a_create_that_is_nowhere_to_be_found_has_an_unknown_outcome(linkedin, listed, account):
    with pytest.raises(UnknownOutcomeError, match="run-7"):
        linkedin.run(
            lambda request: listed([]) if request.method == "GET" else httpx.Response(500),
            lambda li: li.create(account, draft()),
        )
    assert sum(request.method == "POST" for request in linkedin.requests) == 1


def test_a_create_that_met_another_writer_is_sent_again(linkedin, listed, account):
    answers = iter([httpx.Response(409, json={"code": "CONFLICT"}), created("720")])
    made = linkedin.run(
        lambda request: listed([]) if request.method == "GET" else next(answers), lambda li: li.create(account, draft())
    )
    assert made == "720"


def test_a_group_with_a_daily_budget_spreads_it_and_keeps_its_name_short(linkedin, listed, account):
    wanted = draft(Level.CAMPAIGN, "500", name="n" * 120, budget=daily(80), settings={"runSchedule": {"start": 1}})
    linkedin.run(
        lambda request: listed([]) if request.method == "GET" else created("1"), lambda li: li.create(account, wanted)
    )
    sent = body(linkedin.requests[-1])
    assert sent["name"] == "n" * 92 + " [run-7]"
    assert sent["budgetOptimization"] == {
        "budgetOptimizationStrategy": "DYNAMIC",
        "bidStrategy": "MAXIMUM_DELIVERY",
    }
    assert sent["runSchedule"] == {"start": 1}


def test_an_ad_refers_to_its_post_by_the_urn_that_linkedin_knows(linkedin, listed, account):
    def answer(request):
        text = request.url.raw_path.decode()
        if request.method == "POST":
            return created("urn:li:sponsoredCreative:820")
        if "contentReferences" in text:
            return listed([{"content": {"reference": "urn:li:ugcPost:77"}}])
        assert "campaigns=List(urn%3Ali%3AsponsoredCampaign%3A711)" in text
        return listed([])

    wanted = draft(Level.AD, "711", creative_id="77")
    assert linkedin.run(answer, lambda li: li.create(account, wanted)) == "820"
    assert body(linkedin.requests[-1]) == {
        "campaign": "urn:li:sponsoredCampaign:711",
        "name": "Launch [run-7]",
        "intendedStatus": "PAUSED",
        "content": {"reference": "urn:li:ugcPost:77"},
    }


def test_a_creative_is_a_post_that_only_ads_show(linkedin, account):
    shown = {"author": "urn:li:organization:24", "commentary": "Hello"}
    posts = [{"id": "urn:li:share:1", "adContext": {"dscName": "Other [run-8]"}}, {"id": "urn:li:share:2"}, "odd"]
    made = linkedin.run(
        lambda request: (
            httpx.Response(200, json={"elements": posts})
            if request.method == "GET"
            else created("urn:li:share:6912345678901234567")
        ),
        lambda li: li.create(account, draft(Level.CREATIVE, "500", settings=shown)),
    )
    assert made == "6912345678901234567"
    look, send = linkedin.requests
    assert look.url.query.decode() == (
        "q=dscAdAccount&dscAdAccount=urn%3Ali%3AsponsoredAccount%3A500&start=0&count=100"
    )
    assert body(send) == {
        "author": "urn:li:organization:24",
        "commentary": "Hello",
        "visibility": "PUBLIC",
        "distribution": {"feedDistribution": "NONE"},
        "lifecycleState": "PUBLISHED",
        "adContext": {
            "dscAdAccount": "urn:li:sponsoredAccount:500",
            "dscName": "Launch [run-7]",
            "dscStatus": "ACTIVE",
        },
    }


def test_posts_are_looked_through_page_by_page(linkedin, account):
    def answer(request):
        start = int(request.url.params["start"])
        rows = [
            {"id": f"urn:li:share:{i}", "adContext": {"dscName": f"p{i} [t{i}]"}}
            for i in range(start, min(start + 100, 250))
        ]
        return httpx.Response(200, json={"elements": rows})

    wanted = draft(Level.CREATIVE, "500", tag="t249", settings={"author": "urn:li:organization:24"})
    assert linkedin.run(answer, lambda li: li.create(account, wanted)) == "249"
    assert len(linkedin.requests) == 3


@pytest.mark.parametrize(
    "bad",
    [
        draft(tag=" "),
        draft(status=EntityStatus.ARCHIVED),
        draft(parent=""),
        draft(Level.AD, "711", budget=daily(3)),
        draft(Level.CREATIVE, "500"),
        draft(Level.ACCOUNT),
    ],
)
def test_a_draft_that_linkedin_would_not_take_is_refused(linkedin, account, bad):
    with pytest.raises(RejectedError):
        linkedin.run(lambda _: created("1"), lambda li: li.create(account, bad))
    assert linkedin.requests == []


def test_nothing_is_validated_without_making_it(linkedin, account):
    with pytest.raises(RejectedError, match="validates"):
        linkedin.run(lambda _: created("1"), lambda li: li.create(account, draft(), validate_only=True))
    assert linkedin.requests == []


# Deletes ------------------------------------------------------------------------------------------------------------


def test_a_draft_is_deleted(linkedin, account, golden):
    row = golden("groups")["elements"][1]
    linkedin.run(
        lambda request: httpx.Response(200, json=row) if request.method == "GET" else httpx.Response(204),
        lambda li: li.delete(account, Level.CAMPAIGN, "612"),
    )
    assert linkedin.calls()[-1] == "DELETE /rest/adAccounts/500/adCampaignGroups/612"


@pytest.mark.parametrize("started_meanwhile", [False, True])
def test_anything_else_is_marked_for_deletion(linkedin, account, golden, started_meanwhile):
    row = {**golden("creatives")["elements"][0], "intendedStatus": "DRAFT" if started_meanwhile else "ACTIVE"}

    def answer(request):
        if request.method == "GET":
            return httpx.Response(200, json=row)
        if request.method == "DELETE":
            return httpx.Response(400, json={"code": "DELETE_ALLOWED_ONLY_FOR_DRAFT_STATUS", "message": "m"})
        return httpx.Response(204)

    linkedin.run(answer, lambda li: li.delete(account, Level.AD, "811"))
    last = linkedin.requests[-1]
    assert last.headers["x-restli-method"] == "PARTIAL_UPDATE"
    assert body(last) == {"patch": {"$set": {"intendedStatus": "PENDING_DELETION"}}}
    assert any(request.method == "DELETE" for request in linkedin.requests) is started_meanwhile


def test_deleting_the_deleted_is_no_error(linkedin, account, golden):
    row = {**golden("campaigns")["elements"][0], "status": "PENDING_DELETION"}
    linkedin.run(lambda _: httpx.Response(200, json=row), lambda li: li.delete(account, Level.AD_GROUP, "711"))
    gone = httpx.Response(404, json={"message": "gone", "status": 404})
    linkedin.run(lambda _: gone, lambda li: li.delete(account, Level.AD_GROUP, "711"))
    assert [request.method for request in linkedin.requests] == ["GET", "GET"]


# Uploads ------------------------------------------------------------------------------------------------------------


def uploads(request):
    path, action = request.url.path, request.url.params.get("action")
    if request.method == "GET":
        return httpx.Response(200, json={"id": 500, "reference": "urn:li:organization:24"})
    if request.method == "PUT":
        return httpx.Response(201, headers={"etag": f'"part-{request.url.params.get("part", "")}"'})
    if action == "finalizeUpload":
        return httpx.Response(200)
    if path.endswith("images"):
        value = {"uploadUrl": "https://www.linkedin.com/dms-uploads/a", "image": "urn:li:image:C4E10"}
        return httpx.Response(200, json={"value": value})
    parts = [
        {"uploadUrl": f"https://www.linkedin.com/dms-uploads/v?part={i}", "firstByte": i * 4, "lastByte": i * 4 + 3}
        for i in range(3)
    ]
    value = {"video": "urn:li:video:V1", "uploadInstructions": parts, "uploadToken": ""}
    return httpx.Response(200, json={"value": value})


def test_a_picture_is_put_where_linkedin_says_and_only_once(linkedin, account):
    picture = Media(MediaKind.IMAGE, "a.png", b"\x89PNG")

    async def twice(li):
        return await li.upload(account, picture), await li.upload(account, picture)

    assert linkedin.run(uploads, twice) == ("urn:li:image:C4E10",) * 2
    owner, begin, put = linkedin.requests
    assert owner.url.path == "/rest/adAccounts/500"
    assert body(begin) == {"initializeUploadRequest": {"owner": "urn:li:organization:24"}}
    assert (str(put.url), put.content) == ("https://www.linkedin.com/dms-uploads/a", b"\x89PNG")


def test_a_film_goes_in_parts_and_is_finished(linkedin, account):
    film = Media(MediaKind.VIDEO, "a.mp4", b"0123456789")
    assert linkedin.run(uploads, lambda li: li.upload(account, film)) == "urn:li:video:V1"
    assert [request.content for request in linkedin.requests if request.method == "PUT"] == [b"0123", b"4567", b"89"]
    assert body(linkedin.requests[-1]) == {
        "finalizeUploadRequest": {
            "video": "urn:li:video:V1",
            "uploadToken": "",
            "uploadedPartIds": ["part-0", "part-1", "part-2"],
        }
    }


@pytest.mark.parametrize(
    "address",
    ["https://evil.example/x", "https://linkedin.com.evil.example/x", "http://www.linkedin.com/x", "http://[x"],
)
def test_the_token_goes_to_no_other_host(linkedin, account, address):
    def answer(request):
        if request.method == "GET":
            return uploads(request)
        return httpx.Response(200, json={"value": {"uploadUrl": address, "image": "urn:li:image:1"}})

    with pytest.raises(MalformedError, match="host"):
        linkedin.run(answer, lambda li: li.upload(account, Media(MediaKind.IMAGE, "a.png", b"x")))
    assert all(request.url.host == "api.example" for request in linkedin.requests)
