"""At most one action per entity and cycle, by precedence, the same whatever the order."""

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.engine import make_url

from stakazo_pipelines.decisions.arbiter import PRECEDENCE, arbitrate
from stakazo_pipelines.decisions.candidate import (
    HOLDS,
    ActionKind,
    Candidate,
    EntityRef,
    Gain,
    Hold,
    Module,
    Outcome,
    Stop,
    Switch,
)
from stakazo_pipelines.decisions.record import current_holds, current_stops, record_decisions
from stakazo_pipelines.money import Money
from stakazo_pipelines.operations import controls, open_operations
from stakazo_pipelines.operations.tables import DecisionRow
from stakazo_pipelines.vocabulary import EntityStatus, Level

NOW = datetime(2026, 7, 1, 9, 0, tzinfo=UTC)
CAMPAIGN = EntityRef("meta", "act_1", Level.CAMPAIGN, "c1")
STOP = Stop("*", "ana", "odd spend", NOW)


def ref(entity_id="1"):
    return EntityRef("meta", "act_1", Level.AD_GROUP, entity_id)


def budget(after="120", module=Module.ALLOCATION, entity_id="1", rule="water-filling", gain=None):
    before, after = Money(Decimal(100), "EUR"), Money(Decimal(after), "EUR")
    return Candidate(module, ref(entity_id), ActionKind.SET_BUDGET, before, after, rule, gain, ancestors=(CAMPAIGN,))


def pause(module=Module.RISK_PAUSE, entity_id="1", rule="spend spike"):
    kind, states = ActionKind.PAUSE, (EntityStatus.ACTIVE, EntityStatus.PAUSED)
    return Candidate(module, ref(entity_id), kind, *states, rule, ancestors=(CAMPAIGN,))


def resume(module=Module.CREATIVE, entity_id="1", rule="rested"):
    return Candidate(module, ref(entity_id), ActionKind.RESUME, EntityStatus.PAUSED, EntityStatus.ACTIVE, rule)


def hold(kind=Module.HUMAN_HOLD, entity=None):
    return Hold(entity or ref(), kind, "ben", "launch week")


def chosen(decisions):
    return [decision.candidate for decision in decisions if decision.chosen]


def test_the_table_ranks_as_the_design_says():
    assert sorted(Module, key=lambda module: PRECEDENCE[module]) == [
        Module.EMERGENCY_STOP,
        Module.RISK_PAUSE,
        Module.HUMAN_HOLD,
        Module.EXPERIMENT_HOLD,
        Module.LEARNING_HOLD,
        Module.ALLOCATION,
        Module.CREATIVE,
        Module.TARGETING,
    ]


def test_the_higher_module_wins_and_the_loser_says_what_beat_it():
    winner, loser = arbitrate([budget(), pause()], now=NOW)
    assert (winner.candidate.kind, winner.outcome) == (ActionKind.PAUSE, Outcome.CHOSEN)
    assert loser.outcome is Outcome.BEATEN
    assert loser.reason == "pause of risk_pause (spend spike) stands higher"


def test_entities_do_not_compete_with_each_other():
    assert len(chosen(arbitrate([budget(entity_id="1"), budget(entity_id="2")], now=NOW))) == 2


def test_the_safer_action_wins_within_a_rank():
    safe = pause(Module.CREATIVE)
    assert chosen(arbitrate([resume(Module.CREATIVE), budget("120", Module.CREATIVE), safe], now=NOW)) == [safe]
    cut = budget("80")
    assert chosen(arbitrate([budget("120"), cut], now=NOW)) == [cut]


def test_the_larger_expected_gain_wins_between_equally_safe_actions():
    better = budget("130", gain=Gain(9.0, 1.0, 17.0))
    assert chosen(arbitrate([budget("120", gain=Gain(5.0, 1.0, 9.0)), better], now=NOW)) == [better]


@pytest.mark.parametrize("kind", sorted(HOLDS))
def test_a_hold_keeps_lower_modules_off(kind):
    for module in (Module.ALLOCATION, Module.CREATIVE, Module.TARGETING):
        (decision,) = arbitrate([budget(module=module)], now=NOW, holds=[hold(kind)])
        assert decision.outcome is Outcome.HELD
        assert "ben: launch week" in decision.reason


@pytest.mark.parametrize("kind", sorted(HOLDS))
def test_a_risk_pause_passes_every_hold(kind):
    assert len(chosen(arbitrate([pause()], now=NOW, holds=[hold(kind)]))) == 1


def test_a_hold_on_a_campaign_covers_its_ad_groups():
    (decision,) = arbitrate([budget()], now=NOW, holds=[hold(entity=CAMPAIGN)])
    assert decision.outcome is Outcome.HELD


def test_a_held_winner_does_not_beat_the_pause_below_it():
    decisions = arbitrate([budget(), pause()], now=NOW, holds=[hold()])
    assert [decision.outcome for decision in decisions] == [Outcome.CHOSEN, Outcome.HELD]


@pytest.mark.parametrize("scope", ["*", "meta", "meta/act_1"])
def test_the_stop_ends_every_candidate_but_its_own_pauses(scope):
    stop = Stop(scope, "ana", "odd spend", NOW)
    own = pause(Module.EMERGENCY_STOP, "2")
    decisions = arbitrate([budget(), pause(), own], now=NOW, stops=[stop])
    assert chosen(decisions) == [own]
    assert "ana" in decisions[0].reason


