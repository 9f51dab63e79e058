"""Updates: replacing ad groups without losing a field, statuses in batches, each change at most once."""

import json
from decimal import Decimal

import httpx
import pytest

from stakazo_pipelines.errors import (
    AuthError,
    NotFoundError,
    NotNowError,
    RejectedError,
    TransientError,
    UnknownOutcomeError,
)
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange
from stakazo_pipelines.vocabulary import EntityStatus, Level

NEVER_SENT = {  # read fields that an update may not carry
    "campaign_id", "campaign_name", "placement_type", "placements", "promotion_type", "optimization_goal",
    "optimization_event", "billing_event", "budget_mode", "click_attribution_window", "view_attribution_window",
    "scheduled_budget", "operation_status", "secondary_status", "create_time", "modify_time", "pixel_id",
    "skip_learning_phase", "dayparting", "deep_bid_type",
}  # fmt: skip


def money(amount, currency="EUR", period=BudgetPeriod.DAILY):
    return Budget(Money(Decimal(amount), currency), period)


def group(entity="21", **change):
    return EntityChange(Level.AD_GROUP, entity, "7001", **(change or {"budget": money("62.50")}))


def campaign(entity, **change):
    return EntityChange(Level.CAMPAIGN, entity, "7001", **change)


def ad(entity, **change):
    return EntityChange(Level.AD, entity, "7001", **change)


@pytest.fixture
def server(golden, ok):
    """Answers reads from the golden lists and writes by `write(path, body)`, else as if all were well."""
    lists = {"campaign": "campaigns", "adgroup": "adgroups", "ad": "ads"}

    def done(path, body):
        ids = next((name for name in ("campaign_ids", "adgroup_ids", "ad_ids") if name in body), None)
        return ok({ids: body[ids], "status": body["operation_status"]} if ids else {})

    def make(write=done):
        def handler(request):
            path = request.url.path.removeprefix("/open_api/v1.3/")
            if request.method == "GET":
                return ok(golden(lists[path.split("/")[0]])["data"])
            body = json.loads(request.content)
            return write(path, body) or done(path, body)

        return handler

    return make


@pytest.fixture
def update(tiktok, account, server):
    def run(*changes, write=None):
        handler = server(write) if write else server()
        outcomes = tiktok.run(handler, lambda platform: platform.update(account, changes))
        assert [outcome.change for outcome in outcomes] == list(changes)
        return [outcome.error for outcome in outcomes]

    return run


# Fields -----------------------------------------------------------------------------------------------------------


def test_an_ad_groups_budget_changes_at_once_and_loses_no_field(tiktok, update, golden):
    assert update(group()) == [None]
    assert tiktok.calls() == ["GET adgroup/get/", "POST adgroup/update/"]
    (body,) = tiktok.bodies("adgroup/update/")
    before = golden("adgroups")["data"]["list"][0]
    assert body == {**{key: value for key, value in before.items() if key not in NEVER_SENT}, "budget": 62.5}
    assert body["excluded_audience_ids"] == ["9001"]
    assert body["conversion_bid_price"] == 12.5


def test_names_and_settings_change_one_field_and_keep_the_budget(tiktok, update):
    assert update(group(name="Größe & Co", settings={"conversion_bid_price": 14})) == [None]
    (body,) = tiktok.bodies("adgroup/update/")
    assert (body["adgroup_name"], body["conversion_bid_price"], body["budget"]) == ("Größe & Co", 14, 50.0)


def test_under_cbo_an_ad_group_takes_no_budget_and_sends_none(tiktok, update):
    first, second = update(group("22"), group("22", name="x"))
    assert isinstance(first, RejectedError)
    assert "its campaign may" in first.message
    assert second is None
    (body,) = tiktok.bodies("adgroup/update/")
    assert "budget" not in body


