"""Checking targeting criteria: AND over the list, OR inside a facet, one exclusion; and the facets there are."""

from typing import Any

from stakazo_pipelines.sandbox.linkedin.writes.checks import Checks, record

PREFIX = "urn:li:adTargetingFacet:"
FACETS = (
    "locations", "profileLocations", "interfaceLocales", "titles", "jobFunctions", "seniorities", "skills",
    "industries", "employers", "staffCountRanges", "companyCategory", "followedCompanies", "memberBehaviors",
    "interests", "groups", "schools", "degrees", "fieldsOfStudy", "ageRanges", "genders", "yearsOfExperienceRanges",
    "audienceMatchingSegments", "dynamicSegments",
)  # fmt: skip
_CONFLICTS = (("titles", "seniorities"), ("titles", "jobFunctions"), ("employers", "industries"),
              ("employers", "staffCountRanges"))  # fmt: skip
_MOST_VALUES = 200
_PATH = "targetingCriteria"


def check_targeting(checks: Checks) -> None:
    """Adds what is wrong about the targeting; it is looked at only where it is new."""
    criteria = checks.document.get(_PATH)
    if criteria is None or not checks.changed(_PATH):
        return
    groups = record(record(criteria).get("include")).get("and")
    if not isinstance(groups, list) or not groups:
        checks.add("FAILED_TO_PROCESS_TARGETING_CRITERIA", f"{_PATH}/include", "must be {and:[{or:{facet:[…]}}]}")
        return
    included = [_facets(checks, group) for group in groups]
    excluded = _facets(checks, record(criteria).get("exclude", {"or": {}}))
    used = {facet for group in included for facet in group}
    if not used & {"locations", "profileLocations"}:
        checks.add("MISSING_FIELD", f"{_PATH}/include", "a location is required")
    for one, other in _CONFLICTS:
        if one in used and other in used:
            checks.add("INCOMPATIBLE_TARGETING_COMBINATION", f"{_PATH}/include", f"{one} do not go with {other}")
    values = {value for group in included for chosen in group.values() for value in chosen}
    both = values & {value for chosen in excluded.values() for value in chosen}
    if both:
        code = "FIELD_CANNOT_BE_BOTH_IN_INCLUDED_AND_EXCLUDED_TARGETING"
        checks.add(code, _PATH, f"{', '.join(sorted(both))} is included and excluded")


def _facets(checks: Checks, group: Any) -> dict[str, list[str]]:
    chosen = group.get("or") if isinstance(group, dict) else None
    if not isinstance(chosen, dict):
        checks.add("FAILED_TO_PROCESS_TARGETING_CRITERIA", _PATH, "each part must be {or:{facet:[…]}}")
        return {}
    found = {}
    for facet, values in chosen.items():
        name = str(facet).removeprefix(PREFIX)
        if name not in FACETS:
            checks.add("INVALID_VALUE_FOR_FIELD", _PATH, f"{facet} is no targeting facet")
        elif not isinstance(values, list) or not all(isinstance(value, str) and value for value in values):
            checks.add("INVALID_VALUE_FOR_FIELD", _PATH, f"{facet} needs a list of URNs")
        elif len(values) > _MOST_VALUES:
            checks.add("FIELD_VALUE_TOO_HIGH", _PATH, f"{facet} takes at most {_MOST_VALUES} values")
        else:
            found[name] = values
    return found
