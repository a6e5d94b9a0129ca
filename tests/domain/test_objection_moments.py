"""When an objection was decided, which a later word is compared with; and who takes one back."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at
from exchange.domain.limits.objections import ObjectionWithdrawn, WithdrawObjection
from exchange.domain.representation import CapacityJudged
from exchange.domain.resident import RESIDENT
from tests.domain.builders import (
    CONSULENT,
    MUNICIPALITY,
    NOON,
    PLANNER,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    fold,
    given,
)
from tests.domain.builders import RESIDENT as RESIDENT_SIDE
from tests.domain.test_limits import OBJECT, OBJECTED, REJECTED, UPHELD, WEIGHED

if TYPE_CHECKING:
    from exchange.domain.kernel import Event
    from exchange.domain.values import Author


def test_a_decision_about_an_objection_keeps_when_it_was_recorded() -> None:
    state: Any = None
    minutes = [NOON + timedelta(minutes=number) for number in range(6)]
    other = replace(OBJECTED, objection_id="o-2", purpose="wmo-onderzoek")
    events = (RESIDENT_REGISTERED, OBJECTED, UPHELD, other, replace(REJECTED, objection_id="o-2"), WEIGHED)
    for event, at in zip(events, minutes, strict=True):
        state = evolve_at(RESIDENT, state, event, at)
        found = {one.objection_id: one.decided_at for one in state.objections}
        assert found.get("o-1") == (minutes[2] if at >= minutes[2] else None)
    assert found == {"o-1": minutes[2], "o-2": minutes[4]}
    # Spoken anew after a decision it waits again; what the fold alone is told has no moment.
    state = evolve_at(RESIDENT, state, other, minutes[5])
    assert {one.objection_id: one.decided_at for one in state.objections} == {"o-1": minutes[2], "o-2": None}
    told = fold(RESIDENT, RESIDENT_REGISTERED, OBJECTED, UPHELD)
    assert [one.decided_at for one in told.objections] == [None]


# --- taking it back -----------------------------------------------------------------------------------

BACK = WithdrawObjection(now=NOON, author=RESIDENT_SIDE, objection_id="o-1")
TAKEN_BACK = ObjectionWithdrawn(resident=RESIDENT_REF, objection_id="o-1")
ON_BEHALF = replace(RESIDENT_SIDE, task="wettelijk-vertegenwoordiger", professional="ouder-1")


@pytest.mark.parametrize("history", [(OBJECTED,), (OBJECTED, UPHELD)], ids=["pending", "upheld"])
def test_the_resident_takes_an_objection_back_at_any_time(history: tuple[Event, ...]) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, *history).when(BACK).then(TAKEN_BACK)
    state = fold(RESIDENT, RESIDENT_REGISTERED, *history, TAKEN_BACK)
    assert state.objections == ()
    given(RESIDENT, RESIDENT_REGISTERED, *history, TAKEN_BACK).when(BACK).refused("NO_SUCH_OBJECTION")
    # Afterwards he may object anew.
    given(RESIDENT, RESIDENT_REGISTERED, *history, TAKEN_BACK).when(OBJECT).then(OBJECTED)


def test_only_what_stands_is_taken_back_and_only_that() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(BACK).refused("NO_SUCH_OBJECTION")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(BACK).refused("NO_SUCH_OBJECTION")
    other = replace(OBJECTED, objection_id="o-2", purpose="wgs-plan")
    left = fold(RESIDENT, RESIDENT_REGISTERED, OBJECTED, other, TAKEN_BACK).objections
    assert [one.objection_id for one in left] == ["o-2"]


@pytest.mark.parametrize("author", [CONSULENT, PLANNER, replace(CONSULENT, task="fg")])
def test_nobody_takes_it_back_for_the_resident(author: Author) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(replace(BACK, author=author)).refused(
        "NOT_TO_WITHDRAW"
    )


@pytest.mark.parametrize(
    ("birthday", "capable", "may"),
    [
        (date(2014, 3, 3), True, True),  # a day under twelve
        (date(2014, 3, 2), True, False),
        (date(2014, 3, 2), False, True),
        (date(1982, 5, 17), True, False),
        (date(1982, 5, 17), False, True),
    ],
)
def test_a_representative_does_where_the_resident_cannot_decide_it(
    birthday: date, *, capable: bool, may: bool
) -> None:
    assert NOON.date() == date(2026, 3, 2)
    born = replace(RESIDENT_REGISTERED, birth_date=birthday, capable=capable)
    spoken = given(RESIDENT, born, OBJECTED).when(replace(BACK, author=ON_BEHALF))
    if may:
        spoken.then(TAKEN_BACK)
    else:
        spoken.refused("NOT_TO_WITHDRAW")
    given(RESIDENT, born, OBJECTED).when(BACK).then(TAKEN_BACK)


@pytest.mark.parametrize(
    ("matter", "until_days", "may"),
    [("consent", 1, True), ("klacht-bezwaar", 1, True), ("consent", 0, False), ("care", 1, False)],
)
def test_what_was_judged_of_him_counts_as_long_as_it_holds(
    matter: str, until_days: int, *, may: bool
) -> None:
    judged = CapacityJudged(
        resident=RESIDENT_REF,
        matter=matter,
        capable=False,
        organisation=MUNICIPALITY,
        task="college:WMO",
        professional="p-1",
        until=NOON.date() + timedelta(days=until_days),
        reason="Overziet de gevolgen nu niet.",
        at=NOON - timedelta(days=9),
    )
    spoken = given(RESIDENT, RESIDENT_REGISTERED, judged, OBJECTED).when(replace(BACK, author=ON_BEHALF))
    if may:
        spoken.then(TAKEN_BACK)
    else:
        spoken.refused("NOT_TO_WITHDRAW")
