"""A permitted command is judged again by the facts of then, found in the streams as of its position."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from exchange.domain.limits.restrictions import Restrict
from exchange.pipeline import verdicts as verdicts_room
from exchange.pipeline.asked import SAME_STREAM, facts_again
from exchange.pipeline.facts import command_facts
from exchange.pipeline.past import Past
from exchange.pipeline.replay import Found, Replay, Tally
from exchange.pipeline.walk import CommandOutcome
from tests.pipeline.legal_bases import disabling
from tests.pipeline.shard import NOW
from tests.pipeline.test_replay import found, replayed

if TYPE_CHECKING:
    from exchange.gate.model import Facts
    from exchange.store.batch import Row
    from exchange.store.codec import Meta
    from tests.pipeline.shard import Shard


def first_event(shard: Shard, position: int) -> tuple[Row, Any]:
    (row,) = shard.core.reader.page(position - 1, 1)
    place = {"stream": row.stream, "topic": row.topic}
    return row, shard.core.codec.decode(row.state, version=row.version, **place)


def copied(shard: Shard, position: int, **changes: Any) -> int:  # noqa: ANN401 -- fields of a Meta
    """Write an event as one whose walk the gate never saw; return the position before it."""
    row, opened = first_event(shard, position)
    head = shard.head
    said: dict[str, Any] = {"decision_id": "e" * 32, "facts_position": head}
    meta: Meta = structs.replace(opened.meta, **(said | changes))
    shard.core.writer.record(lambda _: [(row.stream, [opened.event])], meta)
    return head


def the_goal(shard: Shard) -> tuple[str, int]:
    """Return a plan and the position of a goal that was set in it."""
    _, _, plan_id = shard.plan()
    done = shard.done(shard.goal(plan_id))
    assert isinstance(done, CommandOutcome)
    return plan_id, done.position


# --- the same ------------------------------------------------------------------------------------------


def test_the_very_facts_are_found_again(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[Facts] = []
    true = command_facts

    def seen(*said: Any) -> Facts:  # noqa: ANN401 -- a walk, a standing, a register
        judged.append(true(*said))
        return judged[-1]

    # Each command is judged anew, so that its facts are seen.
    monkeypatch.setattr(verdicts_room, "REMEMBERED_MAX", 0)
    monkeypatch.setattr(verdicts_room, "command_facts", seen)
    monkeypatch.setattr(verdicts_room, "_name", lambda *_: object())
    ref, case_id, plan_id = shard.plan()
    consent_id = shard.consent(ref, case_id)
    shard.done(shard.goal(plan_id))
    shard.done(shard.withdrawal(consent_id, takes_back=True))
    shard.done(disabling(shard, "WMO-5.1.1-4"))
    again: list[Facts] = []
    past = Past(shard.core.reader, shard.core.codec)
    for row in shard.core.reader.page(0, 10_000):
        _, meta, _ = shard.core.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if meta.asked is None:
            continue
        register = shard.core.registers.at(meta.facts_position)
        view = past.at(meta.facts_position)
        again.append(facts_again(meta, meta.asked, row.stream, view, register))
    assert len(again) == len(judged) == 7
    for then, now in zip(judged, again, strict=True):
        assert bool(then.necessity) == bool(now.necessity)
        assert {one.category for one in then.fields or ()} == {one.category for one in now.fields or ()}
        # What the words say, and how a field is called, no rule looks at; all else is the very same.
        assert replace(then, necessity="", fields=()) == replace(now, necessity="", fields=())


def test_what_changed_later_changes_no_command(shard: Shard) -> None:
    plan_id, position = the_goal(shard)
    ref = first_event(shard, position)[1].event.resident
    order = Restrict(
        now=NOW,
        author=shard.author(),
        restriction_id=str(uuid.uuid4()),
        purpose="wmo-onderzoek",
        recipient="",
        reason="De inwoner betwist de juistheid.",
    )
    shard.done(shard.command(order, "resident", ref, anchor=f"resident-{ref}", category="CONTACT"))
    (refused,) = shard.run(shard.goal(plan_id))
    assert refused.rules == ("R24",)
    shard.done(disabling(shard, "WMO-2.3.2"))
    tally = replayed(shard)
    assert found(tally) == {Found.SAME: tally.decisions + tally.commands}
    # The same command as if it had been permitted then.
    head = shard.head
    told = replayed(shard, after=copied(shard, position))
    assert shard.head == head + 1
    assert told.differences[0].rules_now == ("R05", "R24")


def test_looking_backwards_begins_anew_and_finds_the_same(shard: Shard) -> None:
    plan_id, position = the_goal(shard)
    shard.run(*(shard.goal(plan_id) for _ in range(3)))
    past = Past(shard.core.reader, shard.core.codec)
    stream = f"plan-{plan_id}"
    seen = {at: len(past.at(at).state(stream).goals) for at in range(position - 1, shard.head + 1)}
    assert list(seen.values()) == [0, 1, 2, 3, 4]
    back = {at: len(past.at(at).state(stream).goals) for at in reversed(seen)}
    assert back == seen
    assert past.at(1).state(stream) is None
    assert past.at(shard.head).version(stream) == 6
    # What came after it was read is read when it is asked.
    shard.done(shard.goal(plan_id))
    assert len(past.at(shard.head).state(stream).goals) == 5


def test_a_command_of_several_events_is_one_wherever_a_page_begins(shard: Shard) -> None:
    before = shard.head
    shard.plan()
    whole = replayed(shard, after=before)
    # The resident; and the report, which opens a case and a plan.
    assert (whole.commands, shard.head - before) == (2, 5)
    for middle in range(before, shard.head + 1):
        rows = shard.core.reader.page(before, 10_000)
        tally = Tally()
        for part in (rows[: middle - before], rows[middle - before :]):
            Replay(shard.core.codec, shard.core.registers, shard.core.reader).run(part, tally)
        assert found(tally) == found(whole), middle


def test_a_page_ends_where_it_opened_enough(shard: Shard) -> None:
    before = shard.head
    the_goal(shard)
    rows, tally = shard.core.reader.page(before, 10_000), Tally()
    replay = Replay(shard.core.codec, shard.core.registers, shard.core.reader)
    last = replay.run(rows, tally, opened_max=1)
    assert before < last < shard.head
    assert tally.commands < replayed(shard, after=before).commands
    rest = shard.core.reader.page(last, 10_000)
    assert replay.run(rest, tally) == shard.head
    assert found(tally) == found(replayed(shard, after=before))


# --- what the rules never gave -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({"professional": "prof-9"}, ("R03",)),
        ({"task": "college:JW"}, ("R03", "R07", "R08", "R09")),
        ({"organisation": "00000009999999999000"}, ("R03",)),
        ({"purpose": "statistiek"}, ("R06",)),
        ({"legal_basis": "NO-SUCH@1"}, ("R04",)),
        ({"legal_basis": "WMO-2.3.2@2"}, ("P-WMO-2.3.2",)),
        ({"legal_basis": "WMO-5.2.1-2a@1", "purpose": "wmo-levering"}, ("R06", "R08")),
        ({"marks": "rn"}, ("R02",)),
        ({"marks": "ar"}, ("R14",)),
        ({"categories": ("STRAFRECHT",)}, ("R10", "R12")),
        ({"anchor": "plan-nobody"}, ("R03",)),
    ],
    ids="-".join,
)
def test_a_command_the_rules_never_permitted_is_named(
    shard: Shard, changes: dict[str, Any], rules: tuple[str, ...]
) -> None:
    _, position = the_goal(shard)
    asked = first_event(shard, position)[1].meta.asked
    assert asked is not None
    kept = {name: changes.pop(name) for name in ("marks", "categories", "anchor") if name in changes}
    head = copied(shard, position, **changes, asked=structs.replace(asked, **kept))
    tally = replayed(shard, after=head)
    assert (tally.ok, tally.commands, found(tally)) == (False, 1, {Found.DIFFERS: 1})
    (difference,) = tally.differences
    assert (difference.position, difference.decision_id) == (head + 1, "e" * 32)
    assert difference.rules_now == rules
    assert difference.rules_then == (f"P-{difference.basis_then.rpartition('@')[0]}",)


def test_what_was_really_permitted_replays_when_it_is_written_again(shard: Shard) -> None:
    _, position = the_goal(shard)
    tally = replayed(shard, after=copied(shard, position))
    assert (tally.ok, found(tally)) == (True, {Found.SAME: 1})


def test_an_event_that_nobody_decided_is_named(shard: Shard) -> None:
    _, position = the_goal(shard)
    for changes in ({"decision_id": ""}, {"decision_id": "", "asked": None}):
        tally = replayed(shard, after=copied(shard, position, **changes))
        assert not tally.ok, changes
        assert tally.commands == 1


def test_an_event_that_was_not_written_where_it_was_judged_is_named(shard: Shard) -> None:
    plan_id, position = the_goal(shard)
    row, opened = first_event(shard, position)
    head = shard.head
    # Right behind a walk, and under its very decision: another event, later.
    shard.done(shard.goal(plan_id))
    shard.core.writer.record(lambda _: [(row.stream, [opened.event])], opened.meta)
    assert found(replayed(shard, after=head + 1)) == {Found.DIFFERS: 1}
    # And in the words of the walk before it, said of other facts.
    done = shard.done(shard.goal(plan_id))
    true = first_event(shard, done.position)[1].meta
    forged = structs.replace(true, asked=None, professional="prof-9")
    shard.core.writer.record(lambda _: [(row.stream, [opened.event])], forged)
    tally = replayed(shard, after=done.position - 1)
    assert found(tally) == {Found.SAME: 1, Found.COMMAND_DIFFERS: 1}


def test_a_policy_that_was_never_recorded_here_is_named(shard: Shard) -> None:
    _, position = the_goal(shard)
    tally = replayed(shard, after=copied(shard, position, policy_hash="ab" * 32))
    assert (tally.ok, found(tally)) == (False, {Found.POLICY_UNKNOWN: 1})


# --- what cannot be judged whole ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("basis", "purpose", "kept"),
    [
        ("WMO-2.3.2@1", "wmo-onderzoek", Found.COMMAND_SAME),
        ("WMO-2.3.2@2", "wmo-onderzoek", Found.COMMAND_DIFFERS),
        ("WMO-5.2.1-2a@1", "wmo-levering", Found.COMMAND_DIFFERS),
        ("NO-SUCH@1", "wmo-onderzoek", Found.COMMAND_DIFFERS),
        ("WMO-2.3.2@1", "statistiek", Found.COMMAND_DIFFERS),
    ],
)
def test_of_an_old_command_the_basis_is_judged(shard: Shard, basis: str, purpose: str, kept: Found) -> None:
    _, position = the_goal(shard)
    said: dict[str, Any] = {"legal_basis": basis, "purpose": purpose, "asked": None}
    old = shard.core.register.hash_under("2")
    tally = replayed(shard, after=copied(shard, position, **said, policy_hash=old))
    assert (tally.ok, found(tally)) == (kept is Found.COMMAND_SAME, {kept: 1})
    # Under rules of after that, one that keeps nothing was never written by the exchange.
    tally = replayed(shard, after=copied(shard, position, **said))
    assert (tally.ok, found(tally)) == (False, {Found.COMMAND_DIFFERS: 1})


def test_a_mark_this_version_does_not_know_is_not_passed_over(shard: Shard) -> None:
    _, position = the_goal(shard)
    asked = first_event(shard, position)[1].meta.asked
    assert asked is not None
    assert (asked.marks, asked.anchor, asked.categories) == ("anr", SAME_STREAM, ("WMO-PLAN",))
    newer = structs.replace(asked, marks="anrz")
    tally = replayed(shard, after=copied(shard, position, asked=newer))
    assert (tally.ok, found(tally)) == (False, {Found.UNREADABLE: 1})
