"""LinkedIn's numbers of countries as ISO 3166 codes, for those that public integrations agree on.

Any other country stays what it is on LinkedIn, `geo:<number>`: a segment of its own, only without a common name.
"""

from collections.abc import Mapping

_COUNTRIES: Mapping[str, str] = {
    "100565514": "BE", "101165590": "GB", "101174742": "CA", "101282230": "DE", "101355337": "JP", "101452733": "AU",
    "102454443": "SG", "102713980": "IN", "102890719": "NL", "102890883": "CN", "103323778": "MX", "103350119": "IT",
    "103644278": "US", "103819153": "NO", "103883259": "AT", "104035573": "ZA", "104514075": "DK", "104738515": "IE",
    "105015875": "FR", "105072130": "PL", "105117694": "SE", "105149562": "KR", "105646813": "ES", "106057199": "BR",
    "106693272": "CH",
}  # fmt: skip


def country(number: str) -> str:
    return _COUNTRIES.get(number) or f"geo:{number}"
