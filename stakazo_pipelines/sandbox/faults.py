"""Faults on request: which calls go wrong, how, how often, decided from a seed so that a run can be repeated.

This module only decides; the emulators know what each fault looks like on their platform.
"""

import random
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

# What a request must be for a fault to make sense (and to be used up): see `FaultTable.hits`.
# Options beside the shared ones: throttle code, retry_after_s · server_error status, code, subcode, body ("html") ·
# timeout, slow_body, response_lost seconds · truncated_json share · malformed_row field, value, rows ("all") ·
# missing_field, retyped_field field, rows ("one") · new_field field, value · partial_batch share ·
# write_delayed requests or hours.
KINDS: Mapping[str, str] = {
    "throttle": "any",
    "server_error": "any",
    "expired_token": "any",
    "permission_lost": "any",
    "timeout": "transport",
    "slow_body": "transport",
    "truncated_json": "transport",
    "response_lost": "any",
    "malformed_row": "list",
    "missing_field": "list",
    "new_field": "list",
    "retyped_field": "list",
    "duplicated_page": "paged",
    "missing_page": "paged",
    "partial_batch": "batch",
    "async_failed": "async",
    "async_stuck": "async",
    "write_lost": "write",
    "write_refused": "write",
    "write_delayed": "update",
}
_SHARED_KEYS = frozenset({"platform", "path", "method", "kind", "probability", "times", "seed"})


class FaultError(ValueError):
    """A fault was described in a way that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A fault that fired on one request. `options` are the kind's own settings, `rng` draws its details."""

    kind: str
    options: Mapping[str, Any]
    rng: random.Random

    def number(self, name: str, default: float) -> float:
        value = self.options.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise FaultError(f"fault option {name!r} must be a number, not {value!r}")
        return float(value)

    def text(self, name: str, default: str) -> str:
        return str(self.options.get(name, default))


@dataclass(slots=True)
class FaultRule:
    """One described fault, of one platform or (None) of all. `times` bounds how often it fires; `fired` counts."""

    id: int
    platform: str | None
    path: re.Pattern[str]
    kind: str
    method: str | None
    probability: float
    times: int | None
    seed: int
    options: Mapping[str, Any]
    rng: random.Random
    fired: int = 0

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "platform": self.platform,
            "path": self.path.pattern,
            "method": self.method,
            "kind": self.kind,
            "probability": self.probability,
            "times": self.times,
            "seed": self.seed,
            "fired": self.fired,
            **self.options,
        }


@dataclass(slots=True)
class FaultTable:
    """The faults in force, in the order they were asked for."""

    rules: list[FaultRule] = field(default_factory=list)
    _next_id: int = 1

    def add(self, spec: Mapping[str, Any]) -> FaultRule:
        """Add a fault from its JSON form. Raises FaultError with what is wrong."""
        kind = spec.get("kind")
        if kind not in KINDS:
            raise FaultError(f"unknown fault kind {kind!r}; known: {', '.join(sorted(KINDS))}")
        probability = spec.get("probability", 1.0)
        if isinstance(probability, bool) or not isinstance(probability, int | float) or not 0 <= probability <= 1:
            raise FaultError("probability must be a number from 0 to 1")
        times = spec.get("times")
        if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
            raise FaultError("times must be a whole number from 1, or null for no end")
        seed = spec.get("seed", 0)
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise FaultError("seed must be a whole number")
        try:
            path = re.compile(str(spec.get("path", ".*")))
        except re.error as error:
            raise FaultError(f"path is not a regular expression: {error}") from error
        method, platform = spec.get("method"), spec.get("platform")
        rule = FaultRule(
            id=self._next_id,
            platform=None if platform is None else str(platform),
            path=path,
            kind=str(kind),
            method=str(method).upper() if method is not None else None,
            probability=float(probability),
            times=times,
            seed=seed,
            options={key: value for key, value in spec.items() if key not in _SHARED_KEYS},
            rng=random.Random(f"{seed}/{kind}"),  # noqa: S311 - repeatable on purpose, guards no secret
        )
        self._next_id += 1
        self.rules.append(rule)
        return rule

    def hits(self, platform: str, method: str, path: str, traits: Collection[str]) -> list[Hit]:
        """The faults that fire on this request, used up as they fire.

        `path` is searched for the rule's expression. `traits` says what the request is: a kind fires only where the
        trait it needs (`KINDS`) is present, so that "one malformed row" waits for a request that has rows.
        """
        fired: list[Hit] = []
        for rule in self.rules:
            if rule.platform not in (None, platform) or KINDS[rule.kind] not in traits:
                continue
            if rule.method not in (None, method.upper()) or not rule.path.search(path):
                continue
            if rule.times is not None and rule.fired >= rule.times:
                continue
            if rule.rng.random() >= rule.probability:
                continue
            rule.fired += 1
            detail = random.Random(f"{rule.seed}/{rule.kind}/{rule.fired}")  # noqa: S311 - repeatable on purpose
            fired.append(Hit(kind=rule.kind, options=rule.options, rng=detail))
        return fired

    def clear(self, rule_id: int | None = None) -> int:
        """Drop one fault or all; how many were dropped."""
        kept = [rule for rule in self.rules if rule_id is not None and rule.id != rule_id]
        dropped = len(self.rules) - len(kept)
        self.rules = kept
        return dropped
