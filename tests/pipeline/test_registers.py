"""The register changes in commit order: what is judged after it is judged by it, and nothing before."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.legal_basis import LegalBasisAdopted, hash_of
from exchange.errors import (
    AccessDenied,
    HistoryUnreadable,
    OutcomeOpen,
    RegisterInvalid,
    RuleBroken,
    StoreUnavailable,
)
from exchange.gate.register import Register
from exchange.pipeline import registers as room
from exchange.pipeline.registers import LEGAL_BASIS_PREFIX, Registers
from exchange.pipeline.walk import CommandOutcome, ReadOutcome, Steps
from tests.pipeline.faults import faulty_reader, faulty_recorder
from tests.pipeline.legal_bases import (
    NEW_BASIS,
    UNDER_NEW,
    approving,
    disabling,
    enabled,
    entry_text,
    proposal,
    under_new,
)
from tests.pipeline.shard import NOW, WIJKTEAM
from tests.registers import adopted

if TYPE_CHECKING:
    from exchange.pipeline.queue import Pipeline
    from tests.pipeline.shard import Shard

TEXT = entry_text()
SHIPPED = Register.load()


def decisions(shard: Shard) -> list[DisclosureDecided]:
    found = []
    for row in shard.core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,)):
        opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        assert isinstance(opened.event, DisclosureDecided)
        found.append(opened.event)
    return found


# --- in force ------------------------------------------------------------------------------------------


def test_the_register_of_an_empty_store_opens_nothing_and_genesis_adopts_the_shipped_one(
    shard: Shard,
) -> None:
    assert Registers().now.entries() == ()
    assert shard.core.register.policy_hash == SHIPPED.policy_hash
    assert shard.core.register.entries() == SHIPPED.entries()
    adopting = [row for row in shard.core.reader.page(0, 1_000) if row.topic == "legal_basis.adopted.v1"]
    assert len(adopting) == len(SHIPPED.entries())


def test_nothing_is_open_until_the_second_person_approved(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    before = shard.core.register.policy_hash
    for walk in (proposal(shard, TEXT), approving(shard, TEXT, "b-2")):
        assert isinstance(shard.done(walk), CommandOutcome)
        (refused,) = shard.run(under_new(shard, plan_id))
        assert isinstance(refused, AccessDenied)
        assert refused.rules == ("R04",)
        assert shard.core.register.policy_hash == before
    shard.done(approving(shard, TEXT, "fg-1", "fg"))
    assert shard.core.register.policy_hash != before
    read = shard.done(under_new(shard, plan_id))
    assert read.rules == (f"P-{NEW_BASIS}",)
    assert [one.policy_hash for one in decisions(shard)] == [before, before, shard.core.register.policy_hash]


def test_within_one_group_what_stands_after_the_change_is_judged_by_it(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(proposal(shard, TEXT), approving(shard, TEXT, "b-2"))
    before, change, after, off, last = shard.run(
        under_new(shard, plan_id),
        approving(shard, TEXT, "fg-1", "fg"),
        under_new(shard, plan_id),
        disabling(shard, NEW_BASIS),
        under_new(shard, plan_id),
    )
    assert isinstance(before, AccessDenied)
    assert before.rules == ("R04",)
    assert isinstance(change, CommandOutcome)
    assert isinstance(after, ReadOutcome)
    assert isinstance(off, CommandOutcome)
    assert isinstance(last, AccessDenied)
    assert last.rules == ("R05",)
    for decision in decisions(shard):
        register = shard.core.registers.at(decision.facts_position)
        assert register.policy_hash == decision.policy_hash


def test_a_remembered_permit_of_a_command_does_not_outlive_its_basis(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    assert isinstance(shard.done(shard.goal(plan_id)), CommandOutcome)
    off, refused = shard.run(disabling(shard, WIJKTEAM.legal_basis), shard.goal(plan_id))
    assert isinstance(off, CommandOutcome)
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R05",)


def test_the_four_eyes_are_those_of_people_in_one_group_too(shard: Shard) -> None:
    outcomes = shard.run(
        proposal(shard, TEXT),
        approving(shard, TEXT, "b-1"),
        approving(shard, TEXT, "b-2"),
        approving(shard, TEXT, "b-2", "fg"),
        approving(shard, TEXT, "b-3"),
        approving(shard, TEXT, "fg-1", "fg"),
    )
    told = [one.metadata["rule"] if isinstance(one, RuleBroken) else "" for one in outcomes]
    assert told == ["", "PROPOSER_APPROVES", "", "APPROVED_TWICE", "", "APPROVED_ALREADY"]
    assert shard.core.register.find(NEW_BASIS, NOW) is not None


@pytest.mark.parametrize("task", ["college:WMO", "betrokkene", "wmo-aanbieder"])
def test_the_gate_lets_nobody_else_touch_the_register(shard: Shard, task: str) -> None:
    if task == "wmo-aanbieder":
        caller = shard.caller(task)
        oin = "00000003271543200000"
        shard.done(shard.joining(oin, "ee" * 32, task))
        caller = replace(caller, organisation=oin, thumbprint="ee" * 32)
    else:
        caller = shard.caller(task)
    head = shard.core.register.policy_hash
    (refused,) = shard.run(replace(disabling(shard, WIJKTEAM.legal_basis), caller=caller))
    assert isinstance(refused, AccessDenied)
    assert "R08" in refused.rules
    assert shard.core.register.policy_hash == head


# --- at a position -------------------------------------------------------------------------------------


def test_the_register_at_any_position_is_the_fold_of_the_events_up_to_it(shard: Shard) -> None:
    enabled(shard, TEXT)
    shard.done(disabling(shard, NEW_BASIS))
    shard.done(disabling(shard, "WGS-8"))
    rows = shard.core.reader.rows_of_streams(LEGAL_BASIS_PREFIX, 0)
    for position in [0, 1, *(row.position for row in rows)]:
        alone = Registers(
            (
                row.position,
                row.stream,
                shard.core.codec.decode(
                    row.state, stream=row.stream, version=row.version, topic=row.topic
                ).event,
            )
            for row in rows
            if row.position <= position
        )
        assert shard.core.registers.at(position).policy_hash == alone.now.policy_hash
    assert shard.core.registers.at(10**9) is shard.core.register


def test_a_restart_gives_the_register_that_was(shard: Shard) -> None:
    enabled(shard, TEXT)
    shard.done(disabling(shard, "WGS-8"))
    told = shard.core.register.policy_hash
    reopened = shard.reopen()
    try:
        assert reopened.core.register.policy_hash == told != SHIPPED.policy_hash
        basis = reopened.core.register.find(NEW_BASIS, NOW)
        assert basis is not None
        assert basis.approved_by == ("b-2", "fg-1")
    finally:
        reopened.close()


def test_a_successor_takes_over_on_its_day(shard: Shard) -> None:
    text = entry_text("WMO-2.3.2", 2, valid_from="2026-06-01", succeeds="1")
    enabled(shard, text)
    day = NOW.replace(month=6, day=1, hour=0)
    found = [shard.core.register.find("WMO-2.3.2", when) for when in (day - timedelta(microseconds=1), day)]
    assert [basis.version for basis in found if basis is not None] == [1, 2]


def test_a_successor_of_what_was_never_approved_stands_by_itself(shard: Shard) -> None:
    second = entry_text(NEW_BASIS, 2, valid_from="2026-01-01", succeeds="1")
    shard.run(proposal(shard, TEXT), proposal(shard, second))
    shard.run(approving(shard, second, "b-2"), approving(shard, second, "fg-1", "fg"))
    basis = shard.core.register.find(NEW_BASIS, NOW)
    assert basis is not None
    assert (basis.version, basis.succeeds) == (2, 0)
    (refused,) = shard.run(approving(shard, TEXT, "b-2"), approving(shard, TEXT, "fg-1", "fg"))[1:]
    assert not isinstance(refused, RuleBroken), "it ends where its successor begins"
    assert [one.version for one in shard.core.register.entries() if one.id == NEW_BASIS] == [1, 2]


def test_a_register_a_newer_version_wrote_is_refused() -> None:
    recorded = adopted(SHIPPED)._known.events
    position, stream, event = recorded[0]
    assert isinstance(event, LegalBasisAdopted)
    newer = replace(event, text=f"{event.text}colour = 'red'\n")
    with pytest.raises(HistoryUnreadable) as refused:
        Registers([(position, stream, newer)])
    assert refused.value.metadata["key"] == "colour"


# --- when a commit fails ---------------------------------------------------------------------------------


def test_when_the_commit_is_lost_the_old_register_stands(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(proposal(shard, TEXT), approving(shard, TEXT, "b-2"))
    recorder, before = faulty_recorder(shard), shard.core.register.policy_hash
    recorder.faults = ["lost"]
    last = approving(shard, TEXT, "fg-1", "fg")
    outcomes = shard.run(last, under_new(shard, plan_id))
    assert [type(one) for one in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert shard.core.register.policy_hash == before
    (refused,) = shard.run(under_new(shard, plan_id))
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R04",)
    done, read = shard.run(last, under_new(shard, plan_id))
    assert isinstance(done, CommandOutcome)
    assert isinstance(read, ReadOutcome)
    shard.verified()


def test_a_walk_before_a_lost_change_keeps_its_answer_and_the_walks_after_it_get_none(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder = faulty_recorder(shard)
    off = disabling(shard, WIJKTEAM.legal_basis)

    def fail_the_second() -> None:
        recorder.faults = ["lost"] if recorder.commits else []

    recorder.before = fail_the_second
    outcomes = shard.run(off, shard.goal(plan_id), shard.question(plan_id))
    assert [type(one) for one in outcomes] == [CommandOutcome, StoreUnavailable, StoreUnavailable]
    recorder.before = lambda: None
    (refused,) = shard.run(shard.goal(plan_id))
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R05",)


def test_when_the_commit_was_kept_though_reported_lost_the_new_register_stands(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.run(proposal(shard, TEXT), approving(shard, TEXT, "b-2"))
    faulty_recorder(shard).faults = ["kept"]
    done, read = shard.run(approving(shard, TEXT, "fg-1", "fg"), under_new(shard, plan_id))
    assert isinstance(done, CommandOutcome)
    assert isinstance(read, ReadOutcome)
    shard.verified()


def test_a_kept_change_nobody_could_ask_about_is_found_when_the_store_answers_again(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    recorder, reader = faulty_recorder(shard), faulty_reader(shard)
    recorder.faults = ["kept"]
    recorder.before = lambda: setattr(reader, "down", True)
    off = disabling(shard, WIJKTEAM.legal_basis)
    assert [type(one) for one in shard.run(off, shard.goal(plan_id))] == [OutcomeOpen] * 2
    # Whoever cannot be sure of the register judges nobody.
    assert [type(one) for one in shard.run(shard.goal(plan_id))] == [StoreUnavailable]
    reader.down = False
    recorder.before = lambda: None
    again, refused = shard.run(off, shard.goal(plan_id))
    assert isinstance(again, CommandOutcome)
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R05",)
    assert shard.topics().count("legal_basis.disabled.v1") == 1
    shard.verified()


def test_a_defect_after_the_change_fails_nobody_before_it(shard: Shard) -> None:
    recorder = faulty_recorder(shard)
    recorder.faults = ["defect"]
    with pytest.raises(AssertionError, match="on purpose"):
        shard.run(disabling(shard, "WGS-8"))
    assert shard.core.register.policy_hash == SHIPPED.policy_hash
    shard.done(disabling(shard, "WGS-8"))
    assert shard.core.register.policy_hash != SHIPPED.policy_hash


def test_the_claim_names_the_version_and_the_hash_of_the_text_is_in_the_event(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    enabled(shard, TEXT)
    shard.done(under_new(shard, plan_id))
    last = decisions(shard)[-1]
    assert (last.legal_basis, last.basis_version) == (UNDER_NEW.legal_basis, "1")
    (state,) = (one for one in shard.core.registers.states if one.basis_id == NEW_BASIS)
    assert [one.sha256 for one in state.versions] == [hash_of(TEXT)]


def test_a_register_that_cannot_be_made_is_not_committed(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a bug gets there: then nothing is written, and nobody is judged by half of it."""
    head, before = shard.head, shard.core.register.policy_hash

    def broken(_: object) -> Register:
        raise RegisterInvalid("two versions overlap", file="", entry=NEW_BASIS, key="valid_to")

    monkeypatch.setattr(room, "register_of", broken)
    outcomes = shard.run(disabling(shard, "WGS-8"), shard.goal("no-such-plan"))
    assert [type(one) for one in outcomes] == [RegisterInvalid, RegisterInvalid]
    assert (shard.head, shard.core.register.policy_hash) == (head, before)
    monkeypatch.undo()
    assert isinstance(shard.done(disabling(shard, "WGS-8")), CommandOutcome)


# --- the queue -------------------------------------------------------------------------------------------


async def test_a_defect_behind_a_change_costs_itself_only(shard: Shard, pipeline: Pipeline) -> None:
    _, _, plan_id = shard.plan()
    off = disabling(shard, "WGS-8")

    def defect(_: object) -> Steps:
        raise ZeroDivisionError("a bug on purpose")

    broken = replace(shard.goal(plan_id), process=defect)
    outcomes = await asyncio.gather(
        *(pipeline.submit(walk) for walk in (off, broken, shard.question(plan_id))), return_exceptions=True
    )
    assert [type(one) for one in outcomes] == [CommandOutcome, ZeroDivisionError, ReadOutcome]
    assert shard.topics().count("legal_basis.disabled.v1") == 1
    shard.verified()
