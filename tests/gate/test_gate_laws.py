"""Laws of the gate, on facts drawn from our own cases and then bent: P1-P5, P8, P10, P11 and P13."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.gate import judge as gate
from exchange.gate import vocabulary
from exchange.gate.cases import read_cases
from exchange.gate.consents import select_consent
from exchange.gate.explain import (
    explain,
    rules_for_requester,
    view_for_requester,
)
from exchange.gate.judge import judge, missing_facts
from exchange.gate.model import MISSING, BreakGlass, Consent, Facts, Field, Outcome, Verdict
from exchange.gate.register import Register
from exchange.gate.rulebook import RULEBOOK
from exchange.gate.rules import ALL_RULES, RULE_IDS

REGISTER, LOADED_AGAIN = Register.load(), Register.load()
SEEDS = [case.facts for case in read_cases(Path(__file__).parent / "cases.json")]
BASES = [basis.id for basis in REGISTER.entries()]
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)

CATEGORY = st.sampled_from([*sorted(vocabulary.CATEGORIES), "ONBEKEND"])
MOMENT = st.sampled_from([None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1)])
FIELD = st.builds(
    Field,
    name=st.just("x"),
    category=CATEGORY,
    secret=st.booleans(),
    sealed=st.booleans(),
    third_party=st.booleans(),
    retention_end=MOMENT,
    staff_name=st.booleans(),
    provider=st.sampled_from([None, None, "college:WMO", "uwv"]),
    acquired_for=st.sampled_from([None, None, "wmo", "pw"]),
)
FIELDS = st.lists(FIELD, min_size=1, max_size=4).map(
    lambda found: tuple(replace(field, name=f"f{index}") for index, field in enumerate(found))
)
BENT: dict[str, st.SearchStrategy[Any]] = {
    "fields": FIELDS,
    "legal_basis": st.sampled_from(BASES),
    "purpose": st.sampled_from(sorted(vocabulary.PURPOSES)),
    "provider": st.sampled_from(sorted(vocabulary.KINDS)),
    "recipient": st.sampled_from(sorted(vocabulary.KINDS)),
    "age": st.sampled_from([None, 0, 11, 12, 15, 16, 17, 18, 90]),
    "capable": st.sampled_from([None, True, False]),
    "case_relation": st.sampled_from([None, True, False]),
    "has_authority": st.booleans(),
    "directly_involved": st.booleans(),
    "roles": st.sampled_from([frozenset(), frozenset({"sealed-reader"})]),
    "acquired_for": st.sampled_from([None, "wmo", "pw", "jw"]),
    "objection": st.sampled_from([None, "PENDING", "UPHELD", "REJECTED"]),
    "break_glass": st.sampled_from(
        [None, BreakGlass("LEVENSGEVAAR", "x" * 20), BreakGlass("HAAST", "x" * 20)]
    ),
}


@st.composite
def bent_facts(draw: st.DrawFn) -> Facts:
    """Draw the facts of a case of ours with up to two of them replaced."""
    facts = draw(st.sampled_from(SEEDS))
    for name in draw(st.lists(st.sampled_from(sorted(BENT)), max_size=2, unique=True)):
        facts = replace(facts, **{name: draw(BENT[name])})
    return facts


def released(verdict: Verdict) -> set[str]:
    return {name for name, field in verdict.fields.items() if field.release}


def assert_opens_nothing(before: Verdict, after: Verdict) -> None:
    assert released(after) <= released(before)
    assert not (after.permitted and not before.permitted)


# Facts that support a permit, each with the value of somebody who did not establish it.
SUPPORTING: dict[str, Any] = {
    "now": None,
    "actor_auth": None,
    "legal_basis": None,
    "purpose": None,
    "provider": None,
    "recipient": None,
    "recipient_id": None,
    "fields": None,
    "case_relation": None,
    "necessity": None,
    "age": None,
    "capable": None,
    "roles": frozenset(),
    "directly_involved": False,
    "has_authority": False,
    "staff_identity_needed": False,
}
SUPPORTING_OF_CONSENT: dict[str, Any] = {
    "state": "",
    "explicit": False,
    "start": None,
    "end": None,
    "purposes": frozenset(),
    "recipients": frozenset(),
    "categories": frozenset(),
    "given_by": None,
    "free_assessed": False,
}


@settings(max_examples=120, deadline=None)
@given(bent_facts())
def test_p01_taking_a_supporting_fact_away_opens_nothing(facts: Facts) -> None:
    before = judge(facts, REGISTER)
    poorer = [replace(facts, **{name: nothing}) for name, nothing in SUPPORTING.items()]
    if isinstance(facts.consent, Consent):
        poorer += [replace(facts, consent=None), replace(facts, consent=MISSING)]
        poorer += [
            replace(facts, consent=replace(facts.consent, **{name: nothing}))
            for name, nothing in SUPPORTING_OF_CONSENT.items()
        ]
    if facts.legal_basis == "AVG-6.1.d":
        poorer.append(replace(facts, break_glass=None))
    for less in poorer:
        assert_opens_nothing(before, judge(less, REGISTER))


LIMITS: list[dict[str, Any]] = [
    {"restricted": True},
    {"objection": "PENDING"},
    {"objection": "UPHELD"},
    {"relative_of_subject": True},
    {"contrary_to_child_interest": True},
    {"authority_disputed": True},
    {"disproportionate": True},
    {"store_unavailable": True},
    {"delivered_later": True},
    {"need_fields": frozenset()},
]
FIELD_LIMITS: list[dict[str, Any]] = [
    {"sealed": True},
    {"secret": True},
    {"third_party": True},
    {"staff_name": True},
    {"retention_end": NOW - timedelta(days=4_000)},
]


@settings(max_examples=120, deadline=None)
@given(bent_facts())
def test_p02_adding_a_limit_opens_nothing(facts: Facts) -> None:
    before = judge(facts, REGISTER)
    limited = [
        replace(facts, **limit) for limit in LIMITS if facts.objection is None or "objection" not in limit
    ]
    limited += [
        replace(facts, fields=tuple(replace(field, **limit) for field in facts.fields or ()))
        for limit in FIELD_LIMITS
        if facts.fields
    ]
    if isinstance(facts.consent, Consent) and facts.now is not None:
        limited += [
            replace(facts, consent=replace(facts.consent, **change))
            for change in ({"withdrawn_at": facts.now}, {"state": "WITHDRAWN"}, {"state": "REFUSED"})
        ]
    for more in limited:
        assert_opens_nothing(before, judge(more, REGISTER))


@settings(max_examples=120, deadline=None)
@given(bent_facts().filter(lambda facts: bool(facts.fields)), FIELD)
def test_p03_asking_more_never_changes_what_was_judged(facts: Facts, more: Field) -> None:
    before = judge(facts, REGISTER)
    extra = replace(more, name="one more")
    for wider in ((*(facts.fields or ()), extra), (extra, *(facts.fields or ()))):
        after = judge(replace(facts, fields=wider), REGISTER)
        assert {name: field for name, field in after.fields.items() if name != "one more"} == before.fields


@settings(max_examples=120, deadline=None)
@given(bent_facts())
def test_p04_a_deny_names_a_rule_a_source_and_a_remedy(facts: Facts) -> None:
    verdict = judge(facts, REGISTER)
    reasons = {rule for field in verdict.fields.values() for rule in field.rules}
    if verdict.outcome not in {Outcome.PERMIT, Outcome.PERMIT_BREAK_GLASS}:
        assert verdict.rules
        assert reasons <= set(verdict.rules)
        for rule in verdict.rules:
            assert RULEBOOK[rule].citation
            assert RULEBOOK[rule].remedy
            assert rule in explain(verdict, facts, REGISTER).officer
    assert verdict.rules == tuple(sorted(verdict.rules))
    assert "LOG" in verdict.obligations
    assert verdict.obligations == tuple(sorted(set(verdict.obligations)))


@settings(max_examples=120, deadline=None)
@given(bent_facts())
def test_p05_a_permit_names_one_basis_version_in_force(facts: Facts) -> None:
    verdict = judge(facts, REGISTER)
    if verdict.outcome in {Outcome.PERMIT, Outcome.PERMIT_BREAK_GLASS}:
        assert verdict.rules == (f"P-{facts.legal_basis}",)
        assert all(field.release for field in verdict.fields.values())
    if verdict.permitted:
        assert facts.now is not None
        basis = REGISTER.find(verdict.basis_id, facts.now)
        assert basis is not None
        assert basis.in_force(facts.now)
        assert (basis.id, basis.version) == (facts.legal_basis, verdict.basis_version)
        assert not missing_facts(facts, REGISTER)
    assert verdict.policy_hash == REGISTER.policy_hash
    assert judge(facts, LOADED_AGAIN) == verdict


def _raise(*_: object) -> bool:
    raise RuntimeError("poison")


# Raises at every touch a rule could give it.
TOUCHES = "__eq__ __hash__ __lt__ __le__ __gt__ __ge__ __bool__ __contains__ __iter__ __len__"
POISON: Any = type("Poison", (), dict.fromkeys(TOUCHES.split(), _raise))()


@pytest.mark.parametrize("name", [field.name for field in fields(Facts)])
def test_p08_a_fact_that_makes_a_rule_raise_opens_nothing(name: str) -> None:
    established = [facts for facts in SEEDS if name not in SUPPORTING or getattr(facts, name) is not None]
    for facts in established:
        poisoned = judge(replace(facts, **{name: POISON}), REGISTER)
        assert_opens_nothing(judge(facts, REGISTER), poisoned)
        assert poisoned.rules != ()


@pytest.mark.parametrize("kind", ["request", "category", "mark", "name"])
def test_p08_a_rule_that_raises_denies(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    def raises(*_: object) -> bool:
        raise ZeroDivisionError

    broken = replace(ALL_RULES, **{kind: (*getattr(ALL_RULES, kind), ("R99", raises))})
    facts = next(facts for facts in SEEDS if judge(facts, REGISTER).outcome is Outcome.PERMIT)
    monkeypatch.setattr(gate, "ALL_RULES", broken)
    verdict = judge(facts, REGISTER)
    assert (verdict.outcome, verdict.rules, verdict.fields) == (Outcome.DENY, ("R01",), {})
    assert verdict.obligations == ("LOG", "RETRY")


def test_p08_two_fields_of_one_name_are_not_judged() -> None:
    facts = next(facts for facts in SEEDS if judge(facts, REGISTER).outcome is Outcome.PERMIT)
    twice = replace(facts, fields=(Field("a", "WMO-PLAN"), Field("a", "WMO-PLAN", sealed=True)))
    assert judge(twice, REGISTER).rules == ("R01",)


@settings(max_examples=120, deadline=None)
@given(bent_facts())
def test_p10_sealed_and_absent_are_told_alike(facts: Facts) -> None:
    bare = replace(facts, fields=tuple(replace(field, sealed=False) for field in facts.fields or ()))
    bare = facts if facts.fields is None else bare
    sealed, absent = judge(facts, REGISTER), judge(bare, REGISTER)
    assert view_for_requester(sealed) == view_for_requester(absent)
    assert rules_for_requester(sealed) == absent.rules
    told, untold = explain(sealed, facts, REGISTER), explain(absent, bare, REGISTER)
    assert (told.requester, told.resident, told.remedies) == (
        untold.requester,
        untold.resident,
        untold.remedies,
    )


@settings(max_examples=120, deadline=None)
@given(bent_facts().filter(lambda facts: bool(facts.fields)), st.text(max_size=20), st.sampled_from(BASES))
def test_p11_no_unlabelled_field_is_released(facts: Facts, label: str, basis: str) -> None:
    unlabelled = tuple(
        replace(field, category=label if label not in vocabulary.CATEGORIES else "")
        for field in facts.fields or ()
    )
    for claimed in (facts.legal_basis, basis):
        verdict = judge(replace(facts, fields=unlabelled, legal_basis=claimed), REGISTER)
        assert not verdict.permitted
        assert not released(verdict)


CONSENTS = st.lists(
    st.builds(
        Consent,
        consent_id=st.sampled_from("abcdef"),
        version=st.integers(1, 3),
        state=st.sampled_from(["GIVEN", "GIVEN", "REQUESTED", "REFUSED", "WITHDRAWN", "EXPIRED"]),
        explicit=st.just(value=True),
        start=st.sampled_from([NOW - timedelta(days=days) for days in (30, 20, 10, -10)]),
        end=st.sampled_from([NOW + timedelta(days=days) for days in (-5, 5, 50)]),
        withdrawn_at=MOMENT,
        purposes=st.sampled_from([frozenset({"wmo-afstemming"}), frozenset({"wmo-onderzoek"})]),
        recipients=st.sampled_from([frozenset({"gemeente-wmo"}), frozenset({"ander"})]),
        categories=st.sampled_from([frozenset({"INKOMEN"}), frozenset({"INKOMEN", "SCHULDEN"})]),
        given_by=st.just(("self",)),
        spoken_at=st.sampled_from([None, NOW - timedelta(days=3), NOW]),
    ),
    max_size=4,
)


@settings(max_examples=120, deadline=None)
@given(CONSENTS, CONSENTS)
def test_p13_a_later_word_never_makes_an_earlier_access_lawful(
    heard: list[Consent], later: list[Consent]
) -> None:
    facts = next(facts for facts in SEEDS if facts.legal_basis == "WMO-5.1.1-4")
    unheard = [replace(consent, spoken_at=NOW + timedelta(seconds=1), withdrawn_at=None) for consent in later]
    assert facts.now == NOW
    chosen = select_consent(heard, facts)
    assert select_consent([*unheard, *heard], facts) == chosen
    assert select_consent([*heard, *unheard], facts) == chosen


@settings(max_examples=120, deadline=None)
@given(CONSENTS)
def test_p02_a_withdrawal_now_closes_what_any_of_the_consents_opened(consents: list[Consent]) -> None:
    facts = next(facts for facts in SEEDS if facts.legal_basis == "WMO-5.1.1-4")
    withdrawn = [replace(consent, withdrawn_at=NOW) for consent in consents]
    verdict = judge(replace(facts, consent=select_consent(withdrawn, facts)), REGISTER)
    assert not verdict.permitted


def test_every_rule_has_its_page_in_the_rulebook() -> None:
    assert set(RULEBOOK) == RULE_IDS
    for rule in RULEBOOK.values():
        assert all((rule.citation, rule.cause, rule.resident, rule.remedy, rule.remedy_en))
