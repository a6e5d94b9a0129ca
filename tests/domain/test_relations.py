"""Conflicts of interest keep a person away; a stand-in works no longer than whom he stands in for."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from exchange.domain.case import CASE, CaseClosed, ProfessionalLeft
from exchange.domain.relations import (
    STAND_IN_DAYS_MAX,
    AppointStandIn,
    ConflictEnded,
    ConflictRecorded,
    EndConflict,
    RecordConflict,
    StandInAppointed,
    has_conflict,
    has_relation,
    relation_of,
)
from exchange.domain.values import Author
from tests.domain.builders import (
    CASE_ID,
    CASE_OPENED,
    CONSULENT,
    CONSULENT_JOINED,
    LATER,
    MUNICIPALITY,
    NOON,
    PROVIDER,
    RESIDENT_REF,
    fold,
    given,
)

OPENED = (CASE_OPENED, CONSULENT_JOINED)
STRANGER = Author(PROVIDER, "wmo-aanbieder", "s-9")
RECORD = RecordConflict(
    now=NOON,
    author=CONSULENT,
    oin=MUNICIPALITY,
    professional="p-2",
    kind="relative",
    reason="Zus van de inwoner.",
)
RECORDED = ConflictRecorded(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=MUNICIPALITY,
    professional="p-2",
    kind="relative",
    reason="Zus van de inwoner.",
    at=NOON,
)
END = EndConflict(
    now=LATER, author=CONSULENT, oin=MUNICIPALITY, professional="p-2", reason="Een ander met die naam."
)
ENDED = ConflictEnded(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=MUNICIPALITY,
    professional="p-2",
    reason="Een ander met die naam.",
    at=LATER,
)
APPOINT = AppointStandIn(
    now=NOON,
    author=CONSULENT,
    oin=MUNICIPALITY,
    task="college:WMO",
    professional="p-2",
    stand_in_for="p-1",
    mandate="mandaat-2026-4",
    start_time=NOON,
    end_time=NOON + timedelta(days=14),
)
APPOINTED = StandInAppointed(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=MUNICIPALITY,
    task="college:WMO",
    professional="p-2",
    stand_in_for="p-1",
    mandate="mandaat-2026-4",
    start_time=NOON,
    end_time=NOON + timedelta(days=14),
    at=NOON,
)


def test_a_conflict_is_recorded_once_and_binds_the_person_in_every_task() -> None:
    given(CASE, *OPENED).when(RECORD).then(RECORDED)
    given(CASE, *OPENED, RECORDED).when(RECORD).then()
    state = fold(CASE, *OPENED, RECORDED)
    assert has_conflict(state, MUNICIPALITY, "p-2")
    assert not has_conflict(state, PROVIDER, "p-2")
    assert not has_conflict(state, MUNICIPALITY, "p-1")
    assert not has_conflict(None, MUNICIPALITY, "p-2")


def test_who_is_bound_records_it_himself_and_never_ends_it() -> None:
    himself = replace(RECORD, professional="p-1")
    given(CASE, *OPENED).when(himself).then(replace(RECORDED, professional="p-1"))
    ended = replace(END, professional="p-1")
    given(CASE, *OPENED, replace(RECORDED, professional="p-1")).when(ended).refused("SAME_PERSON")


def test_a_colleague_ends_a_conflict() -> None:
    given(CASE, *OPENED, RECORDED).when(END).then(ENDED)
    given(CASE, *OPENED).when(END).then()
    assert not has_conflict(fold(CASE, *OPENED, RECORDED, ENDED), MUNICIPALITY, "p-2")


@pytest.mark.parametrize(
    ("oin", "operator", "task", "says"),
    [
        (MUNICIPALITY, True, "college:WMO", True),
        (MUNICIPALITY, False, "college:WMO", True),  # of his own organisation, whichever that is
        (PROVIDER, False, "college:WMO", False),
        (PROVIDER, True, "college:WMO", True),
        (PROVIDER, True, "veilig-thuis", False),
        (PROVIDER, False, "wmo-aanbieder", False),
    ],
)
def test_a_conflict_is_said_by_the_own_organisation_or_by_the_operators_college(
    oin: str,
    operator: bool,  # noqa: FBT001 -- a parameter of the test
    task: str,
    says: bool,  # noqa: FBT001 -- a parameter of the test
) -> None:
    author = Author(oin, task, "d-1", operator=operator)
    joined = replace(CONSULENT_JOINED, oin=oin, task=task, professional="d-1")
    recording = given(CASE, *OPENED, joined).when(replace(RECORD, author=author))
    ending = given(CASE, *OPENED, joined, RECORDED).when(replace(END, author=author))
    if says:
        recording.then(RECORDED)
        ending.then(ENDED)
    else:
        recording.refused("NOT_OWN_PEOPLE")
        ending.refused("NOT_OWN_PEOPLE")


@pytest.mark.parametrize("command", [RECORD, END, APPOINT])
def test_only_who_works_on_the_open_case_says_such_things(
    command: RecordConflict | EndConflict | AppointStandIn,
) -> None:
    given(CASE, *OPENED, RECORDED).when(replace(command, author=STRANGER)).refused("NOT_ON_CASE")
    closed = CaseClosed(resident=RESIDENT_REF, case_id=CASE_ID, at=NOON)
    given(CASE, *OPENED, RECORDED, closed).when(command).refused("CASE_CLOSED")
    given(CASE).when(command).refused("NO_CASE")


@pytest.mark.parametrize(
    ("changes", "path"), [({"kind": "buur"}, "kind"), ({"reason": ""}, "reason"), ({"oin": "1"}, "oin")]
)
def test_a_conflict_with_a_fault_names_the_field(changes: dict[str, Any], path: str) -> None:
    given(CASE, *OPENED).when(replace(RECORD, **changes)).invalid(path)


@pytest.mark.parametrize(
    ("moment", "works"),
    [
        (NOON - timedelta(microseconds=1), False),
        (NOON, True),
        (NOON + timedelta(days=14) - timedelta(microseconds=1), True),
        (NOON + timedelta(days=14), False),
    ],
)
def test_a_stand_in_works_within_the_period(moment: datetime, *, works: bool) -> None:
    given(CASE, *OPENED).when(APPOINT).then(APPOINTED)
    state = fold(CASE, *OPENED, APPOINTED)
    assert has_relation(state, MUNICIPALITY, "college:WMO", "p-2", moment) is works


def test_a_stand_in_falls_with_whom_he_stands_in_for() -> None:
    left = ProfessionalLeft(
        resident=RESIDENT_REF,
        case_id=CASE_ID,
        oin=MUNICIPALITY,
        task="college:WMO",
        professional="p-1",
        at=LATER,
    )
    state = fold(CASE, *OPENED, APPOINTED, left)
    assert not has_relation(state, MUNICIPALITY, "college:WMO", "p-2", LATER)


def test_nobody_stands_in_for_a_stand_in_or_for_himself() -> None:
    chain = replace(APPOINT, professional="p-3", stand_in_for="p-2")
    given(CASE, *OPENED, APPOINTED).when(chain).refused("NOT_ON_CASE")
    given(CASE, *OPENED).when(replace(APPOINT, professional="p-1")).refused("SAME_PERSON")


def test_a_stand_in_can_leave_and_counts_as_who_he_is() -> None:
    state = fold(CASE, *OPENED, APPOINTED)
    relation = relation_of(state, MUNICIPALITY, "college:WMO", "p-2", NOON)
    assert relation is not None
    assert (relation.role, relation.stand_in_for, relation.mandate) == ("waarnemer", "p-1", "mandaat-2026-4")
    left = ProfessionalLeft(
        resident=RESIDENT_REF,
        case_id=CASE_ID,
        oin=MUNICIPALITY,
        task="college:WMO",
        professional="p-2",
        at=LATER,
    )
    assert not has_relation(fold(CASE, *OPENED, APPOINTED, left), MUNICIPALITY, "college:WMO", "p-2", LATER)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"end_time": NOON}, "end_time"),
        ({"end_time": NOON + timedelta(days=STAND_IN_DAYS_MAX, microseconds=1)}, "end_time"),
        ({"start_time": NOON - timedelta(days=20), "end_time": NOON}, "end_time"),
        ({"mandate": ""}, "mandate"),
    ],
)
def test_an_appointment_with_a_fault_names_the_field(changes: dict[str, Any], path: str) -> None:
    given(CASE, *OPENED).when(replace(APPOINT, **changes)).invalid(path)


def test_the_longest_period_there_is() -> None:
    end = NOON + timedelta(days=STAND_IN_DAYS_MAX)
    given(CASE, *OPENED).when(replace(APPOINT, end_time=end)).then(replace(APPOINTED, end_time=end))


def test_an_organisation_appoints_its_own() -> None:
    other = replace(APPOINT, oin=PROVIDER)
    given(CASE, *OPENED).when(other).refused("NOT_ON_CASE")


def test_nobody_appoints_in_another_task_than_his_own() -> None:
    for_work = replace(CONSULENT_JOINED, task="college:PW", professional="w-1")
    across = replace(APPOINT, task="college:PW", stand_in_for="w-1")
    given(CASE, *OPENED, for_work).when(across).refused("OTHER_TASK")
    own = replace(across, author=replace(CONSULENT, task="college:PW", professional="w-1"))
    appointed = replace(APPOINTED, task="college:PW", stand_in_for="w-1")
    given(CASE, *OPENED, for_work).when(own).then(appointed)
