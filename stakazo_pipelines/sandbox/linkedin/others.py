"""The smaller resources: budget pricing, targeting facets and entities, conversion rules, lead forms."""

from decimal import Decimal
from typing import Any

from stakazo_pipelines.sandbox.emulation import Reply
from stakazo_pipelines.sandbox.linkedin import finders, money, paging, urns, words
from stakazo_pipelines.sandbox.linkedin.call import Call
from stakazo_pipelines.sandbox.linkedin.directory import Directory
from stakazo_pipelines.sandbox.linkedin.errors import bad_param, no_permission, not_allowed
from stakazo_pipelines.sandbox.linkedin.restli import as_list
from stakazo_pipelines.sandbox.linkedin.views import millis
from stakazo_pipelines.sandbox.linkedin.writes.targeting import FACETS, PREFIX
from stakazo_pipelines.sandbox.world import Account

RESOURCES = frozenset(
    ["adBudgetPricing", "adTargetingFacets", "adTargetingEntities", "conversions", "leadForms", "leadFormResponses"]
)
# Smallest bid, suggested bid and largest bid in US dollars.
_BIDS = {"CPC": (Decimal(2), Decimal(6), Decimal(140)), "CPM": (Decimal(10), Decimal(32), Decimal(1400)),
         "CPV": (Decimal("0.06"), Decimal("0.15"), Decimal(14))}  # fmt: skip
_DAILY = (Decimal(1), Decimal(5), Decimal(1000))  # times the smallest daily budget: least, default, most


class Others:
    """Answers the resources above."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def answer(self, call: Call) -> Reply:
        """Raises LinkedInError."""
        if call.verb != "GET" or len(call.parts) != 1:
            raise not_allowed(call.verb, call.path)
        if call.resource == "adBudgetPricing":
            return Reply(self._pricing(call))
        if call.resource == "adTargetingFacets":
            return Reply(_facets())
        if call.resource == "adTargetingEntities":
            return Reply(self._targeting(call))
        if call.resource == "conversions":
            call.choice("q", ("account",), "")
            account = finders.owner(self._directory, call, "account")
            rules = [] if account is None else [self._rule(account)]
            return Reply(paging.index_page(call, rules, dict))
        # Nobody fills in a form in the sandbox.
        call.choice("q", ("owner",), "")
        return Reply(paging.index_page(call, [], dict))

    def _pricing(self, call: Call) -> dict[str, Any]:
        call.choice("q", ("criteriaV2",), "")
        account = finders.owner(self._directory, call, "account")
        if account is None:
            raise no_permission(str(call.text("account")))
        bid = call.choice("bidType", _BIDS, "")
        if not bid:
            raise bad_param("bidType", "is required")

        def amount(dollars: Decimal) -> dict[str, str]:
            value = dollars * money.per_dollar(account.currency) * account.minor_units
            return {"amount": money.text(float(value), account), "currencyCode": account.currency}

        floor = money.minimum_daily(account.currency)
        daily = [{"amount": money.text(float(floor * step * account.minor_units), account),
                  "currencyCode": account.currency} for step in _DAILY]  # fmt: skip
        least, usual, most = (amount(dollars) for dollars in _BIDS[bid])
        element = {
            "bidLimits": {"min": least, "max": most},
            "suggestedBid": {"default": usual, "min": least, "max": most},
            "dailyBudgetLimits": {"min": daily[0], "default": daily[1], "max": daily[2]},
        }
        return {"paging": {"start": 0, "count": 10, "links": []}, "elements": [element]}

    def _targeting(self, call: Call) -> dict[str, Any]:
        """Names of entities by URN, or those of a facet: the sandbox knows its countries."""
        finder = call.choice("q", ("urns", "adTargetingFacet", "typeahead"), "")
        facet = call.text("facet")
        known = {words.geo(code): name for code, (_, name) in words.GEO.items()}
        if finder == "urns":
            wanted = as_list(call.params.get("urns"))
        elif facet in (f"{PREFIX}locations", f"{PREFIX}profileLocations"):
            text = (call.text("query") or "").lower() if finder == "typeahead" else ""
            wanted = [urn for urn, name in known.items() if name.lower().startswith(text)]
        else:
            wanted = []
        rows = [{"urn": urn, "name": known[urn], "facetUrn": f"{PREFIX}locations"} for urn in wanted if urn in known]
        return paging.index_page(call, rows, dict, default=100)

    def _rule(self, account: Account) -> dict[str, Any]:
        """The one conversion rule that every campaign of an account is associated with."""
        return {
            "id": int(account.id),
            "account": urns.urn(urns.ACCOUNT, account.id),
            "name": "Purchase",
            "type": "PURCHASE",
            "conversionMethod": "CONVERSIONS_API",
            "attributionType": "LAST_TOUCH_BY_CAMPAIGN",
            "postClickAttributionWindowSize": 30,
            "viewThroughAttributionWindowSize": 7,
            "enabled": True,
            "valueType": "DYNAMIC",
            "created": millis(account.created_at),
            "lastModified": millis(account.created_at),
        }


def _facets() -> dict[str, Any]:
    elements = [
        {
            "adTargetingFacetUrn": f"{PREFIX}{name}",
            "facetName": name,
            "entityTypes": ["GEO" if name.endswith("ocations") else name.upper()],
            "availableEntityFinders": ["AD_TARGETING_FACET", "TYPEAHEAD"],
        }
        for name in FACETS
    ]
    return {"paging": {"start": 0, "count": len(elements), "links": []}, "elements": elements}