def test_a_campaigns_budget_changes_only_under_cbo(tiktok, update):
    capped, held, renamed = update(
        campaign("11", budget=money(600)), campaign("12", budget=money("130.25")), campaign("13", name="Wide")
    )
    assert isinstance(capped, RejectedError)
    assert "its ad groups may" in capped.message
    assert (held, renamed) == (None, None)
    assert tiktok.bodies("campaign/update/") == [
        {"advertiser_id": "7001", "campaign_id": "12", "budget": 130.25},
        {"advertiser_id": "7001", "campaign_id": "13", "campaign_name": "Wide"},
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (group(budget=money(60, "USD")), "account in EUR"),
        (group(budget=money("60.001")), "whole number"),
        (group(budget=money(0)), "above zero"),
        (group(budget=money(60, period=BudgetPeriod.LIFETIME)), "has a daily budget"),
        (group("23", budget=money(60)), "has a lifetime budget"),
        (group(settings={"placement_type": "PLACEMENT_TYPE_NORMAL"}), "placement_type of a TikTok adgroup cannot"),
        (campaign("11", settings={"objective_type": "REACH"}), "objective_type of a TikTok campaign cannot"),
        (ad("31", budget=money(60)), "not to ad"),
        (ad("31"), "changes nothing"),
        (ad("31", status=EntityStatus.ARCHIVED), "no archive"),
        (EntityChange(Level.CREATIVE, "v1", "7001", name="x"), "not a level"),
    ],
)
def test_what_tiktok_cannot_take_is_refused_without_a_write(tiktok, update, change, reason):
    (error,) = update(change)
    assert isinstance(error, RejectedError)
    assert reason in error.message
    assert all(request.method == "GET" for request in tiktok.requests)


def test_what_is_not_there_is_told_and_the_others_go_on(update):
    errors = update(group("99"), group("21"))
    assert isinstance(errors[0], NotFoundError)
    assert "ad_group 99" in errors[0].message
    assert errors[1] is None


SPENT = "Your budget must be at least 105% of the current spend."


def test_a_cut_that_todays_spend_forbids_comes_into_force_at_midnight(tiktok, update, ok):
    def refuse_now(path, body):
        return ok(code=40002, message=SPENT) if path == "adgroup/update/" and body["budget"] == 62.5 else None

    assert update(group(name="New", budget=money("62.50")), write=refuse_now) == [None]
    at_once, rest = tiktok.bodies("adgroup/update/")
    assert (at_once["budget"], rest["budget"], rest["adgroup_name"]) == (62.5, 50.0, "New")
    assert tiktok.bodies("adgroup/budget/update/") == [
        {"advertiser_id": "7001", "scheduled_budget": [{"adgroup_id": "21", "scheduled_budget": 62.5}]}
    ]


def test_a_campaigns_cut_that_todays_spend_forbids_is_told_in_the_platforms_words(update, ok):
    (error,) = update(campaign("12", budget=money(80)), write=lambda path, body: ok(code=40002, message=SPENT))
    assert isinstance(error, NotNowError)
    assert SPENT in error.message
    assert error.message.startswith("campaign 12: account 7001: POST campaign/update/")


def test_a_budget_that_waits_for_midnight_is_replaced_by_another_that_waits(tiktok, account, golden, ok):
    waiting = golden("adgroups")
    waiting["data"]["list"][0]["scheduled_budget"] = 44.0

    def handler(request):
        return ok(waiting["data"]) if request.method == "GET" else ok({})

    async def use(platform):
        held = await platform.read(account, Level.AD_GROUP, "21")
        return held.budget, await platform.update(account, [group()])

    held, (outcome,) = tiktok.run(handler, use)
    assert (held, outcome.error) == (money("44.00"), None)
    assert tiktok.bodies("adgroup/update/") == []
    (body,) = tiktok.bodies("adgroup/budget/update/")
    assert body["scheduled_budget"] == [{"adgroup_id": "21", "scheduled_budget": 62.5}]


