"""A recorded decision as resident and officer may read it: seals, erased words, other registers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from exchange.domain.disclosure import DisclosureDecided
from exchange.errors import KeyDestroyed
from exchange.gate.judge import judge
from exchange.gate.model import BreakGlass, Consent, Facts, Field
from exchange.gate.register import Register
from exchange.pipeline.decisions import decided, facts_text
from exchange.pipeline.facts import Subject
from exchange.pipeline.recall import facts_of, verdict_of
from exchange.pipeline.walk import Caller
from exchange.server.contract.decisions import DecisionReader
from exchange.store.batch import Row
from exchange.store.codec import Opened
from tests.registers import adopted

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
REGISTER = Register.load()


def facts(**changes: Any) -> Facts:  # noqa: ANN401 -- facts of any type
    plain = Facts(
        now=NOON,
        actor_auth="2FA+mTLS",
        legal_basis="WMO-2.3.2",
        purpose="wmo-onderzoek",
        provider="college:WMO",
        recipient="college:WMO",
        recipient_id=f"{'0' * 20}/college:WMO",
        fields=(Field("goals.own_words", "WMO-PLAN", provider="college:WMO", acquired_for="wmo"),),
        case_relation=True,
        necessity="nodig",
        age=40,
        capable=True,
        consent=None,
        roles=frozenset({"regisseur"}),
    )
    return replace(plain, **changes)


def event(told: Facts, *, refused_whole: bool = False) -> DisclosureDecided:
    caller = Caller("0" * 20, "college:WMO", "w-1", "regisseur", "t", two_factor=True, mutual_tls=True)
    return decided(
        decision_id="d1",
        subject=Subject("r1", "case-c1", "p1"),
        caller=caller,
        action="READ",
        facts=told,
        verdict=judge(told, REGISTER),
        facts_position=7,
        refused_whole=refused_whole,
    )


class Opener:
    """A codec that opens to one event, or whose words are erased."""

    def __init__(self, event: DisclosureDecided, *, erased: bool = False) -> None:
        self.event, self.erased = event, erased

    def decode(self, *_: object, **__: object) -> Opened:
        if self.erased:
            raise KeyDestroyed("erased")
        return Opened(self.event, b"", None)  # type: ignore[arg-type] # what the walk said is not looked at

    def decode_clear(self, *_: object, **__: object) -> tuple[dict[str, Any], None, bytes]:
        names = (name for name in type(self.event).__dataclass_fields__ if name not in self.event.SEALED)
        return {name: getattr(self.event, name) for name in names}, None, b""


def reader(opener: Opener) -> DecisionReader:
    return DecisionReader(opener, adopted(REGISTER), lambda ref: f"pseudonym of {len(ref)}")  # type: ignore[arg-type] # a fake codec


ROW = Row(42, "disclosure-r1", 3, DisclosureDecided.TOPIC, b"")
TWO = (
    Field("goals.own_words", "WMO-PLAN", provider="college:WMO", acquired_for="wmo"),
    Field("reports.desk", "WMO-PLAN", sealed=True, provider="college:WMO", acquired_for="wmo"),
)


@pytest.mark.parametrize(
    "told",
    [
        facts(),
        facts(case_relation=False),
        facts(legal_basis="SUBJECT-15", purpose="inzage", recipient="betrokkene", age=0, capable=False),
        facts(legal_basis="SUBJECT-15", purpose="inzage", recipient="betrokkene", age=None, capable=None),
        facts(age=17, capable=False, restricted=True, objection="PENDING"),
        facts(legal_basis="NO-SUCH"),
        facts(
            legal_basis="AVG-6.1.d", purpose="acute-nood", break_glass=BreakGlass("LEVENSGEVAAR", "x" * 25)
        ),
        facts(speaks_for_self=False),
        facts(authority_disputed=True),
        facts(legal_basis="SUBJECT-15", purpose="inzage", recipient="betrokkene", age=0, capable=None),
        facts(
            legal_basis="WMO-5.1.1-4",
            purpose="wmo-afstemming",
            consent=Consent(
                consent_id="c",
                version=2,
                state="GIVEN",
                explicit=True,
                start=NOON,
                end=NOON.replace(year=2027),
                purposes=frozenset({"wmo-afstemming"}),
                recipients=frozenset({f"{'0' * 20}/college:WMO"}),
                categories=frozenset({"WMO-PLAN"}),
                given_by=("self",),
                free_assessed=True,
                spoken_at=NOON,
            ),
        ),
    ],
    ids=lambda told: told.legal_basis,
)
def test_recorded_facts_give_the_same_verdict_again(told: Facts) -> None:
    again = judge(facts_of(facts_text(told)), REGISTER)
    assert again == judge(told, REGISTER)


def test_the_officer_reads_the_seal_and_the_resident_reads_none() -> None:
    recorded = event(facts(fields=TWO))
    assert recorded.withheld == ("reports.desk",)
    officer = reader(Opener(recorded)).for_officer(ROW)
    assert "R26" in officer.rules
    assert officer.withheld_fields == ("reports.desk",)
    resident = reader(Opener(recorded)).for_resident(ROW)
    unsealed = reader(Opener(event(facts(fields=(TWO[0], replace(TWO[1], sealed=False)))))).for_resident(ROW)
    same = ("outcome", "rules", "released_fields", "withheld_fields", "explanation")
    assert [getattr(resident, name) for name in same] == [getattr(unsealed, name) for name in same]


def test_a_refusal_for_a_seal_alone_looks_to_the_resident_like_a_permit_of_nothing() -> None:
    recorded = event(facts(fields=TWO[1:]))
    assert recorded.outcome == "DENY"
    resident = reader(Opener(recorded)).for_resident(ROW)
    assert (resident.outcome, resident.rules) == ("PERMIT", ("P-WMO-2.3.2",))
    assert "R26" not in resident.explanation


def test_what_was_refused_whole_is_told_as_refused() -> None:
    fields = (
        *TWO[:1],
        Field("situations.description", "STRAFRECHT", provider="college:WMO", acquired_for="wmo"),
    )
    resident = reader(Opener(event(facts(fields=fields), refused_whole=True))).for_resident(ROW)
    assert (resident.outcome, resident.released_fields) == ("DENY", ())
    assert "geweigerd" in resident.explanation


def test_under_another_register_the_recorded_decision_is_told_and_not_judged_again() -> None:
    recorded = replace(event(facts()), policy_hash="of another register", rules=("R99",), outcome="DENY")
    verdict, _ = verdict_of(recorded, REGISTER)
    assert (str(verdict.outcome), verdict.rules) == ("DENY", ("R99",))
    assert verdict.policy_hash == "of another register"


def test_a_decision_whose_words_were_erased_is_told_without_them() -> None:
    recorded = event(facts(case_relation=False))
    told = reader(Opener(recorded, erased=True)).for_officer(ROW)
    assert (told.outcome, told.rules, told.decision_id) == ("DENY", recorded.rules, "d1")
    assert told.leaf_index == 41
    assert (told.released_fields, told.withheld_fields) == ((), ())
    assert told.resident_pseudonym == "pseudonym of 2"
