"""Each rule on its line and on both sides of it, where a shipped entry or a case file does not come."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.gate.judge import judge, missing_facts
from exchange.gate.model import MISSING, BreakGlass, Consent, Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.gate.representation import Mandate, mandate
from exchange.gate.rules_consent import consent_mandate, consent_out_of_period, consent_withdrawn
from exchange.gate.rules_request import wrong_person_asks

if TYPE_CHECKING:
    from exchange.gate.entry import LegalBasis

REGISTER = Register.load()
NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
bend: Any = replace  # a test names any attribute

LEAVE = Consent(
    consent_id="leave",
    version=3,
    state="GIVEN",
    explicit=True,
    start=NOW - timedelta(days=1),
    end=NOW + timedelta(days=1),
    purposes=frozenset({"inzage"}),
    recipients=frozenset({"ouder-1"}),
    categories=frozenset({"WMO-PLAN"}),
    given_by=("self",),
)
# A parent who sees by leave of a youth of sixteen.
SEES = Facts(
    now=NOW,
    actor_auth="2FA+mTLS",
    legal_basis="SUBJECT-15",
    purpose="inzage",
    provider="college:WMO",
    recipient="wettelijk-vertegenwoordiger",
    recipient_id="ouder-1",
    fields=(Field("doelen", "WMO-PLAN"), Field("adres", "CONTACT")),
    case_relation=True,
    age=16,
    capable=True,
    consent=LEAVE,
    has_authority=True,
)
READS = Facts(
    now=NOW,
    actor_auth="2FA+mTLS",
    legal_basis="WMO-2.3.2",
    purpose="wmo-onderzoek",
    provider="college:WMO",
    recipient="college:WMO",
    recipient_id="gemeente",
    fields=(Field("doelen", "WMO-PLAN"), Field("klacht", "GEZONDHEID-FUNCTIONEEL")),
    case_relation=True,
    necessity="nodig",
    consent=None,
)
BREAKS = replace(
    READS,
    legal_basis="AVG-6.1.d",
    purpose="acute-nood",
    break_glass=BreakGlass("LEVENSGEVAAR", "x" * 20),
)


def basis(name: str, **changes: object) -> LegalBasis:
    (found,) = [one for one in REGISTER.entries() if one.id == name]
    changed: LegalBasis = bend(found, **changes)
    return changed


def rules(facts: Facts, **changes: object) -> tuple[str, ...]:
    return judge(bend(facts, **changes), REGISTER).rules


def leave(**changes: object) -> tuple[str, ...]:
    return rules(SEES, consent=bend(LEAVE, **changes))


# --- a youth's leave ------------------------------


def test_a_youths_leave_opens_what_it_names() -> None:
    verdict = judge(SEES, REGISTER)
    assert (verdict.outcome, verdict.rules) == (Outcome.PARTIAL, ("R17",))
    assert verdict.fields["doelen"].release is True
    assert verdict.fields["adres"].release is False
    assert (verdict.consent_id, verdict.consent_version) == ("leave", 3)


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        ({"start": NOW}, ("R17",)),
        ({"start": NOW + INSTANT}, ("R17", "R21")),
        ({"start": None}, ("R17", "R21")),
        ({"end": NOW + INSTANT}, ("R17",)),
        ({"end": NOW}, ("R17", "R21")),
        ({"end": None}, ("R17", "R21")),
        ({"withdrawn_at": NOW + INSTANT}, ("R17",)),
        ({"withdrawn_at": NOW}, ("R17", "R21")),
        ({"state": "REQUESTED"}, ("R17", "R21")),
        ({"state": "WITHDRAWN"}, ("R17", "R21")),
        ({"purposes": frozenset({"correctie"})}, ("R17", "R21")),
        ({"recipients": frozenset({"ouder-2"})}, ("R17", "R21")),
        ({"given_by": ("ouder",)}, ("R17", "R21")),
        ({"given_by": None}, ("R17", "R21")),
        ({"categories": frozenset({"WMO-PLAN", "CONTACT"})}, ("P-SUBJECT-15",)),
    ],
)
def test_a_youths_leave_on_both_sides_of_each_line(
    changes: dict[str, object], spoken: tuple[str, ...]
) -> None:
    assert leave(**changes) == spoken


@pytest.mark.parametrize(
    ("age", "spoken"),
    [(15, ("P-SUBJECT-15",)), (16, ("R17",)), (17, ("R17",)), (18, ("R21",)), (19, ("R21",))],
)
def test_leave_is_asked_of_who_is_sixteen_or_seventeen(age: int, spoken: tuple[str, ...]) -> None:
    assert rules(SEES, age=age) == spoken


def test_the_youth_himself_needs_no_leave() -> None:
    assert rules(SEES, recipient="betrokkene", consent=replace(LEAVE, categories=frozenset())) == (
        "P-SUBJECT-15",
    )


# --- who speaks for a resident ------------------------------

WORD = {"legal_basis": "RESIDENT-WORD", "records": True, "recipient_id": "ouder-1", "consent": None}


@pytest.mark.parametrize(
    ("changes", "spoken"),
    [
        ({"has_authority": True}, ("P-RESIDENT-WORD",)),
        ({"has_authority": False}, ("R21",)),
        ({"has_authority": False, "recipient": "betrokkene"}, ("P-RESIDENT-WORD",)),
        ({"speaks_for_self": False}, ("R21",)),
        ({"speaks_for_self": False, "recipient": "betrokkene"}, ("R21",)),
    ],
)
def test_words_in_a_residents_name_need_authority(
    changes: dict[str, object], spoken: tuple[str, ...]
) -> None:
    word = bend(SEES, **WORD, provider="wettelijk-vertegenwoordiger", fields=(), age=None)
    assert rules(word, **changes) == spoken


@pytest.mark.parametrize("recipient", ["wettelijk-vertegenwoordiger", "betrokkene"])
def test_who_asks_in_another_name_is_the_wrong_person_whatever_is_known_of_the_resident(
    recipient: str,
) -> None:
    for age, capable in ((10, True), (40, True), (None, None), (10, None), (None, True)):
        about = {"recipient": recipient, "age": age, "capable": capable, "has_authority": False}
        assert rules(SEES, speaks_for_self=False, **about) == ("R21",)
    # Of who asks in his own name or with a record it is needed still: what is missing is missing.
    unknown = {"recipient": recipient, "age": None, "has_authority": True}
    assert rules(SEES, speaks_for_self=True, **unknown) == ("R01",)
    # Nor is it the answer to somebody who signed in as neither.
    assert rules(SEES, speaks_for_self=False, age=None, recipient="fg") == ("R01",)


def test_a_basis_for_obtaining_records_and_no_other_does() -> None:
    assert rules(READS, records=True) == ("P-WMO-2.3.2",)
    assert rules(SEES, age=15, records=True) == ("R06",)
    assert rules(BREAKS, records=True) == ("R06",)


@pytest.mark.parametrize(
    ("age", "word", "found"),
    [
        (17, "mentor", Mandate.NONE),
        (18, "mentor", Mandate.FULL),
        (17, "ouder", Mandate.FULL),
        (18, "ouder", Mandate.NONE),
        (17, "bewindvoerder", Mandate.NONE),
        (18, "bewindvoerder", Mandate.MONEY),
    ],
)
def test_from_eighteen_on_others_decide_for_who_cannot(age: int, word: str, found: Mandate) -> None:
    assert mandate("GDPR", (word,), age, capable=False, has_authority=True) is found


@pytest.mark.parametrize("limit", [{"restricted": True}, {"objection": "PENDING"}, {"objection": "UPHELD"}])
def test_a_question_for_a_consent_is_none_of_what_a_limit_keeps_from_use(limit: dict[str, object]) -> None:
    spoken = ("R25",) if limit.get("objection") == "UPHELD" else ("R24",)
    asks = bend(READS, records=True, about_consent=True)
    assert rules(asks, **limit) == ("P-WMO-2.3.2",)
    assert rules(asks, about_consent=False, **limit) == spoken
    # It is all that is not asked of it.
    refused = {"relative_of_subject": True, "case_relation": False, "necessity": None}
    assert rules(asks, **limit, **refused) == ("R03", "R14", "R32")


# --- what is not known counts against the request, in each rule by itself ------------------------------


@pytest.mark.parametrize("unknown", [{"age": None}, {"capable": None}, {"age": None, "capable": None}])
def test_who_is_of_no_known_age_or_capacity_sees_nothing(unknown: dict[str, object]) -> None:
    access = basis("SUBJECT-15")
    assert wrong_person_asks(bend(SEES, **unknown), access)
    assert wrong_person_asks(bend(SEES, recipient="betrokkene", **unknown), access)
    consent = bend(SEES, consent=replace(LEAVE, kind="GDPR"), **unknown)
    assert consent_mandate(consent, basis("AVG-6.1.a")) is Mandate.NONE


def test_a_consent_of_unknown_speaker_or_period_opens_nothing() -> None:
    gdpr = basis("AVG-6.1.a")
    for unknown in ({"start": None}, {"end": None}):
        assert consent_out_of_period(replace(SEES, consent=bend(LEAVE, **unknown)), gdpr)
    assert consent_out_of_period(replace(SEES, now=None), gdpr)
    assert consent_withdrawn(replace(SEES, now=None), gdpr)
    assert consent_mandate(replace(SEES, consent=replace(LEAVE, given_by=None)), gdpr) is Mandate.NONE
    assert consent_mandate(replace(SEES, age=44), gdpr) is Mandate.FULL


ALWAYS = "now actor_auth legal_basis purpose provider recipient recipient_id fields"


@pytest.mark.parametrize("name", ALWAYS.split())
def test_what_is_missing_is_named(name: str) -> None:
    assert missing_facts(bend(READS, **{name: None}), REGISTER) == (name,)
    assert missing_facts(READS, REGISTER) == ()


def test_what_a_basis_needs_is_named() -> None:
    consenting = replace(READS, legal_basis="AVG-6.1.a", consent=LEAVE, age=44, capable=True)
    assert missing_facts(replace(READS, case_relation=None), REGISTER) == ("case_relation",)
    assert missing_facts(replace(SEES, fields=()), REGISTER) == ("fields",)
    assert missing_facts(replace(SEES, age=None, capable=None), REGISTER) == ("age", "capable")
    assert missing_facts(replace(consenting, consent=MISSING), REGISTER) == ("consent",)
    assert missing_facts(replace(consenting, consent=None, age=None), REGISTER) == ()
    unspoken = replace(LEAVE, start=None, end=None, given_by=None)
    assert missing_facts(replace(consenting, consent=unspoken, capable=None), REGISTER) == (
        "consent.start",
        "consent.end",
        "consent.given_by",
        "capable",
    )
    assert missing_facts(replace(READS, legal_basis="ONBEKEND", case_relation=None), REGISTER) == ()
    both = replace(READS, legal_basis=None, purpose=None)
    assert missing_facts(both, REGISTER) == ("legal_basis", "purpose")


def test_only_a_claim_of_danger_does_without_a_known_part_in_the_case() -> None:
    assert rules(BREAKS, case_relation=None) == ("P-AVG-6.1.d",)
    assert rules(BREAKS, case_relation=None, break_glass=None) == ("R01",)
    assert rules(BREAKS, case_relation=False, break_glass=None) == ("R03", "R28")
    assert rules(READS, case_relation=None, break_glass=BREAKS.break_glass) == ("R01",)


@pytest.mark.parametrize(
    ("claim", "bulk", "overrides"),
    [
        (BreakGlass("LEVENSGEVAAR", "x" * 20), False, True),
        (BreakGlass("LEVENSGEVAAR", "x" * 19), False, False),
        (BreakGlass("HAAST", "x" * 20), False, False),
        (BreakGlass("LEVENSGEVAAR", "x" * 20), True, False),
    ],
)
def test_only_glass_that_may_be_broken_overrides_anything(
    claim: BreakGlass,
    bulk: bool,  # noqa: FBT001 -- a column of the table
    overrides: bool,  # noqa: FBT001 -- as above
) -> None:
    limits: dict[str, object] = {"case_relation": False, "restricted": True, "necessity": None}
    found = rules(BREAKS, break_glass=claim, bulk=bulk, **limits)
    # Words of necessity are never asked beside the reason.
    assert found == (("P-AVG-6.1.d",) if overrides else ("R03", "R24", "R28"))
    assert rules(BREAKS, break_glass=claim, bulk=bulk, objection="UPHELD") == (
        ("P-AVG-6.1.d",) if overrides else ("R25", "R28")
    )


def test_words_of_necessity_are_asked_wherever_no_claim_stands_in_for_them() -> None:
    """A claim under a basis that breaks no glass is none; neither is its own basis without a claim."""
    assert rules(BREAKS, necessity=None) == ("P-AVG-6.1.d",)
    assert rules(BREAKS, necessity=None, break_glass=None) == ("R14", "R28")
    assert rules(READS, necessity=None, break_glass=BREAKS.break_glass) == ("R14", "R28")
    assert rules(READS, necessity=None) == ("R14",)


@pytest.mark.parametrize("nothing", [{"store_unavailable": True}, {"now": None}, {"fields": None}])
def test_what_cannot_be_judged_owes_what_every_deny_owes(nothing: dict[str, object]) -> None:
    def owed(facts: Facts, **changes: object) -> tuple[str, ...]:
        verdict = judge(bend(facts, **nothing, **changes), REGISTER)
        assert (verdict.rules, verdict.fields) == (("R01",), {})
        return verdict.obligations

    assert owed(READS) == ("LOG", "RETRY")
    assert owed(READS, delivered_later=True) == ("ABORT-DELIVERY", "LOG", "RETRY")
    assert owed(BREAKS) == ("ALERT-BREAK-GLASS-REFUSED", "LOG", "NOTIFY-FG", "RETRY")
    # Whose case it is was not looked at: nobody is said to snoop.
    assert owed(BREAKS, case_relation=False, delivered_later=True) == (
        "ABORT-DELIVERY",
        "ALERT-BREAK-GLASS-REFUSED",
        "LOG",
        "NOTIFY-FG",
        "RETRY",
    )


# --- a basis that no shipped entry is ------------------------------


def test_implied_consent_is_enough_where_the_basis_asks_no_explicit_one() -> None:
    word = replace(LEAVE, explicit=False, categories=frozenset({"GEZONDHEID-FUNCTIONEEL"}))
    facts = replace(
        READS,
        legal_basis="WMO-5.2.5-1",
        provider="zorgaanbieder-zvw",
        fields=(Field("klacht", "GEZONDHEID-FUNCTIONEEL"),),
        consent=replace(word, purposes=frozenset({"wmo-onderzoek"}), recipients=frozenset({"gemeente"})),
        age=44,
        capable=True,
    )
    implied = Register([basis("WMO-5.2.5-1", explicit_required=False)])
    assert judge(facts, implied).rules == ("P-WMO-5.2.5-1",)
    assert judge(facts, REGISTER).rules == ("R11",)


def test_between_two_versions_the_newest_is_found_and_on_their_edges_their_own() -> None:
    days = [datetime(year, 1, 1, tzinfo=UTC) for year in (2015, 2018, 2019, 2020, 2021)]
    versions = [
        basis("WMO-2.3.2", version=1, valid_from=days[0], valid_to=days[1]),
        basis("WMO-2.3.2", version=2, valid_from=days[2], valid_to=days[3]),
        basis("WMO-2.3.2", version=3, valid_from=days[4]),
    ]
    register = Register(versions)
    found = {
        (moment, step): register.find("WMO-2.3.2", moment + step)
        for moment in days
        for step in (-INSTANT, timedelta(), INSTANT)
    }
    numbers = [one.version for one in found.values() if one is not None]
    assert numbers == [3, 1, 1, 1, 3, 3, 3, 2, 2, 2, 3, 3, 3, 3, 3]


# --- a verdict says nothing it does not know ------------------------------


def test_a_verdict_without_a_consent_names_none() -> None:
    for facts in (READS, replace(READS, now=None), replace(READS, case_relation=False)):
        verdict = judge(facts, REGISTER)
        assert (verdict.consent_id, verdict.consent_version) == ("", 0)
    consenting = replace(READS, legal_basis="WMO-5.1.1-4", provider="college:PW")
    assert (judge(consenting, REGISTER).consent_id, judge(consenting, REGISTER).consent_version) == ("", 0)