def test_ads_are_patched_where_they_can_be_and_replaced_whole_where_not(tiktok, update):
    changes = [
        ad("31", name="New", parent_id="21"),
        ad("31", settings={"landing_page_url": "https://shop.example/sale"}),
    ]
    assert update(*changes) == [None, None]
    patch, whole = tiktok.bodies("ad/update/")
    assert patch == {
        "advertiser_id": "7001",
        "adgroup_id": "21",
        "patch_update": True,
        "creatives": [{"ad_id": "31", "ad_name": "New"}],
    }
    (entry,) = whole["creatives"]
    assert (entry["landing_page_url"], entry["ad_text"]) == ("https://shop.example/sale", "Buy it")
    assert (entry["video_id"], entry["identity_id"], whole["adgroup_id"]) == ("v10033g50000abc", "4001", "21")
    assert not {"operation_status", "secondary_status", "create_time", "campaign_id"} & set(entry)
    assert "patch_update" not in whole


def test_many_budgets_are_read_in_one_call(tiktok, update):
    assert update(group("21"), group("23", budget=money(1300, period=BudgetPeriod.LIFETIME))) == [None, None]
    assert tiktok.calls() == ["GET adgroup/get/", "POST adgroup/update/", "POST adgroup/update/"]


# Statuses ---------------------------------------------------------------------------------------------------------


def test_statuses_go_out_twenty_ids_a_call_by_target(tiktok, update):
    changes = [ad(str(n), status=EntityStatus.PAUSED if n % 5 else EntityStatus.ACTIVE) for n in range(30)]
    assert update(*changes) == [None] * 30
    sent = [(body["operation_status"], len(body["ad_ids"])) for body in tiktok.bodies("ad/status/update/")]
    assert sorted(sent) == [("DISABLE", 4), ("DISABLE", 20), ("ENABLE", 6)]


def test_ad_groups_may_fail_one_by_one_and_those_are_tried_alone(tiktok, update, ok):
    def write(path, body):
        ids = body["adgroup_ids"]
        if ids == ["2"]:
            return ok(code=40002, message="adgroup 2 is under review")
        if ids == ["5"]:
            return None
        refused = [{"adgroup_id": one, "error_message": "no"} for one in ("2", "5")]
        return ok({"adgroup_ids": ["1", "3"], "error_list": refused}, code=20001, message="Partial success")

    changes = [group(str(n), status=EntityStatus.PAUSED) for n in (1, 2, 3, 4, 5)]
    errors = update(*changes, write=write)
    kinds = [type(None), RejectedError, type(None), UnknownOutcomeError, type(None)]
    assert [type(error) for error in errors] == kinds
    assert "adgroup 2 is under review" in errors[1].message
    assert tiktok.bodies("adgroup/status/update/")[0]["allow_partial_success"] is True
    assert [body["adgroup_ids"] for body in tiktok.bodies("adgroup/status/update/")[1:]] == [["2"], ["5"]]


def test_one_bad_campaign_does_not_hold_up_the_others(tiktok, update, ok):
    def write(path, body):
        return ok(code=40007, message="campaign 2 does not exist") if "2" in body["campaign_ids"] else None

    errors = update(*(campaign(str(n), status=EntityStatus.PAUSED) for n in (1, 2, 3)), write=write)
    assert [type(error) for error in errors] == [type(None), NotFoundError, type(None)]
    assert [body["campaign_ids"] for body in tiktok.bodies("campaign/status/update/")] == [
        ["1", "2", "3"],
        ["1"],
        ["2"],
        ["3"],
    ]


def test_a_status_follows_its_fields_and_a_stop_is_never_blocked(tiktok, update, ok):
    def write(path, body):
        return ok(code=40002, message="no") if path == "adgroup/update/" else None

    raised, stopped = update(
        group("21", budget=money(60), status=EntityStatus.ACTIVE),
        group("23", name="x", status=EntityStatus.PAUSED),
        write=write,
    )
    assert isinstance(raised, RejectedError)
    assert isinstance(stopped, RejectedError)
    (body,) = tiktok.bodies("adgroup/status/update/")
    assert (body["adgroup_ids"], body["operation_status"]) == (["23"], "DISABLE")


