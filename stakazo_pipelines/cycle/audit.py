"""The audit of the daily engine on the newest data of the lake: what was found, in figures and in words."""

from datetime import date, timedelta

from stakazo_pipelines.cycle.returns import learned_maturity, newest_population
from stakazo_pipelines.cycle.soundness import sound_days
from stakazo_pipelines.errors import LakeError
from stakazo_pipelines.lake import Lake
from stakazo_pipelines.measurement.audit import QUANTITIES, Agreement, Audit, agreement, audit_engine
from stakazo_pipelines.policy import Policy

AUDIT = "engine_audit"
MOST_ARMS = 1000  # sampled unless somebody asks for another number
MAX_DIFFERENCE = 0.15  # mean of the absolute differences of posterior means, in the full model's deviations
MAX_WIDTH_ERROR = 0.1  # of 90 % intervals, on average
ALARMING = 3.0  # times these: no longer a matter of approximation
LEAST_P = 0.005
_WORDS = {"log_value": "value at the reference spend", "elasticity": "elasticity"}


def audit_day(lake: Lake, policy: Policy, as_of: date, *, max_arms: int) -> Audit:
    """Audit the estimates that are made of the days before `as_of`; the comparison of every arm is kept in the lake."""
    arm_days = sound_days(lake, as_of, policy.measurement.window_days).arm_days
    if arm_days.is_empty():
        raise LakeError(f"no report days before {as_of}: materialize the marts first")
    audit = audit_engine(
        arm_days=arm_days,
        as_of=as_of,
        maturity=learned_maturity(lake, as_of - timedelta(days=1)),
        population=newest_population(lake, as_of),
        settings=policy.measurement,
        seed=as_of.toordinal(),
        max_arms=max_arms,
    )
    lake.write_asset(AUDIT, as_of, audit.compared)
    return audit


def agreements(audit: Audit) -> dict[str, Agreement]:
    """By quantity."""
    return {name: agreement(audit.compared, name) for name in QUANTITIES}


def disagreements(audit: Audit, *, times: float = 1.0) -> list[str]:
    """In words, where the engines differ by more than `times` what an approximation may cost."""
    found = []
    for name, one in agreements(audit).items():
        if not one.difference <= times * MAX_DIFFERENCE:
            found.append(f"{_WORDS[name]}: means differ by {one.difference:.2f} posterior deviations on average")
        if not abs(one.width_ratio - 1.0) <= times * MAX_WIDTH_ERROR:
            found.append(f"{_WORDS[name]}: daily intervals are {one.width_ratio:.2f} times as wide on average")
    return found


def misfits(audit: Audit) -> list[str]:
    """In words, what of the counts the model does not describe."""
    return [
        f"{name}: posterior predictive p-value {value:.3f}"
        for name, value in audit.p_values.items()
        if not LEAST_P <= value <= 1.0 - LEAST_P
    ]
