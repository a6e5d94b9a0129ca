"""Who decides for the resident: the table by question, age and capacity, told a second time, as data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from exchange.gate.consents import select_consent
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.gate.representation import Mandate, is_heard, mandate, own_words, reach

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
REGISTER = Register.load()
CITY = "00000001003214345000"

# By kind and age: whose word is enough, for who can decide; "+" asks both.
CAPABLE = {
    "STATUTORY": {11: "parent", 12: "self", 15: "self", 16: "self", 17: "self", 18: "self"},
    "SECRECY": {11: "parent", 12: "self", 15: "self", 16: "self", 17: "self", 18: "self"},
    "NO_OBJECTION": {11: "parent", 12: "self", 15: "self", 16: "self", 17: "self", 18: "self"},
    "GDPR": {11: "parent", 12: "parent", 15: "parent", 16: "self", 17: "self", 18: "self"},
    "CARE": {11: "parent", 12: "self+parent", 15: "self+parent", 16: "self", 17: "self", 18: "self"},
}
LADDER = ["curator", "mentor", "proxy", "partner", "family"]
# For who cannot decide: the parent below 18, the ladder from 18; GDPR consent stops at the appointed ones.
INCAPABLE_ADULT = {
    "STATUTORY": LADDER,
    "SECRECY": LADDER,
    "NO_OBJECTION": LADDER,
    "CARE": LADDER,
    "GDPR": ["curator", "mentor"],
}
WORDS = ["self", "parent", "guardian", *LADDER, "bewindvoerder"]
ROWS = [(kind, age, who) for kind, ages in CAPABLE.items() for age, who in ages.items()]


def enough(kind: str, words: tuple[str, ...], age: int, *, capable: bool, authority: bool = True) -> bool:
    found = mandate(kind, words, age, capable=capable, has_authority=authority)
    return found is Mandate.FULL


@pytest.mark.parametrize(("kind", "age", "who"), ROWS)
@pytest.mark.parametrize("word", WORDS)
def test_who_can_decide(kind: str, age: int, who: str, word: str) -> None:
    said = "parent" if word == "guardian" else word
    assert enough(kind, (word,), age, capable=True) is (said == who)
    assert is_heard(kind, word, age, capable=True) is (said in who.split("+"))
    both = ("self", "parent")
    assert enough(kind, both, age, capable=True) is True
    assert enough(kind, both, age, capable=True, authority=False) is (who == "self")


@pytest.mark.parametrize("kind", CAPABLE)
@pytest.mark.parametrize("age", [0, 11, 12, 15, 16, 17])
@pytest.mark.parametrize("word", WORDS)
def test_for_a_minor_who_cannot_decide_the_parent_does(kind: str, age: int, word: str) -> None:
    represents = word in {"parent", "guardian"}
    assert enough(kind, (word,), age, capable=False) is represents
    assert is_heard(kind, word, age, capable=False) is represents
    assert not enough(kind, (word,), age, capable=False, authority=False)


@pytest.mark.parametrize("kind", CAPABLE)
@pytest.mark.parametrize("word", WORDS)
def test_for_an_adult_who_cannot_decide_the_ladder_does(kind: str, word: str) -> None:
    # A parent of an adult is family to the gate; the service records him as such.
    expected = word in INCAPABLE_ADULT[kind] or (word in {"parent", "guardian"} and kind != "GDPR")
    assert enough(kind, (word,), 18, capable=False) is expected
    money = kind == "GDPR" and word == "bewindvoerder"
    assert is_heard(kind, word, 18, capable=False) is (expected or money)


@pytest.mark.parametrize("word", [*WORDS, "neighbour"])
def test_an_assent_is_anybodys_and_an_unknown_kind_nobodys(word: str) -> None:
    assert is_heard("ASSENT", word, 10, capable=False)
    assert not is_heard("BLANKET", word, 10, capable=True)


@pytest.mark.parametrize("kind", ["", "ASSENT", "BLANKET"])
def test_of_a_kind_without_a_row_anybodys_word_reaches_and_silence_does_not(kind: str) -> None:
    assert reach(kind, ("stranger",), 40, capable=True) is Mandate.FULL
    assert reach(kind, (), 40, capable=True) is Mandate.NONE


# --- in a verdict ------------------------------------------------------------------------------------


def consent(**changes: object) -> Consent:
    told = Consent(
        consent_id="c-1",
        version=2,
        state="GIVEN",
        explicit=True,
        start=NOW - timedelta(days=1),
        end=NOW + timedelta(days=30),
        purposes=frozenset({"wmo-afstemming"}),
        recipients=frozenset({f"{CITY}/college:WMO"}),
        categories=frozenset({"WMO-PLAN"}),
        given_by=("parent",),
        free_assessed=True,
        spoken_at=NOW - timedelta(hours=1),
        kind="STATUTORY",
    )
    return replace(told, **changes)  # type: ignore[arg-type] # any field


def asked(word: Consent | None, **changes: object) -> Facts:
    told = Facts(
        now=NOW,
        actor_auth="2FA+mTLS",
        legal_basis="WMO-5.1.1-4",
        purpose="wmo-afstemming",
        provider="college:PW",
        recipient="college:WMO",
        recipient_id=f"{CITY}/college:WMO",
        fields=(Field("goals.own_words", "WMO-PLAN"),),
        case_relation=True,
        necessity="nodig om af te stemmen",
        age=10,
        capable=True,
        has_authority=True,
        consent=word,
    )
    return replace(told, **changes)  # type: ignore[arg-type] # any fact


def test_a_dispute_closes_what_a_representative_opened_until_it_is_over() -> None:
    assert judge(asked(consent()), REGISTER).outcome is Outcome.PERMIT
    disputed = judge(asked(consent(), authority_disputed=True), REGISTER)
    assert (disputed.outcome, disputed.rules) == (Outcome.DENY, ("R21",))


@pytest.mark.parametrize("words", [("self",), ("self", "parent")])
def test_a_dispute_leaves_the_residents_own_word_alone(words: tuple[str, ...]) -> None:
    own = asked(consent(given_by=words), age=12, authority_disputed=True)
    assert judge(own, REGISTER).outcome is Outcome.PERMIT


@pytest.mark.parametrize("word", ["curator", "proxy", "family"])
def test_a_dispute_closes_the_ladder_too(word: str) -> None:
    adult = asked(consent(given_by=(word,)), age=40, capable=False)
    assert judge(adult, REGISTER).outcome is Outcome.PERMIT
    assert judge(replace(adult, authority_disputed=True), REGISTER).rules == ("R21",)


def test_where_no_consent_is_asked_a_dispute_closes_nothing() -> None:
    own = asked(None, legal_basis="WMO-2.3.2", provider="college:WMO", acquired_for="wmo")
    assert judge(replace(own, authority_disputed=True), REGISTER).outcome is Outcome.PERMIT


def test_only_the_residents_own_words_are_own() -> None:
    assert own_words(("self", "parent", "curator", "nobody", "jeugdige")) == ("self", "jeugdige")


# --- kinds -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["GIVEN", "REFUSED", "WITHDRAWN"])
def test_agreement_to_care_says_nothing_about_data(state: str) -> None:
    care = consent(kind="CARE", state=state)
    facts = asked(None)
    assert select_consent([care], facts) is None
    assert select_consent([care], facts, "STATUTORY") is None
    other = consent(consent_id="c-2")
    assert select_consent([care, other], facts, "STATUTORY") == other


@pytest.mark.parametrize(
    ("kind", "heard"),
    [
        *(("CARE", False), ("ASSENT", False)),
        *((kind, True) for kind in ("", "GDPR", "STATUTORY", "SECRECY", "NO_OBJECTION")),
    ],
)
def test_a_refusal_that_says_nothing_about_data_is_no_objection_to_a_disclosure(
    kind: str, *, heard: bool
) -> None:
    facts = asked(None, legal_basis="WMO-2.3.2", provider="college:WMO", acquired_for="wmo")
    refused = consent(kind=kind, state="REFUSED")
    for word in (refused, select_consent([refused], facts)):
        verdict = judge(replace(facts, consent=word), REGISTER)
        assert verdict.outcome is Outcome.PERMIT
        assert verdict.obligations == (
            ("INFORM-RESIDENT", "LOG", "TREAT-AS-OBJECTION") if heard else ("LOG",)
        )


@pytest.mark.parametrize("state", ["GIVEN", "REFUSED"])
def test_an_assent_neither_opens_nor_closes(state: str) -> None:
    assent = consent(kind="ASSENT", state=state, given_by=("self",))
    facts = asked(None, age=40)
    chosen = replace(facts, consent=select_consent([assent], facts, "STATUTORY"))
    assert judge(chosen, REGISTER).rules == ("R15",)
    own = replace(chosen, legal_basis="WMO-2.3.2", provider="college:WMO", acquired_for="wmo")
    assert judge(own, REGISTER).outcome is Outcome.PERMIT