def test_two_changes_of_one_entity_are_made_in_the_order_given(tiktok, update):
    changes = [
        ad("1", status=EntityStatus.ACTIVE),
        ad("2", status=EntityStatus.PAUSED),
        ad("1", status=EntityStatus.PAUSED),
    ]
    assert update(*changes) == [None] * 3
    sent = [(body["operation_status"], body["ad_ids"]) for body in tiktok.bodies("ad/status/update/")]
    assert sent[-1] == ("DISABLE", ["1"])
    assert len(sent) == 3


# What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["torn", "timeout", 502, 50000])
def test_a_write_whose_answer_is_lost_is_not_sent_again(tiktok, update, ok, lost):
    def write(path, body):
        if lost == "timeout":
            raise httpx.ReadTimeout("lost")
        if lost == "torn":
            return httpx.Response(200, text='{"code": 0, "da')
        return httpx.Response(502, text="") if lost == 502 else ok(code=lost, message="system error")

    errors = update(group(), ad("31", status=EntityStatus.PAUSED), write=write)
    assert [type(error) for error in errors] == [UnknownOutcomeError] * 2
    assert len(tiktok.bodies("adgroup/update/")) == len(tiktok.bodies("ad/status/update/")) == 1


@pytest.mark.parametrize("code", [40202, 40700, 60001])
def test_a_write_that_was_provably_not_made_is_sent_again(tiktok, update, ok, code):
    answers = [ok(code=code, message="conflict"), ok(code=code, message="conflict"), ok()]
    assert update(group(), write=lambda path, body: answers.pop(0)) == [None]
    assert len(tiktok.bodies("adgroup/update/")) == 3
    assert sum(tiktok.clock.slept) < 5


def test_a_lasting_conflict_is_told_as_transient(tiktok, update, ok):
    (error,) = update(group(), write=lambda path, body: ok(code=40202, message="conflict"))
    assert type(error) is TransientError
    assert len(tiktok.bodies("adgroup/update/")) == 5


def test_a_throttled_write_is_sent_again_after_the_wait(tiktok, update, ok):
    answers = [ok(code=40133, message="QPS limit"), ok()]
    assert update(group(), write=lambda path, body: answers.pop(0)) == [None]
    assert 1.0 in tiktok.clock.slept


def test_an_expired_token_fails_the_rest_but_keeps_what_was_done(update, ok):
    answers = [ok(), ok(code=40102, message="expired"), ok(code=40102, message="expired")]
    errors = update(
        campaign("12", budget=money(130)), campaign("13", name="x"), ad("31", name="y", parent_id="21"),
        write=lambda path, body: answers.pop(0),
    )  # fmt: skip
    assert [type(error) for error in errors] == [type(None), AuthError, AuthError]


def test_deleting_is_final_and_twice_is_no_error(tiktok, account, page, ok):
    row = {"campaign_id": "14", "campaign_name": "n", "operation_status": "DELETE"}

    def handler(request):
        return page(row) if request.method == "GET" else answers.pop(0)

    answers = [ok({"campaign_ids": ["14"]}), ok(code=40002, message="deleted already"), ok(code=40007, message="gone")]
    for _ in range(3):
        tiktok.run(handler, lambda platform: platform.delete(account, Level.CAMPAIGN, "14"))
    assert tiktok.bodies("campaign/status/update/")[0]["operation_status"] == "DELETE"


def test_a_refused_deletion_says_so(tiktok, account, page, ok):
    row = {"adgroup_id": "21", "campaign_id": "11", "operation_status": "ENABLE"}
    refusals = [
        ok(code=40002, message="in review"),
        ok({"adgroup_ids": [], "error_list": [{"adgroup_id": "21", "error_message": "in review"}]}, code=20001),
    ]
    for refusal in refusals:
        with pytest.raises(RejectedError, match="in review"):
            tiktok.run(
                lambda request, answer=refusal: page(row) if request.method == "GET" else answer,
                lambda platform: platform.delete(account, Level.AD_GROUP, "21"),
            )
    with pytest.raises(RejectedError, match="not a level"):
        tiktok.run(lambda _: ok(), lambda platform: platform.delete(account, Level.CREATIVE, "v1"))
