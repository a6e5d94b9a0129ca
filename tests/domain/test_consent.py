"""Consents: asked, answered, withdrawn; and withdrawing never fails."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.domain.consent import (
    CONSENT,
    RECIPIENTS_MAX,
    WRITTEN_METHODS,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    GiveConsent,
    RefuseConsent,
    RequestConsent,
    WithdrawConsent,
)
from exchange.domain.values import Author, ConsentKind, DataCategory, Purpose
from tests.domain.builders import (
    CONSENT_GIVEN,
    CONSENT_ID,
    CONSENT_REQUESTED,
    CONSULENT,
    GIVE,
    LATER,
    MUNICIPALITY,
    NOON,
    PLANNER,
    PROVIDER,
    REFUSE,
    REPRESENTATIVE,
    REQUEST,
    RESIDENT,
    RESIDENT_REF,
    STRANGER,
    WITHDRAW,
    fold,
    given,
)

if TYPE_CHECKING:
    from exchange.domain.kernel import ResidentEvent

REFUSED = ConsentRefused(resident=RESIDENT_REF, consent_id=CONSENT_ID, said_by="self", authority="", at=LATER)
WITHDRAWN = ConsentWithdrawn(
    resident=RESIDENT_REF, consent_id=CONSENT_ID, said_by="self", authority="", at=LATER
)
GIVE_FREELY = replace(GIVE, alternatives=True, no_detriment=True)
GIVEN_FREELY = replace(
    CONSENT_GIVEN,
    alternatives=True,
    no_detriment=True,
    assessed_by=f"{RESIDENT.oin}/{RESIDENT.professional}",
)
INSTANT = timedelta(microseconds=1)


def test_asking() -> None:
    given(CONSENT).when(REQUEST).then(CONSENT_REQUESTED)


def test_asking_twice_is_refused() -> None:
    given(CONSENT, CONSENT_REQUESTED).when(REQUEST).refused("ALREADY_REQUESTED")


@pytest.mark.parametrize("kind", list(ConsentKind))
@pytest.mark.parametrize("purpose", list(Purpose)[:2])
def test_every_kind_can_be_asked(kind: str, purpose: str) -> None:
    regime = "GDPR" if kind == "gdpr" else ""
    asked = replace(CONSENT_REQUESTED, kind=kind, purpose=purpose, regime=regime)
    given(CONSENT).when(replace(REQUEST, kind=kind, purpose=purpose)).then(asked)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REQUEST, consent_id=""), "consent_id"),
        (replace(REQUEST, case_id=""), "case_id"),
        (replace(REQUEST, resident=""), "resident"),
        (replace(REQUEST, kind="unspecified"), "kind"),
        (replace(REQUEST, kind=""), "kind"),
        (replace(REQUEST, purpose="everything"), "consent_purpose"),
        (replace(REQUEST, recipients=()), "recipients"),
        (replace(REQUEST, recipients=("college:PW",)), "recipients"),
        (replace(REQUEST, recipients=(MUNICIPALITY,)), "recipients"),
        (replace(REQUEST, recipients=(*REQUEST.recipients, "college:PW")), "recipients"),
        (replace(REQUEST, recipients=(f"{MUNICIPALITY}/",)), "recipients"),
        (replace(REQUEST, recipients=REQUEST.recipients * 2), "recipients"),
        (
            replace(REQUEST, recipients=tuple(f"{MUNICIPALITY}/t{n}" for n in range(RECIPIENTS_MAX + 1))),
            "recipients",
        ),
        (replace(REQUEST, categories=()), "categories"),
        (replace(REQUEST, categories=("WMO-PLAN", "WMO-PLAN")), "categories"),
        (replace(REQUEST, categories=("ALLES",)), "categories"),
        (replace(REQUEST, end_time=REQUEST.start_time), "end_time"),
        (replace(REQUEST, start_time=NOON - 2 * INSTANT, end_time=NOON), "end_time"),
        (replace(REQUEST, notice_id=""), "notice_id"),
        (replace(REQUEST, notice_sha256="ab"), "notice_sha256"),
    ],
)
def test_asking_with_a_fault_names_the_field(command: RequestConsent, path: str) -> None:
    given(CONSENT).when(command).invalid(path)


def test_the_shortest_period_there_is() -> None:
    short = replace(REQUEST, end_time=NOON + INSTANT)
    given(CONSENT).when(short).then(replace(CONSENT_REQUESTED, end_time=NOON + INSTANT))


def test_all_categories_and_the_most_recipients() -> None:
    recipients = tuple(f"{MUNICIPALITY}/t{n}" for n in range(RECIPIENTS_MAX))
    categories = tuple(DataCategory)
    command = replace(REQUEST, recipients=recipients, categories=categories)
    asked = replace(CONSENT_REQUESTED, recipients=recipients, categories=categories)
    given(CONSENT).when(command).then(asked)


def test_saying_yes() -> None:
    given(CONSENT, CONSENT_REQUESTED).when(GIVE).then(CONSENT_GIVEN)


def test_yes_after_no_is_a_new_decision() -> None:
    given(CONSENT, CONSENT_REQUESTED, REFUSED).when(GIVE).then(CONSENT_GIVEN)


def test_the_same_yes_again_changes_nothing() -> None:
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN).when(GIVE).then()


@pytest.mark.parametrize(
    "other",
    [
        replace(GIVE, given_by=("curator",)),
        replace(GIVE, explicit=False),
        replace(GIVE, free_assessed=False),
        replace(GIVE, method="spoken"),
    ],
)
def test_another_yes_is_refused(other: GiveConsent) -> None:
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN).when(other).refused("ALREADY_GIVEN")


def test_a_withdrawn_consent_is_never_given_again() -> None:
    for history in ((CONSENT_GIVEN, WITHDRAWN), (WITHDRAWN,), (REFUSED, WITHDRAWN)):
        given(CONSENT, CONSENT_REQUESTED, *history).when(GIVE).refused("CONSENT_WITHDRAWN")


def test_yes_comes_before_the_end_of_the_period() -> None:
    end = CONSENT_REQUESTED.end_time
    just = end - INSTANT
    given(CONSENT, CONSENT_REQUESTED).when(replace(GIVE, now=just)).then(replace(CONSENT_GIVEN, at=just))
    given(CONSENT, CONSENT_REQUESTED).when(replace(GIVE, now=end)).refused("PERIOD_OVER")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(GIVE, given_by=()), "given_by"),
        (replace(GIVE, given_by=("self", "self")), "given_by"),
        (replace(GIVE, given_by=("a", "b", "c", "d", "e")), "given_by"),
        (replace(GIVE, given_by=("the resident",)), "given_by"),
        (replace(GIVE, given_by=("self", "neighbour")), "given_by"),
        (replace(GIVE, method=""), "method"),
    ],
)
def test_saying_yes_with_a_fault_names_the_field(command: GiveConsent, path: str) -> None:
    given(CONSENT, CONSENT_REQUESTED).when(command).invalid(path)


def test_saying_no() -> None:
    given(CONSENT, CONSENT_REQUESTED).when(REFUSE).then(REFUSED)


def test_no_on_top_of_no_changes_nothing() -> None:
    given(CONSENT, CONSENT_REQUESTED, REFUSED).when(REFUSE).then()
    given(CONSENT, CONSENT_REQUESTED, WITHDRAWN).when(REFUSE).then()


def test_a_given_consent_ends_by_withdrawing() -> None:
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN).when(REFUSE).refused("ALREADY_GIVEN")


def test_withdrawing() -> None:
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN).when(WITHDRAW).then(WITHDRAWN)


def test_withdrawing_what_was_not_answered_or_was_refused() -> None:
    given(CONSENT, CONSENT_REQUESTED).when(WITHDRAW).then(WITHDRAWN)
    given(CONSENT, CONSENT_REQUESTED, REFUSED).when(WITHDRAW).then(WITHDRAWN)


def test_withdrawing_twice_changes_nothing() -> None:
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN, WITHDRAWN).when(WITHDRAW).then()


def test_withdrawing_works_after_the_period_too() -> None:
    late = CONSENT_REQUESTED.end_time + timedelta(days=1)
    given(CONSENT, CONSENT_REQUESTED, CONSENT_GIVEN).when(replace(WITHDRAW, now=late)).then(
        replace(WITHDRAWN, at=late)
    )


# --- who answers ------------------------------------------------------------------------------------

RECIPIENT = Author(MUNICIPALITY, "college:PW", "w-1", operator=True)
OUTSIDERS = [
    PLANNER,
    replace(PLANNER, task="mantelzorger"),
    replace(PLANNER, task="college-andere-gemeente:PW"),
]
HISTORIES = [(), (REFUSED,), (CONSENT_GIVEN,), (CONSENT_GIVEN, WITHDRAWN)]


@pytest.mark.parametrize("author", OUTSIDERS)
@pytest.mark.parametrize("history", HISTORIES)
def test_no_other_task_answers_or_withdraws(author: Author, history: tuple[ResidentEvent, ...]) -> None:
    sentence = given(CONSENT, CONSENT_REQUESTED, *history)
    sentence.when(replace(GIVE, author=author)).refused("NOT_TO_ANSWER")
    sentence.when(replace(REFUSE, author=author)).refused("NOT_TO_ANSWER")
    sentence.when(replace(WITHDRAW, author=author)).refused("NOT_TO_WITHDRAW")


@pytest.mark.parametrize("history", HISTORIES)
def test_a_recipient_does_not_answer_but_may_withdraw(history: tuple[ResidentEvent, ...]) -> None:
    sentence = given(CONSENT, CONSENT_REQUESTED, *history)
    sentence.when(replace(GIVE, author=RECIPIENT)).refused("RECIPIENT_ANSWERS")
    sentence.when(replace(REFUSE, author=RECIPIENT)).refused("RECIPIENT_ANSWERS")
    withdrawn = () if WITHDRAWN in history else (WITHDRAWN,)
    sentence.when(replace(WITHDRAW, author=RECIPIENT)).then(*withdrawn)


def test_the_same_task_of_another_organisation_is_no_recipient() -> None:
    elsewhere = replace(RECIPIENT, oin=STRANGER)
    given(CONSENT, CONSENT_REQUESTED).when(replace(GIVE, author=elsewhere)).then(CONSENT_GIVEN)


def test_a_college_writes_down_what_was_said() -> None:
    given(CONSENT, CONSENT_REQUESTED).when(replace(GIVE, author=CONSULENT)).then(CONSENT_GIVEN)
    given(CONSENT, CONSENT_REQUESTED).when(replace(REFUSE, author=CONSULENT)).then(REFUSED)


def test_a_college_does_not_speak_through_the_portal() -> None:
    by_portal = replace(GIVE, method="portal")
    given(CONSENT, CONSENT_REQUESTED).when(replace(by_portal, author=CONSULENT)).refused("NOT_THE_PORTAL")
    for author in (GIVE.author, REPRESENTATIVE):
        given(CONSENT, CONSENT_REQUESTED).when(replace(by_portal, author=author)).then(
            replace(CONSENT_GIVEN, method="portal")
        )


def test_a_college_turns_no_no_into_a_yes() -> None:
    given(CONSENT, CONSENT_REQUESTED, REFUSED).when(replace(GIVE, author=CONSULENT)).refused(
        "CONSENT_REFUSED"
    )
    given(CONSENT, CONSENT_REQUESTED, REFUSED).when(replace(GIVE, author=REPRESENTATIVE)).then(CONSENT_GIVEN)


@pytest.mark.parametrize("command", [GIVE, REFUSE, WITHDRAW])
def test_nothing_happens_to_a_consent_never_asked(
    command: GiveConsent | RefuseConsent | WithdrawConsent,
) -> None:
    given(CONSENT).when(command).refused("NO_CONSENT")


def test_the_state_holds_question_answer_and_times() -> None:
    end = LATER + timedelta(hours=1)
    state = fold(CONSENT, CONSENT_REQUESTED, REFUSED, CONSENT_GIVEN, replace(WITHDRAWN, at=end))
    assert (state.state, state.version) == ("withdrawn", 4)
    assert (state.refused_at, state.given_at, state.withdrawn_at) == (LATER, LATER, end)
    assert (state.given_by, state.explicit, state.free_assessed) == (("self",), True, True)
    assert (state.purpose, state.kind, state.origin) == (
        "wmo-afstemming",
        "statutory",
        f"college:WMO@{MUNICIPALITY}",
    )
    assert state.notice_sha256 == CONSENT_REQUESTED.notice_sha256


# --- kinds ------------------------------------------------------------------------------------------

PARENTS_YES = replace(GIVE, author=REPRESENTATIVE, given_by=("parent",), authority=("m",))
WRITTEN = sorted(WRITTEN_METHODS)


def asked(**changes: object) -> ConsentRequested:
    return replace(CONSENT_REQUESTED, **changes)  # type: ignore[arg-type] # any field of the event


@pytest.mark.parametrize("kind", list(ConsentKind))
@pytest.mark.parametrize("method", [*WRITTEN, "spoken", "in_person"])
def test_only_the_absence_of_objection_is_asked_in_writing(kind: str, method: str) -> None:
    sentence = given(CONSENT, asked(kind=kind)).when(replace(GIVE_FREELY, method=method))
    if kind == "no_objection" and method not in WRITTEN_METHODS:
        sentence.refused("NOT_IN_WRITING")
    else:
        sentence.then(replace(GIVEN_FREELY, method=method))


@pytest.mark.parametrize("kind", list(ConsentKind))
@pytest.mark.parametrize("category", list(DataCategory))
def test_about_health_the_law_asks_so_many_words(kind: str, category: str) -> None:
    question = asked(kind=kind, categories=("WONEN", category) if category != "WONEN" else ("WONEN",))
    implied = given(CONSENT, question).when(replace(GIVE_FREELY, explicit=False))
    if kind in {"gdpr", "secrecy"} and category.startswith("GEZONDHEID"):
        implied.refused("NOT_EXPLICIT")
    else:
        implied.then(replace(GIVEN_FREELY, explicit=False))
    given(CONSENT, question).when(GIVE_FREELY).then(GIVEN_FREELY)


def test_consent_to_care_is_given_by_two_together_in_either_order() -> None:
    care = asked(kind="care")
    parent = replace(CONSENT_GIVEN, given_by=("parent",), authority=("m",))
    given(CONSENT, care, CONSENT_GIVEN).when(PARENTS_YES).then(
        replace(CONSENT_GIVEN, given_by=("self", "parent"), authority=("m",))
    )
    given(CONSENT, care, parent).when(GIVE).then(
        replace(CONSENT_GIVEN, given_by=("parent", "self"), authority=("m",))
    )


def test_what_two_say_together_is_explicit_and_free_only_if_both_say_so() -> None:
    care = asked(kind="care")
    loose = replace(PARENTS_YES, explicit=False, free_assessed=False, method="spoken")
    given(CONSENT, care, CONSENT_GIVEN).when(loose).then(
        replace(
            CONSENT_GIVEN,
            given_by=("self", "parent"),
            authority=("m",),
            explicit=False,
            free_assessed=False,
            method="spoken",
        )
    )


def test_a_voice_that_spoke_already_adds_nothing_to_consent_to_care() -> None:
    both = replace(CONSENT_GIVEN, given_by=("self", "parent"), authority=("m",))
    given(CONSENT, asked(kind="care"), both).when(GIVE).then()
    same = replace(GIVE, given_by=("self", "parent"))
    given(CONSENT, asked(kind="care"), both).when(same).then()


@pytest.mark.parametrize("kind", [kind for kind in ConsentKind if kind != ConsentKind.CARE])
def test_no_other_kind_is_joined(kind: str) -> None:
    yes = replace(PARENTS_YES, alternatives=True, no_detriment=True)
    given(CONSENT, asked(kind=kind), CONSENT_GIVEN).when(yes).refused("ALREADY_GIVEN")


def test_withdrawing_takes_no_method_words_or_evidence_whoever_gave() -> None:
    parent = replace(CONSENT_GIVEN, given_by=("parent",), authority=("m",))
    for kind in ConsentKind:
        given(CONSENT, asked(kind=kind), parent).when(WITHDRAW).then(WITHDRAWN)


def test_the_portal_of_a_recipient_takes_no_yes_for_it() -> None:
    """As an older version let an organisation keep one; a no is heard wherever it is said."""
    asked = replace(CONSENT_REQUESTED, recipients=(f"{PROVIDER}/wmo-aanbieder",))
    theirs = Author(PROVIDER, "betrokkene", "b-1")
    given(CONSENT, asked).when(replace(GIVE, author=theirs)).refused("RECIPIENT_ANSWERS")
    assert len(CONSENT.decide(replace(REFUSE, author=theirs), fold(CONSENT, asked))) == 1
    elsewhere = replace(theirs, oin=STRANGER)
    given(CONSENT, asked).when(replace(GIVE, author=elsewhere)).then(CONSENT_GIVEN)
    municipality = replace(asked, recipients=(f"{MUNICIPALITY}/college:PW",))
    given(CONSENT, municipality).when(replace(GIVE, author=GIVE.author)).then(CONSENT_GIVEN)
