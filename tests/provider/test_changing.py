"""A change of what runs, and what stood on a plan before its adapter was let in: told once, on both sides."""

from __future__ import annotations

import dataclasses
import sqlite3
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from lxml import etree

from adapters.provider.codes import ChangeReason, Frequency, Unit
from adapters.provider.errands import Errands
from adapters.provider.joining import LOOK
from adapters.provider.journal import Journal
from adapters.provider.mapping import read_assignments
from adapters.provider.records import Product
from adapters.provider.request_book import RequestState
from adapters.provider.requests import Changed, Size, Wanted, write_change_request
from adapters.provider.retour import read_retour
from adapters.provider.running import status
from adapters.provider.xml import emit
from tests.provider.around import ONE, Both, agreed, of
from tests.provider.builders import change_request
from tests.provider.test_requests import send, states
from tests.provider.test_service_kill import Steps, in_a_process_of_its_own, opened
from tests.provider.world import MUNICIPALITY_OIN, TODAY

if TYPE_CHECKING:
    from pathlib import Path

    from adapters.provider.records import Assignment

MORE: dict[str, Any] = {"volume": 5}
LONGER = {"ends_on": TODAY + timedelta(days=400)}
SHORTER = {"ends_on": TODAY + timedelta(days=100)}


def lines(both: Both) -> list[tuple[Assignment, ...]]:
    """Return the lines of each 301 that the provider took, in the order they were sent."""
    notices = [read_assignments(one) for one in of(both.provider, "301")]
    notices.sort(key=lambda one: max(line.decided for line in one.assignments))
    return [one.assignments for one in notices]


def running(both: Both) -> int:
    """Let one support be agreed and assigned; return its number."""
    agreed(both)
    both.work(3)
    (order,) = both.world.assigned
    return order.assignment_number


def asks(both: Both, *changed: Changed, identification: str = "C1") -> str:
    told = change_request(unchanged=(), changed=changed, added=())
    message = dataclasses.replace(
        told, envelope=dataclasses.replace(told.envelope, identification=identification)
    )
    send(both, write_change_request(message))
    both.work(2)
    return told.reference


def change(both: Both, **terms: Any) -> None:  # noqa: ANN401 -- the fields of the record
    both.world.change_terms(**terms)
    both.work(2)


# --- a change ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("began", [False, True])
def test_a_change_a_provider_asks_for_is_told_once_it_is_agreed_with(both: Both, *, began: bool) -> None:
    number = running(both)
    if began:
        both.world.start()
        both.work(3)
    size = Size(5, Unit.HOUR, Frequency.PER_WEEK)
    reference = asks(both, Changed(number, Wanted(ONE.starts_on, LONGER["ends_on"], size=size)))
    assert read_retour(of(both.provider, "318")[-1]).accepted
    # A request changes nothing, and neither does a change that the resident has not agreed with.
    change(both, **MORE, **LONGER)
    assert states(both, reference) == {RequestState.OPEN}
    assert len(lines(both)) == 1
    assert both.municipality.desk.errands.undone() == ()
    both.world.say(agreed=True)
    both.work(3)
    ((first,), (second,)) = lines(both)
    assert (second.number, second.product, second.starts_on) == (number, first.product, first.starts_on)
    assert (second.volume, second.ends_on) == (5, LONGER["ends_on"])
    assert (second.change_reason, second.provider_reference) == (ChangeReason.ASKED_BY_PROVIDER, reference)
    assert second.decided > first.decided
    assert states(both, reference) == {RequestState.HONOURED}
    # The provider took it, gave no command, and knows what runs now; what it would ask next rests on that.
    assert [read_retour(one).accepted for one in of(both.municipality, "302")] == [True, True]
    assert len(both.world.assigned) == 1
    for side in (both.municipality, both.provider):
        term = side.desk.terms.of(number)
        assert term is not None
        assert (term.assignment.volume, term.assignment.ends_on) == (5, LONGER["ends_on"])
        assert side.desk.errands.undone() == ()
        assert side.journal.parked() == ()
    assert "assignment_differs_from_plan" not in both.log
    both.work(3)
    assert len(lines(both)) == len(lines(both)[:2])


