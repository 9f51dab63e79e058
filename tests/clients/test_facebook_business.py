"""The official Meta SDK, unmodified, against the sandbox: what a program written on it reads, writes and is refused."""

from collections import defaultdict
from decimal import Decimal

import pytest

pytest.importorskip("facebook_business", reason="the clients group is not installed (make setup-clients)")

from facebook_business.adobjects.ad import Ad
from facebook_business.adobjects.adcreative import AdCreative
from facebook_business.adobjects.adimage import AdImage
from facebook_business.adobjects.adreportrun import AdReportRun
from facebook_business.adobjects.adset import AdSet
from facebook_business.adobjects.adsinsights import AdsInsights
from facebook_business.adobjects.campaign import Campaign
from facebook_business.adobjects.user import User
from facebook_business.exceptions import FacebookRequestError

PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)
CAMPAIGN = {
    Campaign.Field.name: "Made by the SDK",
    Campaign.Field.objective: Campaign.Objective.outcome_sales,
    Campaign.Field.status: Campaign.Status.paused,
    Campaign.Field.special_ad_categories: [],
    "is_adset_budget_sharing_enabled": False,
}
ADSET = {
    AdSet.Field.name: "Made by the SDK",
    AdSet.Field.optimization_goal: AdSet.OptimizationGoal.link_clicks,
    AdSet.Field.billing_event: AdSet.BillingEvent.impressions,
    AdSet.Field.bid_strategy: AdSet.BidStrategy.lowest_cost_without_cap,
    AdSet.Field.daily_budget: 5000,
    AdSet.Field.targeting: {
        "geo_locations": {"countries": ["US"]},
        "targeting_automation": {"advantage_audience": 0},
    },
    AdSet.Field.status: AdSet.Status.paused,
}
# The SDK warns of nested fields, but sends them; they are Meta's own notation.
NESTED = pytest.mark.filterwarnings("ignore:.*does not allow field:UserWarning")


@pytest.fixture(scope="module")
def api(open_meta, sandbox_token):
    return open_meta(sandbox_token)


@pytest.fixture(scope="module")
def account(api):
    return next(iter(User(fbid="me", api=api).get_ad_accounts(fields=["account_id", "currency", "timezone_name"])))


@pytest.fixture
def tree(account):
    """A paused campaign and ad set of the test's own."""
    campaign = account.create_campaign(params=CAMPAIGN)
    adset = account.create_ad_set(params={**ADSET, "campaign_id": campaign["id"]})
    return Campaign(campaign["id"], api=account.get_api()), AdSet(adset["id"], api=account.get_api())


def sums(rows, key, fields=("impressions", "spend")):
    totals = defaultdict(lambda: [Decimal(0)] * len(fields))
    for row in rows:
        totals[row[key]] = [total + Decimal(row[field]) for total, field in zip(totals[row[key]], fields, strict=True)]
    return dict(totals)


# Reading ----------------------------------------------------------------------------------------------------------


def test_every_running_arm_of_the_world_stands_under_its_account(api, control):
    accounts = list(User(fbid="me", api=api).get_ad_accounts(fields=["currency", "account_status"]))
    assert len({account["id"] for account in accounts}) == len(accounts) >= 2
    for account in accounts:
        arms = [arm for arm in control.get("/truth")["arms"] if f"act_{arm['account_id']}" == account["id"]]
        assert {arm["currency"] for arm in arms} == {account["currency"]}
        listed = {campaign["id"] for campaign in account.get_campaigns(params={"limit": 500})}
        assert {arm["campaign_id"] for arm in arms} <= listed


