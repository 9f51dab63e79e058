"""What every adapter writes: each change takes effect once, reads back, and stands in the world's journal."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from stakazo_pipelines.errors import RejectedError, UnknownOutcomeError
from stakazo_pipelines.money import Money
from stakazo_pipelines.platforms.port import Budget, BudgetPeriod, EntityChange, Media, MediaKind
from stakazo_pipelines.vocabulary import EntityStatus, Level

TREE = (Level.CAMPAIGN, Level.AD_GROUP, Level.CREATIVE, Level.AD)


def turned(entity):
    return EntityStatus.PAUSED if entity.status is EntityStatus.ACTIVE else EntityStatus.ACTIVE


def raised(group, by=7):
    return Budget(Money(group.budget.money.amount + by, group.budget.money.currency), group.budget.period)


async def upload(platform, account, content):
    """The ids of one medium of each kind that the platform takes."""
    return {
        kind: await platform.upload(account, Media(kind, name, content[kind]))
        for kind, name in ((MediaKind.IMAGE, "a.png"), (MediaKind.VIDEO, "a.mp4"))
        if kind in platform.capabilities.media
    }


async def grow(bench, platform, account):
    """A paused tree of everything that can be created; ids by level, and the drafts they came from."""
    media = await upload(platform, account, bench.content)
    made, drafts = {}, {}
    for level in TREE:
        if level not in platform.capabilities.create_levels:
            continue
        parent = {Level.AD_GROUP: made.get(Level.CAMPAIGN), Level.AD: made.get(Level.AD_GROUP)}.get(level, account.id)
        more = {"creative_id": made.get(Level.CREATIVE)} if level is Level.AD else {}
        drafts[level] = bench.draft(account, level, parent, media, **more)
        made[level] = await platform.create(account, drafts[level])
    return made, drafts


# Changes ----------------------------------------------------------------------------------------------------------


def test_budget_and_status_change_and_read_back(bench):
    group = bench.holder()
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, status=turned(group), budget=raised(group))

    async def use(platform, account):
        (outcome,) = await platform.update(account, [change])
        return outcome, await platform.read(account, Level.AD_GROUP, group.id)

    outcome, after = bench.run(use)
    assert outcome.error is None
    assert outcome.change == change
    assert (after.budget, after.status, after.name) == (change.budget, change.status, group.name)
    there, unit = bench.world.ad_groups[group.id], bench.world.accounts[group.account_id].minor_units
    assert there.daily_budget == change.budget.money.amount * unit
    changed = [name for write in bench.writes if write.id == group.id for name in write.fields]
    assert changed.count("daily_budget") == 1
    assert changed.count("status") == 1


def test_an_update_leaves_everything_else_as_it_was(bench):
    group = bench.holder()
    before = {level: {e.id: e for e in bench.entities(level)} for level in (Level.CAMPAIGN, Level.AD_GROUP, Level.AD)}
    change = EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=raised(group))
    bench.run(lambda platform, account: platform.update(account, [change]))
    for level, entities in before.items():
        for entity in bench.entities(level):
            old = entities[entity.id]
            kept = ("name", "status", "parent_id", "objective", "optimization_goal", "creative_id")
            assert [getattr(entity, name) for name in kept] == [getattr(old, name) for name in kept]
            assert entity.budget == (change.budget if entity.id == group.id else old.budget)


def test_many_changes_keep_their_order(bench):
    ads = bench.entities(Level.AD)
    changes = [EntityChange(Level.AD, ad.id, ad.account_id, status=turned(ad)) for ad in ads]

    async def use(platform, account):
        return await platform.update(account, changes), (await platform.entities(account, Level.AD)).entities

    outcomes, after = bench.run(use)
    assert [outcome.change for outcome in outcomes] == changes
    assert [outcome.error for outcome in outcomes] == [None] * len(ads)
    assert {ad.id: ad.status for ad in after} == {change.id: change.status for change in changes}
    assert sorted(write.id for write in bench.writes) == sorted(change.id for change in changes)


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_GROUP, Level.AD])
def test_names_change_at_every_level(bench, level):
    entity = bench.entities(level)[0]
    change = EntityChange(level, entity.id, entity.account_id, name="Renamed by contract")

    async def use(platform, account):
        (outcome,) = await platform.update(account, [change])
        return outcome, await platform.read(account, level, entity.id)

    outcome, after = bench.run(use)
    assert outcome.error is None
    assert (after.name, after.status, after.budget) == ("Renamed by contract", entity.status, entity.budget)


def test_a_refused_change_leaves_the_others(bench):
    group = bench.holder()
    small = Budget(Money(group.budget.money.amount / 10**6, group.budget.money.currency), BudgetPeriod.DAILY)
    other = next(entity for entity in bench.entities(Level.AD_GROUP) if entity.id != group.id)
    changes = [
        EntityChange(Level.AD_GROUP, group.id, group.account_id, budget=small),
        EntityChange(Level.AD_GROUP, other.id, group.account_id, name="Renamed by contract"),
    ]

    async def use(platform, account):
        outcomes = await platform.update(account, changes)
        return outcomes, [await platform.read(account, Level.AD_GROUP, change.id) for change in changes]

    outcomes, (refused, renamed) = bench.run(use)
    assert isinstance(outcomes[0].error, RejectedError)
    assert outcomes[1].error is None
    assert refused.budget == group.budget
    assert renamed.name == "Renamed by contract"


def test_a_change_of_nothing_is_refused_without_a_request(bench):
    group = bench.holder()
    bench.kernel.requests.clear()

    async def use(platform, account):
        bench.kernel.requests.clear()
        return await platform.update(account, [EntityChange(Level.AD_GROUP, group.id, account.id)])

    (outcome,) = bench.run(use)
    assert isinstance(outcome.error, RejectedError)
    assert bench.requests == []


# Creates ----------------------------------------------------------------------------------------------------------


def test_a_tree_is_created_paused_and_repeated_creates_nothing(bench):
    async def use(platform, account):
        made, drafts = await grow(bench, platform, account)
        created = len(bench.writes)
        bench.world.advance(bench.world.now + timedelta(hours=1))
        again = {level: await platform.create(account, draft) for level, draft in drafts.items()}
        assert len(bench.writes) == created
        return made, drafts, again, {level: await platform.read(account, level, id_) for level, id_ in made.items()}

    made, drafts, again, read = bench.run(use)
    assert again == made
    assert Level.CAMPAIGN in made
    for level in made.keys() - {Level.CREATIVE}:
        assert read[level].status is EntityStatus.PAUSED
        assert drafts[level].name in read[level].name
    assert read[Level.AD_GROUP].parent_id == made[Level.CAMPAIGN]
    assert read[Level.AD_GROUP].budget == drafts[Level.AD_GROUP].budget
    assert read[Level.AD].parent_id == made[Level.AD_GROUP]
    assert read[Level.AD].creative_id


def test_a_new_process_repeats_a_create_safely(bench):
    async def use(platform, account):
        draft = bench.draft(account, Level.CAMPAIGN, account.id, {})
        return await platform.create(account, draft)

    first, count = bench.run(use), len(bench.writes)
    assert bench.run(use) == first
    assert len(bench.writes) == count


@pytest.mark.parametrize("level", [Level.CAMPAIGN, Level.AD_GROUP, Level.AD])
def test_a_create_whose_answer_is_lost_makes_one(bench, level):
    async def use(platform, account):
        made, drafts = await grow(bench, platform, account)
        draft = replace(drafts[level], tag="run-7-lost")
        bench.fault("response_lost", method="POST", times=1)
        count = len(bench.stored(account.id, level))
        try:
            found = await platform.create(account, draft)
        except UnknownOutcomeError:
            found = await platform.create(account, draft)
        assert len(bench.stored(account.id, level)) == count + 1
        assert found not in made.values()
        return found, account.id

    found, account_id = bench.run(use)
    assert found in bench.stored(account_id, level)


def test_creates_of_one_tag_at_the_same_time_make_one(bench):
    async def use(platform, account):
        draft = bench.draft(account, Level.CAMPAIGN, account.id, {})
        return await asyncio.gather(*(platform.create(account, draft) for _ in range(3)))

    assert len(set(bench.run(use))) == 1


def test_a_create_without_a_tag_is_refused_without_a_request(bench):
    async def use(platform, account):
        bench.kernel.requests.clear()
        await platform.create(account, bench.draft(account, Level.CAMPAIGN, account.id, {}, tag=" "))

    with pytest.raises(RejectedError):
        bench.run(use)
    assert bench.requests == []


def test_validate_only_creates_nothing(bench):
    if not bench.open().capabilities.validate_only:
        pytest.skip("this platform cannot validate without creating")

    async def use(platform, account):
        return await platform.create(account, bench.draft(account, Level.CAMPAIGN, account.id, {}), validate_only=True)

    assert bench.run(use) == ""
    assert bench.writes == []


# Deletes ----------------------------------------------------------------------------------------------------------


def test_what_is_deleted_is_gone_or_archived_and_may_be_deleted_again(bench):
    async def use(platform, account):
        made, _ = await grow(bench, platform, account)
        for level in reversed([level for level in made if level in platform.capabilities.delete_levels]):
            await platform.delete(account, level, made[level])
            await platform.delete(account, level, made[level])
            listed = {entity.id: entity for entity in (await platform.entities(account, level)).entities}
            if level in platform.capabilities.archives:
                assert listed[made[level]].status is EntityStatus.ARCHIVED
            else:
                assert made[level] not in listed
        return made

    made = bench.run(use)
    assert made


# Media ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MediaKind)
def test_the_same_media_twice_has_one_id(bench, kind):
    if kind not in bench.open().capabilities.media:
        pytest.skip(f"this platform takes no {kind}")

    async def use(platform, account):
        content = bench.content[kind]
        same = [await platform.upload(account, Media(kind, "a.bin", content)) for _ in range(3)]
        return same, await platform.upload(account, Media(kind, "c.bin", content + b"other"))

    same, other = bench.run(use)
    assert len(set(same)) == 1
    assert other not in same
