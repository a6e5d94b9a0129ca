"""Nobody comes back behind an erasure but who is registered anew: commands beside it, happenings, answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.kit.erasures import Erasures
from adapters.provider.errands import Errands
from adapters.provider.errors import ErasedMeanwhile
from adapters.provider.journal import Journal
from adapters.sdk.errors import Denied
from adapters.sdk.purges import PurgeAsked
from tests.provider.around import agreed, answers, keep, sent
from tests.provider.builders import BSN
from tests.provider.test_purging import ERASURE, ask, look, traces
from tests.provider.test_requests import asked, send
from tests.provider.world import MUNICIPALITY_OIN, OTHER_BSN, PLAN, PROVIDER_OIN, pseudonym

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from adapters.provider.plan_seen import CaseFound
    from tests.provider.around import Adapter, Both

NEXT = "plan-2"
PART = PurgeAsked("erasure-1", (PLAN,), frozenset({"WMO-PLAN"}))


def gone(both: Both, bsn: str = BSN) -> None:
    """Let the exchange know nobody of this plan any more."""
    held = both.world.held()
    for oin in (MUNICIPALITY_OIN, PROVIDER_OIN):
        held.plan_of.pop(pseudonym(oin, bsn).hex(), None)
    both.world.save(held)


def rows(side: Adapter) -> list[str]:
    """Return the tables of the errands that name the plan."""
    run = side.journal.connection.execute
    tables = ("errands", "wanted", "changes", "plans")
    return [one for one in tables if run(f"SELECT 1 FROM {one} WHERE plan_id = ?", (PLAN,)).fetchone()]  # noqa: S608 -- our own words


def meanwhile(side: Adapter, do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen once, behind the next answer to whose case it is."""
    find, left = side.port.find_case, [do]

    def found(name: bytes) -> CaseFound:
        try:
            return find(name)
        finally:
            if left:
                left.pop()()

    monkeypatch.setattr(side.port, "find_case", found)


@pytest.mark.parametrize("erasure", [ERASURE, PART])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("told", [True, False])
def test_who_is_registered_while_an_erasure_is_followed_does_not_come_back(
    both: Both, monkeypatch: pytest.MonkeyPatch, erasure: PurgeAsked, *, known: bool, told: bool
) -> None:
    side = both.municipality
    if known:
        both.register()
    if not told:
        # The exchange erased them a moment before it was asked, and the adapter follows a moment after.
        gone(both)
    ask(both, erasure)
    meanwhile(side, lambda: look(side), monkeypatch)
    with pytest.raises(ErasedMeanwhile) as refused:
        both.register()
    assert traces(side) == []
    assert rows(side) == []
    assert BSN not in f"{refused.value} {refused.value.remedy}"
    # Answered: no later look would have found them.
    assert both.world.held().purged == {"erasure-1": known}


