"""Review of lookups: names by two persons for one cell and a time, one sample a month, what was found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange.domain.lookups import (
    LOOKUPS,
    ApproveNames,
    DrawSample,
    LookupReviewed,
    Month,
    NamesApproved,
    NamesRequested,
    RecordReview,
    RequestNames,
    SampleDrawn,
)
from exchange.domain.lookups import decide as rules
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import MUNICIPALITY, NOON, fold, given

OTHER = "00000004000000077000"
OFFICER = Author(MUNICIPALITY, "fg", "fg-1", operator=True)
SECOND = Author(MUNICIPALITY, "beheer", "beheerder-1", operator=True)
ELSEWHERE = Author(OTHER, "fg", "fg-9")
CELL: dict[str, Any] = {"of_organisation": MUNICIPALITY, "of_task": "college:WMO", "month": "2026-02"}
MONTH: dict[str, Any] = {"of_organisation": MUNICIPALITY, "month": "2026-02"}
MINUTE = timedelta(minutes=1)


def request(**changes: Any) -> RequestNames:  # noqa: ANN401 -- any field of the command
    asked = {"now": NOON, "author": OFFICER, "names_request_id": "n-1", "reason": "Veel zonder verklaring."}
    return RequestNames(**(CELL | asked | changes))


def approval(**changes: Any) -> ApproveNames:  # noqa: ANN401 -- any field of the command
    return ApproveNames(**(CELL | {"now": NOON, "author": SECOND, "names_request_id": "n-1"} | changes))


def sample(**changes: Any) -> DrawSample:  # noqa: ANN401 -- any field of the command
    drawn = {"origin": "log/2026", "size": 41, "root": "ab" * 32, "population": 3, "decision_ids": ("d-1",)}
    return DrawSample(**(MONTH | drawn | {"now": NOON, "author": OFFICER} | changes))


def review(**changes: Any) -> RecordReview:  # noqa: ANN401 -- any field of the command
    said = {"now": NOON, "author": OFFICER, "decision_id": "d-1", "outcome": "unlawful"}
    return RecordReview(**(MONTH | said | changes))


def by(author: Author) -> dict[str, Any]:
    return {
        "organisation": author.oin,
        "task": author.task,
        "professional": author.professional,
        "at": NOON,
    }


REQUESTED = NamesRequested(names_request_id="n-1", reason="Veel zonder verklaring.", **CELL, **by(OFFICER))
APPROVED = NamesApproved(names_request_id="n-1", end_time=NOON + rules.NAMES_OPEN_FOR, **CELL, **by(SECOND))
DRAWN = SampleDrawn(
    origin="log/2026", size=41, root="ab" * 32, population=3, decision_ids=("d-1",), **MONTH, **by(OFFICER)
)
FOUND = LookupReviewed(decision_id="d-1", outcome="unlawful", **MONTH, **by(OFFICER))


def broken(command: Any, *events: Any) -> str:  # noqa: ANN401 -- any command and events
    with pytest.raises(RuleBroken) as refused:
        LOOKUPS.decide(command, fold(LOOKUPS, *events))
    return str(refused.value.metadata["rule"])


def test_names_are_asked_and_a_second_person_agrees() -> None:
    given(LOOKUPS).when(request()).then(REQUESTED)
    given(LOOKUPS, REQUESTED).when(approval()).then(APPROVED)


@pytest.mark.parametrize(
    "same",
    [
        OFFICER,
        replace(OFFICER, task="beheer"),
        replace(OFFICER, professional="FG-1"),
        replace(OFFICER, oin=OTHER),
    ],
)
def test_who_asked_does_not_agree_whatever_he_calls_himself(same: Author) -> None:
    assert broken(approval(author=same), REQUESTED) == "SAME_PERSON"


def test_what_is_agreed_to_is_the_cell_that_was_asked_once_and_soon() -> None:
    assert broken(approval()) == "NO_SUCH_NAMES_REQUEST"
    assert broken(approval(names_request_id="n-2"), REQUESTED) == "NO_SUCH_NAMES_REQUEST"
    assert broken(approval(of_task="college:JW"), REQUESTED) == "NO_SUCH_NAMES_REQUEST"
    third = replace(SECOND, professional="beheerder-2")
    assert broken(approval(author=third), REQUESTED, APPROVED) == "NAMES_APPROVED_ALREADY"
    last = NOON + rules.APPROVE_WITHIN
    assert broken(approval(now=last), REQUESTED) == "NAMES_REQUEST_EXPIRED"
    assert LOOKUPS.decide(approval(now=last - MINUTE), fold(LOOKUPS, REQUESTED))


def test_names_are_open_to_who_asked_for_one_task_until_the_end() -> None:
    who = ("college:WMO", MUNICIPALITY, "fg-1")
    assert fold(LOOKUPS, REQUESTED).opens(*who, NOON) is None
    state = fold(LOOKUPS, REQUESTED, APPROVED)
    end = NOON + rules.NAMES_OPEN_FOR
    assert state.opens(*who, end - MINUTE) is not None
    assert state.opens(*who, end) is None
    assert state.opens("college:JW", MUNICIPALITY, "fg-1", NOON) is None
    assert state.opens("college:WMO", OTHER, "fg-1", NOON) is None
    assert state.opens("college:WMO", MUNICIPALITY, "fg-2", NOON) is None


def test_a_month_has_one_sample_after_it_ended() -> None:
    given(LOOKUPS).when(sample()).then(DRAWN)
    given(LOOKUPS, REQUESTED).when(sample()).then(DRAWN)
    assert broken(sample(size=0, decision_ids=(), population=0)) == "MONTH_NOT_OVER"
    assert broken(sample(), DRAWN) == "SAMPLE_DRAWN_ALREADY"
    # Of a month in which nobody looked nothing is drawn, and that is on record.
    (empty,) = LOOKUPS.decide(sample(decision_ids=(), population=0), None)
    assert isinstance(empty, SampleDrawn)
    assert empty.decision_ids == ()


def test_what_was_found_is_said_of_what_was_drawn_and_may_be_said_otherwise_later() -> None:
    given(LOOKUPS, DRAWN).when(review()).then(FOUND)
    assert broken(review()) == "NOT_DRAWN"
    assert broken(review(decision_id="d-2"), DRAWN) == "NOT_DRAWN"
    given(LOOKUPS, DRAWN, FOUND).when(review()).then()
    later = replace(FOUND, outcome="unknown")
    given(LOOKUPS, DRAWN, FOUND).when(review(outcome="unknown")).then(later)
    assert fold(LOOKUPS, DRAWN, FOUND, later).outcomes == {"d-1": "unknown"}


@pytest.mark.parametrize(
    "command", [request(), sample(), review(), approval()], ids=lambda one: type(one).__name__
)
def test_an_officer_reviews_his_own_organisation_and_the_operators_every(command: Any) -> None:  # noqa: ANN401 -- any of the four
    assert broken(replace(command, author=ELSEWHERE), REQUESTED, DRAWN) == "OTHER_ORGANISATION"
    college = replace(OFFICER, task="college:WMO", professional="w-1")
    assert broken(replace(command, author=college), REQUESTED, DRAWN) == "NOT_TO_REVIEW"


def test_another_organisations_officer_reviews_his_own() -> None:
    for command in (request(), sample()):
        own = replace(command, author=ELSEWHERE, of_organisation=OTHER)
        (event,) = LOOKUPS.decide(own, None)
        assert isinstance(event, NamesRequested | SampleDrawn)
        assert (event.organisation, event.of_organisation) == (OTHER, OTHER)


@pytest.mark.parametrize("command", [request(), sample(), review()], ids=lambda one: type(one).__name__)
def test_the_keeper_agrees_and_does_nothing_else(command: Any) -> None:  # noqa: ANN401 -- any of the three
    assert broken(replace(command, author=SECOND), DRAWN) == "NOT_TO_REVIEW"


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (request(month="2026-13"), "month"),
        (request(reason=" "), "reason"),
        (request(of_task="een taak"), "of_task"),
        (sample(month="26-02"), "month"),
        (sample(decision_ids=tuple(f"d-{n}" for n in range(201)), population=201), "sample_size"),
    ],
)
def test_a_bad_word_is_named(command: Any, field: str) -> None:  # noqa: ANN401 -- any command
    with pytest.raises(RequestInvalid) as refused:
        LOOKUPS.decide(command, None)
    assert set(refused.value.fields) == {field}


def test_names_of_a_month_are_asked_so_often_and_no_more() -> None:
    many = [replace(REQUESTED, names_request_id=f"n-{n}") for n in range(rules.REQUESTS_MAX)]
    assert broken(request(), *many) == "NAMES_REQUESTS_FULL"
    assert LOOKUPS.decide(request(), fold(LOOKUPS, *many[1:]))


@pytest.mark.parametrize("text", ["1899-12", "2101-01", "2026-00", "2026-13", "2026-1", "", "\uff12026-01"])
def test_what_is_no_month_is_none(text: str) -> None:
    assert Month.told(text) is None


def test_a_month_is_followed_by_the_next_also_at_the_end_of_a_year() -> None:
    assert Month.told("2026-12") == Month(2026, 12)
    assert Month(2026, 12).next.text == "2027-01"
    assert Month(2026, 1).next.text == "2026-02"