@NESTED
def test_lists_page_by_page_give_each_object_once(account):
    whole = {
        edge: [one["id"] for one in read(fields=["id", "name"], params={"limit": 500})]
        for edge, read in (
            ("campaigns", account.get_campaigns),
            ("adsets", account.get_ad_sets),
            ("ads", account.get_ads),
            ("creatives", account.get_ad_creatives),
        )
    }
    paged = account.get_campaigns(fields=["name", "objective", "effective_status"], params={"limit": 2})
    assert [campaign["id"] for campaign in paged] == whole["campaigns"]
    assert paged.total() == len(whole["campaigns"])
    assert [one["id"] for one in account.get_ad_sets(params={"limit": 3})] == whole["adsets"]
    ads = account.get_ads(fields=["name", "creative{id,title}", "adset{name}", "campaign_id"], params={"limit": 7})
    assert [ad["id"] for ad in ads] == whole["ads"]
    assert len(set(whole["creatives"])) == len(whole["creatives"]) > 0


@NESTED
def test_nodes_know_their_neighbours(account):
    ad = next(iter(account.get_ads(fields=["adset_id", "campaign_id", "creative{id,name}"])))
    adset = AdSet(ad["adset_id"], api=account.get_api()).api_get(fields=["campaign_id", "targeting", "daily_budget"])
    assert adset["campaign_id"] == ad["campaign_id"]
    campaign = Campaign(ad["campaign_id"], api=account.get_api())
    assert ad["adset_id"] in {one["id"] for one in campaign.get_ad_sets(fields=["name"])}
    assert ad["id"] in {one["id"] for one in campaign.get_ads(fields=["name"])}
    assert ad["id"] in {one["id"] for one in adset.get_ads(fields=["name"])}
    (creative,) = Ad(ad["id"], api=account.get_api()).get_ad_creatives(fields=["name", "object_story_spec"])
    assert creative["id"] == ad["creative"]["id"]


def test_lists_are_filtered_by_status_and_name(account):
    every = {one["id"]: one for one in account.get_campaigns(fields=["name", "status"], params={"limit": 500})}
    paused = account.get_campaigns(fields=["status"], params={"effective_status": ["PAUSED"], "limit": 500})
    assert {one["id"] for one in paused} == {id_ for id_, one in every.items() if one["status"] == "PAUSED"}
    some = next(iter(every.values()))
    rule = [{"field": "name", "operator": "CONTAIN", "value": some["name"]}]
    assert some["id"] in {one["id"] for one in account.get_campaigns(fields=["name"], params={"filtering": rule})}


# Insights ---------------------------------------------------------------------------------------------------------


def test_daily_insights_add_up_alike_at_every_level(account, control):
    by_level = {}
    for level in ("account", "campaign", "adset", "ad"):
        params = {"level": level, "time_range": control.last_week, "time_increment": 1, "limit": 40}
        fields = [AdsInsights.Field.impressions, AdsInsights.Field.spend, AdsInsights.Field.actions]
        by_level[level] = sums(account.get_insights(fields=fields, params=params), "date_start")
    assert len(by_level["account"]) == 7
    assert by_level["campaign"] == by_level["adset"] == by_level["ad"] == by_level["account"]


@pytest.mark.parametrize("breakdowns", [["age", "gender"], ["country"], ["publisher_platform"]])
def test_breakdowns_add_up_to_the_whole(account, control, breakdowns):
    params = {"level": "campaign", "time_range": control.last_week}
    fields = ["campaign_id", "impressions", "spend"]
    parts = list(account.get_insights(fields=fields, params={**params, "breakdowns": breakdowns}))
    assert all(breakdown in row for row in parts for breakdown in breakdowns)
    whole = account.get_insights(fields=fields, params=params)
    assert sums(parts, "campaign_id") == sums(whole, "campaign_id")


def test_hours_add_up_to_the_day(account, control):
    day = control.last_week["until"]
    params = {"level": "account", "time_range": {"since": day, "until": day}}
    hourly = {**params, "breakdowns": ["hourly_stats_aggregated_by_advertiser_time_zone"]}
    hours = account.get_insights(fields=["impressions", "spend"], params=hourly)
    assert sums(hours, "date_start") == sums(
        account.get_insights(fields=["impressions", "spend"], params=params), "date_start"
    )


