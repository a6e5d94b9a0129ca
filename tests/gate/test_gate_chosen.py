"""Which of several consents is judged: on the line and on both sides of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from exchange.gate.consents import select_consent
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Field
from exchange.gate.rules_consent import consent_not_given
from tests.gate.test_gate_lines import INSTANT, LEAVE, NOW, READS, REGISTER, SEES, basis, bend


def said(name: str, **changes: object) -> Consent:
    word = replace(LEAVE, consent_id=name, start=NOW - timedelta(days=30), spoken_at=NOW - timedelta(days=5))
    changed: Consent = bend(word, **changes)
    return changed


def chosen(*consents: Consent, kind: str = "") -> str:
    forth = select_consent(consents, SEES, kind)
    back = select_consent(consents[::-1], SEES, kind)
    assert forth is not None
    assert forth == back
    return forth.consent_id


def test_without_a_kind_asked_words_of_every_kind_are_heard() -> None:
    newer = said("gdpr", kind="GDPR", spoken_at=NOW - timedelta(days=1))
    assert select_consent([said("untold"), newer], SEES) == newer
    assert chosen(said("untold"), newer) == "gdpr"
    assert chosen(said("untold"), newer, kind="STATUTORY") == "untold"


def test_a_word_whose_kind_was_not_told_is_heard_beside_one_of_the_asked_kind() -> None:
    newer = said("untold", spoken_at=NOW - timedelta(days=1))
    assert chosen(said("asked", kind="STATUTORY"), newer, kind="STATUTORY") == "untold"


def test_of_two_that_are_over_the_newest_is_told() -> None:
    over = {"end": NOW - timedelta(days=2)}
    assert chosen(said("b", **over), said("a", **over, spoken_at=NOW - timedelta(days=3))) == "a"


def test_a_withdrawal_without_a_moment_is_one_from_when_it_was_spoken() -> None:
    withdrawn = said("no", state="WITHDRAWN", spoken_at=NOW - timedelta(days=2))
    assert chosen(said("yes"), withdrawn) == "no"
    assert chosen(said("yes", spoken_at=NOW - timedelta(days=1)), withdrawn) == "yes"


def test_a_withdrawal_counts_from_its_very_moment() -> None:
    yes = said("yes", spoken_at=NOW - timedelta(days=1))
    assert chosen(said("no", withdrawn_at=NOW), yes) == "no"
    assert chosen(said("no", withdrawn_at=NOW + INSTANT), yes) == "yes"
    wider = replace(yes, categories=frozenset({"WMO-PLAN", "CONTACT"}))
    assert chosen(said("no", withdrawn_at=NOW), wider) == "no"


def test_a_consent_without_a_period_is_in_force_at_no_time() -> None:
    for unknown in ({"start": None}, {"end": None}):
        assert chosen(said("yes"), said("none", spoken_at=NOW - timedelta(days=1), **unknown)) == "yes"


def test_a_consent_is_in_force_from_its_start_until_its_end() -> None:
    newest: dict[str, object] = {"spoken_at": NOW - timedelta(days=1)}
    assert chosen(said("yes"), said("begins", start=NOW, **newest)) == "begins"
    assert chosen(said("yes"), said("begins", start=NOW + INSTANT, **newest)) == "yes"
    assert chosen(said("yes"), said("ends", end=NOW + INSTANT, **newest)) == "ends"
    assert chosen(said("yes"), said("ends", end=NOW, **newest)) == "yes"


def test_where_nobody_told_when_it_was_spoken_its_start_stands_in() -> None:
    old, new = said("b", spoken_at=None), said("a", spoken_at=None, start=NOW - timedelta(days=10))
    assert chosen(old, new) == "a"


def leave_seen(**changes: object) -> tuple[str, ...]:
    contact = replace(LEAVE, categories=frozenset({"WMO-PLAN", "CONTACT"}))
    return judge(replace(SEES, consent=bend(contact, **changes)), REGISTER).rules


def test_a_youth_lets_somebody_see_by_a_word_about_data() -> None:
    for kind in ("", "GDPR", "STATUTORY"):
        assert leave_seen(kind=kind) == ("P-SUBJECT-15",)
        assert leave_seen(kind=kind, categories=frozenset({"WMO-PLAN"})) == ("R17",)
    for kind in ("ASSENT", "CARE", "SECRECY", "NO_OBJECTION", "ANDERS"):
        # Nobody gave leave: the whole is refused, and no field beside it.
        assert leave_seen(kind=kind) == ("R21",)
        assert leave_seen(kind=kind, categories=frozenset()) == ("R21",)


def test_what_had_to_be_written_is_refused_where_it_was_not() -> None:
    def rules(**changes: object) -> tuple[str, ...]:
        said = Consent(
            state="GIVEN",
            start=NOW,
            end=NOW + INSTANT,
            purposes=frozenset({"wmo-afstemming"}),
            recipients=frozenset({"gemeente"}),
            categories=frozenset({"ARBEID"}),
            given_by=("self",),
        )
        word: Consent = bend(said, **changes)
        facts = replace(
            READS,
            legal_basis="PW-65-2b",
            purpose="wmo-afstemming",
            provider="college:PW",
            fields=(Field("werk", "ARBEID"),),
            age=44,
            capable=True,
            consent=word,
        )
        return judge(facts, REGISTER).rules

    assert rules(explicit=True) == ("P-PW-65-2b",)
    assert rules(explicit=False) == ("R15",)
    assert rules(explicit=False, state="REFUSED") == ("R15",)
    assert rules(explicit=False, state="WITHDRAWN") == ("R15", "R19")


def test_elsewhere_an_implied_word_withholds_what_is_special_and_nothing_else() -> None:
    plain = basis("PW-65-2b", explicit_required=False)
    facts = replace(READS, consent=replace(LEAVE, explicit=False))
    assert not consent_not_given(facts, plain)
    assert consent_not_given(facts, basis("PW-65-2b"))
    assert not consent_not_given(facts, basis("WMO-5.1.1-4"))
    assert not consent_not_given(facts, basis("WMO-2.3.2"))
