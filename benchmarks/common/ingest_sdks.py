"""The same pull by the platforms' official SDKs, unmodified: every level over the whole range, as their pages come.

Each function takes (base URL, token, since, until), asks for every account that the token sees, and counts the rows.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from importlib.util import find_spec
from typing import Any
from urllib.parse import quote

import requests

Sdk = Callable[[str, str, date, date], int]
_PACKAGES = {"meta": "facebook_business", "tiktok": "business_api_client", "linkedin": "linkedin_api"}
_META_LEVELS = {
    "account": "",
    "campaign": "campaign_id,campaign_name",
    "adset": "campaign_id,campaign_name,adset_id,adset_name",
    "ad": "campaign_id,campaign_name,adset_id,adset_name,ad_id,ad_name",
}
_META_MEASURES = (
    "account_id,impressions,clicks,inline_link_clicks,inline_post_engagement,spend,actions,action_values,"
    "attribution_setting,reach"
)
_TIKTOK_LEVELS = {
    "AUCTION_ADVERTISER": "advertiser_id",
    "AUCTION_CAMPAIGN": "campaign_id",
    "AUCTION_ADGROUP": "adgroup_id",
    "AUCTION_AD": "ad_id",
}
_TIKTOK_DAYS = 30  # of one request
_TIKTOK_MEASURES = [
    "spend", "impressions", "clicks", "complete_payment", "total_complete_payment_rate", "reach", "video_watched_2s",
    "engagements",
]  # fmt: skip
_LINKEDIN_LEVELS = (
    ["ACCOUNT"],
    ["CAMPAIGN_GROUP"],
    ["CAMPAIGN", "CAMPAIGN_GROUP"],
    ["CREATIVE", "CAMPAIGN", "CAMPAIGN_GROUP"],
)
_LINKEDIN_MEASURES = (
    "dateRange,pivotValues,impressions,clicks,costInLocalCurrency,externalWebsiteConversions,"
    "conversionValueInLocalCurrency,landingPageClicks,totalEngagements,videoViews,approximateMemberReach,oneClickLeads"
)
_LINKEDIN_VERSION = "202607"


def installed(platform: str) -> bool:
    """Whether the platform's SDK is there; the project does without."""
    return find_spec(_PACKAGES[platform]) is not None


def _meta(limit: int | None) -> Sdk:
    def pull(url: str, token: str, since: date, until: date) -> int:
        from facebook_business.adobjects.user import User
        from facebook_business.api import FacebookAdsApi
        from facebook_business.session import FacebookSession

        session = FacebookSession(app_id="1", app_secret="secret", access_token=token)  # noqa: S106 - no real app
        session.GRAPH = url
        api = FacebookAdsApi(session)
        span = {"since": since.isoformat(), "until": until.isoformat()}
        params: dict[str, Any] = {"time_range": span, "time_increment": 1} | ({"limit": limit} if limit else {})
        rows = 0
        for account in User(fbid="me", api=api).get_ad_accounts(fields=["account_id"]):
            for level, names in _META_LEVELS.items():
                fields = [name for name in (*_META_MEASURES.split(","), *names.split(",")) if name]
                rows += sum(1 for _ in account.get_insights(fields=fields, params={**params, "level": level}))
        session.requests.close()
        return rows

    return pull


def _tiktok(page_size: int | None) -> Sdk:
    def pull(url: str, token: str, since: date, until: date) -> int:
        import business_api_client as tiktok

        configuration = tiktok.Configuration()
        configuration.host = url
        client = tiktok.ApiClient(configuration)
        reports = tiktok.ReportingApi(client)
        listed = tiktok.AuthenticationApi(client).oauth2_advertiser_get("1", "secret", token)
        size = {"page_size": page_size} if page_size else {}

        def rows_of(advertiser: str, level: str, dimension: str, start: date, end: date) -> int:
            rows, page, pages = 0, 1, 1
            while page <= pages:
                answer = reports.report_integrated_get(
                    "BASIC", token, advertiser_id=advertiser, data_level=level, dimensions=[dimension, "stat_time_day"],
                    metrics=_TIKTOK_MEASURES, start_date=str(start), end_date=str(end), page=page, **size,
                )  # fmt: skip
                data = answer["data"]
                rows += len(data["list"])
                pages, page = data["page_info"]["total_page"], page + 1
            return rows

        return sum(
            rows_of(one["advertiser_id"], level, dimension, start, end)
            for one in listed["data"]["list"]
            for level, dimension in _TIKTOK_LEVELS.items()
            for start, end in _spans(since, until, _TIKTOK_DAYS)
        )

    return pull


def _linkedin(url: str, token: str, since: date, until: date) -> int:
    from linkedin_api.clients.restli.client import RestliClient
    from linkedin_api.common import constants

    constants.VERSIONED_BASE_URL = f"{url}/rest"
    client = RestliClient()
    asked = {"access_token": token, "version_string": _LINKEDIN_VERSION}
    accounts = client.finder(resource_path="/adAccounts", finder_name="search", query_params={}, **asked).elements
    rows = 0
    for account in accounts:
        for pivots in _LINKEDIN_LEVELS:
            answer = client.finder(
                resource_path="/adAnalytics",
                finder_name="statistics",
                query_params={
                    "pivots": pivots,
                    "timeGranularity": "DAILY",
                    "dateRange": {"start": _parts(since), "end": _parts(until)},
                    "accounts": [f"urn:li:sponsoredAccount:{account['id']}"],
                    "fields": _LINKEDIN_MEASURES,
                },
                **asked,
            )
            if answer.status_code != requests.codes.ok:
                raise RuntimeError(f"LinkedIn's SDK was answered {answer.status_code}: {quote(str(answer.elements))}")
            rows += len(answer.elements)
    client.session.close()
    return rows


def _spans(since: date, until: date, width: int) -> Iterator[tuple[date, date]]:
    while since <= until:
        end = min(since + timedelta(days=width - 1), until)
        yield since, end
        since = end + timedelta(days=1)


def _parts(day: date) -> dict[str, int]:
    return {"year": day.year, "month": day.month, "day": day.day}


SDKS: Mapping[str, Mapping[str, Sdk]] = {
    "meta": {"facebook-business, its pages (25 rows)": _meta(None), "facebook-business, limit=500": _meta(500)},
    "tiktok": {
        "tiktok-business-api-sdk, its pages (10 rows)": _tiktok(None),
        "tiktok-business-api-sdk, page_size=1000": _tiktok(1000),
    },
    "linkedin": {"linkedin-api-client (no pages)": _linkedin},
}
