"""A campaign tree made under random faults, again and again with the same tags: of everything there is exactly one."""

import json
import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from string import Template

import pytest

from stakazo_pipelines.errors import PlatformError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityDraft, Media, MediaKind
from stakazo_pipelines.vocabulary import Level

SCHEDULES = 12  # of each platform
TRIES = 4  # before the outage ends
DRAFTS = Path(__file__).parents[1] / "contract" / "drafts"
OBJECTIVES = {"meta": "OUTCOME_TRAFFIC", "tiktok": "TRAFFIC", "linkedin": "WEBSITE_VISIT"}
CONTENT = {MediaKind.IMAGE: b"\x89PNG\r\n\x1a\n" + bytes(64), MediaKind.VIDEO: b"\x00\x00\x00\x18ftypmp42" + bytes(64)}
TREE = (Level.CAMPAIGN, Level.AD_GROUP, Level.CREATIVE, Level.AD)
KINDS = {
    "response_lost": {},
    "server_error": {"status": 503},
    "throttle": {"retry_after_s": 5},
    "timeout": {"seconds": 0},
    "truncated_json": {"share": 0.5},
    "write_refused": {},
}


def faults(rng, platform):
    for _ in range(rng.randint(2, 6)):
        kind = rng.choice(sorted(KINDS))
        yield {
            "platform": platform,
            "kind": kind,
            "method": rng.choice((None, "GET", "POST", "POST")),
            "probability": rng.choice((0.3, 0.6, 1.0)),
            "times": rng.randint(1, 3),
            "seed": rng.randrange(10**6),
            **KINDS[kind],
        }


def draft(platform, account, level, made, media, seed):
    """What this platform takes at a level, under the parents that were made before."""
    names = {"account": account.id, **media}
    settings = json.loads(Template((DRAFTS / f"{platform.name}.json").read_text()).safe_substitute(names))
    parent = {Level.AD_GROUP: made.get(Level.CAMPAIGN), Level.AD: made.get(Level.AD_GROUP)}.get(level, account.id)
    more = {}
    if level is Level.CAMPAIGN:
        more["objective"] = OBJECTIVES[platform.name]
    if level is Level.AD_GROUP:
        more["budget"] = Budget(Money(Decimal(300), account.currency), BudgetPeriod.DAILY)
    if level is Level.AD:
        more["creative_id"] = made.get(Level.CREATIVE)
    return EntityDraft(
        level=level, account_id=account.id, parent_id=parent, name=f"Tree {level}", tag=f"tree-{seed}-{level}",
        settings=settings.get(level.value, {}), **more,
    )  # fmt: skip


async def grow(platform, seed):
    """One try at the whole tree, from its root: ids by level."""
    (account,) = await platform.accounts()
    media = {
        kind.value: await platform.upload(account, Media(kind, f"a.{kind}", CONTENT[kind]))
        for kind in sorted(platform.capabilities.media)
    }
    made = {}
    for level in TREE:
        if level in platform.capabilities.create_levels:
            made[level] = await platform.create(account, draft(platform, account, level, made, media, seed))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("name", ["meta", "tiktok", "linkedin"])
@pytest.mark.parametrize("seed", range(SCHEDULES))
def test_a_tree_is_made_once_however_often_it_is_tried(make_bench, name, seed):
    rng = random.Random(f"{name}/{seed}")  # noqa: S311 - repeatable on purpose
    bench = make_bench("fresh")
    for spec in faults(rng, name):
        bench.kernel.faults.add(spec)
    if rng.random() < 0.3:
        bench.kill_at(rng.randint(2, 25), done=rng.random() < 0.5, cancelled=rng.random() < 0.5)

    async def attempt(desk):
        try:
            return await grow(desk.platforms[name], seed)
        except PlatformError:
            return None

    made = None
    for number in range(TRIES + 2):
        if number == TRIES:
            bench.kernel.faults.clear()
        made = bench.run(attempt) or made
    assert made is not None
    created = Counter(write.level for write in bench.writes if not write.before and "name" in write.fields)
    assert created == dict.fromkeys([level.value for level in TREE], 1)  # where an ad brings its creative, that too
    for level, entity_id in made.items():
        assert entity_id in getattr(bench.world, f"{level}s")
