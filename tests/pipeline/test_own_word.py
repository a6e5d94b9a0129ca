"""Who speaks as, or for, a resident speaks about that one only; and what a command's basis must be for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.case import JoinProfessional
from exchange.domain.resident import SealCompartment
from exchange.errors import AccessDenied
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.pipeline.walk import Caller, Claim, CommandOutcome, ReadOutcome
from tests.pipeline.shard import NECESSITY, NOW, WIJKTEAM, Shard

WORD = Claim("wmo-onderzoek", "RESIDENT-WORD")
REPRESENTATIVE = "wettelijk-vertegenwoordiger"
SPOKEN = Facts(
    now=NOW,
    actor_auth="2FA+mTLS",
    legal_basis=WORD.legal_basis,
    purpose=WORD.purpose,
    provider=REPRESENTATIVE,
    recipient=REPRESENTATIVE,
    recipient_id=f"00000001003214345000/{REPRESENTATIVE}",
    fields=(Field("own_words", "WMO-PLAN"),),
    has_authority=True,
)


PORTAL = "00000003271543200000"


def speaker(shard: Shard, task: str, resident: str) -> Caller:
    """Somebody at the portal of an organisation that was granted both tasks."""
    thumbprint = "ef" * 32
    shard.done(shard.joining(PORTAL, thumbprint, "betrokkene", REPRESENTATIVE))
    return shard.caller(
        task, "portaal", role="inwoner", organisation=PORTAL, thumbprint=thumbprint, resident=resident
    )


def refused(shard: Shard, walk: object) -> tuple[str, ...]:
    (outcome,) = shard.run(walk)  # type: ignore[arg-type] # a walk of either kind
    assert isinstance(outcome, AccessDenied), outcome
    return outcome.rules


@pytest.mark.parametrize("task", ["betrokkene", REPRESENTATIVE])
@pytest.mark.parametrize("named", ["nobody", "another"])
def test_who_is_not_bound_to_this_resident_neither_writes_nor_reads(
    shard: Shard, task: str, named: str
) -> None:
    _, _, plan_id = shard.plan()
    other = "" if named == "nobody" else shard.resident()
    caller = speaker(shard, task, other)
    assert "R21" in refused(shard, shard.goal(plan_id, caller=caller, claim=WORD, relation=False))
    assert "R21" in refused(shard, shard.question(plan_id, caller=caller, claim=WORD, relation=False))


def test_the_resident_writes_and_a_representative_without_proven_authority_does_not(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    representative = speaker(shard, REPRESENTATIVE, ref)
    resident = replace(representative, task="betrokkene")
    assert isinstance(shard.done(shard.goal(plan_id, caller=resident, claim=WORD)), CommandOutcome)
    assert refused(shard, shard.goal(plan_id, caller=representative, claim=WORD)) == ("R21",)


def test_the_gate_lets_a_representative_with_authority_speak_for_whom_he_is_bound_to() -> None:
    register = Register.load()
    assert judge(SPOKEN, register).outcome is Outcome.PERMIT
    for refused_facts in (replace(SPOKEN, has_authority=False), replace(SPOKEN, speaks_for_self=False)):
        assert judge(refused_facts, register).rules == ("R21",)


@pytest.mark.parametrize("glass", [None, ("LEVENSGEVAAR", "De buurvrouw hoort al twee dagen niets meer")])
@pytest.mark.parametrize("basis", ["AVG-6.1.d", "WMO-5.2.1-2a", "WMO-5.1.1-4", "SUBJECT-15"])
def test_a_command_needs_a_basis_for_recording(
    shard: Shard, basis: str, glass: tuple[str, str] | None
) -> None:
    _, _, plan_id = shard.plan()
    (entry,) = (one for one in shard.core.register.entries() if one.id == basis)
    head = shard.head
    claim = Claim(min(entry.purposes), basis, NECESSITY, glass)
    assert "R06" in refused(shard, shard.goal(plan_id, claim=claim))
    assert shard.topics(head) == ["disclosure.decided.v1"]


def test_no_glass_is_broken_to_record(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    claim = replace(WIJKTEAM, break_glass=("LEVENSGEVAAR", "De buurvrouw hoort al twee dagen niets meer"))
    assert refused(shard, shard.goal(plan_id, claim=claim)) == ("R28",)


@pytest.mark.parametrize(("kind", "permitted"), [("statutory", True), ("assent", False), ("gdpr", False)])
def test_a_consent_opens_only_what_asks_its_kind(shard: Shard, kind: str, permitted: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    ref, case_id, plan_id = shard.plan()
    shard.consent(ref, case_id, kind=kind)
    (outcome,) = shard.run(shard.question_with_consent(plan_id))
    assert isinstance(outcome, ReadOutcome if permitted else AccessDenied)
    if isinstance(outcome, AccessDenied):
        assert outcome.rules == ("R15",)


@pytest.mark.parametrize("said", ["regisseur", "sealed-reader", "vertrouwensarts"])
def test_the_role_on_the_case_opens_a_seal_and_that_of_a_token_does_not(shard: Shard, said: str) -> None:
    ref, case_id, plan_id = shard.plan()
    seal = SealCompartment(
        now=NOW,
        compartment="thuis",
        paths=("goals.own_words",),
        reader_roles=("vertrouwensarts",),
        approved_by=("fg-1", "fg-2"),
    )
    shard.done(shard.command(seal, "resident", ref, anchor=f"resident-{ref}", category="CONTACT"))
    caller = shard.caller(role=said)
    # To all others the answer is that of a plan without it.
    assert shard.done(shard.question(plan_id, caller=caller)).released == set()
    for role in ("vertrouwensarts", "sealed-reader"):
        joined = JoinProfessional(
            now=NOW,
            author=shard.author(),
            oin=shard.oin,
            task="college:WMO",
            professional="prof-1",
            role=role,
        )
        shard.done(shard.command(joined, "case", case_id, anchor=f"case-{case_id}"))
        outcome = shard.done(shard.question(plan_id, caller=caller))
        assert outcome.released == {"goals.own_words"}
