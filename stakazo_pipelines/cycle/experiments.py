"""Random budget steps in the daily plan: drawn after the decision, kept in the frame, told in each change's rule."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl

from stakazo_pipelines.allocation.allocate import account_reach
from stakazo_pipelines.allocation.experiments import experiment_steps
from stakazo_pipelines.allocation.group_report import retold_groups
from stakazo_pipelines.allocation.guardrails import ChangeLedger
from stakazo_pipelines.allocation.report import AllocationResult, retold
from stakazo_pipelines.cycle.accounts import AccountKey
from stakazo_pipelines.cycle.budgets import AccountInputs
from stakazo_pipelines.policy import Policy

EXPERIMENT = "experiment"  # column: the step as a fraction of the decided budget, 0 where none was drawn


def with_experiments(
    result: AllocationResult,
    inputs: Collection[AccountInputs],
    policy: Policy,
    day: date,
    *,
    ledgers: Mapping[str, ChangeLedger],
    left_out: Collection[AccountKey] = (),
) -> AllocationResult:
    """The plan with its random steps and the gains that follow, and the column EXPERIMENT; as it is where policy asks
    for none. `left_out`: accounts that take no part (nothing can be published to them).
    """
    if policy.experiments.share <= 0:
        return result
    frames: list[pl.DataFrame] = []
    groups = result.groups
    summaries = {(one.platform, one.account_id): one for one in result.accounts}
    parts = {
        (str(platform), str(account)): part
        for (platform, account), part in result.frame.group_by("platform", "account_id", maintain_order=True)
    }
    for one in inputs:
        part = parts[one.key]
        if one.key in left_out:
            frames.append(part.with_columns(pl.lit(0.0).alias(EXPERIMENT)))
            continue
        own = groups.filter(pl.col("platform") == one.key[0], pl.col("account_id") == one.key[1])
        alone = AllocationResult(part, (summaries[one.key],), own)
        stepped = _stepped(alone, one, policy, day, ledgers)
        frames.append(stepped.frame)
        [summaries[one.key]] = stepped.accounts
        if not own.is_empty():
            groups = groups.update(stepped.groups, on=["platform", "account_id", "group"])
    accounts = tuple(summaries[one.platform, one.account_id] for one in result.accounts)
    return AllocationResult(pl.concat(frames), accounts, groups)


def rule_with(rule: str, step: float | None) -> str:
    """The rule of a change, with its random step if it has one: `…, experiment +4.0 %`."""
    return f"{rule}, experiment {step:+.1%}".replace("%", " %") if step else rule


def _stepped(
    alone: AllocationResult, one: AccountInputs, policy: Policy, day: date, ledgers: Mapping[str, ChangeLedger]
) -> AllocationResult:
    """One account's plan with its steps."""
    part, [summary], seed = alone.frame, alone.accounts, day.toordinal()
    reach = account_reach(
        estimates=one.estimates,
        arms=one.arms,
        policy=policy,
        ledger=ledgers.get(one.key[0], ChangeLedger()),
        held=one.held,
        minor_units=one.minor_units,
    )
    if reach.targets is not None:  # a step would spend what a target on returns leaves unspent
        return replace(alone, frame=part.with_columns(pl.lit(0.0).alias(EXPERIMENT)))
    decided = dict(part.select("arm_id", "proposed_budget").iter_rows())
    proposed = np.rint(np.array([decided[arm] for arm in reach.arm_ids]) * one.minor_units).astype(np.int64)
    steps = experiment_steps(
        account="/".join(one.key),
        arm_ids=reach.arm_ids,
        limits=reach.limits,
        proposed=proposed,
        day=day,
        settings=policy.experiments,
        min_change=policy.allocation.min_change,
    )
    share = steps / np.where(proposed > 0, proposed, 1)
    drawn = pl.DataFrame(
        {
            "arm_id": list(reach.arm_ids),
            "stepped": (proposed + steps) / one.minor_units,
            EXPERIMENT: share,
        }
    )
    frame = part.join(drawn, on="arm_id", how="left", maintain_order="left").with_columns(
        proposed_budget=pl.when(pl.col(EXPERIMENT) != 0).then("stepped").otherwise("proposed_budget")
    )
    frame = frame.drop("stepped")
    if not steps.any():
        return replace(alone, frame=frame)
    frame, summary = retold(frame, summary, one.estimates, seed=seed)
    groups = alone.groups
    if reach.limits.groups is not None:
        row = {arm: at for at, arm in enumerate(one.estimates.frame["arm_id"])}
        groups = retold_groups(
            groups,
            one.estimates,
            reach.limits.groups,
            row=np.array([row.get(arm, -1) for arm in reach.arm_ids], dtype=np.int64),
            current=reach.limits.current / one.minor_units,
            proposed=(proposed + steps) / one.minor_units,
            seed=seed,
        )
    return AllocationResult(frame, (summary,), groups)
