"""What is restricted is left alone, what is rectified stays so, what is erased is gone; each is answered."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from adapters.kit.rectifications import RectifiedTold
from adapters.kit.refusals import TOO_LONG
from adapters.kit.restrictions import RestrictionTold
from adapters.sdk.bsn import Bsn
from adapters.sdk.purges import PurgeAsked
from adapters.simulators.suwinet import people
from adapters.work_income.errors import SuwinetUnavailable
from adapters.work_income.journal import DONE, DUE, RESTRICTED, TOLD
from adapters.work_income.limits import LOOK_EVERY_MS
from adapters.work_income.services import INCOME
from exchange.v1.common_pb2 import Purpose
from tests.work_income.papers import BSN, OTHER_BSN
from tests.work_income.test_service import FOR_RIGHT, FOR_WORK
from tests.work_income.world import PLAN, RIGHT, WORK, Adapter, Clock, World, erasure_of, tell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WORK_ALONE = frozenset({Purpose.PURPOSE_PW_ARBEIDSINSCHAKELING})
BOTH = WORK_ALONE | {Purpose.PURPOSE_PW_RECHT_VASTSTELLEN}
DEBTS = frozenset({Purpose.PURPOSE_WGS_PLAN})
STOP = RestrictionTold("r-1", (PLAN,), lifted=False, ours=True, purposes=BOTH)
GO_ON = dataclasses.replace(STOP, lifted=True)
DRAFT = f"{PLAN}-{WORK}.json"


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


@pytest.fixture
def adapter(tmp_path: Path, world: World) -> Iterator[Adapter]:
    """One that asks anew each thirty days, and has done both orders once."""
    made = Adapter(tmp_path, world, Clock(), refresh_days=30, draft_days=200)
    made.order(FOR_RIGHT, "a.json")
    made.order(FOR_WORK, "b.json")
    made.work(milliseconds=LOOK_EVERY_MS)
    assert (made.journal.counts()[DONE], made.names("drafts")) == (2, [DRAFT])
    yield made
    made.close()


def restrict(world: World, *plans: str) -> None:
    """Let the gate refuse every question about these plans, and no other."""
    held = world.held()
    held.restricted = set(plans)
    world.save(held)


def look(adapter: Adapter) -> None:
    adapter.work(milliseconds=LOOK_EVERY_MS)


def aside(adapter: Adapter) -> list[str]:
    return sorted(one.name for one in adapter.config.aside.iterdir())


def asked(world: World) -> int:
    return len(world.held().asked)


# --- restriction --------------------------------------------------------------------------------------------


def test_what_is_restricted_is_left_alone_and_its_draft_out_of_reach(adapter: Adapter, world: World) -> None:
    before = asked(world)
    tell(world, STOP)
    adapter.work(3, days=31)
    assert asked(world) == before
    assert (adapter.journal.counts()[RESTRICTED], adapter.names("drafts"), aside(adapter)) == (2, [], [DRAFT])
    assert world.held().applied == {("r-1", False): True}
    # Nor was the gate asked: the resident's log tells of no question either.
    assert len(world.held().permits) == 2
    tell(world, GO_ON)
    look(adapter)
    assert world.held().applied == {("r-1", False): True, ("r-1", True): True}
    assert (adapter.names("drafts"), aside(adapter)) == ([DRAFT], [])
    # Its refresh was due since long.
    assert (asked(world), world.held().commands) == (before + 4, 2)


def test_what_was_told_and_not_written_is_asked_anew_once_it_is_lifted(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    world.before_fill_in = lambda: setattr(world, "away", True)
    adapter.order(FOR_RIGHT)
    look(adapter)
    assert (adapter.journal.counts()[TOLD], world.held().commands) == (1, 0)
    world.before_fill_in, world.away = (lambda: None), False
    tell(world, STOP)
    look(adapter)
    adapter.work(2, days=1)
    assert (adapter.journal.counts()[RESTRICTED], world.held().commands) == (1, 0)
    # What Suwinet told then is not what it tells now.
    world.known = {**people.ANSWERS, INCOME.name: []}
    tell(world, GO_ON)
    look(adapter)
    assert (asked(world), world.held().commands) == (4, 1)
    assert "De Brug" not in world.situation("finance").description
    adapter.close()


def test_of_two_restrictions_both_have_to_be_lifted(adapter: Adapter, world: World) -> None:
    tell(world, STOP, dataclasses.replace(STOP, restriction_id="r-2"), GO_ON)
    adapter.work(2, days=31)
    assert (adapter.journal.counts()[RESTRICTED], adapter.names("drafts"), asked(world)) == (2, [], 4)
    tell(world, dataclasses.replace(GO_ON, restriction_id="r-2"))
    look(adapter)
    assert (adapter.names("drafts"), asked(world)) == ([DRAFT], 8)


def test_a_restriction_of_one_purpose_stops_that_one(adapter: Adapter, world: World) -> None:
    tell(world, dataclasses.replace(STOP, purposes=WORK_ALONE))
    look(adapter)
    assert (adapter.journal.counts()[RESTRICTED], adapter.journal.counts()[DONE]) == (1, 1)
    assert (adapter.names("drafts"), aside(adapter)) == ([], [DRAFT])


def test_of_what_nothing_is_kept_it_is_told_so(adapter: Adapter, world: World) -> None:
    tell(world, dataclasses.replace(STOP, plan_ids=("another-plan",)))
    look(adapter)
    assert world.held().applied == {("r-1", False): False}
    assert adapter.journal.counts()[DONE] == 2


def test_what_others_of_this_task_read_is_stopped_here_and_answered_by_a_person(
    adapter: Adapter, world: World
) -> None:
    tell(world, dataclasses.replace(STOP, purposes=BOTH | DEBTS))
    look(adapter)
    look(adapter)
    assert (adapter.journal.counts()[RESTRICTED], world.held().applied) == (2, {})
    # It says so at each look, until somebody did.
    assert adapter.events().count("restriction_for_a_person") == 2


def test_where_a_person_answers_all_is_done_and_nothing_is_answered(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock(), answers="person", refresh_days=30)
    adapter.order(FOR_WORK)
    look(adapter)
    tell(world, STOP, RectifiedTold("c-1", (PLAN,), ("goals.own_words",)), erasure_of("e-1", PLAN))
    look(adapter)
    held = world.held()
    assert (held.applied, held.corrected, held.purged) == ({}, {}, {})
    assert sum(adapter.journal.counts().values()) == len(aside(adapter)) == len(adapter.names("drafts")) == 0
    kinds = ("restriction", "rectification", "purge")
    assert [adapter.events().count(f"{kind}_for_a_person") for kind in kinds] == [1, 1, 1]
    adapter.close()


def test_what_only_a_refusal_tells_of_is_kept_and_asked_again_daily(adapter: Adapter, world: World) -> None:
    # This desk restricted it itself: who restricts is not told, and not told that it was lifted.
    restrict(world, PLAN)
    adapter.clock.pass_by(days=31)
    adapter.work(30, hours=1)
    permits = len(world.held().permits)
    assert (adapter.journal.counts()[RESTRICTED], permits, asked(world)) == (2, 2 + 2 * 2, 4)
    assert (adapter.names("drafts"), aside(adapter), adapter.names("rejected")) == ([], [DRAFT], [])
    restrict(world)
    adapter.work(30, hours=1)
    assert (adapter.journal.counts()[DONE], asked(world), adapter.names("drafts")) == (2, 8, [DRAFT])


def test_a_restriction_between_the_gate_and_the_plan_writes_nothing(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    world.before_fill_in = lambda: restrict(world, PLAN)
    adapter.order(FOR_RIGHT)
    look(adapter)
    assert (world.held().commands, adapter.journal.counts()[RESTRICTED]) == (0, 1)
    adapter.close()


def test_what_was_refused_once_is_written_once_nothing_is_restricted(tmp_path: Path, world: World) -> None:
    """The exchange answers a command that it refused as it did: what is asked after it is another one."""
    adapter = Adapter(tmp_path, world, Clock())
    world.before_fill_in = lambda: restrict(world, PLAN)
    adapter.order(FOR_RIGHT)
    look(adapter)
    world.before_fill_in = lambda: None
    restrict(world)
    adapter.work(30, hours=1)
    # Done, and nothing to ask again: the order is forgotten.
    assert (world.held().commands > 0, sum(adapter.journal.counts().values())) == (True, 0)
    adapter.close()


def test_what_is_refused_for_a_month_waits_for_a_person_and_for_a_lifting(
    tmp_path: Path, world: World
) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    world.before_fill_in = lambda: restrict(world, PLAN)
    adapter.order(FOR_RIGHT)
    look(adapter)
    adapter.work(31, days=1)
    assert adapter.journal.parked() == (f"1 {RIGHT} {TOO_LONG}",)
    assert adapter.events().count("pull_parked") == 1
    permits = len(world.held().permits)
    adapter.work(5, days=1)
    assert len(world.held().permits) == permits, "nothing is asked any more"
    world.before_fill_in = lambda: None
    restrict(world)
    adapter.journal.lift(PLAN, RIGHT, int(adapter.clock.now.timestamp() * 1_000))
    adapter.work(2, hours=1)
    assert (world.held().commands > 0, sum(adapter.journal.counts().values())) == (True, 0)
    adapter.close()


def test_a_first_order_about_who_is_restricted_is_refused_and_forgotten(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    restrict(world, PLAN)
    adapter.order(FOR_RIGHT)
    look(adapter)
    assert (asked(world), sum(adapter.journal.counts().values())) == (0, 0)
    (reason,) = adapter.names("rejected")
    assert "R24" in (adapter.config.rejected / reason).read_text()
    adapter.close()


def test_a_refresh_that_never_gets_an_answer_is_parked_too(adapter: Adapter, world: World) -> None:
    world.faults = [SuwinetUnavailable("timeout")] * 1_000
    adapter.clock.pass_by(days=31)
    adapter.work(60, minutes=30)
    assert adapter.events().count("pull_parked") == 2


# --- rectification ------------------------------------------------------------------------------------------


def test_what_a_person_corrected_is_not_undone_by_a_refresh(adapter: Adapter, world: World) -> None:
    held = world.held()
    # One field of what this adapter wrote: it says still that Suwinet told it.
    held.situations[PLAN, "finance"].description = "Geen inkomen via De Brug: dat was een ander."
    world.save(held)
    world.known = {**people.ANSWERS, INCOME.name: [*people.ANSWERS[INCOME.name] * 2]}
    adapter.clock.pass_by(days=31)
    adapter.work()
    assert world.situation("finance").description.startswith("Geen inkomen")
    # What Suwinet tells now is for a person, beside it.
    assert adapter.names("drafts") == [DRAFT, f"{PLAN}-{RIGHT}.json"]


def test_what_was_rectified_while_a_draft_lies_there_is_for_a_person(adapter: Adapter, world: World) -> None:
    tell(world, RectifiedTold("c-1", (PLAN,), ("situations.description",)))
    look(adapter)
    assert (world.held().corrected, adapter.names("drafts")) == ({}, [DRAFT])
    assert "rectification_for_a_person" in adapter.events()
    # Who looked takes the draft away.
    (adapter.config.drafts / DRAFT).unlink()
    look(adapter)
    assert world.held().corrected == {"c-1": True}


@pytest.mark.parametrize(
    ("plan", "path", "kept"),
    [
        (PLAN, "situations.score", True),
        (PLAN, "supports.volume", False),
        ("another-plan", "situations.score", False),
    ],
)
def test_what_was_rectified_of_what_is_asked_anew_is_answered(
    tmp_path: Path, world: World, plan: str, path: str, *, kept: bool
) -> None:
    adapter = Adapter(tmp_path, world, Clock(), refresh_days=30)
    adapter.order(FOR_RIGHT)
    look(adapter)
    tell(world, RectifiedTold("c-1", (plan,), (path,)))
    look(adapter)
    assert world.held().corrected == {"c-1": kept}
    adapter.close()


def test_what_waited_to_be_written_is_asked_anew_after_a_rectification(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    world.before_fill_in = lambda: setattr(world, "away", True)
    adapter.order(FOR_RIGHT)
    look(adapter)
    world.before_fill_in, world.away = (lambda: None), False
    world.known = {**people.ANSWERS, INCOME.name: []}
    tell(world, RectifiedTold("c-1", (PLAN,), ("situations.description",)))
    look(adapter)
    assert (asked(world), world.held().commands, world.held().corrected) == (4, 1, {"c-1": True})
    assert "De Brug" not in world.situation("finance").description
    adapter.close()


# --- erasure and time ---------------------------------------------------------------------------------------


def test_an_erasure_reaches_what_was_set_aside(adapter: Adapter, world: World) -> None:
    tell(world, STOP)
    look(adapter)
    tell(world, erasure_of("e-1", PLAN))
    look(adapter)
    assert (world.held().purged, aside(adapter)) == ({"e-1": True}, [])
    assert sum(adapter.journal.counts().values()) == 0
    assert PLAN.encode() not in adapter.config.journal.read_bytes()


def test_a_permit_from_before_the_erasure_writes_nothing_behind_it(adapter: Adapter, world: World) -> None:
    tell(world, erasure_of("e-1", PLAN))
    look(adapter)
    # A node that is behind names the plan still.
    commands, questions = world.held().commands, world.held().asked
    adapter.order(FOR_WORK, "again.json")
    adapter.work(3)
    # Nor is anything asked about who is gone.
    assert (world.held().commands, world.held().asked) == (commands, questions)
    assert adapter.names("drafts") == []
    assert adapter.events()[-1] == "pull_refused"
    assert sum(adapter.journal.counts().values()) == 0
    adapter.journal.fold_log()
    held = adapter.config.journal.read_bytes()
    assert (PLAN.encode() in held, BSN.encode() in held) == (False, False)
    # Who came back has another plan.
    back = world.held()
    back.plan_of[BSN] = "plan-2"
    world.save(back)
    adapter.order(FOR_WORK, "back.json")
    adapter.work(3)
    assert adapter.names("drafts") == [f"plan-2-{WORK}.json"]


def test_of_a_part_that_was_erased_the_plan_is_filled_in_anew(adapter: Adapter, world: World) -> None:
    tell(world, PurgeAsked("e-1", (PLAN,), frozenset({"INKOMEN"})))
    look(adapter)
    assert (world.held().purged, adapter.names("drafts")) == ({"e-1": True}, [])
    adapter.order(FOR_WORK, "again.json")
    adapter.work(3)
    assert adapter.names("drafts") == [DRAFT]


def test_a_draft_nobody_took_is_erased_after_its_time(adapter: Adapter) -> None:
    adapter.clock.pass_by(days=199)
    look(adapter)
    assert adapter.names("drafts") == [DRAFT]
    adapter.clock.pass_by(days=1)
    look(adapter)
    assert adapter.names("drafts") == []
    assert "draft_expired" in adapter.events()


def test_what_cannot_be_asked_now_is_asked_within_the_hour(adapter: Adapter, world: World) -> None:
    tell(world, STOP)
    world.away = True
    adapter.work()
    world.away = False
    adapter.work()
    assert (world.held().applied, adapter.events().count("limits_not_now")) == ({}, 3)
    look(adapter)
    look(adapter)
    assert world.held().applied == {("r-1", False): True}


def test_an_order_about_another_goes_on(adapter: Adapter, world: World) -> None:
    held = world.held()
    held.plan_of[OTHER_BSN] = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0002"
    world.save(held)
    tell(world, STOP)
    adapter.order(dataclasses.replace(FOR_RIGHT, bsn=Bsn(OTHER_BSN)))
    adapter.work()
    assert asked(world) == 6
    assert adapter.journal.counts()[DUE] == 0