@pytest.mark.parametrize(
    ("terms", "reason"),
    [(MORE, None), (LONGER, ChangeReason.PROLONGED), (SHORTER, ChangeReason.SHORTENED)],
)
def test_a_change_nobody_asked_for_says_what_it_is(
    both: Both, terms: dict[str, Any], reason: ChangeReason | None
) -> None:
    number = running(both)
    asked = asks(both, Changed(number, Wanted(ONE.starts_on, TODAY, size=Size(9, Unit.HOUR, ONE.frequency))))
    change(both, **terms)
    both.world.say(agreed=True)
    both.work(3)
    assert [one.change_reason for one in lines(both)[1]] == [reason]
    assert states(both, asked) == {RequestState.OPEN}


def test_what_a_provider_wants_from_a_later_day_is_an_assignment_of_its_own(both: Both) -> None:
    number = running(both)
    day = TODAY + timedelta(days=30)
    reference = asks(both, Changed(number, Wanted(day, ONE.ends_on, size=Size(5, ONE.unit, ONE.frequency))))
    both.world.change_terms(ends_on=day - timedelta(days=1))
    both.world.request("support-2", starts_on=day, volume=5)
    both.world.say(agreed=True)
    both.work(3)
    last = {one.starts_on: one for one in lines(both)[-1]}
    assert last[day].provider_reference == reference
    assert last[TODAY].ends_on == day - timedelta(days=1)
    assert last[day].number != number == last[TODAY].number
    assert states(both, reference) == {RequestState.HONOURED}


def test_two_changes_before_a_yes_are_one_and_a_change_back_is_none(both: Both) -> None:
    running(both)
    change(both, **MORE)
    change(both, **SHORTER)
    both.world.say(agreed=True)
    both.work(3)
    assert [(one.volume, one.ends_on) for (one,) in lines(both)[1:]] == [(5, SHORTER["ends_on"])]
    change(both, volume=7)
    change(both, volume=5)
    both.world.say(agreed=True)
    both.work(3)
    assert len(lines(both)) == len({"first", "changed"})
    assert both.municipality.desk.errands.undone() == ()


def test_beside_something_else_it_is_told_as_it_was_until_its_change_is_agreed(both: Both) -> None:
    running(both)
    both.world.request("support-2", product=Product("07", "07A01"))
    both.world.say(agreed=True)
    # After the yes, and before anything was sent.
    change(both, **MORE)
    both.work(2)
    second = lines(both)[1]
    assert [one.volume for one in second] == [3, 3]
    assert [read_retour(one).accepted for one in of(both.municipality, "302")] == [True, True]
    # A person sees that the plan says more than the message did.
    assert "assignment_differs_from_plan" in both.provider.out.getvalue()
    both.world.say(agreed=True)
    both.work(3)
    third = {one.product: one.volume for one in lines(both)[2]}
    assert third == {ONE.product: 5, Product("07", "07A01"): 3}


def test_a_change_of_what_is_over_is_for_a_person(both: Both) -> None:
    running(both)
    both.world.change_terms(**MORE)
    both.world.say(agreed=True)
    both.world.start()
    both.world.stop()
    both.work(2)
    (parked,) = both.municipality.desk.errands.undone()
    assert (parked.kind, parked.reason) == ("WMO301", "support-moved-on")


def test_a_no_after_the_yes_keeps_a_change_in_the_house(both: Both) -> None:
    running(both)
    both.world.change_terms(**MORE)
    both.world.say(agreed=True)
    both.world.say(agreed=False)
    both.work(2)
    (parked,) = both.municipality.desk.errands.undone()
    assert parked.reason == "not-agreed"
    both.world.say(agreed=True)
    both.work(3)
    assert len(lines(both)) == len({"first", "changed"})


