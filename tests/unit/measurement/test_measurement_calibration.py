"""Intervals against worlds that do not follow the model: the small one here, and the sandbox's."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from scipy.stats import spearmanr

from stakazo_pipelines.measurement.estimate import estimate
from stakazo_pipelines.measurement.maturity import MaturityCurve, learn_maturity
from stakazo_pipelines.measurement.population import fit_population
from stakazo_pipelines.policy import MeasurementPolicy
from stakazo_pipelines.sandbox.world import World, WorldConfig


def judge(
    arm_days: pl.DataFrame, arms: pl.DataFrame, truth: pl.DataFrame, maturity: Mapping[str, MaturityCurve], as_of: Any
) -> pl.DataFrame:
    """Per arm in state ok: covered (ROAS, marginal), log errors, estimates and truth."""
    population = fit_population(arm_days, maturity, as_of=as_of, seed=1)
    result = estimate(
        arm_days=arm_days,
        arms=arms,
        as_of=as_of,
        maturity=maturity,
        population=population,
        settings=MeasurementPolicy(),
    )
    return (
        result.frame.join(truth, on="arm_id")
        .filter(pl.col("state") == "ok", pl.col("true_marginal") > 0)
        .with_columns(
            covered=pl.col("true_roas").is_between("roas_low", "roas_high"),
            marginal_covered=pl.col("true_marginal").is_between("marginal_roas_low", "marginal_roas_high"),
            error=pl.col("roas").log() - pl.col("true_roas").log(),
        )
    )


def rank_correlation(judged: pl.DataFrame) -> float:
    return float(spearmanr(judged["marginal_roas"], judged["true_marginal"]).statistic)


@pytest.mark.slow
def test_intervals_hold_in_a_world_the_model_does_not_know(small_world: Callable[..., Any]) -> None:
    worlds = [small_world(seed) for seed in (1, 2)]
    judged = [judge(world.arm_days, world.arms, world.truth, {}, world.as_of) for world in worlds]
    both = pl.concat(judged)
    assert len(both) > 200
    assert 0.80 <= both["covered"].mean() <= 0.97
    assert 0.78 <= both["marginal_covered"].mean() <= 0.98
    assert abs(both["error"].mean()) < 0.1
    assert min(rank_correlation(one) for one in judged) > 0.75


def sandbox_days(world: World) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """arm_days, arms and truth of a world, as a pipeline that read everything now would have them."""
    held = [campaign.id for campaign in world.campaigns.values() if campaign.daily_budget or campaign.lifetime_budget]
    frames = []
    for account in world.accounts.values():
        today = world.now.astimezone(ZoneInfo(account.timezone)).date()
        seen = world.report(account.id, "ad_group", today - timedelta(days=120), today - timedelta(days=1))
        columns = ("ad_group_id", "campaign_id", "day", "spend", "purchases", "purchase_value")
        frames.append(
            pl.DataFrame({name: seen[name] for name in columns})
            .with_columns(pl.col("ad_group_id", "campaign_id").cast(pl.String), pl.col("day").cast(pl.Date))
            .with_columns(
                pl.when(pl.col("campaign_id").is_in(held)).then("campaign_id").otherwise("ad_group_id").alias("arm_id")
            )
            .group_by("arm_id", "campaign_id", pl.col("day").alias("date_day"))
            .agg(
                pl.col("spend").cast(pl.Float64).sum(),
                pl.col("purchases").cast(pl.Float64).sum().alias("conversions"),
                pl.col("purchase_value").cast(pl.Float64).sum().alias("conversions_value"),
            )
            .with_columns(
                account_id=pl.lit(account.id),
                platform=pl.lit("meta"),
                currency=pl.lit(account.currency),
                age_days=(pl.lit(today) - pl.col("date_day")).dt.total_days(),
            )
        )
    objectives = pl.DataFrame(
        {"campaign_id": list(world.campaigns), "objective": [c.objective for c in world.campaigns.values()]}
    )
    keys = ("arm_id", "account_id", "campaign_id", "currency", "budget", "roas", "marginal_roas")
    live = pl.DataFrame([{key: arm[key] for key in keys} for arm in world.truth()["arms"] if arm["budget"] > 0])
    arms = live.select(*keys[:5], pl.lit("meta").alias("platform")).join(objectives, on="campaign_id", how="left")
    truth = live.select("arm_id", true_roas="roas", true_marginal="marginal_roas")
    return pl.concat(frames, how="diagonal").join(objectives, on="campaign_id", how="left"), arms, truth


def vintages_of(world: World, ages: tuple[int, ...]) -> pl.DataFrame:
    rows = []
    for account in world.accounts.values():
        today = world.now.astimezone(ZoneInfo(account.timezone)).date()
        seen = world.report(account.id, "account", today - timedelta(days=max(ages)), today - timedelta(days=1))
        for day, count in zip(seen["day"].tolist(), seen["purchases"].tolist(), strict=True):
            if (today - day).days in ages:
                rows.append(("meta", account.id, day, (today - day).days, float(count)))
    schema = ["platform", "account_id", "date_day", "age_days", "conversions"]
    return pl.DataFrame(rows, schema=schema, orient="row")


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "days_watched"), [(1, 0), (2, 0), (1, 14), (2, 14), (3, 14), (4, 14), (5, 14)])
def test_intervals_hold_in_the_sandbox(seed: int, days_watched: int) -> None:
    start = datetime(2026, 6, 30, 12, tzinfo=UTC)
    world = World(WorldConfig(seed=seed, start=start))
    vintages = [vintages_of(world, tuple(range(1, 121)))]
    for day in range(1, days_watched + 1):
        world.advance(start + timedelta(days=day))
        vintages.append(vintages_of(world, (1, 2, 3, 4, 5, 6, 7, 14, 28)))
    arm_days, arms, truth = sandbox_days(world)
    judged = judge(arm_days, arms, truth, learn_maturity(pl.concat(vintages)), arm_days["date_day"].max())
    assert len(judged) > 80
    assert 0.80 <= judged["covered"].mean() <= 0.97
    assert 0.80 <= judged["marginal_covered"].mean() <= 0.98
    assert abs(judged["error"].mean()) < 0.1
    assert rank_correlation(judged) > 0.8
    assert np.isfinite(judged["error"].to_numpy()).all()


@pytest.mark.slow
def test_few_arms_carry_wide_enough_intervals(small_world: Callable[..., Any]) -> None:
    worlds = [small_world(seed, 5, 60) for seed in range(200, 220)]
    judged = pl.concat([judge(world.arm_days, world.arms, world.truth, {}, world.as_of) for world in worlds])
    assert len(judged) > 60
    assert 0.80 <= judged["covered"].mean() <= 0.98
