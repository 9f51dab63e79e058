"""The account's point budget and the usage headers that stand on every answer.

Reads cost 1 point, writes 3; the score decays by limit/300 a second; over the limit the account is blocked for a
while (Meta: 60 s with full access, 300 s in development). Time is real and monotonic, given as a callable, because
throttling protects the real server and not the simulated one.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

READ_POINTS = 1
WRITE_POINTS = 3
DECAY_SECONDS = 300.0
_HOUR = 3600.0


@dataclass(slots=True)
class _Score:
    points: float = 0.0
    at: float = 0.0
    blocked_until: float = 0.0
    calls: dict[str, deque[float]] = field(default_factory=dict)


@dataclass(slots=True)
class Throttle:
    """Scores by account. `limit` in points; `block_s` None chooses Meta's block of the tier."""

    clock: Callable[[], float]
    limit: int = 9000
    block_s: float | None = None
    _scores: dict[str, _Score] = field(default_factory=dict)
    _app_calls: deque[float] = field(default_factory=deque)

    @property
    def tier(self) -> str:
        return "development_access" if self.limit <= 60 else "standard_access"

    def charge(self, account_id: str, points: int, use_case: str) -> float:
        """Count a call; 0.0 when it may run, else the seconds until the account is let in again."""
        now = self.clock()
        self._app_calls.append(now)
        if not account_id:
            return 0.0
        score = self._scores.setdefault(account_id, _Score(at=now))
        self._decay(score, now)
        score.calls.setdefault(use_case, deque()).append(now)
        if now < score.blocked_until:
            return score.blocked_until - now
        if score.points + points > self.limit:
            block = self.block_s if self.block_s is not None else (300.0 if self.limit <= 60 else 60.0)
            score.blocked_until = now + block
            return block
        score.points += points
        return 0.0

    def headers(self, account_id: str, use_case: str, *, active_ads: int) -> dict[str, str]:
        """The usage headers as they stand after the call."""
        now = self.clock()
        _drop_older(self._app_calls, now - _HOUR)
        # The platform-wide limit grows with users; the sandbox has one app whose share never matters.
        headers = {"x-app-usage": _json({"call_count": 0, "total_cputime": 0, "total_time": 0})}
        if not account_id:
            return headers
        score = self._scores.setdefault(account_id, _Score(at=now))
        self._decay(score, now)
        wait = max(0.0, score.blocked_until - now)
        return headers | self.account_headers(account_id, use_case, self._percent(score), wait, active_ads=active_ads)

    def account_headers(
        self, account_id: str, use_case: str, percent: float, wait_s: float, *, active_ads: int
    ) -> dict[str, str]:
        """Headers of one account at a usage in percent and a wait in seconds (whole minutes in the use-case header)."""
        now = self.clock()
        calls = self._scores.setdefault(account_id, _Score(at=now)).calls.setdefault(use_case, deque())
        _drop_older(calls, now - _HOUR)
        allowed = (190_000 + 400 * active_ads) if use_case == "ads_insights" else (100_000 + 40 * active_ads)
        share = int(100 * len(calls) / allowed)
        blocked = 100 if wait_s > 0 else 0
        usage = {
            "type": use_case,
            "call_count": max(share, blocked),
            "total_cputime": share,
            "total_time": share,
            "estimated_time_to_regain_access": int(wait_s // 60),
            "ads_api_access_tier": self.tier,
        }
        headers = {
            "x-business-use-case-usage": _json({account_id: [usage]}),
            "x-ad-account-usage": _json(
                {
                    "acc_id_util_pct": round(max(percent, float(blocked)), 2),
                    "reset_time_duration": -int(-wait_s // 1),
                    "ads_api_access_tier": self.tier,
                }
            ),
        }
        if use_case == "ads_insights":
            headers["x-fb-ads-insights-throttle"] = _json(
                {"app_id_util_pct": 0.0, "acc_id_util_pct": round(percent, 2), "ads_api_access_tier": self.tier}
            )
        return headers

    def _percent(self, score: _Score) -> float:
        return 100.0 * score.points / self.limit

    def _decay(self, score: _Score, now: float) -> None:
        score.points = max(0.0, score.points - (now - score.at) * self.limit / DECAY_SECONDS)
        score.at = now


def _drop_older(calls: deque[float], threshold: float) -> None:
    while calls and calls[0] < threshold:
        calls.popleft()


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
