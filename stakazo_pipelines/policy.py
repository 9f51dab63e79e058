"""`policy.yaml`, read into typed, validated, frozen settings. Errors name the line and the fix."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stakazo_pipelines.errors import ConfigError
from stakazo_pipelines.vocabulary import Autonomy

Fraction = Annotated[float, Field(ge=0, le=1)]
PlatformName = Literal["meta", "tiktok", "linkedin"]  # those that the registry has


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class IngestPolicy(_Section):
    """What is read from the platforms and how often a day is read again."""

    first_day: date = date(2020, 1, 1)
    reread_ages: tuple[Annotated[int, Field(ge=1, le=90)], ...] = (1, 2, 3, 4, 5, 6, 7, 14, 28)
    backfill_days_per_run: Annotated[int, Field(ge=1, le=400)] = 60
    reconciliation_tolerance: Fraction = 0.01


class MeasurementPolicy(_Section):
    """How returns are estimated. Days count report days, half-lives are in days."""

    window_days: Annotated[int, Field(ge=7, le=730)] = 90
    min_conversions: Annotated[float, Field(ge=0)] = 10
    min_days: Annotated[int, Field(ge=1)] = 7
    min_maturity: Fraction = 0.5
    mature_share: Fraction = 0.9  # reported of a day's conversions: from then on people are told that it is mature
    stale_after_days: Annotated[int, Field(ge=1)] = 3
    target_roas: Annotated[float, Field(gt=0)] = 1.0
    population_refit_days: Annotated[int, Field(ge=1)] = 7


class TrackRecordPolicy(_Section):
    """When published intervals count as broken, and nothing moves: see `scoring.record.standing`."""

    window_days: Annotated[int, Field(ge=7, le=365)] = 28  # of estimates whose scores are looked at together
    min_scored: Annotated[int, Field(ge=1)] = 50  # arms x weeks; fewer say nothing
    least_coverage: Fraction = 0.7  # of the 90 % intervals, on any platform
    confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.99  # that coverage is below it


class AllocationPolicy(_Section):
    """How budgets move. Fractions are of the budget before the change."""

    step_cap: Annotated[float, Field(gt=0, le=1)] = 0.2
    min_change: Fraction = 0.01
    min_budget_share: Fraction = 0.05  # of the arm's own average in the window: nothing is starved
    total: Annotated[Decimal, Field(gt=0)] | None = None  # per account and day; None keeps today's sum
    # What an arm counts with: its expected value, unless one of these asks for care (allocation/risk.py says how).
    risk_quantile: Annotated[float, Field(gt=0, le=0.5)] | None = None
    risk_deviations: Annotated[float, Field(ge=0)] | None = None
    # What each account's money must earn (allocation/targets.py): what earns less is not spent. None: all of it is.
    target_roas: Annotated[float, Field(gt=0)] | None = None  # on average
    min_marginal_roas: Annotated[float, Field(gt=0)] | None = None  # the last unit of money
    # Share of an account's expected value a day that trying what one draw of the posterior would do may cost.
    explore: Fraction = 0.0

    @model_validator(mode="after")
    def _one_aversion(self) -> "AllocationPolicy":
        if self.risk_quantile is not None and self.risk_deviations is not None:
            raise ValueError("risk_quantile and risk_deviations are two ways to say one thing; keep one of them")
        return self

    @property
    def careful(self) -> bool:
        return self.risk_quantile is not None or bool(self.risk_deviations)


class RangePolicy(_Section):
    """Bounds on money a day. They stop moves that would leave them; a budget outside comes back by its own returns."""

    min: Annotated[Decimal, Field(ge=0)] = Decimal(0)
    max: Annotated[Decimal, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "RangePolicy":
        if self.max is not None and self.min > self.max:
            raise ValueError(f"min is above max; lower it by {self.min - self.max} or raise max")
        return self


class GroupPolicy(RangePolicy):
    """Bounds on the sum of some arms of an account, such as the campaigns of a brand."""

    entities: Annotated[tuple[str, ...], Field(min_length=1)]  # ids of arms, or of campaigns with all their arms
    within: str | None = None  # the group around this one: they may nest, not overlap


class FlightPolicy(_Section):
    """A total for the days first to last, both within, that ends on it exactly where each day's budget may follow.

    A day may ask for any cut, but for a rise only as far as guardrails.max_budget_growth lets the account's total grow:
    at its default, for rounding only, a flight that is behind stays behind, and says so. allocation/pacing.py paces.
    """

    first: date
    last: date
    total: Annotated[Decimal, Field(gt=0)]
    weekdays: Annotated[tuple[Annotated[float, Field(ge=0)], ...], Field(min_length=7, max_length=7)] = (1.0,) * 7
    over_delivery: Annotated[float, Field(ge=1)] = 1.0  # most that the platform delivers of a day's budget

    @model_validator(mode="after")
    def _has_days(self) -> "FlightPolicy":
        if self.last < self.first:
            raise ValueError(f"the flight ends on {self.last}, before it begins on {self.first}")
        days = min((self.last - self.first).days + 1, 7)
        if not any(self.weekdays[(self.first.weekday() + at) % 7] for at in range(days)):
            raise ValueError("no day of the flight has a weight above 0")
        return self


class ExperimentPolicy(_Section):
    """Small random steps on decided budgets, inside every bound and cap, so that elasticity is told from demand."""

    share: Fraction = 0.0  # of an account's ad groups that take part at a time; 0: none
    size: Annotated[float, Field(gt=0, le=0.1)] = 0.05  # of the decided budget, up or down
    block_days: Annotated[int, Field(ge=1, le=28)] = 7  # that an arm keeps its direction


class PortfolioPolicy(_Section):
    """How money moves between accounts, which may be of different platforms and currencies."""

    reporting_currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    move_between_accounts: bool = True  # false: every account keeps its own total
    account_step: Annotated[float, Field(gt=0, le=1)] = 0.1  # cumulative: of an account's total, in its day
    platforms: Mapping[PlatformName, RangePolicy] = Field(default_factory=dict)  # of accounts that share their totals


class GuardrailPolicy(_Section):
    """Cumulative limits; they bind autonomous and approved changes alike, and never block a pause or a stop."""

    entity_24h: Annotated[float, Field(gt=0)] = 0.3
    account_day: Annotated[float, Field(gt=0)] = 0.5  # sum of absolute changes / sum of budgets
    account_month: Annotated[float, Field(gt=0)] = 10.0
    # Of an account's total in one plan: rounding, unless set for flights, whose rises it holds as well. Beyond it, only
    # what other accounts gave up may be raised, or up to a total that policy sets.
    max_budget_growth: Annotated[float, Field(gt=0)] = 0.0001


class ApprovalPolicy(_Section):
    expires_hours: Annotated[int, Field(ge=1, le=168)] = 24


class AccountPolicy(_Section):
    """Overrides for one account, keyed `platform/account_id`."""

    autonomy: Autonomy | None = None
    total: Annotated[Decimal, Field(gt=0)] | None = None
    held: tuple[str, ...] = ()
    bounds: RangePolicy = RangePolicy()  # of its total a day
    arms: Mapping[str, RangePolicy] = Field(default_factory=dict)  # by id: of single budgets
    groups: Mapping[str, GroupPolicy] = Field(default_factory=dict)  # by a name of yours
    flight: FlightPolicy | None = None  # instead of a total a day
    target_roas: Annotated[float, Field(gt=0)] | None = None
    target_cpa: Annotated[float, Field(gt=0)] | None = None  # money per conversion, in the account's currency
    min_marginal_roas: Annotated[float, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _one_total(self) -> "AccountPolicy":
        if self.flight is not None and self.total is not None:
            raise ValueError("total and flight are two totals; keep one of them")
        for name, group in self.groups.items():
            outer, seen = group.within, {name}
            while outer is not None:
                if outer not in self.groups or outer in seen:
                    raise ValueError(f"group {name} lies within {outer}, which is no group around it")
                seen.add(outer)
                outer = self.groups[outer].within
        return self


class AutonomyPolicy(_Section):
    sandbox: Autonomy = Autonomy.AUTONOMOUS
    live: Autonomy = Autonomy.OBSERVE


class Policy(_Section):
    """The whole of `policy.yaml`; every field has a default, so an empty file is a valid policy."""

    platforms: tuple[PlatformName, ...] = ("meta", "tiktok", "linkedin")  # those left out are neither read nor written
    ingest: IngestPolicy = IngestPolicy()
    measurement: MeasurementPolicy = MeasurementPolicy()
    lift_tests: Path | None = (
        None  # a CSV file of lift tests (stakazo_pipelines/lift_tests.py), from the policy's folder
    )
    track_record: TrackRecordPolicy = TrackRecordPolicy()
    allocation: AllocationPolicy = AllocationPolicy()
    experiments: ExperimentPolicy = ExperimentPolicy()
    portfolio: PortfolioPolicy = PortfolioPolicy()
    guardrails: GuardrailPolicy = GuardrailPolicy()
    approval: ApprovalPolicy = ApprovalPolicy()
    autonomy: AutonomyPolicy = AutonomyPolicy()
    accounts: Mapping[Annotated[str, Field(pattern=r"^[a-z0-9_]+/.+$")], AccountPolicy] = Field(default_factory=dict)

    @field_validator("platforms")
    @classmethod
    def _each_platform_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(names)) < len(names):
            raise ValueError("a platform stands twice")
        return names

    @model_validator(mode="after")
    def _step_within_daily_cap(self) -> "Policy":
        if self.allocation.step_cap > self.guardrails.entity_24h:
            raise ValueError(
                f"allocation.step_cap ({self.allocation.step_cap}) is above guardrails.entity_24h "
                f"({self.guardrails.entity_24h}); lower the step or raise the 24 h cap"
            )
        return self

    def account(self, platform: str, account_id: str) -> AccountPolicy:
        """What policy says of one account; nothing where it says nothing."""
        return self.accounts.get(f"{platform}/{account_id}") or AccountPolicy()

    def total_of(self, platform: str, account_id: str) -> Decimal | None:
        """The total a day that policy sets for an account, in its currency; None where today's sum counts."""
        own = self.account(platform, account_id)
        if own.flight is not None:
            return None
        return own.total if own.total is not None else self.allocation.total

    def shares_total(self, platform: str, account_id: str) -> bool:
        """Whether the account's total is part of the portfolio's, not set by policy."""
        flight = self.account(platform, account_id).flight
        return self.portfolio.move_between_accounts and flight is None and self.total_of(platform, account_id) is None

    def autonomy_of(self, platform: str, account_id: str, *, sandbox: bool) -> Autonomy:
        """The account's own level, else the default for its kind of endpoint."""
        own = self.accounts.get(f"{platform}/{account_id}")
        if own is not None and own.autonomy is not None:
            return own.autonomy
        return self.autonomy.sandbox if sandbox else self.autonomy.live


