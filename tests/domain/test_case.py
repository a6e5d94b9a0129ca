"""Cases: who works on it lets others in, and nobody looks in by reporting."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from exchange.domain.case import (
    CASE,
    PROFESSIONALS_MAX,
    CaseClosed,
    CloseCase,
    JoinProfessional,
    LeaveCase,
    NothingOpened,
    OpenCase,
    ProfessionalLeft,
    RecordReporter,
    ReporterRecorded,
    has_relation,
)
from exchange.domain.values import ROLES_NEVER_GRANTED, ROLES_THAT_LEAD, Author, CaseRole
from tests.domain.builders import (
    CASE_ID,
    CASE_OPENED,
    CONSULENT,
    CONSULENT_JOINED,
    JOIN_PLANNER,
    LATER,
    MUNICIPALITY,
    NOON,
    OPEN_CASE,
    PLANNER,
    PLANNER_JOINED,
    PLANNER_LEAVES,
    PROVIDER,
    RESIDENT_REF,
    STRANGER,
    fold,
    given,
)

OPENED = (CASE_OPENED, CONSULENT_JOINED)
NOTHING_OPENED = NothingOpened(resident=RESIDENT_REF, case_id=CASE_ID)
PLANNER_LEFT = ProfessionalLeft(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    at=LATER,
)
CLOSE = CloseCase(now=LATER, author=CONSULENT)
CLOSED = CaseClosed(resident=RESIDENT_REF, case_id=CASE_ID, at=LATER)
REPORTED_BY_PLANNER = ReporterRecorded(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    at=LATER,
)
JOIN_PLANNER_BY_HIMSELF = replace(JOIN_PLANNER, author=PLANNER)
INSTANT = timedelta(microseconds=1)


def test_opening_makes_the_reporter_the_first_professional() -> None:
    given(CASE).when(OPEN_CASE).then(*OPENED)


def test_opening_twice_is_refused() -> None:
    given(CASE, *OPENED).when(OPEN_CASE).refused("CASE_EXISTS")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(OPEN_CASE, case_id=""), "case_id"),
        (replace(OPEN_CASE, plan_id=""), "plan_id"),
        (replace(OPEN_CASE, resident=""), "resident"),
        (replace(OPEN_CASE, author=replace(CONSULENT, oin="1")), "author.oin"),
        (replace(OPEN_CASE, author=replace(CONSULENT, task="")), "author.task"),
        (replace(OPEN_CASE, author=replace(CONSULENT, professional="")), "author.professional"),
    ],
)
def test_opening_with_a_fault_names_the_field(command: OpenCase, path: str) -> None:
    given(CASE).when(command).invalid(path)


def test_who_works_on_it_lets_another_join() -> None:
    given(CASE, *OPENED).when(JOIN_PLANNER).then(PLANNER_JOINED)


def test_joining_twice_changes_nothing() -> None:
    given(CASE, *OPENED, PLANNER_JOINED).when(JOIN_PLANNER).then()


def test_who_does_not_work_on_it_lets_nobody_in() -> None:
    given(CASE, *OPENED).when(replace(JOIN_PLANNER, author=PLANNER)).refused("NOT_ON_CASE")


@pytest.mark.parametrize(
    "author",
    [
        replace(CONSULENT, task="college:PW"),
        replace(CONSULENT, professional="p-2"),
        replace(CONSULENT, oin=STRANGER),
    ],
)
def test_another_task_colleague_or_organisation_is_another_professional(author: Author) -> None:
    given(CASE, *OPENED).when(replace(JOIN_PLANNER, author=author)).refused("NOT_ON_CASE")


def test_who_left_lets_nobody_in() -> None:
    history = (*OPENED, PLANNER_JOINED, PLANNER_LEFT)
    command = replace(JOIN_PLANNER, author=PLANNER, professional="z-2")
    given(CASE, *history).when(command).refused("NOT_ON_CASE")


def test_who_left_can_join_again() -> None:
    given(CASE, *OPENED, PLANNER_JOINED, PLANNER_LEFT).when(JOIN_PLANNER).then(PLANNER_JOINED)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(JOIN_PLANNER, oin="12"), "oin"),
        (replace(JOIN_PLANNER, task=""), "task"),
        (replace(JOIN_PLANNER, professional="Jan Jansen"), "professional"),
        (replace(JOIN_PLANNER, role=""), "role"),
        (replace(JOIN_PLANNER, role="vertrouwensarts"), "role"),
    ],
)
def test_joining_with_a_fault_names_the_field(command: JoinProfessional, path: str) -> None:
    given(CASE, *OPENED).when(command).invalid(path)


@pytest.mark.parametrize("role", ["sealed-reader", "melder-regie"])
def test_roles_that_nobody_lets_in_with(role: str) -> None:
    given(CASE, *OPENED).when(replace(JOIN_PLANNER, role=role)).refused("ROLE_NOT_GRANTED")


@pytest.mark.parametrize("role", sorted(set(CaseRole) - ROLES_THAT_LEAD - ROLES_NEVER_GRANTED))
def test_a_plain_role_is_let_in_by_whoever_works_on_the_case(role: str) -> None:
    command = replace(JOIN_PLANNER, author=PLANNER, professional="z-2", role=role)
    joined = replace(PLANNER_JOINED, professional="z-2", role=role)
    given(CASE, *OPENED, PLANNER_JOINED).when(command).then(joined)


@pytest.mark.parametrize("task", ["college:PW", "wmo-aanbieder"])
@pytest.mark.parametrize("role", ["consulent", "regisseur"])
def test_the_lead_is_handed_over_by_a_college_professional_who_has_it(task: str, role: str) -> None:
    other = Author(MUNICIPALITY, task, "q-1")
    at_work = replace(CONSULENT_JOINED, task=task, professional="q-1", role=role)
    hand_over = replace(JOIN_PLANNER, author=other, role="regisseur")
    handed_over = given(CASE, *OPENED, at_work).when(hand_over)
    if (task, role) == ("college:PW", "regisseur"):
        handed_over.then(replace(PLANNER_JOINED, role="regisseur"))
    else:
        handed_over.refused("NOT_LEADING")


def test_who_led_and_left_hands_nothing_over() -> None:
    plain = replace(CONSULENT_JOINED, role="consulent", at=LATER)
    hand_over = replace(JOIN_PLANNER, role="regisseur")
    given(CASE, *OPENED, plain).when(hand_over).refused("NOT_LEADING")


def test_the_lead_is_not_taken_away_by_another_role() -> None:
    leads = replace(CONSULENT_JOINED, task="college:PW", professional="q-1", role="regisseur")
    lower = replace(JOIN_PLANNER, oin=MUNICIPALITY, task="college:PW", professional="q-1", role="begeleider")
    given(CASE, *OPENED, PLANNER_JOINED, leads).when(replace(lower, author=PLANNER)).refused("NOT_LEADING")
    given(CASE, *OPENED, PLANNER_JOINED, leads).when(lower).then(replace(leads, role="begeleider", at=LATER))


BODY = Author(STRANGER, "college:PW", "q-1")


@pytest.mark.parametrize(
    ("author", "changes"),
    [
        (CONSULENT, True),
        (replace(PLANNER, professional="z-9"), True),
        (replace(BODY, task="college:WMO"), True),
        (BODY, False),
        (Author(STRANGER, "wmo-aanbieder", "z-9"), False),
    ],
)
def test_of_whom_somebody_changes_the_role(author: Author, *, changes: bool) -> None:
    """Of his own people, and a college as far as its mandate goes; whoever is new is let in by all."""
    at_work = replace(
        CONSULENT_JOINED, oin=author.oin, task=author.task, professional=author.professional, role="adapter"
    )
    history = (CASE_OPENED, CONSULENT_JOINED, PLANNER_JOINED, at_work)
    another = replace(JOIN_PLANNER, author=author, role="vrijwilliger")
    spoken = given(CASE, *history).when(another)
    if changes:
        spoken.then(replace(PLANNER_JOINED, role="vrijwilliger"))
    else:
        spoken.refused("NOT_OWN_PEOPLE")
    let_in = replace(another, professional="z-5")
    given(CASE, *history).when(let_in).then(replace(PLANNER_JOINED, role="vrijwilliger", professional="z-5"))


def test_a_body_that_leads_hands_the_lead_over_and_takes_it_from_nobody() -> None:
    leads = replace(CONSULENT_JOINED, oin=STRANGER, task="college:PW", professional="q-1", role="regisseur")
    other = replace(CONSULENT_JOINED, professional="p-2", role="consulent")
    history = (CASE_OPENED, CONSULENT_JOINED, leads, other)
    order = replace(JOIN_PLANNER, author=BODY, oin=MUNICIPALITY, task="college:WMO")
    handed = replace(order, professional="p-2", role="regisseur")
    given(CASE, *history).when(handed).then(replace(other, role="regisseur", at=LATER))
    taken = replace(order, professional="p-1", role="consulent")
    given(CASE, *history).when(taken).refused("NOT_OWN_PEOPLE")


def test_a_new_role_ends_the_old_one() -> None:
    new_role = replace(JOIN_PLANNER, role="regisseur")
    joined = replace(PLANNER_JOINED, role="regisseur")
    given(CASE, *OPENED, PLANNER_JOINED).when(new_role).then(joined)
    state = fold(CASE, *OPENED, PLANNER_JOINED, joined)
    assert [(each.role, each.end) for each in state.professionals] == [
        ("melder-regie", None),
        ("begeleider", LATER),
        ("regisseur", None),
    ]


def test_the_most_professionals() -> None:
    others = tuple(replace(PLANNER_JOINED, professional=f"z-{n + 2}") for n in range(PROFESSIONALS_MAX - 1))
    given(CASE, *OPENED, *others[:-1]).when(JOIN_PLANNER).then(PLANNER_JOINED)
    given(CASE, *OPENED, *others).when(JOIN_PLANNER).refused("CASE_FULL")


def test_leaving() -> None:
    given(CASE, *OPENED, PLANNER_JOINED).when(PLANNER_LEAVES).then(PLANNER_LEFT)
    given(CASE, *OPENED, PLANNER_JOINED, PLANNER_LEFT).when(PLANNER_LEAVES).then()


def test_who_left_takes_no_place() -> None:
    others = tuple(replace(PLANNER_JOINED, professional=f"z-{n + 2}") for n in range(PROFESSIONALS_MAX - 1))
    left = replace(PLANNER_LEFT, professional="z-2")
    given(CASE, *OPENED, *others, left).when(JOIN_PLANNER).then(PLANNER_JOINED)
    comes_and_goes = (PLANNER_JOINED, PLANNER_LEFT) * PROFESSIONALS_MAX
    given(CASE, *OPENED, *comes_and_goes).when(JOIN_PLANNER).then(PLANNER_JOINED)


def test_a_new_role_takes_no_second_place() -> None:
    others = tuple(replace(PLANNER_JOINED, professional=f"z-{n + 1}") for n in range(PROFESSIONALS_MAX - 1))
    command = replace(JOIN_PLANNER, role="regisseur")
    given(CASE, *OPENED, *others).when(command).then(replace(PLANNER_JOINED, role="regisseur"))


def test_a_provider_takes_no_professional_of_a_college_off() -> None:
    leave = LeaveCase(now=LATER, author=PLANNER, oin=MUNICIPALITY, task="college:WMO", professional="p-1")
    given(CASE, *OPENED, PLANNER_JOINED).when(leave).refused("NOT_ON_CASE")
    elsewhere = replace(CONSULENT, oin=STRANGER)
    given(CASE, *OPENED, PLANNER_JOINED).when(replace(leave, author=elsewhere)).refused("NOT_ON_CASE")


def test_an_organisation_takes_its_own_people_off() -> None:
    colleague = Author(PROVIDER, "wmo-aanbieder", "personeelszaken")
    given(CASE, *OPENED, PLANNER_JOINED).when(replace(PLANNER_LEAVES, author=colleague)).then(PLANNER_LEFT)


def test_a_stranger_takes_nobody_off() -> None:
    stranger = Author(STRANGER, "uwv", "u-1")
    given(CASE, *OPENED, PLANNER_JOINED).when(replace(PLANNER_LEAVES, author=stranger)).refused("NOT_ON_CASE")


def test_another_reporter_is_recorded_once() -> None:
    reporter = Author(STRANGER, "woningcorporatie", "w-1")
    command = RecordReporter(now=LATER, author=reporter)
    recorded = ReporterRecorded(
        resident=RESIDENT_REF,
        case_id=CASE_ID,
        oin=STRANGER,
        task="woningcorporatie",
        professional="w-1",
        at=LATER,
    )
    given(CASE, *OPENED).when(command).then(NOTHING_OPENED, NOTHING_OPENED, recorded)
    given(CASE, *OPENED, recorded).when(command).then(*[NOTHING_OPENED] * 3)
    assert fold(CASE, *OPENED, NOTHING_OPENED) == fold(CASE, *OPENED)
    state = fold(CASE, *OPENED, recorded)
    assert state.reporters == (reporter,)
    assert not has_relation(state, STRANGER, "woningcorporatie", "w-1", LATER)


def test_a_report_of_no_college_opens_a_case_without_a_relation() -> None:
    command = replace(OPEN_CASE, author=PLANNER)
    opened = replace(CASE_OPENED, organisation=PROVIDER, task=PLANNER.task)
    recorded = replace(REPORTED_BY_PLANNER, at=NOON)
    given(CASE).when(command).then(opened, recorded)
    state = fold(CASE, opened, recorded)
    assert state.professionals == ()
    assert not has_relation(state, *_person(PLANNER), NOON)
    given(CASE, opened, recorded).when(JOIN_PLANNER_BY_HIMSELF).refused("NOT_ON_CASE")


def test_a_college_takes_up_a_case_no_college_works_on() -> None:
    without = (CASE_OPENED, REPORTED_BY_PLANNER)
    command = RecordReporter(now=LATER, author=CONSULENT)
    joined = replace(CONSULENT_JOINED, at=LATER)
    left = ProfessionalLeft(
        resident=RESIDENT_REF,
        case_id=CASE_ID,
        oin=MUNICIPALITY,
        task="college:WMO",
        professional="p-1",
        at=NOON,
    )
    for history in (without, (*without, PLANNER_JOINED), (*OPENED, left)):
        given(CASE, *history).when(command).then(joined)
    assert has_relation(fold(CASE, *without, joined), *_person(CONSULENT), LATER)


def test_a_college_takes_no_case_from_another_college() -> None:
    work_desk = replace(CONSULENT, task="college:PW", professional="w-1")
    state = fold(CASE, *OPENED)
    *_, recorded = CASE.decide(RecordReporter(now=LATER, author=work_desk), state)
    assert isinstance(recorded, ReporterRecorded)
    assert not has_relation(CASE.evolve(state, recorded), *_person(work_desk), LATER)


def test_a_full_case_takes_no_college_in_by_a_report() -> None:
    others = tuple(replace(PLANNER_JOINED, professional=f"z-{n}") for n in range(PROFESSIONALS_MAX))
    command = RecordReporter(now=LATER, author=CONSULENT)
    given(CASE, CASE_OPENED, *others).when(command).refused("CASE_FULL")


def _person(author: Author) -> tuple[str, str, str]:
    return author.oin, author.task, author.professional


def test_closing() -> None:
    given(CASE, *OPENED).when(CLOSE).then(CLOSED)
    given(CASE, *OPENED, CLOSED).when(CLOSE).then()
    given(CASE, *OPENED).when(replace(CLOSE, author=PLANNER)).refused("NOT_ON_CASE")


def test_a_closed_case_takes_nobody_in() -> None:
    given(CASE, *OPENED, CLOSED).when(JOIN_PLANNER).refused("CASE_CLOSED")
    given(CASE, *OPENED, CLOSED).when(RecordReporter(now=LATER, author=PLANNER)).refused("CASE_CLOSED")


def test_one_can_leave_a_closed_case() -> None:
    own = replace(PLANNER_LEAVES, author=PLANNER)
    given(CASE, *OPENED, PLANNER_JOINED, CLOSED).when(own).then(PLANNER_LEFT)


@pytest.mark.parametrize(
    "command", [JOIN_PLANNER, PLANNER_LEAVES, CLOSE, RecordReporter(now=NOON, author=CONSULENT)]
)
def test_nothing_happens_to_a_case_that_is_not_there(
    command: JoinProfessional | LeaveCase | CloseCase | RecordReporter,
) -> None:
    given(CASE).when(command).refused("NO_CASE")


def test_a_relation_includes_its_start_and_excludes_its_end() -> None:
    end = LATER + timedelta(hours=1)
    state = fold(CASE, *OPENED, PLANNER_JOINED, replace(PLANNER_LEFT, at=end))
    works = [
        has_relation(state, PROVIDER, "wmo-aanbieder", "z-1", now)
        for now in (LATER - INSTANT, LATER, end - INSTANT, end)
    ]
    assert works == [False, True, True, False]


def test_a_closed_case_and_no_case_give_no_relation() -> None:
    assert has_relation(fold(CASE, *OPENED), MUNICIPALITY, "college:WMO", "p-1", NOON)
    assert not has_relation(fold(CASE, *OPENED, CLOSED), MUNICIPALITY, "college:WMO", "p-1", NOON)
    assert not has_relation(None, MUNICIPALITY, "college:WMO", "p-1", NOON)