def test_a_change_is_told_as_the_official_schema_has_it(both: Both, standards_dir: Path) -> None:
    number = running(both)
    asks(
        both, Changed(number, Wanted(ONE.starts_on, LONGER["ends_on"], size=Size(5, ONE.unit, ONE.frequency)))
    )
    change(both, **MORE, **LONGER)
    both.world.say(agreed=True)
    both.work(3)
    (file,) = (standards_dir / "iwmo-3.2" / "xsd").rglob("*WMO301*.xsd")
    schema = etree.XMLSchema(etree.parse(file))
    told = [emit(one) for one in of(both.provider, "301")]
    for message in told:
        schema.assertValid(etree.fromstring(message))
    assert any(b"RedenWijziging>12<" in message for message in told)


# --- who joins late ---------------------------------------------------------------------------------------


def late(both: Both) -> None:
    """Let a support be requested and agreed with while the municipality's adapter has no part in the case."""
    both.world.part(MUNICIPALITY_OIN)
    both.world.request()
    both.world.say(agreed=True)
    both.world.open_plan("plan-2", "111222333")
    both.work(2)
    assert of(both.provider, "301") == []


def test_what_stood_there_before_it_joined_is_taken_up_once(both: Both) -> None:
    late(both)
    both.world.join(MUNICIPALITY_OIN)
    both.register()
    both.work(3)
    assert len(of(both.provider, "301")) == len(both.world.assigned) == 1
    looks = both.world.calls.count("look_back")
    assert looks == 1
    # Told again, as after an outage: it is the same errand.
    (joined,) = [one for one in both.world.held().happenings if one.kind.startswith("case.")]
    both.municipality.service.take(joined)
    both.work(3)
    assert both.world.calls.count("look_back") == looks
    assert len(of(both.provider, "301")) == 1
    # Let in once more it looks once more, and finds nothing to tell.
    both.world.part(MUNICIPALITY_OIN)
    both.world.join(MUNICIPALITY_OIN)
    both.work(3)
    assert both.world.calls.count("look_back") == looks + 1
    assert len(of(both.provider, "301")) == 1
    assert both.municipality.desk.errands.undone() == ()


@pytest.mark.parametrize("order", ["said-before", "no", "unsaid"])
def test_what_no_yes_covers_waits_for_one(both: Both, order: str) -> None:
    both.world.part(MUNICIPALITY_OIN)
    if order == "said-before":
        both.world.say(agreed=True)
    both.world.request()
    if order == "no":
        both.world.say(agreed=False)
    both.world.join(MUNICIPALITY_OIN)
    both.register()
    both.work(3)
    assert of(both.provider, "301") == []
    assert both.municipality.desk.errands.undone() == ()
    both.world.say(agreed=True)
    both.work(3)
    assert len(of(both.provider, "301")) == 1


def test_what_is_not_ours_to_tell_is_left_alone(both: Both) -> None:
    both.world.part(MUNICIPALITY_OIN)
    both.world.request(provider_oin="00000009999999999000")
    both.world.request("support-2", custom=False)
    both.world.say(agreed=True)
    both.world.join(MUNICIPALITY_OIN)
    both.register()
    both.work(3)
    assert both.provider.archived == []
    # Nothing there was to be told: its past was not asked.
    assert "look_back" not in both.world.calls


def test_a_change_it_missed_is_taken_up_too(both: Both) -> None:
    running(both)
    both.world.part(MUNICIPALITY_OIN)
    both.world.change_terms(**MORE)
    both.world.say(agreed=True)
    both.work(2)
    both.world.join(MUNICIPALITY_OIN)
    both.work(3)
    assert [one.volume for (one,) in lines(both)] == [3, 5]
    assert both.municipality.desk.errands.undone() == ()


