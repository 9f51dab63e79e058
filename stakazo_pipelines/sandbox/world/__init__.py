"""The simulated advertising world: hidden truth, entity store and clock, as pure and deterministic code.

world = World(WorldConfig(seed=7))
world.advance(to)                                  the only thing that moves `world.now`
world.create("ad_group", campaign_id=…, name=…)    writes act on delivery from the next full hour on
world.update("ad_group", id, daily_budget=5000)    budgets in minor units
world.report(account_id, "ad", since, until)       what an advertiser sees now
world.truth(), world.outcome(since, until)         what nobody sees: true curves, best allocation, regret
world.portfolio(since, until, rates)               the same over all accounts, in one currency
World.restore(world.state())                       the same world again, from config and log
"""

from stakazo_pipelines.sandbox.world.entities import (
    PLATFORMS,
    Account,
    Ad,
    AdGroup,
    AppliedWrite,
    Campaign,
    Creative,
    Entity,
    Learning,
    Level,
    WorldConfig,
    WorldError,
)
from stakazo_pipelines.sandbox.world.incidents import Incident
from stakazo_pipelines.sandbox.world.report import Report
from stakazo_pipelines.sandbox.world.splits import BREAKDOWNS
from stakazo_pipelines.sandbox.world.world import World

__all__ = [
    "BREAKDOWNS",
    "PLATFORMS",
    "Account",
    "Ad",
    "AdGroup",
    "AppliedWrite",
    "Campaign",
    "Creative",
    "Entity",
    "Incident",
    "Learning",
    "Level",
    "Report",
    "World",
    "WorldConfig",
    "WorldError",
]