def between(do: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let something happen once, behind the look whom an erasure is about and before it is followed."""
    find, left = Errands.people_of, [do]

    def found(errands: Errands, plan_ids: Iterable[str]) -> frozenset[str]:
        people = find(errands, plan_ids)
        if left:
            left.pop()()
        return people

    monkeypatch.setattr(Errands, "people_of", found)


@pytest.mark.parametrize("erasure", [ERASURE, PART])
def test_who_is_registered_just_before_an_erasure_is_followed_goes_with_it(
    both: Both, monkeypatch: pytest.MonkeyPatch, erasure: PurgeAsked
) -> None:
    side = both.municipality
    ask(both, erasure)
    between(both.register, monkeypatch)
    look(side)
    assert traces(side) == []
    assert rows(side) == []
    assert both.world.held().purged == {"erasure-1": True}


def test_who_comes_back_is_registered_and_has_care_under_another_plan(both: Both) -> None:
    side = both.municipality
    agreed(both)
    both.work(3)
    assert len(both.world.assigned) == 1
    ask(both, ERASURE)
    for one in (side, both.provider):
        look(one)
    gone(both)
    # Before there is a plan again, and once there is one.
    both.register()
    assert side.desk.register.resident(pseudonym(MUNICIPALITY_OIN, BSN).hex()) is not None
    both.world.open_plan(NEXT)
    both.register()
    assert side.desk.errands.whose_plan(NEXT) == pseudonym(MUNICIPALITY_OIN, BSN).hex()
    both.world.request("support-2", plan_id=NEXT)
    both.world.say(agreed=True, plan_id=NEXT)
    both.work(3)
    assert [one.plan_id for one in both.world.assigned] == [PLAN, NEXT]
    # What the exchange tells again of the erasure takes nobody along.
    held = both.world.held()
    held.purged.clear()
    both.world.save(held)
    look(side)
    assert side.desk.register.resident(pseudonym(MUNICIPALITY_OIN, BSN).hex()) is not None


def test_an_answer_from_before_the_erasure_registers_nobody(both: Both) -> None:
    side = both.municipality
    both.register()
    ask(both, ERASURE)
    look(side)
    # A node that is behind tells of the plan still.
    with pytest.raises(ErasedMeanwhile):
        both.register()
    assert traces(side) == []
    # Others are registered as ever.
    keep(side, OTHER_BSN)
    side.desk.errands.plan_is_of(PLAN, "whoever")
    assert side.desk.errands.whose_plan(PLAN) is None


def test_an_error_of_the_exchange_registers_nobody_and_is_told_as_it_is(both: Both) -> None:
    both.world.away = True
    with pytest.raises(Exception, match="nobody is there"):
        both.register()
    both.world.away = False
    held = both.world.held()
    held.plans[PLAN].related.clear()
    both.world.save(held)
    with pytest.raises(Denied):
        both.municipality.port.find_case(pseudonym(MUNICIPALITY_OIN, BSN))
    # That there is no case of ours is no error: they wait for one.
    both.register()
    assert both.municipality.desk.register.resident(pseudonym(MUNICIPALITY_OIN, BSN).hex()) is not None


def test_it_holds_for_a_command_that_opens_the_journal_after_a_restart(both: Both) -> None:
    side = both.municipality
    both.register()
    ask(both, ERASURE)
    look(side)
    side.journal.close()
    again = Journal(side.config.journal)
    assert Erasures(again.connection).erased(PLAN)
    side.journal = again
    with pytest.raises(ErasedMeanwhile):
        keep(side)
    assert traces(side) == []


def test_a_request_that_is_sent_while_an_erasure_is_followed_does_not_leave(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    side = both.provider
    ask(both, ERASURE)
    name = side.port.pseudonym

    def named(bsn: object) -> bytes:
        found = name(bsn)  # type: ignore[arg-type] # given on as it came
        look(side)
        return found

    monkeypatch.setattr(side.port, "pseudonym", named)
    with pytest.raises(ErasedMeanwhile):
        send(both, asked())
    assert traces(side) == []
    monkeypatch.undo()
    send(both, asked())
    assert traces(side) != []


@pytest.mark.parametrize("name", ["municipality", "provider"])
def test_what_happened_on_a_plan_is_of_nobody_behind_its_erasure(name: str, both: Both) -> None:
    side: Adapter = getattr(both, name)
    agreed(both)
    both.work(2)
    ask(both, ERASURE)
    look(side)
    both.world.request("support-2")
    both.world.say(agreed=True)
    both.world.start()
    both.world.join(MUNICIPALITY_OIN if name == "municipality" else PROVIDER_OIN)
    cursor = side.service.cursor
    side.work()
    assert side.service.cursor > cursor
    assert rows(side) == []
    assert traces(side) == []


def test_of_a_part_the_plan_goes_on(both: Both) -> None:
    side = both.municipality
    both.register()
    ask(both, PART)
    look(side)
    both.world.request()
    both.world.say(agreed=True)
    side.work()
    assert "wanted" in rows(side)
    both.register()
    assert side.desk.errands.whose_plan(PLAN) == pseudonym(MUNICIPALITY_OIN, BSN).hex()


def test_a_message_that_is_answered_by_a_node_that_is_behind_takes_nobody_in(both: Both) -> None:
    side = both.provider
    both.world.request()
    both.world.say(agreed=True)
    ask(both, ERASURE)
    look(side)
    side.drop("late.xml", sent())
    side.work()
    assert side.desk.register.resident(pseudonym(PROVIDER_OIN, BSN).hex()) is None
    assert rows(side) == []
    assert [one for one in answers(both) if one] != []
    # Our answer and the file go with their time, as of anybody who is not known here.
    assert traces(side) != []
    both.clock.pass_by(days=side.config.rejected_days + 1)
    look(side)
    assert side.names("archive") == []
