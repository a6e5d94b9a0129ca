"""Erasure: three persons, closed lists, terms by name; and recipients that are asked and answer once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from exchange.domain.erasure.decision import (
    PROPOSAL_DAYS_MAX,
    PROPOSALS_MAX,
    ApproveErasure,
    ErasureApproved,
    ErasureProposed,
    ErasureRefused,
    KeysDestroyed,
    ProposeErasure,
    RefuseErasure,
)
from exchange.domain.erasure.purge import (
    ERASURE,
    PURGE_WITHIN,
    ConfirmErased,
    ErasurePurgeConfirmed,
    ErasurePurgeRequested,
    RequestPurges,
    ToPurge,
)
from exchange.domain.erasure.words import ERASABLE_APART, REASONS_OF, ErasureArticle, ErasureReason
from exchange.domain.resident import RESIDENT
from exchange.domain.values import Author, DataCategory
from exchange.gate.retention import YIELD_TO
from tests.domain.builders import (
    LATER,
    MUNICIPALITY,
    NOON,
    PROVIDER,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    fold,
    given,
)

FIRST = Author(MUNICIPALITY, "college:WMO", "p-1", operator=True)
SECOND = Author(MUNICIPALITY, "college:JW", "p-2", operator=True)
OFFICER = Author(MUNICIPALITY, "fg", "fg-1")
CARE = Author(PROVIDER, "wmo-aanbieder", "z-1")
ERASURE_ID = "e1000000-0000-4000-8000-000000000001"

PROPOSE = ProposeErasure(
    now=NOON,
    author=FIRST,
    erasure_id=ERASURE_ID,
    article="wmo_5_3_5",
    reason="resident_asked",
    motivation="Brief van 2 maart.",
)
PROPOSED = ErasureProposed(
    resident=RESIDENT_REF,
    erasure_id=ERASURE_ID,
    article="wmo_5_3_5",
    reason="resident_asked",
    categories=(),
    kept=(),
    motivation="Brief van 2 maart.",
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    at=NOON,
)
APPROVE = ApproveErasure(now=LATER, author=SECOND, erasure_id=ERASURE_ID)
APPROVED = ErasureApproved(
    resident=RESIDENT_REF,
    erasure_id=ERASURE_ID,
    organisation=MUNICIPALITY,
    task="college:JW",
    professional="p-2",
    executes=False,
    at=LATER,
)
BY_OFFICER = replace(APPROVED, task="fg", professional="fg-1", executes=True)
DESTROYED = KeysDestroyed(
    resident=RESIDENT_REF,
    erasure_id=ERASURE_ID,
    article="wmo_5_3_5",
    reason="resident_asked",
    categories=(),
    kept=(),
    at=LATER,
)
REFUSE = RefuseErasure(
    now=LATER, author=OFFICER, erasure_id=ERASURE_ID, reasons=("other_person",), motivation="Raakt het kind."
)
REFUSED = ErasureRefused(
    resident=RESIDENT_REF,
    erasure_id=ERASURE_ID,
    reasons=("other_person",),
    motivation="Raakt het kind.",
    organisation=MUNICIPALITY,
    task="fg",
    professional="fg-1",
    at=LATER,
)
PART: dict[str, Any] = {"categories": ("SCHULDEN", "INKOMEN"), "kept": ("legal_claim",)}


# --- propose ------------------------------------------------------------------------------------------


def test_a_college_proposes() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(PROPOSE).then(PROPOSED)


@pytest.mark.parametrize("author", [OFFICER, CARE, replace(FIRST, task="betrokkene")])
def test_nobody_else_does(author: Author) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(PROPOSE, author=author)).refused("NOT_TO_PROPOSE")


def test_nobody_is_erased_who_is_not_there() -> None:
    given(RESIDENT).when(PROPOSE).refused("NOT_REGISTERED")


def test_a_part_names_categories_and_why_the_rest_stays() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(PROPOSE, **PART)).then(
        replace(PROPOSED, categories=("INKOMEN", "SCHULDEN"), kept=("legal_claim",))
    )


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"article": "gdpr"}, "article"),
        ({"reason": "because"}, "reason"),
        ({"reason": "term_ended"}, "reason"),
        ({"categories": ("CONTACT",), "kept": ("legal_claim",)}, "categories"),
        ({"categories": ("LOG",), "kept": ("legal_claim",)}, "categories"),
        ({"categories": ("SCHULDEN", "SCHULDEN"), "kept": ("legal_claim",)}, "categories"),
        ({"categories": ("SCHULDEN",)}, "kept"),
        ({"categories": ("SCHULDEN",), "kept": ("no reason",)}, "kept"),
        ({"kept": ("legal_claim",)}, "kept"),
        ({"motivation": "x" * 4_001}, "motivation"),
    ],
)
def test_what_no_list_holds_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(PROPOSE, **change)).invalid(field)


def test_every_article_has_its_reasons_and_every_reason_an_article() -> None:
    assert set(REASONS_OF) == set(ErasureArticle)
    assert set().union(*REASONS_OF.values()) == set(ErasureReason)
    assert set(YIELD_TO) <= set(ErasureArticle)
    assert ERASABLE_APART.isdisjoint({DataCategory.CONTACT, DataCategory.LOG, DataCategory.BSN})
    assert DataCategory.WMO_PLAN in ERASABLE_APART


def test_one_waits_at_a_time_and_an_old_one_waits_no_more() -> None:
    other = replace(PROPOSE, erasure_id="e2", now=LATER)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(other).refused("ERASURE_WAITS")
    over = NOON + timedelta(days=PROPOSAL_DAYS_MAX)
    late = replace(other, now=over - timedelta(microseconds=1))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(late).refused("ERASURE_WAITS")
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(other, now=over)).then(
        replace(PROPOSED, erasure_id="e2", at=over)
    )


def test_what_is_remembered_is_bounded() -> None:
    many = [replace(PROPOSED, erasure_id=f"e-{number}") for number in range(PROPOSALS_MAX + 3)]
    state = fold(RESIDENT, RESIDENT_REGISTERED, *many)
    assert [one.erasure_id for one in state.erasures][-1] == f"e-{PROPOSALS_MAX + 2}"
    assert len(state.erasures) == PROPOSALS_MAX


# --- approve and refuse ----------------------------------------------------------------------------------


def test_the_first_approval_destroys_nothing_and_the_second_does() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(APPROVE).then(APPROVED)
    by_officer = replace(APPROVE, author=OFFICER)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, APPROVED).when(by_officer).then(BY_OFFICER, DESTROYED)


@pytest.mark.parametrize("task", ["college:WMO", "college:PW", "fg"])
def test_who_proposed_approves_in_no_task(task: str) -> None:
    himself = replace(APPROVE, author=replace(FIRST, task=task))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(himself).refused("PROPOSER_APPROVES")


def test_nobody_approves_twice() -> None:
    again = replace(APPROVE, author=replace(SECOND, task="fg"))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, APPROVED).when(again).refused("APPROVED_TWICE")


def test_the_same_id_elsewhere_is_another_person() -> None:
    elsewhere = replace(APPROVE, author=replace(FIRST, oin=PROVIDER))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(elsewhere).then(
        replace(APPROVED, organisation=PROVIDER, task="college:WMO", professional="p-1")
    )


@pytest.mark.parametrize("order", [APPROVE, REFUSE])
def test_other_tasks_neither_approve_nor_refuse(order: Any) -> None:  # noqa: ANN401 -- either order
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(order, author=CARE)).refused("NOT_TO_DECIDE")


@pytest.mark.parametrize("order", [APPROVE, REFUSE])
def test_what_does_not_wait_is_not_decided(order: Any) -> None:  # noqa: ANN401 -- either order
    given(RESIDENT, RESIDENT_REGISTERED).when(order).refused("NO_SUCH_ERASURE")
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, REFUSED).when(order).refused("NO_SUCH_ERASURE")
    over = NOON + timedelta(days=PROPOSAL_DAYS_MAX)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(order, now=over)).refused("NO_SUCH_ERASURE")


def test_a_term_forbids_each_approval_and_a_duty_the_erasing_of_all() -> None:
    bound = replace(APPROVE, forbidden=("pw 2036-03-02",))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(bound).refused("RETENTION_TERM")
    open_duty = replace(APPROVE, open_duties=("ALERT-SNOOP",))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(open_duty).refused("DUTY_OPEN")
    part = replace(PROPOSED, categories=("SCHULDEN",), kept=("legal_claim",))
    given(RESIDENT, RESIDENT_REGISTERED, part).when(open_duty).then(APPROVED)


def test_one_other_person_refuses_and_says_why() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, APPROVED).when(REFUSE).then(REFUSED)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(REFUSE, author=FIRST)).refused(
        "PROPOSER_REFUSES"
    )
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(REFUSE, reasons=())).invalid("reasons")
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(replace(REFUSE, motivation=" ")).invalid("motivation")


def test_a_destruction_says_nothing_of_the_resident() -> None:
    assert not DESTROYED.sealed_fields()
    assert PROPOSED.sealed_fields() == {"motivation": "LOG"}


# --- recipients ------------------------------------------------------------------------------------------

ASKED = ToPurge(PROVIDER, "wmo-aanbieder", ("plan-p1",))
REQUEST = RequestPurges(now=NOON, erasure_id=ERASURE_ID, categories=(), recipients=(ASKED,))
REQUESTED = ErasurePurgeRequested(
    erasure_id=ERASURE_ID,
    organisation=PROVIDER,
    task="wmo-aanbieder",
    subjects=("plan-p1",),
    categories=(),
    due_at=NOON + PURGE_WITHIN,
    at=NOON,
)
CONFIRM = ConfirmErased(now=LATER, author=CARE, erasure_id=ERASURE_ID, outcome="erased")
CONFIRMED = ErasurePurgeConfirmed(
    erasure_id=ERASURE_ID,
    organisation=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    outcome="erased",
    at=LATER,
)


def test_each_recipient_is_asked_once() -> None:
    given(ERASURE).when(REQUEST).then(REQUESTED)
    given(ERASURE, REQUESTED).when(REQUEST).then()


@pytest.mark.parametrize("wrong", [replace(ASKED, organisation="1"), replace(ASKED, subjects=())])
def test_a_recipient_is_an_organisation_that_was_told_something(wrong: ToPurge) -> None:
    given(ERASURE).when(replace(REQUEST, recipients=(ASKED, wrong))).invalid("recipients[1]")


def test_the_first_answer_counts() -> None:
    given(ERASURE, REQUESTED).when(CONFIRM).then(CONFIRMED)
    given(ERASURE, REQUESTED, CONFIRMED).when(replace(CONFIRM, outcome="kept_by_law")).then()


@pytest.mark.parametrize("author", [replace(CARE, task="zorgaanbieder-zvw"), replace(CARE, oin=MUNICIPALITY)])
def test_who_was_not_asked_answers_nothing(author: Author) -> None:
    given(ERASURE, REQUESTED).when(replace(CONFIRM, author=author)).refused("NO_SUCH_PURGE")
    given(ERASURE).when(CONFIRM).refused("NO_SUCH_PURGE")


def test_an_answer_is_one_of_the_list() -> None:
    given(ERASURE, REQUESTED).when(replace(CONFIRM, outcome="maybe")).invalid("outcome")


def test_a_purge_is_about_nobody() -> None:
    assert REQUESTED.resident == CONFIRMED.resident == ""