class _Loader(yaml.SafeLoader):
    """PyYAML's own, but what looks like a value and is none, such as 2026-06-31, is told with its line."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            why = f"{node.value!r}: {error}"
            raise yaml.constructor.ConstructorError(None, None, why, node.start_mark) from None


def load_policy(path: Path) -> Policy:
    """Read a policy file. A missing file is a ConfigError; an empty one is the default policy."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); set STAKAZO_POLICY to a policy file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    policy = parse_policy(text, source=str(path))
    if policy.lift_tests is None:
        return policy
    return policy.model_copy(update={"lift_tests": path.parent / policy.lift_tests})


def parse_policy(text: str, *, source: str) -> Policy:
    """Validate policy text; every problem is listed with its line."""
    try:
        tree = yaml.compose(text, Loader=yaml.SafeLoader)
        values = _Loader(text).get_single_data() or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise ConfigError(f"{source}{line}: not valid YAML ({getattr(error, 'problem', error)})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{source}:1: a policy is a mapping of sections, not {type(values).__name__}")
    try:
        return Policy.model_validate(values)
    except ValidationError as error:
        problems = [_describe(source, tree, problem) for problem in error.errors()]
        raise ConfigError("\n".join(problems)) from None


def _describe(source: str, tree: Any, problem: Any) -> str:
    path = tuple(problem["loc"])
    name = ".".join(str(part) for part in path) or "policy"
    if problem["type"] == "extra_forbidden":
        fix = "no such setting; remove it or correct its name"
    else:
        fix = f"{problem['msg']}; it is {problem['input']!r}" if path else problem["msg"]
    return f"{source}:{_line_of(tree, path)}: {name}: {fix}"


def _line_of(node: Any, path: tuple[str | int, ...]) -> int:
    line = node.start_mark.line + 1 if node is not None else 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            break
    return int(line)
