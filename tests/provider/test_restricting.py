"""Word of a restriction: what waits stops at once; answered here, or left to a person where it went out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.kit.restrictions import RestrictionTold
from adapters.provider.restricting import LOOK_EVERY_MS, REASON, Restricting
from tests.provider.around import agreed
from tests.provider.world import PLAN, SUPPORT

if TYPE_CHECKING:
    from tests.provider.around import Adapter, Both

STOP = RestrictionTold("restriction-1", (PLAN,), lifted=False, ours=True)
GO_ON = RestrictionTold("restriction-1", (PLAN,), lifted=True, ours=True)
KIND = "WMO999"


def tell(both: Both, *told: RestrictionTold) -> None:
    held = both.world.held()
    held.restrictions += told
    both.world.save(held)


def look(side: Adapter) -> None:
    Restricting(side.service._desk).work()


def wanted(both: Both) -> None:
    """Let something wait at the provider's."""
    agreed(both)
    both.work(2)
    both.provider.service._desk.errands.want(SUPPORT, KIND, PLAN)


def states(side: Adapter) -> list[tuple[str, str]]:
    undone = side.service._desk.errands.undone()
    return [(one.state, one.reason) for one in undone if one.kind == KIND]


def test_what_waits_stops_and_goes_on_once_it_is_lifted(both: Both) -> None:
    wanted(both)
    tell(both, STOP)
    look(both.provider)
    assert states(both.provider) == [("parked", REASON)]
    assert both.world.held().restricted == {("restriction-1", False): True}
    tell(both, GO_ON)
    look(both.provider)
    assert states(both.provider) == [("due", "")]
    assert both.world.held().restricted == {("restriction-1", False): True, ("restriction-1", True): True}


def test_what_was_restricted_and_lifted_since_goes_on(both: Both) -> None:
    wanted(both)
    tell(both, STOP, GO_ON)
    look(both.provider)
    assert states(both.provider) == [("due", "")]


def test_of_a_plan_nobody_keeps_anything_of_it_is_told(both: Both) -> None:
    tell(both, RestrictionTold("restriction-2", ("plan-9",), lifted=False, ours=True))
    look(both.provider)
    assert both.world.held().restricted == {("restriction-2", False): False}


def test_what_somebody_else_here_read_it_for_is_for_a_person(both: Both) -> None:
    wanted(both)
    tell(both, RestrictionTold("restriction-1", (PLAN,), lifted=False, ours=False))
    look(both.provider)
    assert states(both.provider) == [("due", "")]
    assert both.world.held().restricted == {}
    assert "restriction_for_a_person" in both.provider.out.getvalue()


@pytest.mark.parametrize("name", ["provider", "municipality"])
def test_care_that_was_told_of_stops_at_once_and_is_answered_by_a_person(name: str, both: Both) -> None:
    agreed(both)
    both.work(2)
    both.world.start()
    both.work(3)
    side: Adapter = getattr(both, name)
    side.service._desk.errands.want(SUPPORT, KIND, PLAN)
    tell(both, STOP)
    look(side)
    assert states(side) == [("parked", REASON)]
    assert both.world.held().restricted == {}


def test_a_message_that_stood_ready_leaves_the_house_only_by_a_person(both: Both) -> None:
    agreed(both)
    both.provider.work()
    both.municipality.config.outbox.rmdir()
    both.municipality.work()
    desk = both.municipality.service._desk
    ready = desk.journal.due(desk.now_ms + LOOK_EVERY_MS)
    assert len(ready) == 1
    tell(both, STOP, GO_ON)
    look(both.municipality)
    assert desk.journal.due(desk.now_ms + LOOK_EVERY_MS) == ()
    assert both.world.held().restricted == {("restriction-1", False): True}


def test_it_is_looked_at_before_anything_goes_out(both: Both) -> None:
    agreed(both)
    tell(both, STOP)
    both.municipality.work()
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS)
    desk = both.municipality.service._desk
    desk.errands.want(SUPPORT, KIND, PLAN)
    tell(both, RestrictionTold("restriction-2", (PLAN,), lifted=False, ours=True))
    both.municipality.work()
    assert states(both.municipality) == [("parked", REASON)]


def test_an_exchange_that_is_away_is_asked_again(both: Both) -> None:
    tell(both, STOP)
    restricting = Restricting(both.provider.service._desk)
    both.world.away = True
    restricting.work()
    assert "restriction_not_now" in both.provider.out.getvalue()
    both.world.away = False
    both.clock.pass_by(milliseconds=LOOK_EVERY_MS - 1)
    restricting.work()
    assert both.world.held().restricted == {}
    both.clock.pass_by(milliseconds=1)
    restricting.work()
    assert both.world.held().restricted == {("restriction-1", False): False}
