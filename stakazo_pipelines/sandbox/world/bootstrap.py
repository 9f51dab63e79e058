"""The default world: accounts, entities, and what imperfect people did to budgets and creatives in its history."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from stakazo_pipelines.sandbox.world.calendar import Calendar
from stakazo_pipelines.sandbox.world.entities import Account, Creative, Level, WorldConfig
from stakazo_pipelines.sandbox.world.incidents import Incident
from stakazo_pipelines.sandbox.world.nature import Groups, Market
from stakazo_pipelines.sandbox.world.noise import Ints
from stakazo_pipelines.sandbox.world.traits import TRAITS

_PLACES = {
    "meta": (
        ("Northwind Outfitters US", "USD", "America/New_York"),
        ("Nordlicht Handel EU", "EUR", "Europe/Berlin"),
        ("Sakura Goods JP", "JPY", "Asia/Tokyo"),
    ),
    "tiktok": (
        ("Northwind Outfitters UK", "GBP", "Europe/London"),
        ("Sakura Goods Shorts", "JPY", "Asia/Tokyo"),
        ("Northwind Outfitters West", "USD", "America/Los_Angeles"),
    ),
    "linkedin": (  # reports in UTC days
        ("Nordlicht Professional", "EUR", "UTC"),
        ("Northwind Corporate", "USD", "UTC"),
        ("Northwind Corporate UK", "GBP", "UTC"),
    ),
}
# Smallest units of a major one, and major units of about one US dollar.
_MONEY = {"USD": (100, 1.0), "EUR": (100, 0.92), "JPY": (1, 150.0), "GBP": (100, 0.79)}
_COUNTRY = {"USD": "US", "EUR": "DE", "JPY": "JP", "GBP": "GB"}
_GOALS = {
    "OUTCOME_SALES": ("OFFSITE_CONVERSIONS", "OFFSITE_CONVERSIONS", "VALUE"),
    "OUTCOME_LEADS": ("OFFSITE_CONVERSIONS",),
    "OUTCOME_TRAFFIC": ("LINK_CLICKS", "LANDING_PAGE_VIEWS"),
    "OUTCOME_ENGAGEMENT": ("POST_ENGAGEMENT", "THRUPLAY"),
    "OUTCOME_AWARENESS": ("REACH",),
}
_THEMES = (
    "Prospecting",
    "Retargeting",
    "Spring Collection",
    "Bestsellers",
    "New Arrivals",
    "Clearance",
    "Gifts",
    "Brand",
)
_AUDIENCES = ("Broad", "Lookalike 1%", "Lookalike 5%", "Visitors 30d", "Cart 14d", "Sport", "Home", "Beauty", "Travel")
_HOOKS = ("Unboxing", "Before and after", "Founder story", "Three reasons", "Customer review", "Flash offer", "How to")
_CALLS = ("SHOP_NOW", "LEARN_MORE", "SIGN_UP", "GET_OFFER")


@dataclass(frozen=True, slots=True)
class Happening:
    """One thing people did in history: an update, or (`renews`) a new creative on an ad."""

    at: datetime
    level: Level
    id: str
    fields: dict[str, Any]
    renews: bool = False


def accounts(config: WorldConfig) -> list[tuple[Account, float]]:
    """Accounts, each with how many major units make a US dollar; beyond three on a platform the markets repeat."""
    out = []
    for i in range(config.accounts):
        turn, which = divmod(i, len(config.platforms))
        platform = config.platforms[which]
        places = _PLACES[platform]
        name, currency, timezone = places[turn % len(places)]
        minor_units, rate = _MONEY[currency]
        label = name if turn < len(places) else f"{name} {turn // len(places) + 1}"
        opened = config.start - timedelta(days=config.history_days + 400 + 31 * i)
        account = Account(str(1_002_003_400 + 7 * i), label, currency, timezone, minor_units, opened, platform)
        out.append((account, rate))
    return out


def generator(config: WorldConfig, *salt: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([config.seed, *salt]))


def spread_children(rng: np.random.Generator, children: int, parents: int) -> Ints:
    """Parent of each child, sorted: one each, the rest unevenly at random."""
    appetite = rng.gamma(2.0, size=parents)
    rest = rng.choice(parents, size=children - parents, p=appetite / appetite.sum())
    return np.sort(np.concatenate([np.arange(parents), rest]))


def campaign_fields(rng: np.random.Generator, account: Account, number: int, born: datetime) -> dict[str, Any]:
    objectives = TRAITS[account.platform].objectives
    objective = str(rng.choice(list(objectives), p=list(objectives.values())))
    theme = _THEMES[int(rng.integers(len(_THEMES)))]
    return {
        "account_id": account.id,
        "name": f"{account.currency} | {objective.removeprefix('OUTCOME_').title()} | {theme} | {number:03d}",
        "status": "ACTIVE",
        "objective": objective,
        "created_at": born,
    }


def ad_group_fields(
    rng: np.random.Generator, account: Account, campaign_id: str, objective: str, number: int, born: datetime
) -> dict[str, Any]:
    audience = _AUDIENCES[int(rng.integers(len(_AUDIENCES)))]
    goals = _GOALS[objective]
    country = _COUNTRY[account.currency]
    return {
        "campaign_id": campaign_id,
        "name": f"{audience} | {country} | {number:03d}",
        "status": "ACTIVE",
        "optimization_goal": goals[int(rng.integers(len(goals)))],
        "targeting": {"geo_locations": {"countries": [country]}, "age_min": 18, "age_max": 65},
        "created_at": born,
    }


def creative_fields(rng: np.random.Generator, account: Account, number: int, born: datetime) -> dict[str, Any]:
    hook = _HOOKS[int(rng.integers(len(_HOOKS)))]
    video = bool(rng.random() < TRAITS[account.platform].video)
    return {
        "account_id": account.id,
        "name": f"{hook} {'video' if video else 'image'} {number:04d}",
        "kind": "video" if video else "image",
        "title": f"{hook}: see why people choose it",
        "body": f"{hook}. Free returns within 30 days.",
        "call_to_action": _CALLS[int(rng.integers(len(_CALLS)))],
        "link_url": f"https://shop.example/{account.currency.lower()}/{number}",
        "image_hash": rng.bytes(16).hex(),
        "video_id": str(int(rng.integers(10**14, 10**15))) if video else None,
        "created_at": born,
    }


def tidy(amount: float, minor_units: int, floor: float = 0.0) -> int:
    """A budget as people type it: two significant digits, whole major units, at least one and at least the floor."""
    step = max(10 ** (int(np.floor(np.log10(max(amount, 1.0)))) - 1), minor_units)
    least = -int(-floor // minor_units) * minor_units
    return int(max(round(amount / step) * step, step, least))


def human_budgets(
    rng: np.random.Generator, centre: float, days: tuple[int, int], minor_units: int, floor: float = 0.0
) -> list[tuple[int, int]]:
    """(day, budget) steps every 1-4 weeks, -40..+60 % each, wandering around a centre; the first one on `days[0]`."""
    day, budget = days[0], tidy(centre * float(np.exp(0.3 * rng.normal())), minor_units, floor)
    steps = [(day, budget)]
    while True:
        day += int(rng.integers(7, 29))
        if day >= days[1]:
            return steps
        move = float(np.clip(0.3 * rng.normal() - 0.3 * np.log(budget / centre), np.log(0.62), np.log(1.58)))
        budget = tidy(budget * float(np.exp(move)), minor_units, floor)
        steps.append((day, budget))


def centres(rng: np.random.Generator, groups: Groups, market: Market) -> list[float]:
    """Where people tend to set each ad group's budget: log-normal, only weakly guided by size and return.

    Nobody budgets far more than an audience takes.
    """
    guided = 0.4 * np.log(groups.half / market.budget) + 0.25 * np.log(groups.level)
    wanted = market.budget * np.exp(guided + 0.6 * rng.normal(size=groups.id.size))
    return list(np.minimum(wanted, groups.cap))


def working_hour(calendar: Calendar, day: int) -> datetime:
    """When people of an account make changes: 14 hours into the report day."""
    return calendar.instant(calendar.day(day).first + 14)


def past_incidents(config: WorldConfig, account: Account, calendar: Calendar, groups: Ints) -> list[Incident]:
    """One of each kind, in different accounts, in a history long enough to hold them."""
    if config.history_days < 30:
        return []
    rng = generator(config, 3, int(account.id))
    days = rng.permutation(np.arange(8, config.history_days - 12))[:3]
    at = [working_hour(calendar, int(d)) for d in days]
    hit = [str(i) for i in rng.permutation(groups)[:2]]
    return [
        Incident("tracking_outage", account.id, None, at[0], at[0] + timedelta(hours=20), 0.8),
        Incident("delivery_stop", account.id, hit[0], at[1], at[1] + timedelta(hours=30)),
        Incident("cpc_jump", account.id, hit[-1], at[2], at[2] + timedelta(hours=60), 1.8),
    ]


def renewed(old: Creative) -> dict[str, Any]:
    """A refreshed version of a creative."""
    base, _, version = old.name.partition(" #")
    kept = ("account_id", "kind", "title", "body", "call_to_action", "link_url", "image_hash", "video_id")
    return {**{name: getattr(old, name) for name in kept}, "name": f"{base} #{int(version or 1) + 1}"}
