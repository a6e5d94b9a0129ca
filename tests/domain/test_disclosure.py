"""Disclosures: the gate's decisions are recorded as they are, refusals included."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypedDict

import pytest

from exchange.domain.disclosure import (
    DISCLOSURE,
    AbortDelivery,
    ConfirmPurge,
    DeliveryAborted,
    DisclosureDecided,
    DisclosureDelivered,
    ExecuteObligation,
    ObligationExecuted,
    PurgeConfirmed,
    PurgeRequested,
    RecordDecision,
    RecordDelivery,
    RequestPurge,
)
from exchange.domain.values import Author, DisclosureOutcome
from tests.domain.builders import LATER, NOON, PLAN_ID, PROVIDER, RESIDENT_REF, fold, given

DECIDED = DisclosureDecided(
    resident=RESIDENT_REF,
    decision_id="b-1",
    at=NOON,
    organisation=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    purpose="wmo-levering",
    legal_basis="WMO-5.2.1-2a",
    basis_version="1",
    consent_id="",
    action="READ",
    subject=PLAN_ID,
    outcome="PARTIAL",
    rules=("R10",),
    released=("goals.own_words",),
    withheld=("situations.description",),
    obligations=("LOG",),
    policy_hash="ab" * 32,
    facts_position=12,
    request="{}",
)


class ToWhom(TypedDict):
    """What every event after the decision names."""

    resident: str
    decision_id: str
    organisation: str
    task: str


TO_WHOM = ToWhom(resident=RESIDENT_REF, decision_id="b-1", organisation=PROVIDER, task="wmo-aanbieder")
DELIVERED = DisclosureDelivered(at=LATER, **TO_WHOM)
DELIVER = RecordDelivery(now=LATER, **TO_WHOM)
ABORT = AbortDelivery(now=LATER, reason="denied", rules=("R19",), **TO_WHOM)


@pytest.mark.parametrize("outcome", list(DisclosureOutcome))
def test_every_outcome_is_recorded_as_it_is(outcome: str) -> None:
    decision = replace(DECIDED, outcome=outcome)
    given(DISCLOSURE).when(RecordDecision(now=NOON, decision=decision)).then(decision)
    given(DISCLOSURE, DECIDED).when(RecordDecision(now=NOON, decision=decision)).then(decision)


@pytest.mark.parametrize(
    ("decision", "path"),
    [
        (replace(DECIDED, outcome="MAYBE"), "outcome"),
        (replace(DECIDED, outcome=""), "outcome"),
        (replace(DECIDED, decision_id=""), "decision_id"),
        (replace(DECIDED, resident=""), "resident"),
        (replace(DECIDED, organisation="Zorg B"), "organisation"),
    ],
)
def test_a_decision_with_a_fault_is_refused(decision: DisclosureDecided, path: str) -> None:
    given(DISCLOSURE).when(RecordDecision(now=NOON, decision=decision)).invalid(path)


def test_what_became_of_it() -> None:
    aborted = DeliveryAborted(at=LATER, reason="denied", rules=("R19",), **TO_WHOM)
    given(DISCLOSURE, DECIDED).when(DELIVER).then(DELIVERED)
    given(DISCLOSURE, DECIDED).when(ABORT).then(aborted)
    given(DISCLOSURE, DECIDED).when(RequestPurge(now=LATER, **TO_WHOM)).then(
        PurgeRequested(at=LATER, **TO_WHOM)
    )
    given(DISCLOSURE, DECIDED).when(ConfirmPurge(now=LATER, **TO_WHOM)).then(
        PurgeConfirmed(at=LATER, **TO_WHOM)
    )


def test_an_aborted_delivery_names_a_rule() -> None:
    given(DISCLOSURE, DECIDED).when(replace(ABORT, rules=())).invalid("rules")


@pytest.mark.parametrize(
    "command", [DELIVER, ABORT, RequestPurge(now=LATER, **TO_WHOM), ConfirmPurge(now=LATER, **TO_WHOM)]
)
def test_who_it_is_about_is_always_named(
    command: RecordDelivery | AbortDelivery | RequestPurge | ConfirmPurge,
) -> None:
    nobody = replace(command, resident="", decision_id="", organisation="", task="")
    given(DISCLOSURE, DECIDED).when(nobody).invalid("resident", "decision_id", "organisation", "task")


def test_the_state_counts_decisions_and_keeps_the_last() -> None:
    last = replace(DECIDED, decision_id="b-2", at=LATER)
    state = fold(DISCLOSURE, DECIDED, DELIVERED, last, DELIVERED)
    assert (state.count, state.last_decision_id, state.last_at) == (2, "b-2", LATER)


def test_a_delivery_alone_is_no_decision() -> None:
    assert fold(DISCLOSURE, DELIVERED) is None


# --- duties -----------------------------------------------------------------------------------------

OFFICER = Author(PROVIDER, "fg", "fg-1")
EXECUTE = ExecuteObligation(
    now=LATER,
    author=OFFICER,
    resident=RESIDENT_REF,
    decision_id="b-1",
    duties=("LOG", "NOTIFY-FG", "REVIEW-1-WORKDAY", "TREAT-AS-OBJECTION", "TTL-60M"),
    decided_for=Author(PROVIDER, "wmo-aanbieder", "z-1"),
    obligation="NOTIFY-FG",
    outcome="executed",
    how="desk",
)
EXECUTED = ObligationExecuted(
    resident=RESIDENT_REF,
    decision_id="b-1",
    obligation="NOTIFY-FG",
    outcome="executed",
    how="desk",
    remark="",
    by=f"{PROVIDER}/fg-1",
    at=LATER,
)


def test_a_duty_is_executed_by_somebody_with_a_name() -> None:
    given(DISCLOSURE, DECIDED).when(EXECUTE).then(EXECUTED)


@pytest.mark.parametrize(
    ("duty", "outcome", "remark"),
    [
        ("NOTIFY-FG", "not_needed", "Al gebeld."),
        ("REVIEW-1-WORKDAY", "justified", "Er was gevaar."),
        ("REVIEW-1-WORKDAY", "not_justified", "Bellen had gekund."),
        ("TREAT-AS-OBJECTION", "not_an_objection", "Gevraagd: nee."),
        ("TREAT-AS-OBJECTION", "objection_recorded", ""),
    ],
)
def test_a_duty_ends_as_its_kind_ends(duty: str, outcome: str, remark: str) -> None:
    command = replace(EXECUTE, obligation=duty, outcome=outcome, remark=remark)
    told = replace(EXECUTED, obligation=duty, outcome=outcome, remark=remark)
    given(DISCLOSURE, DECIDED).when(command).then(told)
    if remark:
        given(DISCLOSURE, DECIDED).when(replace(command, remark=" ")).invalid("remark")


@pytest.mark.parametrize(
    ("duty", "outcome"),
    [
        ("REVIEW-1-WORKDAY", "executed"),
        ("NOTIFY-FG", "objection_recorded"),
        ("TREAT-AS-OBJECTION", "executed"),
        ("TTL-60M", "executed"),
    ],
)
def test_a_duty_does_not_end_otherwise(duty: str, outcome: str) -> None:
    command = replace(EXECUTE, obligation=duty, outcome=outcome, remark="x")
    given(DISCLOSURE, DECIDED).when(command).refused("OUTCOME_NOT_OF_THIS_DUTY")


def test_a_duty_the_decision_did_not_bring_is_none() -> None:
    given(DISCLOSURE, DECIDED).when(replace(EXECUTE, obligation="ALERT-SNOOP")).refused("NO_SUCH_OBLIGATION")


@pytest.mark.parametrize("task", ["fg", "wmo-aanbieder"])
def test_who_caused_a_duty_does_not_end_it_in_any_task(task: str) -> None:
    himself = Author(PROVIDER, task, "z-1")
    review = replace(EXECUTE, author=himself, obligation="REVIEW-1-WORKDAY", outcome="justified", remark="x")
    given(DISCLOSURE, DECIDED).when(review).refused("SAME_PERSON")
    heard = replace(
        EXECUTE, author=himself, obligation="TREAT-AS-OBJECTION", outcome="objection_recorded", remark=""
    )
    told = replace(
        EXECUTED, obligation="TREAT-AS-OBJECTION", outcome="objection_recorded", by=f"{PROVIDER}/z-1"
    )
    given(DISCLOSURE, DECIDED).when(heard).then(told)


def test_a_duty_ends_once_and_an_objection_needs_none() -> None:
    done = replace(EXECUTE, ended=frozenset({"NOTIFY-FG"}))
    given(DISCLOSURE, DECIDED).when(done).refused("ALREADY_REVIEWED")
    other = replace(done, ended=frozenset({"REVIEW-1-WORKDAY"}))
    given(DISCLOSURE, DECIDED).when(other).then(EXECUTED)
    heard = replace(
        EXECUTE,
        obligation="TREAT-AS-OBJECTION",
        outcome="objection_recorded",
        ended=frozenset({"TREAT-AS-OBJECTION"}),
    )
    given(DISCLOSURE, DECIDED).when(heard).then()


@pytest.mark.parametrize(
    ("changes", "path"),
    [({"obligation": "LOG"}, "obligation"), ({"outcome": "done"}, "outcome"), ({"how": ""}, "how")],
)
def test_a_duty_with_a_fault_names_the_field(changes: dict[str, Any], path: str) -> None:
    given(DISCLOSURE, DECIDED).when(replace(EXECUTE, **changes)).invalid(path)


def test_a_duty_leaves_the_count_of_decisions_as_it_is() -> None:
    assert fold(DISCLOSURE, DECIDED, EXECUTED) == fold(DISCLOSURE, DECIDED)
