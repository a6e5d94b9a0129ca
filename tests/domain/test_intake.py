"""Intake: whichever desk, the same case; and no report opens somebody's plan to who reported."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain.case import (
    CASE,
    CaseClosed,
    NothingOpened,
    ProfessionalLeft,
    ReporterRecorded,
    has_relation,
)
from exchange.domain.intake import receive_report, works_on_case_afterwards
from exchange.domain.plan import PLAN, ReceiveReport
from exchange.domain.values import LAW_OF_TASK, Author
from exchange.errors import RequestInvalid
from tests.domain.builders import (
    CASE_ID,
    CASE_OPENED,
    CONSULENT_JOINED,
    LATER,
    PLAN_ID,
    PLAN_OPENED,
    REPORT,
    REPORT_RECEIVED,
    RESIDENT_REF,
    STRANGER,
    fold,
)

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

NEIGHBOUR = Author(STRANGER, "woningcorporatie", "w-1")
NEW_CASE, NEW_PLAN = "c-new", "b-new"
SECOND_REPORT = replace(
    REPORT, now=LATER, author=NEIGHBOUR, case_id=NEW_CASE, plan_id=NEW_PLAN, report_id="m-2", desk="balie"
)
SECOND_RECEIVED = replace(
    REPORT_RECEIVED,
    organisation=STRANGER,
    task="woningcorporatie",
    report_id="m-2",
    desk="balie",
    at=LATER,
)
RECORDED = ReporterRecorded(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=STRANGER,
    task="woningcorporatie",
    professional="w-1",
    at=LATER,
)


CONSULENT_LEFT = ProfessionalLeft(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=REPORT.author.oin,
    task=REPORT.author.task,
    professional=REPORT.author.professional,
    at=LATER,
)
NOTHING_OPENED = NothingOpened(resident=RESIDENT_REF, case_id=CASE_ID)


def case_state(*more: Event) -> Any:  # noqa: ANN401 -- the folded state
    return fold(CASE, CASE_OPENED, CONSULENT_JOINED, *more)


def plan_state(*more: Event) -> Any:  # noqa: ANN401 -- the folded state
    return fold(PLAN, PLAN_OPENED, REPORT_RECEIVED, *more)


def test_the_first_report_opens_case_and_plan() -> None:
    assert receive_report(REPORT, None, None) == (
        (f"case-{CASE_ID}", (CASE_OPENED, CONSULENT_JOINED)),
        (f"plan-{PLAN_ID}", (PLAN_OPENED, REPORT_RECEIVED)),
    )


def test_a_later_report_lands_in_the_same_case_and_plan() -> None:
    assert receive_report(SECOND_REPORT, case_state(), plan_state()) == (
        (f"case-{CASE_ID}", (NOTHING_OPENED, NOTHING_OPENED, RECORDED)),
        (f"plan-{PLAN_ID}", (SECOND_RECEIVED,)),
    )


def test_a_reporter_known_already_is_not_recorded_again() -> None:
    assert receive_report(SECOND_REPORT, case_state(RECORDED), plan_state()) == (
        (f"case-{CASE_ID}", (NOTHING_OPENED,) * 3),
        (f"plan-{PLAN_ID}", (SECOND_RECEIVED,)),
    )


@pytest.mark.parametrize("more", [None, (), (RECORDED,)])
def test_a_report_that_gives_no_part_makes_the_log_grow_alike_and_stands_last(
    more: tuple[Event, ...] | None,
) -> None:
    known = (None, None) if more is None else (case_state(*more), plan_state())
    streams = receive_report(SECOND_REPORT, *known)
    events = [event for _, of_stream in streams for event in of_stream]
    assert len(events) == len(("case opened", "reporter recorded", "plan opened", "report received"))
    assert events[-1].TOPIC == SECOND_RECEIVED.TOPIC
    assert not works_on_case_afterwards(SECOND_REPORT, known[0], streams)


def test_who_works_on_the_case_afterwards() -> None:
    consulent, closed = REPORT, CaseClosed(resident=RESIDENT_REF, case_id=CASE_ID, at=LATER)
    colleague = replace(SECOND_REPORT, author=replace(REPORT.author, professional="p-2"))
    histories: list[tuple[ReceiveReport, Any, bool]] = [
        (consulent, None, True),
        (consulent, case_state(), True),
        (colleague, None, True),
        (colleague, case_state(), False),
        (colleague, case_state(CONSULENT_LEFT), True),
        (colleague, case_state(closed), True),
        (SECOND_REPORT, case_state(closed), False),
    ]
    for command, case, expected in histories:
        streams = receive_report(command, case, None if case is None else plan_state())
        assert works_on_case_afterwards(command, case, streams) is expected


def test_after_a_closed_case_a_report_opens_a_new_one() -> None:
    closed = case_state(CaseClosed(resident=RESIDENT_REF, case_id=CASE_ID, at=LATER))
    (case_stream, case_events), (plan_stream, plan_events) = receive_report(
        SECOND_REPORT, closed, plan_state()
    )
    assert (case_stream, plan_stream) == (f"case-{NEW_CASE}", f"plan-{NEW_PLAN}")
    state = fold(CASE, *case_events)
    assert state.reporters == (NEIGHBOUR,)
    assert not has_relation(state, STRANGER, "woningcorporatie", "w-1", LATER)
    assert state.plan_id == fold(PLAN, *plan_events).plan_id == NEW_PLAN


def test_a_report_with_a_fault_changes_nothing() -> None:
    bad = replace(REPORT, own_words=" ", life_domains=("unspecified",))
    for case, plan in ((None, None), (case_state(), plan_state())):
        with pytest.raises(RequestInvalid) as caught:
            receive_report(bad, case, plan)
        assert set(caught.value.fields) == {"own_words", "life_domains"}


def test_another_residents_case_is_a_bug() -> None:
    with pytest.raises(AssertionError):
        receive_report(replace(REPORT, resident="r-other"), case_state(), plan_state())


@for_all(
    task=st.sampled_from(sorted(LAW_OF_TASK)),
    desk=st.sampled_from(["wijkteam-oost", "loket-werk", "balie", "uwv"]),
    known=st.booleans(),
)
def test_the_desk_and_task_never_decide_the_route(task: str, desk: str, *, known: bool) -> None:
    """P1: only whether there is an open case decides where a report lands."""
    command = replace(REPORT, author=Author(STRANGER, task, "x-1"), desk=desk)
    streams = receive_report(command, case_state() if known else None, plan_state() if known else None)
    assert [stream for stream, _ in streams] == [f"case-{CASE_ID}", f"plan-{PLAN_ID}"]
    kinds = [event.TOPIC for _, events in streams for event in events]
    assert kinds == (
        [*["case.nothing_opened.v1"] * 2, "case.reporter_recorded.v1", "plan.report_received.v1"]
        if known
        else [
            "case.opened.v1",
            "case.professional_joined.v1" if task.startswith("college:") else "case.reporter_recorded.v1",
            "plan.opened.v1",
            "plan.report_received.v1",
        ]
    )


@for_all(task=st.sampled_from(sorted(LAW_OF_TASK)), professional=st.text("abc-123", min_size=1, max_size=9))
def test_reporting_is_no_way_to_look_in(task: str, professional: str) -> None:
    reporter = Author(STRANGER, task, professional)
    streams = receive_report(replace(SECOND_REPORT, author=reporter), case_state(), plan_state())
    state = case_state(
        *(event for stream, events in streams if stream.startswith("case-") for event in events)
    )
    assert state.reporters == (reporter,)
    assert not has_relation(state, STRANGER, task, professional, LATER)
