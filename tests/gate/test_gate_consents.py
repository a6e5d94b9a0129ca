"""Which consent is judged, and origins that differ by field."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from exchange.gate.consents import covers_sources, select_consent
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.gate.representation import Speaker, who_spoke

REGISTER = Register.load()
bend: Any = replace  # a test names any attribute
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
REQUEST = Facts(
    now=NOW,
    actor_auth="2FA+mTLS",
    legal_basis="WMO-5.1.1-4",
    purpose="wmo-afstemming",
    provider="college:PW",
    recipient="college:WMO",
    recipient_id="gemeente-wmo",
    fields=(Field("inkomen", "INKOMEN"), Field("schulden", "SCHULDEN")),
    case_relation=True,
    necessity="Nodig om hulp af te stemmen",
    age=44,
    capable=True,
    consent=None,
)


def days(number: int) -> datetime:
    return NOW + timedelta(days=number)


def consent(name: str, **changes: object) -> Consent:
    """Build a consent that stands: given 30 days ago for this purpose, recipient and both categories."""
    standing = Consent(
        consent_id=name,
        version=1,
        state="GIVEN",
        explicit=True,
        start=days(-30),
        end=days(300),
        purposes=frozenset({"wmo-afstemming"}),
        recipients=frozenset({"gemeente-wmo"}),
        categories=frozenset({"INKOMEN", "SCHULDEN"}),
        given_by=("self",),
    )
    changed: Consent = bend(standing, **changes)
    return changed


def chosen(*consents: Consent) -> str:
    """Return the id of the one chosen, whatever the order they come in."""
    forward, backward = select_consent(consents, REQUEST), select_consent(consents[::-1], REQUEST)
    assert forward == backward
    return "" if forward is None else forward.consent_id


def test_none_of_none() -> None:
    assert chosen() == ""
    assert select_consent([consent("a")], replace(REQUEST, now=None)) is None


def test_purpose_and_recipient_go_before_all_else() -> None:
    other_purpose = consent("purpose", purposes=frozenset({"wmo-onderzoek"}), spoken_at=days(-1))
    other_recipient = consent("recipient", recipients=frozenset({"ander"}), spoken_at=days(-1))
    assert chosen(other_purpose, consent("both"), other_recipient) == "both"
    assert chosen(other_purpose, other_recipient) == "recipient"
    assert chosen(other_purpose) == "purpose"
    neither = replace(other_purpose, recipients=frozenset({"ander"}))
    assert chosen(neither) == ""


def test_a_near_miss_is_told_by_r17() -> None:
    near = select_consent([consent("a", recipients=frozenset({"ander"}))], REQUEST)
    assert judge(replace(REQUEST, consent=near), REGISTER).rules == ("R17",)


@pytest.mark.parametrize(
    "refusal",
    [
        consent("no", state="REFUSED", spoken_at=days(-2)),
        consent("no", state="WITHDRAWN", spoken_at=days(-30), withdrawn_at=days(-2)),
        consent("no", withdrawn_at=days(-2)),
        consent("no", state="REFUSED", spoken_at=days(-5)),
    ],
)
def test_a_later_no_wins_from_an_earlier_yes(refusal: Consent) -> None:
    assert chosen(consent("yes", spoken_at=days(-5)), refusal) == "no"
    assert not judge(replace(REQUEST, consent=refusal), REGISTER).permitted


def test_a_later_yes_wins_from_an_earlier_no() -> None:
    again = consent("again", spoken_at=days(-1))
    assert chosen(consent("no", withdrawn_at=days(-2)), again) == "again"
    assert judge(replace(REQUEST, consent=again), REGISTER).permitted


def test_a_withdrawal_to_come_is_not_yet_one() -> None:
    assert chosen(consent("a", withdrawn_at=days(1))) == "a"


def test_the_widest_of_those_in_force_wins_and_then_the_newest() -> None:
    narrow = consent("narrow", categories=frozenset({"INKOMEN"}), spoken_at=days(-1))
    assert chosen(consent("wide", spoken_at=days(-20)), narrow) == "wide"
    assert chosen(consent("old", spoken_at=days(-20)), consent("new", spoken_at=days(-1))) == "new"
    assert chosen(consent("v1", version=1), consent("v2", version=2)) == "v2"


def test_one_in_force_goes_before_one_that_begins_later() -> None:
    next_year = consent("next", start=days(10), spoken_at=days(-1))
    assert chosen(consent("now"), next_year) == "now"
    assert chosen(next_year) == "next"


def test_an_unanswered_request_does_not_silence_a_consent() -> None:
    asked = consent("asked", state="REQUESTED", spoken_at=days(-1))
    assert chosen(consent("yes"), asked) == "yes"
    assert chosen(asked) == "asked"


def test_an_expired_one_is_told_by_r18() -> None:
    assert chosen(consent("old", end=days(-1))) == "old"
    verdict = judge(replace(REQUEST, consent=consent("old", end=days(-1))), REGISTER)
    assert verdict.rules == ("R18",)
    assert (verdict.consent_id, verdict.consent_version) == ("old", 1)


def test_a_word_spoken_later_is_not_heard() -> None:
    assert chosen(consent("later", spoken_at=NOW + timedelta(seconds=1))) == ""
    assert chosen(consent("now", spoken_at=NOW)) == "now"


def test_origins_can_differ_by_field() -> None:
    mixed = replace(
        REQUEST,
        legal_basis="PW-7",
        purpose="pw-arbeidsinschakeling",
        provider="college:PW",
        recipient="college:PW",
        fields=(
            Field("eigen", "ARBEID", provider="college:PW", acquired_for="pw"),
            Field("wmo", "WMO-PLAN", provider="college:WMO", acquired_for="wmo"),
            Field("van het verzoek", "ARBEID"),
        ),
    )
    verdict = judge(mixed, REGISTER)
    assert verdict.outcome is Outcome.PARTIAL
    assert verdict.rules == ("R07", "R09")
    assert [name for name, field in verdict.fields.items() if field.release] == ["eigen", "van het verzoek"]


def test_the_origin_of_a_field_goes_before_that_of_the_request() -> None:
    own = Field("a", "INKOMEN", provider="college:JW", acquired_for="jw")
    other = replace(REQUEST, provider="uwv", acquired_for="zvw", fields=(own,), consent=consent("a"))
    assert judge(other, REGISTER).outcome is Outcome.PERMIT


def test_words_for_who_spoke_are_many_and_unknown_ones_fall_away() -> None:
    assert who_spoke((" Ouder ", "VOOGD")) == {Speaker.PARENT}
    assert who_spoke(("wettelijk-vertegenwoordiger",)) == {Speaker.REPRESENTATIVE}
    assert who_spoke(("gemachtigde", "buurman", "")) == {Speaker.PROXY}


def test_a_consent_of_another_kind_is_none() -> None:
    (basis,) = (entry for entry in REGISTER.entries() if entry.id == REQUEST.legal_basis)
    assert basis.consent_kind == "STATUTORY"
    rules = {
        kind: judge(bend(REQUEST, consent=consent("c", kind=kind)), REGISTER).rules
        for kind in ("", "STATUTORY", "ASSENT", "GDPR", "SECRECY")
    }
    permit = (f"P-{basis.id}",)
    refused = ("R15",)
    assert rules == {
        "": permit,
        "STATUTORY": permit,
        "ASSENT": refused,
        "GDPR": refused,
        "SECRECY": refused,
    }


def test_a_word_of_the_asked_kind_is_not_shadowed_by_others() -> None:
    asked = consent("asked", kind="STATUTORY")
    others = [consent("yes", kind="ASSENT", start=days(-1)), consent("no", kind="GDPR", state="REFUSED")]
    for words in ([asked, *others], [*others, asked]):
        found = select_consent(words, REQUEST, "STATUTORY")
        assert found is asked
    assert select_consent(others, REQUEST, "STATUTORY") in others


# --- whose data ------------------------------------------------------------------------------------------

TWO_DESKS = (Field("inkomen", "INKOMEN"), Field("schulden", "SCHULDEN", provider="college:WGS"))
ITS_OWN: frozenset[str] = frozenset({"college:PW"})


@pytest.mark.parametrize(
    ("sources", "withheld"),
    [
        ((), set()),
        (("college:PW",), {"schulden"}),
        (("college:WGS",), {"inkomen"}),
        (("college:PW", "college:WGS"), set()),
        (("uwv",), {"inkomen", "schulden"}),
    ],
)
def test_a_consent_is_about_what_those_hold_whom_it_names(
    sources: tuple[str, ...], withheld: set[str]
) -> None:
    named = consent("a", sources=frozenset(sources))
    verdict = judge(replace(REQUEST, fields=TWO_DESKS, consent=named), REGISTER)
    assert {name for name, one in verdict.fields.items() if "R17" in one.rules} == withheld


def test_what_is_lent_by_another_consent_is_no_wider_than_its_own_sources() -> None:
    income = {"categories": frozenset({"INKOMEN"})}
    debts = {"categories": frozenset({"SCHULDEN"})}
    for best, other, lent in [
        ((), (), True),
        ((), ITS_OWN, False),
        (ITS_OWN, (), True),
        (ITS_OWN, ITS_OWN, True),
        (ITS_OWN | {"uwv"}, ITS_OWN, False),
        (ITS_OWN, ITS_OWN | {"uwv"}, True),
    ]:
        found = select_consent(
            [
                consent("b", **income, sources=frozenset(best), version=2),
                consent("a", **debts, sources=frozenset(other)),
            ],
            REQUEST,
        )
        assert found is not None
        assert found.consent_id == "b"
        assert ("SCHULDEN" in found.categories) is lent


def test_a_yes_about_what_some_hold_covers_what_is_asked_of_them_only() -> None:
    asked = replace(REQUEST, fields=TWO_DESKS)
    assert covers_sources(consent("a"), asked)
    assert not covers_sources(consent("a", sources=ITS_OWN), asked)
    assert covers_sources(consent("a", sources=ITS_OWN), REQUEST)
    assert covers_sources(consent("a", sources=ITS_OWN | {"college:WGS"}), asked)
