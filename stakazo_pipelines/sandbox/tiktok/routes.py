"""Which path means what. A path needs its trailing slash, but for the one that a public connector calls without."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from stakazo_pipelines.sandbox.tiktok.accounts import Accounts
from stakazo_pipelines.sandbox.tiktok.call import Answer, Call, Handler, page_info, read_page
from stakazo_pipelines.sandbox.tiktok.directory import Directory
from stakazo_pipelines.sandbox.tiktok.files import Library
from stakazo_pipelines.sandbox.tiktok.lists import Lists
from stakazo_pipelines.sandbox.tiktok.options import TikTokOptions
from stakazo_pipelines.sandbox.tiktok.reports.service import Reports
from stakazo_pipelines.sandbox.tiktok.reports.tasks import FILES, Tasks
from stakazo_pipelines.sandbox.tiktok.writes.ad import Ads
from stakazo_pipelines.sandbox.tiktok.writes.adgroup import AdGroups
from stakazo_pipelines.sandbox.tiktok.writes.budgets import BudgetRules
from stakazo_pipelines.sandbox.tiktok.writes.campaign import Campaigns
from stakazo_pipelines.sandbox.tiktok.writes.scheduled import BudgetUpdates
from stakazo_pipelines.sandbox.tiktok.writes.switches import Switches

# Lists of the real API that the world has nothing for: path -> the key their rows stand under.
_EMPTY: Mapping[str, str] = {
    "/dmp/custom_audience/list/": "list",
    "/dmp/saved_audience/list/": "list",
    "/file/music/get/": "musics",
    "/creative/portfolio/list/": "creative_portfolios",
    "/pixel/list/": "pixels",
    "/pixel/instant_page/event/": "list",
    "/tt_video/list/": "list",
    "/identity/get/": "identity_list",
    "/catalog/get/": "list",
    "/app/list/": "apps",
    "/page/get/": "list",
    "/optimizer/rule/list/": "rules",
}


@dataclass(frozen=True, slots=True)
class Route:
    """`open` routes need no token."""

    handler: Handler
    open: bool = False


class Routes:
    """The endpoints served, by path without the version, each with its one method."""

    def __init__(self, directory: Directory, options: TikTokOptions, token: str) -> None:
        self._directory = directory
        accounts, lists, library = Accounts(directory, token), Lists(directory), Library(directory)
        rules = BudgetRules(directory, options)
        campaigns, groups = Campaigns(directory, rules), AdGroups(directory, rules)
        ads, switches = Ads(directory, library), Switches(directory)
        reports = Reports(directory, options.report_ids, decimals_for_many=options.decimals_for_many)
        tasks = Tasks(directory, reports, options.async_polls)
        reads: dict[str, Handler] = {
            "/oauth2/advertiser/get/": accounts.authorised,
            "/advertiser/info/": accounts.info,
            "/user/info/": accounts.user,
            "/user/info": accounts.user,
            "/campaign/get/": partial(lists.answer, level="campaign"),
            "/adgroup/get/": partial(lists.answer, level="ad_group"),
            "/adgroup/quota/": accounts.quota,
            "/ad/get/": partial(lists.answer, level="ad"),
            "/file/image/ad/info/": partial(library.info, kind="image"),
            "/file/image/ad/search/": partial(library.search, kind="image"),
            "/file/video/ad/info/": partial(library.info, kind="video"),
            "/file/video/ad/search/": partial(library.search, kind="video"),
            "/report/integrated/get/": reports.answer,
            "/report/task/check/": tasks.check,
            "/report/task/download/": tasks.download,
            **{path: partial(self._nothing, key=key) for path, key in _EMPTY.items()},
        }
        writes: dict[str, Handler] = {
            "/campaign/create/": campaigns.create,
            "/campaign/update/": campaigns.update,
            "/campaign/status/update/": partial(switches.answer, level="campaign"),
            "/adgroup/create/": groups.create,
            "/adgroup/update/": groups.update,
            "/adgroup/budget/update/": BudgetUpdates(directory, rules).answer,
            "/adgroup/status/update/": partial(switches.answer, level="ad_group"),
            "/ad/create/": ads.create,
            "/ad/update/": ads.update,
            "/ad/status/update/": partial(switches.answer, level="ad"),
            "/file/image/ad/upload/": partial(library.upload, kind="image"),
            "/file/video/ad/upload/": partial(library.upload, kind="video"),
            "/file/name/check/": library.names,
            "/report/task/create/": tasks.create,
            "/report/task/cancel/": tasks.cancel,
        }
        self._table: dict[tuple[str, str], Route] = {
            **{("GET", path): Route(handler) for path, handler in reads.items()},
            **{("POST", path): Route(handler) for path, handler in writes.items()},
            ("POST", "/oauth2/access_token/"): Route(accounts.exchange, open=True),
            ("GET", FILES): Route(tasks.file, open=True),
        }

    def find(self, method: str, path: str) -> Route | int:
        """The endpoint, or the HTTP status of its absence."""
        route = self._table.get((method, path))
        if route is not None:
            return route
        return 405 if any(path == known for _, known in self._table) else 404

    def _nothing(self, call: Call, key: str) -> Answer:
        self._directory.account(call.params.needed("advertiser_id"))
        page, size = read_page(call.params)
        data: dict[str, Any] = {key: [], "page_info": page_info(page, size, 0)}
        return Answer(data)