def test_an_asynchronous_report_gives_what_the_synchronous_one_gives(account, control):
    params = {"level": "ad", "time_range": control.last_week, "time_increment": 1}
    fields = ["ad_id", "impressions", "spend"]
    run = account.get_insights(fields=fields, params=params, is_async=True)
    for _ in range(10):
        run = run.api_get()
        if run[AdReportRun.Field.async_status] == "Job Completed":
            break
    assert run[AdReportRun.Field.async_percent_completion] == 100
    result = list(run.get_result(params={"limit": 25}))
    whole = list(account.get_insights(fields=fields, params={**params, "limit": 500}))
    assert [row.export_all_data() for row in result] == [row.export_all_data() for row in whole]


def test_a_failed_report_says_so(account, control):
    control.fault("async_failed", platform="meta")
    run = account.get_insights_async(fields=["spend"], params={"time_range": control.last_week})
    for _ in range(10):
        run = run.api_get()
        if run[AdReportRun.Field.async_status] not in ("Job Not Started", "Job Started", "Job Running"):
            break
    assert run[AdReportRun.Field.async_status] == "Job Failed"


def test_an_ad_sets_insights_by_preset(account):
    adset = next(iter(account.get_ad_sets(fields=["name"], params={"effective_status": ["ACTIVE"]})))
    rows = list(adset.get_insights(fields=["spend", "actions", "purchase_roas"], params={"date_preset": "last_30d"}))
    assert len(rows) == 1
    assert Decimal(rows[0]["spend"]) > 0


# Writing ----------------------------------------------------------------------------------------------------------


def test_validate_only_creates_nothing(account):
    before = len(account.get_campaigns(params={"limit": 500}))
    answer = account.create_campaign(params={**CAMPAIGN, "execution_options": ["validate_only"]})
    assert not answer.get_id()
    assert len(account.get_campaigns(params={"limit": 500})) == before
    with pytest.raises(FacebookRequestError) as refused:
        account.create_campaign(params={**CAMPAIGN, "daily_budget": 1, "execution_options": ["validate_only"]})
    assert refused.value.api_error_code() == 100


def test_a_tree_is_made_changed_read_back_and_deleted(account, tree, tmp_path, control):
    campaign, adset = tree
    picture = tmp_path / "picture.png"
    picture.write_bytes(PNG)
    image = AdImage(parent_id=account["id"], api=account.get_api())
    image[AdImage.Field.filename] = str(picture)
    image.remote_create()
    (found,) = account.get_ad_images(fields=["hash", "name", "status"], params={"hashes": [image["hash"]]})
    assert found["hash"] == image["hash"]
    story = {
        "page_id": "1",
        "link_data": {"link": "https://shop.example", "message": "m", "image_hash": image["hash"]},
    }
    creative = account.create_ad_creative(params={"name": "Creative", "object_story_spec": story})
    params = {
        "name": "Ad",
        "adset_id": adset["id"],
        "creative": {"creative_id": creative["id"]},
        "status": Ad.Status.paused,
    }
    ad = account.create_ad(params=params)
    read = ad.api_get(fields=["adset_id", "creative", "effective_status", "status"])
    assert (read["adset_id"], read["creative"]["id"]) == (adset["id"], creative["id"])

    adset.api_update(params={"daily_budget": 6000, "name": "Renamed"})
    read = adset.api_get(fields=["daily_budget", "name"])
    assert (read["daily_budget"], read["name"]) == ("6000", "Renamed")
    write = control.writes[-1]
    assert (write["id"], write["fields"]["name"]) == (adset["id"], "Renamed")

    for node in (ad, adset, campaign, AdCreative(creative["id"], api=account.get_api())):
        node.api_delete()
    assert campaign.api_get(fields=["status"])["status"] == "DELETED"
    assert campaign["id"] not in {one["id"] for one in account.get_campaigns(params={"limit": 500})}


