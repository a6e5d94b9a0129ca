"""An answer to a consent, and the dispute it makes between two holders of authority."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.domain.answering import answer_consent
from exchange.domain.consent import CONSENT, ConsentRefused, ConsentWithdrawn
from exchange.domain.representation import AuthorityDisputed, DecisionContradicted, DisputeDecided
from exchange.domain.resident import RESIDENT
from exchange.errors import RuleBroken
from tests.domain.builders import (
    CONSENT_GIVEN,
    CONSENT_ID,
    CONSENT_REQUESTED,
    CONSULENT,
    GIVE,
    LATER,
    REFUSE,
    REPRESENTATIVE,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    WITHDRAW,
    fold,
)

if TYPE_CHECKING:
    from exchange.domain.answering import Answer
    from exchange.domain.kernel import Event, Events

MOTHER, FATHER = "m", "f"
BOTH = frozenset({MOTHER, FATHER})
YES = replace(GIVE, author=REPRESENTATIVE, given_by=("parent",), authority=(FATHER,))
NO = replace(REFUSE, author=REPRESENTATIVE, said_by="parent", authority=FATHER)
BACK = replace(WITHDRAW, author=REPRESENTATIVE, said_by="parent", authority=FATHER)
MOTHERS_YES = replace(CONSENT_GIVEN, given_by=("parent",), authority=(MOTHER,))
MOTHERS_NO = ConsentRefused(
    resident=RESIDENT_REF, consent_id=CONSENT_ID, said_by="parent", authority=MOTHER, at=LATER
)
FATHERS_YES = replace(MOTHERS_YES, authority=(FATHER,))
WITHDRAWN = ConsentWithdrawn(
    resident=RESIDENT_REF, consent_id=CONSENT_ID, said_by="parent", authority=FATHER, at=LATER
)
OTHER_ID = "a0000000-0000-4000-8000-000000000002"
OTHER_REQUESTED = replace(CONSENT_REQUESTED, consent_id=OTHER_ID)


def disputed(yes_by: str, no_by: str) -> AuthorityDisputed:
    return AuthorityDisputed(
        resident=RESIDENT_REF,
        dispute_id="t-1",
        consent_id=CONSENT_ID,
        purpose="wmo-afstemming",
        yes_by=yes_by,
        no_by=no_by,
        at=LATER,
    )


def answered(
    order: Answer,
    *history: Event,
    others: tuple[Event, ...] = (),
    holders: frozenset[str] = BOTH,
    decided: tuple[Event, ...] = (),
) -> dict[str, Events]:
    """Return what happens, by aggregate."""
    consent = fold(CONSENT, CONSENT_REQUESTED, *history)
    found = answer_consent(
        order,
        consent,
        fold(RESIDENT, RESIDENT_REGISTERED, *decided),
        others=[fold(CONSENT, *others)] if others else [],
        holders=holders,
        dispute_id="t-1",
    )
    return {stream.partition("-")[0]: events for stream, events in found}


def test_an_answer_nobody_contradicts_makes_no_dispute() -> None:
    assert answered(YES) == {"consent": (FATHERS_YES,)}
    assert answered(NO) == {"consent": (replace(MOTHERS_NO, authority=FATHER),)}
    assert answered(BACK, FATHERS_YES) == {"consent": (WITHDRAWN,)}


def test_a_no_against_the_yes_of_the_other_ends_nothing_and_is_disputed() -> None:
    assert answered(NO, MOTHERS_YES) == {"consent": (), "resident": (disputed(MOTHER, FATHER),)}


def test_a_yes_against_the_no_of_the_other_is_disputed() -> None:
    assert answered(YES, MOTHERS_NO) == {"consent": (FATHERS_YES,), "resident": (disputed(FATHER, MOTHER),)}


def test_withdrawing_what_the_other_gave_withdraws_and_is_disputed() -> None:
    assert answered(BACK, MOTHERS_YES) == {"consent": (WITHDRAWN,), "resident": (disputed(MOTHER, FATHER),)}


def test_another_consent_for_the_same_is_no_way_around_it() -> None:
    other = (OTHER_REQUESTED, replace(MOTHERS_NO, consent_id=OTHER_ID))
    assert answered(YES, others=other)["resident"] == (disputed(FATHER, MOTHER),)
    given = (OTHER_REQUESTED, replace(MOTHERS_YES, consent_id=OTHER_ID))
    assert answered(NO, others=given)["resident"] == (disputed(MOTHER, FATHER),)


@pytest.mark.parametrize(
    "changed",
    [{"purpose": "jeugd-afstemming"}, {"kind": "assent"}, {"recipients": ("00000009001234567000/school",)}],
)
def test_a_word_about_something_else_contradicts_nothing(changed: dict[str, object]) -> None:
    other = (replace(OTHER_REQUESTED, **changed), replace(MOTHERS_NO, consent_id=OTHER_ID))  # type: ignore[arg-type] # any field
    assert set(answered(YES, others=other)) == {"consent"}


def test_one_recipient_in_common_is_enough_to_contradict() -> None:
    wider = replace(OTHER_REQUESTED, recipients=(*OTHER_REQUESTED.recipients, "00000009001234567000/school"))
    other = (wider, replace(MOTHERS_NO, consent_id=OTHER_ID))
    assert answered(YES, others=other)["resident"] == (disputed(FATHER, MOTHER),)


def test_who_changes_his_own_mind_contradicts_nobody() -> None:
    assert answered(YES, replace(MOTHERS_NO, authority=FATHER)) == {"consent": (FATHERS_YES,)}


@pytest.mark.parametrize("holders", [frozenset(), frozenset({MOTHER}), frozenset({FATHER})])
def test_who_holds_no_authority_makes_no_dispute(holders: frozenset[str]) -> None:
    assert set(answered(BACK, MOTHERS_YES, holders=holders)) == {"consent"}
    with pytest.raises(RuleBroken) as refused:
        answered(NO, MOTHERS_YES, holders=holders)
    assert refused.value.metadata["rule"] == "ALREADY_GIVEN"


def test_the_residents_own_word_makes_no_dispute() -> None:
    assert set(answered(WITHDRAW, MOTHERS_YES)) == {"consent"}
    assert set(answered(BACK, CONSENT_GIVEN)) == {"consent"}


def test_a_child_and_a_parent_who_differ_about_care_make_none_either() -> None:
    child = replace(CONSENT_GIVEN, given_by=("self",))
    assert set(answered(BACK, child)) == {"consent"}


# --- after somebody decided whose word counts ---------------------------------------------------------

GUARDIAN = "g"
DECIDED = (
    disputed(MOTHER, FATHER),
    DisputeDecided(
        resident=RESIDENT_REF,
        dispute_id="t-1",
        arbiter="rechtbank",
        reference="C/09/2026-11",
        outcome="yes_stands",
        organisation=CONSULENT.oin,
        task=CONSULENT.task,
        professional=CONSULENT.professional,
        reason="Beslissing van de rechtbank.",
        at=LATER,
    ),
)
CONTRADICTED = DecisionContradicted(
    resident=RESIDENT_REF,
    dispute_id="t-1",
    consent_id=CONSENT_ID,
    purpose="wmo-afstemming",
    yes_by=MOTHER,
    no_by=FATHER,
    at=LATER,
)
PUT_ASIDE = {"consent": (), "resident": (CONTRADICTED,)}
BOTH_GAVE = replace(CONSENT_GIVEN, given_by=("parent",), authority=(MOTHER, FATHER))


def taken_back(by: str) -> dict[str, Events]:
    said_by = "self" if not by else "parent"
    return {"consent": (replace(WITHDRAWN, said_by=said_by, authority=by),)}


@pytest.mark.parametrize(
    ("by", "given", "decided", "happens"),
    [
        # Who gave it takes it back, decided or not.
        (MOTHER, MOTHERS_YES, (), taken_back(MOTHER)),
        (MOTHER, MOTHERS_YES, DECIDED, taken_back(MOTHER)),
        (FATHER, FATHERS_YES, DECIDED, taken_back(FATHER)),
        (FATHER, BOTH_GAVE, DECIDED, taken_back(FATHER)),
        # The other takes it back, and it is disputed, as long as nobody decided; then it is put aside.
        (FATHER, MOTHERS_YES, (), taken_back(FATHER) | {"resident": (disputed(MOTHER, FATHER),)}),
        (FATHER, MOTHERS_YES, DECIDED, PUT_ASIDE),
        # About another holder nobody decided anything.
        (GUARDIAN, MOTHERS_YES, DECIDED, taken_back(GUARDIAN)),
        # The resident's own word is nobody's to decide about.
        ("", MOTHERS_YES, DECIDED, taken_back("")),
        (FATHER, CONSENT_GIVEN, DECIDED, taken_back(FATHER)),
    ],
)
def test_who_takes_back_what_after_a_decision(
    by: str, given: Event, decided: tuple[Event, ...], happens: dict[str, Events]
) -> None:
    back = replace(BACK, said_by="parent" if by else "self", authority=by)
    holders = BOTH - {FATHER} if decided else BOTH
    assert answered(back, given, holders=holders, decided=decided) == happens


def test_what_was_decided_about_one_purpose_says_nothing_of_another() -> None:
    elsewhere = (replace(DECIDED[0], purpose="jeugd-afstemming"), DECIDED[1])
    assert answered(BACK, MOTHERS_YES, decided=elsewhere)["consent"] == (WITHDRAWN,)


def test_nothing_is_put_aside_of_a_consent_that_was_not_given_or_is_over() -> None:
    assert answered(BACK, holders=frozenset({MOTHER}), decided=DECIDED) == {"consent": (WITHDRAWN,)}
    over = (MOTHERS_YES, WITHDRAWN)
    assert answered(BACK, *over, holders=frozenset({MOTHER}), decided=DECIDED) == {"consent": ()}


def test_contradicting_twice_is_recorded_once() -> None:
    again = answered(BACK, MOTHERS_YES, holders=frozenset({MOTHER}), decided=(*DECIDED, CONTRADICTED))
    assert again == {"consent": (), "resident": ()}


@pytest.mark.parametrize(("outcome", "put_aside"), [("yes_stands", FATHER), ("no_stands", MOTHER)])
def test_a_decision_that_was_contradicted_is_made_anew(outcome: str, put_aside: str) -> None:
    anew = replace(DECIDED[1], dispute_id="t-2", outcome=outcome)
    contradicted = replace(CONTRADICTED, dispute_id="t-2")
    people = fold(RESIDENT, RESIDENT_REGISTERED, *DECIDED, contradicted).representation
    assert people.disputes == ()
    assert people.to_decide("wmo-afstemming").dispute_id == "t-2"
    assert people.to_decide("jeugd-afstemming") is None
    after = fold(RESIDENT, RESIDENT_REGISTERED, *DECIDED, contradicted, anew).representation
    assert after.overruled == (("wmo-afstemming", put_aside),)
    assert after.contradictions == ()