def test_a_stop_elsewhere_does_not_matter():
    stop = Stop("tiktok", "ana", "odd spend", NOW)
    assert len(chosen(arbitrate([budget()], now=NOW, stops=[stop]))) == 1


def test_opposite_switches_keep_their_distance():
    switches = {ref(): Switch(ActionKind.PAUSE, NOW - timedelta(hours=5))}
    common = {"switches": switches, "min_switch": timedelta(hours=6)}
    (decision,) = arbitrate([resume()], now=NOW, **common)
    assert decision.outcome is Outcome.TOO_SOON
    assert chosen(arbitrate([resume()], now=NOW + timedelta(hours=1), **common))
    assert chosen(arbitrate([pause(Module.CREATIVE)], now=NOW, **common))


def test_a_risk_pause_does_not_wait_for_hysteresis():
    switches = {ref(): Switch(ActionKind.RESUME, NOW - timedelta(minutes=5))}
    common = {"switches": switches, "min_switch": timedelta(hours=6)}
    assert chosen(arbitrate([pause()], now=NOW, **common))
    assert not chosen(arbitrate([pause(Module.CREATIVE)], now=NOW, **common))


PROPOSING = sorted(set(Module) - HOLDS)
CANDIDATES = st.one_of(
    st.builds(budget, st.sampled_from(["80", "90", "110", "120"]), st.sampled_from(PROPOSING), st.sampled_from("12")),
    st.builds(pause, st.sampled_from(PROPOSING), st.sampled_from("12"), st.sampled_from(["x", "y"])),
    st.builds(resume, st.sampled_from(PROPOSING), st.sampled_from("12"), st.sampled_from(["x", "y"])),
)


@given(
    candidates=st.lists(CANDIDATES, max_size=8),
    holds=st.lists(st.builds(hold, st.sampled_from(sorted(HOLDS)), st.sampled_from([ref("1"), ref("2"), CAMPAIGN]))),
    stops=st.sampled_from([(), (STOP,)]),
    seed=st.integers(0, 99),
)
def test_any_order_gives_the_same_decisions_and_one_action_per_entity(candidates, holds, stops, seed):
    decisions = arbitrate(candidates, now=NOW, holds=holds, stops=stops)
    shuffled = list(candidates)
    random.Random(seed).shuffle(shuffled)  # noqa: S311
    assert arbitrate(shuffled, now=NOW, holds=holds[::-1], stops=stops) == decisions
    assert len(decisions) == len(candidates)
    winners = [candidate.entity for candidate in chosen(decisions)]
    assert len(winners) == len(set(winners))


@pytest.mark.parametrize("after", ["0", "-1"])
def test_a_budget_of_nothing_is_no_proposal(after):
    with pytest.raises(ValueError, match="pause to stop spending"):
        budget(after)


def test_a_hold_proposes_nothing():
    with pytest.raises(ValueError, match="proposes nothing"):
        budget(module=Module.HUMAN_HOLD)


def test_a_budget_cannot_change_its_currency():
    with pytest.raises(ValueError, match="cannot become"):
        Candidate(
            Module.ALLOCATION,
            ref(),
            ActionKind.SET_BUDGET,
            Money(Decimal(1), "EUR"),
            Money(Decimal(1), "USD"),
            "rule",
        )


@pytest.fixture
def operations(tmp_path):
    opened = open_operations(make_url(f"sqlite:///{tmp_path / 'operations.db'}"))
    yield opened
    opened.close()


def test_decisions_keep_what_was_known_then_and_are_recorded_once_a_cycle(operations):
    candidate = Candidate(
        Module.ALLOCATION,
        ref(),
        ActionKind.SET_BUDGET,
        Money(Decimal("100.00"), "EUR"),
        Money(Decimal("120.00"), "EUR"),
        "water-filling",
        Gain(5.0, -1.0, 11.0),
        thresholds={"step_cap": 0.2, "total": Decimal("200.00")},
        inputs={"roas": 1.8, "as_of": date(2026, 6, 30)},
    )
    decisions = arbitrate([candidate, pause()], now=NOW)
    common = {"cycle": "2026-06-30", "as_of": date(2026, 6, 30), "now": NOW}
    assert record_decisions(operations, decisions, **common) == 2
    assert record_decisions(operations, decisions, **common) == 0
    with operations.read() as session:
        row = session.scalars(select(DecisionRow).where(DecisionRow.module == "allocation")).one()
        assert (row.outcome, row.before, row.after, row.currency) == ("beaten", "100.00", "120.00", "EUR")
        assert row.thresholds == {"step_cap": 0.2, "total": "200"}
        assert row.inputs == {"roas": 1.8, "as_of": "2026-06-30"}
        assert row.expected_gain_low == -1.0


def test_the_arbiter_reads_holds_and_stops_from_the_database(operations):
    controls.hold(
        operations,
        kind=Module.HUMAN_HOLD,
        platform="meta",
        account_id="act_1",
        level=Level.AD_GROUP,
        entity_id="1",
        who="ben",
        why="launch week",
        now=NOW,
    )
    controls.stop(operations, who="ana", why="odd spend", now=NOW)
    assert current_holds(operations, "meta", "act_1", now=NOW) == (hold(),)
    assert current_stops(operations) == (STOP,)
