"""Whom a case is about, told to a recipient on it; and the share of a day that is counted in events."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from exchange.domain.case import CASE, CaseClosed, ProfessionalJoined, ProfessionalLeft
from exchange.domain.evaluation import EVALUATION, CountEvaluation, EvaluationCounted, day_key
from exchange.domain.identities import IdentitySent, SendIdentity, sent_to
from exchange.domain.values import Author
from exchange.errors import QuotaExceeded
from tests.domain.builders import (
    CASE_ID,
    CASE_OPENED,
    CONSULENT,
    CONSULENT_JOINED,
    LATER,
    MUNICIPALITY,
    NOON,
    PLANNER,
    PROVIDER,
    RESIDENT_REF,
    STRANGER,
    fold,
    given,
)

ENVELOPE = "01" * 66
PROVIDER_JOINED = ProfessionalJoined(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    role="begeleider",
    at=NOON,
)
TOGETHER = (CASE_OPENED, CONSULENT_JOINED, PROVIDER_JOINED)
SEND = SendIdentity(
    now=LATER,
    author=CONSULENT,
    resident=RESIDENT_REF,
    recipient_oin=PROVIDER,
    recipient_task="wmo-aanbieder",
    purpose="wmo-onderzoek",
    envelope=ENVELOPE,
)
SENT = IdentitySent(
    resident=RESIDENT_REF,
    case_id=CASE_ID,
    oin=MUNICIPALITY,
    task="college:WMO",
    recipient_oin=PROVIDER,
    recipient_task="wmo-aanbieder",
    purpose="wmo-onderzoek",
    envelope=ENVELOPE,
    at=LATER,
)


def test_who_works_on_a_case_tells_a_recipient_who_does() -> None:
    given(CASE, *TOGETHER).when(SEND).then(SENT)
    given(CASE, *TOGETHER).when(replace(SEND, envelope="")).then(replace(SENT, envelope=""))


def test_who_does_not_work_on_the_case_sends_nothing() -> None:
    given(CASE, *TOGETHER).when(replace(SEND, author=Author(MUNICIPALITY, "college:WMO", "p-9"))).refused(
        "NOT_ON_CASE"
    )


@pytest.mark.parametrize(
    ("command", "rule"),
    [
        (replace(SEND, resident="r-other"), "OTHER_RESIDENT"),
        (replace(SEND, resident=""), "OTHER_RESIDENT"),
        (replace(SEND, recipient_oin=STRANGER), "RECIPIENT_NOT_ON_CASE"),
        (replace(SEND, recipient_task="jeugdhulpaanbieder"), "RECIPIENT_NOT_ON_CASE"),
        (replace(SEND, recipient_oin=MUNICIPALITY, recipient_task="college:PW"), "SAME_ORGANISATION"),
    ],
)
def test_a_recipient_is_another_organisation_on_the_case(command: SendIdentity, rule: str) -> None:
    given(CASE, *TOGETHER).when(command).refused(rule)


def test_a_recipient_that_left_is_none() -> None:
    left = ProfessionalLeft(
        resident=RESIDENT_REF,
        case_id=CASE_ID,
        oin=PROVIDER,
        task="wmo-aanbieder",
        professional="z-1",
        at=LATER,
    )
    given(CASE, *TOGETHER, left).when(SEND).refused("RECIPIENT_NOT_ON_CASE")
    # Until that very moment it was one.
    before = replace(SEND, now=LATER - timedelta(microseconds=1))
    given(CASE, *TOGETHER, left).when(before).then(replace(SENT, at=before.now))


def test_a_closed_case_tells_nothing() -> None:
    closed = CaseClosed(resident=RESIDENT_REF, case_id=CASE_ID, at=NOON)
    given(CASE, *TOGETHER, closed).when(SEND).refused("CASE_CLOSED")


@pytest.mark.parametrize("envelope", ["01" * 65, "01" * 67, "01" * 65 + "0g", "AB" * 66, "x"])
def test_an_envelope_has_one_length(envelope: str) -> None:
    given(CASE, *TOGETHER).when(replace(SEND, envelope=envelope)).invalid("envelope")


def test_of_one_sender_the_newest_stands_and_of_several_the_wanted_task_comes_first() -> None:
    again = replace(SENT, envelope="02" * 66, at=LATER + timedelta(seconds=1))
    of_youth = replace(SENT, task="college:JW", at=LATER + timedelta(seconds=2))
    state = fold(CASE, *TOGETHER, SENT, again, of_youth)
    assert [one.envelope for one in state.identities] == [again.envelope, ENVELOPE]
    newest = sent_to(state, PROVIDER, "wmo-aanbieder")
    assert newest is not None
    assert newest.sender_task == "college:JW"
    wanted = sent_to(state, PROVIDER, "wmo-aanbieder", frozenset({"college:WMO"}))
    assert wanted is not None
    assert wanted.envelope == again.envelope
    assert sent_to(state, PROVIDER, "jeugdhulpaanbieder") is None
    assert sent_to(None, PROVIDER, "wmo-aanbieder") is None
    assert ENVELOPE not in repr(state)


# --- the share of a day -----------------------------------------------------------------------------

COUNT = CountEvaluation(
    now=NOON, author=PLANNER, elements=2, elements_per_day_max=5, case_id=CASE_ID, reason=""
)
COUNTED = EvaluationCounted(
    organisation=PROVIDER,
    task="wmo-aanbieder",
    day=NOON.date(),
    elements=2,
    case_id=CASE_ID,
    reason="",
    at=NOON,
)


def test_an_evaluation_is_counted_with_its_case_or_its_reason() -> None:
    given(EVALUATION).when(COUNT).then(COUNTED)
    without = replace(COUNT, case_id="", reason="new_report")
    given(EVALUATION).when(without).then(replace(COUNTED, case_id="", reason="new_report"))


def test_neither_case_nor_reason_both_and_unknown_reasons_are_refused() -> None:
    given(EVALUATION).when(replace(COUNT, case_id="")).invalid("case_id")
    given(EVALUATION).when(replace(COUNT, reason="new_report")).invalid("case_id")
    given(EVALUATION).when(replace(COUNT, case_id="", reason="curious")).invalid("no_case_reason")
    given(EVALUATION).when(replace(COUNT, elements=0)).invalid("blinded_elements")
    given(EVALUATION).when(replace(COUNT, elements=101, elements_per_day_max=1_000)).invalid(
        "blinded_elements"
    )


def test_the_share_is_full_exactly_at_its_end() -> None:
    given(EVALUATION, COUNTED, COUNTED).when(replace(COUNT, elements=1)).then(replace(COUNTED, elements=1))
    with pytest.raises(QuotaExceeded) as refused:
        EVALUATION.decide(COUNT, fold(EVALUATION, COUNTED, COUNTED))
    assert refused.value.metadata == {"limit": "evaluations_per_day", "most": "5", "used": "4"}


def test_who_is_over_the_share_is_told_when_the_next_day_begins() -> None:
    last = datetime(2026, 3, 2, 23, 59, 59, 999_000, tzinfo=UTC)
    with pytest.raises(QuotaExceeded) as refused:
        EVALUATION.decide(replace(COUNT, now=last, elements=6), None)
    wait = timedelta(milliseconds=refused.value.retry_after_ms or 0)
    assert last + wait >= datetime(2026, 3, 3, tzinfo=UTC)
    assert wait < timedelta(seconds=1)
    assert day_key(PROVIDER, last) != day_key(PROVIDER, last + wait)


@drawn(st.lists(st.integers(1, 100), max_size=30))
def test_never_more_is_counted_than_the_share(asked: list[int]) -> None:
    state = None
    for elements in asked:
        try:
            events = EVALUATION.decide(replace(COUNT, elements=elements, elements_per_day_max=500), state)
        except QuotaExceeded:
            assert state is not None
            assert state.elements + elements > 500
            continue
        for event in events:
            state = EVALUATION.evolve(state, event)
    assert state is None or state.elements <= 500