def test_the_same_picture_twice_has_one_hash(account, tmp_path):
    hashes = set()
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(PNG + b"twice")
        image = account.create_ad_image(params={"filename": str(tmp_path / name)})
        hashes.add(image["hash"])
    assert len(hashes) == 1


def test_a_batch_reads_writes_and_tells_each_failure(api, account, tree):
    _, adset = tree
    answers, failures = [], []
    some = list(account.get_ad_sets(fields=["name"], params={"limit": 5}))[:3]
    batch = api.new_batch()
    for one in some:
        AdSet(one["id"], api=api).api_get(fields=["name"], batch=batch, success=lambda r: answers.append(r.json()))
    AdSet("999", api=api).api_get(fields=["name"], batch=batch, failure=lambda r: failures.append(r.error()))
    adset.api_update(params={"name": "By batch"}, batch=batch, success=lambda r: answers.append(r.json()))
    assert batch.execute() is None
    assert [answer["name"] for answer in answers[:3]] == [one["name"] for one in some]
    assert answers[3] == {"success": True}
    assert [failure.api_error_code() for failure in failures] == [100]
    assert adset.api_get(fields=["name"])["name"] == "By batch"


def test_what_a_batch_did_not_execute_comes_back_as_a_batch(api, account, control):
    control.fault("partial_batch", platform="meta", times=1)
    names = []
    batch = api.new_batch()
    for one in list(account.get_ad_sets(params={"limit": 10}))[:4]:
        AdSet(one["id"], api=api).api_get(fields=["name"], batch=batch, success=lambda r: names.append(r.json()))
    rest = batch.execute()
    assert rest is not None
    assert 0 < len(rest) <= 4
    assert rest.execute() is None
    assert len(names) == 4


# Errors -----------------------------------------------------------------------------------------------------------


def test_a_wrong_token_is_told_as_code_190(open_meta):
    with pytest.raises(FacebookRequestError) as refused:
        list(User(fbid="me", api=open_meta("EAAwrong")).get_ad_accounts())
    assert (refused.value.http_status(), refused.value.api_error_code()) == (400, 190)
    assert refused.value.api_error_type() == "OAuthException"


def test_an_expired_token_is_told_with_its_subcode(account, control):
    control.fault("expired_token", "campaigns", platform="meta")
    with pytest.raises(FacebookRequestError) as refused:
        account.get_campaigns()
    assert (refused.value.api_error_code(), refused.value.api_error_subcode()) == (190, 463)


def test_an_invalid_parameter_is_told_with_its_reason(tree):
    _, adset = tree
    with pytest.raises(FacebookRequestError) as refused:
        adset.api_update(params={"daily_budget": 1})
    error = refused.value
    assert (error.http_status(), error.api_error_code()) == (400, 100)
    assert error.api_error_subcode()
    assert error.body()["error"]["error_user_msg"]
    assert error.get_message() == "Call was not successful"


def test_a_missing_object_is_told_as_code_100_subcode_33(api):
    with pytest.raises(FacebookRequestError) as refused:
        Campaign("999", api=api).api_get(fields=["name"])
    assert (refused.value.api_error_code(), refused.value.api_error_subcode()) == (100, 33)


def test_a_throttle_is_told_in_body_and_headers(account, control):
    control.fault("throttle", "insights", platform="meta", code=80000, retry_after_s=120)
    with pytest.raises(FacebookRequestError) as refused:
        account.get_insights(fields=["spend"])
    assert refused.value.api_error_code() == 80000
    assert refused.value.http_headers()["x-business-use-case-usage"]


def test_a_passing_fault_is_marked_transient(account, control):
    control.fault("server_error", "ads", platform="meta", times=1)
    with pytest.raises(FacebookRequestError) as failed:
        account.get_ads()
    assert failed.value.http_status() == 500
    assert failed.value.api_transient_error()
    assert account.get_ads()
