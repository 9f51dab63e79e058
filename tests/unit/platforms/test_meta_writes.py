"""Writing: batches, null entries, lost answers, creates that are safe to repeat."""

import asyncio
import json
from decimal import Decimal
from urllib.parse import parse_qsl

import httpx
import pytest

from stakazo_pipelines.errors import (
    AuthError,
    ConfigError,
    RejectedError,
    ThrottledError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange, EntityDraft
from stakazo_pipelines.platforms.registry import open_platform
from stakazo_pipelines.vocabulary import EntityStatus, Level

OK = {"code": 200, "headers": [], "body": '{"success":true}'}


def answer(body, status=200):
    return httpx.Response(status, json=body)


def daily(amount, currency="EUR"):
    return Budget(Money(Decimal(amount), currency), BudgetPeriod.DAILY)


def group(entity="21", campaign="11", **change):
    change = change or {"budget": daily("25.50")}
    return EntityChange(Level.AD_GROUP, entity, "101", parent_id=campaign, **change)


def failed(code, subcode=None, **more):
    error = {"message": "no", "code": code, **({"error_subcode": subcode} if subcode else {})}
    return {"code": 400, "headers": [], "body": json.dumps({"error": error}), **more}


def items(request):
    return json.loads(dict(parse_qsl(request.content.decode()))["batch"])


def update(meta, account, handler, *changes):
    return [outcome.error for outcome in meta.run(handler, lambda platform: platform.update(account, changes))]


def in_turn(*batches):
    """Answers batches in turn; reads show nothing done."""
    left = list(batches)

    def handler(request):
        if request.method == "GET":
            return answer({"id": "21", "campaign_id": "11", "status": "ACTIVE", "daily_budget": "100"})
        return left.pop(0) if isinstance(left[0], httpx.Response) else answer(left.pop(0))

    return handler


def test_a_budget_goes_out_in_minor_units(meta, account):
    assert update(meta, account, in_turn([OK]), group()) == [None]
    assert items(meta.requests[0]) == [{"method": "POST", "relative_url": "21", "body": "daily_budget=2550"}]
    assert str(meta.requests[0].url) == "https://graph.example/v26.0/"


def test_names_statuses_and_settings_go_along(meta, account):
    settings = {"bid_amount": 120, "targeting": {"age_min": 18}}
    change = group(name="Größe & Co", status=EntityStatus.PAUSED, settings=settings)
    update(meta, account, in_turn([OK]), change)
    assert dict(parse_qsl(items(meta.requests[0])[0]["body"])) == {
        "bid_amount": "120",
        "targeting": '{"age_min":18}',
        "name": "Größe & Co",
        "status": "PAUSED",
    }


def test_ad_sets_of_one_campaign_go_in_batches_of_their_own(meta, account):
    changes = [group("21", "11"), group("22", "11"), group("23", "12")]
    assert update(meta, account, in_turn([OK, OK], [OK]), *changes) == [None] * 3
    sent = [[item["relative_url"] for item in items(request)] for request in meta.requests]
    assert sent == [["21", "23"], ["22"]]


def test_unknown_campaigns_are_looked_up_once(meta, account):
    rows = [{"id": "21", "campaign_id": "11"}, {"id": "22", "campaign_id": "12"}]

    def handler(request):
        return answer({"data": rows}) if request.method == "GET" else answer([OK] * len(items(request)))

    assert update(meta, account, handler, group("21", ""), group("22", "")) == [None, None]
    assert meta.calls() == ["GET /v26.0/act_101/adsets", "POST /v26.0/"]


def test_fifty_changes_are_one_request(meta, account):
    changes = [EntityChange(Level.AD, str(n), "101", status=EntityStatus.PAUSED) for n in range(120)]
    assert update(meta, account, lambda request: answer([OK] * len(items(request))), *changes) == [None] * 120
    assert [len(items(request)) for request in meta.requests] == [50, 50, 20]


def test_each_change_has_an_outcome_of_its_own_in_the_order_given(meta, account):
    changes = [
        group("21", "11"),
        group("22", "12", budget=daily("1", "USD")),
        group("23", "13"),
        group("24", "14", name="x"),
    ]
    errors = update(meta, account, in_turn([OK, failed(100, 1885272), failed(190, 463)]), *changes)
    assert [type(error) for error in errors] == [type(None), RejectedError, RejectedError, AuthError]
    assert "account in EUR" in errors[1].message
    assert "ad_group 23" in errors[2].message


def test_a_change_that_changes_nothing_or_puts_a_budget_on_an_ad_is_refused(meta, account):
    changes = [EntityChange(Level.AD, "1", "101"), EntityChange(Level.AD, "1", "101", budget=daily("5"))]
    assert all(isinstance(error, RejectedError) for error in update(meta, account, in_turn(), *changes))
    assert meta.requests == []


def test_entries_that_were_not_executed_are_read_back_and_only_they_are_sent_again(meta, account):
    changes = [group("21", "11"), group("22", "12")]
    assert update(meta, account, in_turn([OK, None], [OK]), *changes) == [None, None]
    assert meta.calls() == ["POST /v26.0/", "GET /v26.0/22", "POST /v26.0/"]
    assert [item["relative_url"] for item in items(meta.requests[2])] == ["22"]


def test_an_entry_that_did_take_effect_is_not_sent_again(meta, account):
    def handler(request):
        if request.method == "GET":
            return answer({"id": "21", "campaign_id": "11", "status": "ACTIVE", "daily_budget": "2550"})
        return answer([None])

    assert update(meta, account, handler, group()) == [None]
    assert meta.calls() == ["POST /v26.0/", "GET /v26.0/21"]


def test_an_entry_that_is_never_executed_is_given_up(meta, account):
    (error,) = update(meta, account, in_turn(*[[None]] * 9), group())
    assert type(error) is TransientError
    assert "again later" in error.message


def test_a_throttled_entry_waits_for_the_server_and_is_sent_again(meta, account):
    header = {"name": "X-Ad-Account-Usage", "value": '{"acc_id_util_pct": 100, "reset_time_duration": 45}'}
    throttled = failed(17, 2446079, headers=[header])
    assert update(meta, account, in_turn([throttled], [OK]), group()) == [None]
    assert meta.clock.slept == [45.0]


def test_the_hourly_limit_of_budget_changes_is_told_not_waited_out(meta, account):
    (error,) = update(meta, account, in_turn([failed(613, 1487632)]), group())
    assert isinstance(error, ThrottledError)
    assert error.retry_after == 3600.0
    assert meta.clock.slept == []


def test_a_limit_that_lasts_too_long_does_not_hold_up_the_others(meta, account):
    changes = [group("21", "11"), group("22", "12")]
    errors = update(meta, account, in_turn([failed(613, 1487632), None], [OK]), *changes)
    assert isinstance(errors[0], ThrottledError)
    assert errors[1] is None
    assert sum(meta.clock.slept) < 10


@pytest.mark.parametrize("lost", [httpx.Response(200, text='[{"code":200,'), httpx.Response(502, text=""), answer([])])
def test_a_batch_whose_answer_is_lost_is_not_sent_again(meta, account, lost):
    errors = update(meta, account, in_turn(lost), group("21", "11"), group("22", "12"))
    assert [type(error) for error in errors] == [UnknownOutcomeError] * 2
    assert meta.calls() == ["POST /v26.0/"]


def test_an_entry_that_failed_halfway_has_an_unknown_outcome(meta, account):
    torn = {"code": 200, "headers": [], "body": '{"succ'}
    errors = update(meta, account, in_turn([torn, failed(2)]), group("21", "11"), group("22", "12"))
    assert [type(error) for error in errors] == [UnknownOutcomeError] * 2


def test_an_expired_token_fails_the_rest_but_keeps_what_was_done(meta, account, golden):
    expired = answer(golden("error_expired"), 400)
    errors = update(meta, account, in_turn([OK], expired), group("21", "11"), group("22", "11"))
    assert [type(error) for error in errors] == [type(None), AuthError]


class Store:
    """Campaigns behind the handler; `lose` takes effect and then cuts the answer."""

    def __init__(self, *, lose=0, filters=True):
        self.rows = []
        self.lose = lose
        self.filters = filters

    def __call__(self, request):
        if request.method == "GET":
            if "filtering" in request.url.params and not self.filters:
                return answer({"error": {"message": "cannot filter", "code": 100}}, 400)
            return answer({"data": self.rows})
        form = dict(parse_qsl(request.content.decode(), keep_blank_values=True))
        if "execution_options" in form:
            return answer({"success": True})
        self.rows.append({"id": str(900 + len(self.rows)), "name": form["name"]})
        if self.lose:
            self.lose -= 1
            raise httpx.ReadTimeout("lost")
        return answer({"id": self.rows[-1]["id"]})


def draft(**more):
    given = {"objective": "OUTCOME_SALES", "budget": daily("50"), "tag": "t-1"} | more
    return EntityDraft(Level.CAMPAIGN, "101", "101", "Spring", **given)


def create(meta, account, store, *drafts, **options):
    async def each(platform):
        return [await platform.create(account, one, **options) for one in drafts]

    return meta.run(store, each)


def test_a_create_repeated_with_its_tag_makes_one_entity(meta, account, read_form):
    store = Store()
    assert create(meta, account, store, draft(), draft(), draft(tag="t-2")) == [
        "900",
        "900",
        "901",
    ]
    sent = read_form(next(request for request in meta.requests if request.method == "POST"))
    assert sent == {
        "name": "Spring [t-1]",
        "status": "PAUSED",
        "daily_budget": "5000",
        "objective": "OUTCOME_SALES",
        "special_ad_categories": "[]",
    }


def test_a_tag_that_only_begins_alike_is_another_one(meta, account):
    store = Store()
    store.rows.append({"id": "1", "name": "Spring [t-11]"})
    assert create(meta, account, store, draft()) == ["901"]


def test_a_create_whose_answer_is_lost_is_found_not_repeated(meta, account):
    store = Store(lose=1)
    assert create(meta, account, store, draft()) == ["900"]
    assert len(store.rows) == 1


def test_a_create_that_cannot_be_found_is_told_as_unknown(meta, account):
    def handler(request):
        return answer({"data": []}) if request.method == "GET" else httpx.Response(200, text="{")

    with pytest.raises(UnknownOutcomeError, match="same tag"):
        meta.run(handler, lambda platform: platform.create(account, draft()))
    assert sum(request.method == "POST" for request in meta.requests) == 1


def test_edges_that_cannot_filter_by_name_are_read_whole(meta, account):
    store = Store(filters=False)
    assert create(meta, account, store, draft(), draft()) == ["900", "900"]


def test_two_creates_of_one_tag_at_once_make_one_entity(meta, account):
    store = Store()

    async def both(platform):
        return await asyncio.gather(platform.create(account, draft()), platform.create(account, draft()))

    assert meta.run(store, both) == ["900", "900"]


def test_validate_only_creates_nothing(meta, account, read_form):
    store = Store()
    assert create(meta, account, store, draft(), validate_only=True) == [""]
    assert store.rows == []
    assert read_form(meta.requests[-1])["execution_options"] == '["validate_only"]'


def test_children_name_their_parent_and_settings_win(meta, account, read_form):
    settings = {"billing_event": "IMPRESSIONS", "status": "ACTIVE"}
    child = EntityDraft(Level.AD_GROUP, "101", "11", "Broad", "t-3", budget=daily("5"), settings=settings)
    ad = EntityDraft(Level.AD, "101", "21", "Video", "t-4", creative_id="9")
    create(meta, account, Store(), child, ad)
    first, second = (read_form(request) for request in meta.requests if request.method == "POST")
    assert (first["campaign_id"], first["billing_event"], first["status"]) == ("11", "IMPRESSIONS", "ACTIVE")
    assert (second["adset_id"], second["creative"]) == ("21", '{"creative_id":"9"}')


def test_a_create_without_tag_or_with_an_impossible_status_is_refused(meta, account):
    for bad in (draft(tag=" "), draft(status=EntityStatus.ARCHIVED)):
        with pytest.raises(RejectedError):
            create(meta, account, Store(), bad)


def test_an_unknown_platform_is_named_with_the_known_ones():
    with pytest.raises(ConfigError, match=r"myspace.*meta"):
        open_platform("myspace", base_url="https://x", token="t")
    assert open_platform("meta", base_url="https://x", token="t").name == "meta"
