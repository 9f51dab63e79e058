"""From time to time: the daily engine's estimates against full Bayesian sampling of the same arms and days."""

from dataclasses import asdict

import polars as pl
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    Config,
    MaterializeResult,
    MetadataValue,
    asset,
)
from pydantic import Field

from assets.ingest import OWNERS
from assets.isolation import apart
from assets.measurement import REPORTS
from assets.metadata import table
from assets.pictures import engines_compared
from resources import ClockResource, LakeResource, PolicyResource
from stakazo_pipelines.cycle.audit import (
    ALARMING,
    AUDIT,
    MAX_DIFFERENCE,
    MAX_WIDTH_ERROR,
    MOST_ARMS,
    agreements,
    audit_day,
    disagreements,
    misfits,
)
from stakazo_pipelines.cycle.returns import POPULATION


class AuditConfig(Config):
    """What a person may choose in the launchpad."""

    max_arms: int = Field(
        default=MOST_ARMS, ge=2, description="Arms to sample; more are drawn from all, by conversions."
    )


@asset(
    name=AUDIT,
    deps=[*REPORTS, "stg_entities", POPULATION],
    group_name="audit",
    owners=OWNERS,
    kinds={"pymc", "parquet"},
    check_specs=[
        AssetCheckSpec(
            "chains_agree",
            asset=AUDIT,
            description="R-hat, effective sample size and divergences of the audit's own sampling.",
        ),
        AssetCheckSpec(
            "engines_agree",
            asset=AUDIT,
            description=(
                f"Posterior means differ by at most {MAX_DIFFERENCE} deviations and interval widths by "
                f"{MAX_WIDTH_ERROR:.0%}, on average over arms; an error from {ALARMING:g} times that."
            ),
        ),
        AssetCheckSpec(
            "model_describes_the_counts",
            asset=AUDIT,
            description="Posterior predictive p-values of the total, days without conversions, scatter and weekdays.",
        ),
    ],
    description=(
        "The daily engine is a fast approximation of a hierarchy that PyMC holds in full. This samples the whole by "
        "NUTS for all arms, or for some of them drawn by their conversions, and compares value at the reference spend "
        "and elasticity arm by arm. It takes minutes, and no budget waits for it."
    ),
)
def engine_audit(
    config: AuditConfig, lake: LakeResource, policy: PolicyResource, clock: ClockResource
) -> MaterializeResult:
    as_of = clock.now().date()
    audit = apart(audit_day, lake.open(), policy.load(), as_of, max_arms=config.max_arms)
    found = agreements(audit)
    unsure = [*audit.hyper.problems, *(f"arms: {problem}" for problem in audit.single.problems)]
    differ, alarm = disagreements(audit), disagreements(audit, times=ALARMING)
    odd = misfits(audit)
    worst = audit.compared.sort(pl.col("log_value_difference").abs(), descending=True, nulls_last=True)
    return MaterializeResult(
        metadata={
            "as_of": str(as_of),
            "arms": audit.arms,
            "arms_with_delivery": audit.of_arms,
            "step_days": audit.step_days,
            "agreement": table(pl.DataFrame([{"quantity": name, **asdict(one)} for name, one in found.items()])),
            "comparison": engines_compared(audit.compared),
            "p_values": table(pl.DataFrame([audit.p_values])),
            "chains": table(
                pl.DataFrame(
                    [{"of": "hyper-parameters", **asdict(audit.hyper)}, {"of": "arms", **asdict(audit.single)}]
                )
            ),
            "largest_differences": table(worst),
        },
        check_results=[
            AssetCheckResult(
                check_name="chains_agree",
                passed=not unsure,
                severity=AssetCheckSeverity.WARN,
                description="; ".join(unsure) or None,
            ),
            AssetCheckResult(
                check_name="engines_agree",
                passed=not differ,
                severity=AssetCheckSeverity.ERROR if alarm and not unsure else AssetCheckSeverity.WARN,
                description="; ".join([*differ, *(["the chains do not agree either"] if differ and unsure else [])])
                or None,
                metadata={name: MetadataValue.json(asdict(one)) for name, one in found.items()},
            ),
            AssetCheckResult(
                check_name="model_describes_the_counts",
                passed=not odd,
                severity=AssetCheckSeverity.WARN,
                description="; ".join(odd) or None,
                metadata=audit.p_values,
            ),
        ],
    )