def test_who_was_let_go_again_before_it_looked_tells_nothing(both: Both) -> None:
    late(both)
    both.world.join(MUNICIPALITY_OIN)
    (joined,) = [one for one in both.world.held().happenings if one.kind.startswith("case.")]
    both.municipality.service.take(joined)
    both.world.part(MUNICIPALITY_OIN)
    both.work(2)
    (parked,) = both.municipality.desk.errands.undone()
    assert (parked.kind, parked.state) == (LOOK, "parked")
    assert not status(both.municipality.config).well


# --- killed and kept --------------------------------------------------------------------------------------


def joins_and_changes(root: Path, steps: Steps, begin: timedelta) -> None:
    """Join late and tell what stood there, then tell a change; what was done before is not done again."""
    both = opened(root, begin)
    world = both.world
    if not world.held().plans:
        world.open_plan()
        world.part(MUNICIPALITY_OIN)
        both.world.request()
        both.world.say(agreed=True)
        both.register()
        world.join(MUNICIPALITY_OIN)
    for adapter in (both.municipality, both.provider):
        adapter.journal.connection.set_trace_callback(steps.statement)
    both.work(3)
    if world.assigned and world.support().volume == ONE.volume:
        world.change_terms(**MORE)
        world.say(agreed=True)
    both.work(3)


def kill_at_each(tmp_path: Path, first: int, every: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    _, steps = in_a_process_of_its_own(whole, 0, timedelta(), joins_and_changes)
    assert_told_once(whole)
    for kill_at in range(first, steps, every):
        root = tmp_path / str(kill_at)
        root.mkdir()
        killed, _ = in_a_process_of_its_own(root, kill_at, timedelta(), joins_and_changes)
        assert killed, kill_at
        in_a_process_of_its_own(root, 0, timedelta(hours=3), joins_and_changes)
        assert_told_once(root)


def test_killed_here_and_there_each_is_told_once(tmp_path: Path) -> None:
    # A prime, so that it meets each kind of step somewhere.
    kill_at_each(tmp_path, 5, 31)


@pytest.mark.slow
def test_killed_at_any_second_step_each_is_told_once(tmp_path: Path) -> None:
    kill_at_each(tmp_path, 2, 2)


def assert_told_once(root: Path) -> None:
    both = opened(root, timedelta(days=1))
    # The same message may have arrived twice.
    assert [one.volume for (one,) in dict.fromkeys(lines(both))] == [3, 5]
    assert len(both.world.assigned) == 1
    assert [read_retour(one).accepted for one in set(of(both.municipality, "302"))] == [True, True]
    for adapter in (both.municipality, both.provider):
        assert adapter.desk.errands.undone() == ()
        assert adapter.journal.due(2**60) == adapter.journal.parked() == ()
    both.close()


def test_a_journal_of_before_is_carried_over(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    Journal(file).close()
    with sqlite3.connect(file) as before:
        before.executescript(
            "CREATE TABLE errands (number INTEGER PRIMARY KEY, support_id TEXT NOT NULL, kind TEXT NOT NULL, "
            "plan_id TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, outbox_name TEXT, "
            "attempts INTEGER NOT NULL, next_attempt_ms INTEGER NOT NULL, starts_on TEXT NOT NULL, "
            "ends_on TEXT NOT NULL, stop_reason INTEGER NOT NULL, "
            "UNIQUE (support_id, kind, starts_on)) STRICT;"
            "INSERT INTO errands VALUES (4, 's', 'WMO305', 'p', 'parked', 'why', NULL, 2, 3, '2026-06-01', "
            "'2026-06-02', 6);"
        )
    before.close()
    for _ in range(2):
        journal = Journal(file)
        (kept,) = Errands(journal).undone()
        assert (kept.support_id, kept.kind, kept.state, kept.reason, kept.attempts) == (
            "s",
            "WMO305",
            "parked",
            "why",
            2,
        )
        assert kept.care is not None
        assert (kept.care.stop_reason, kept.occasion) == (6, 0)
        journal.close()
