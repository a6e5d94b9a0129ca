"""Who speaks as, or for, a resident speaks about that one only; and what a command's basis must be for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from exchange.domain.case import JoinProfessional, ProfessionalJoined
from exchange.errors import AccessDenied
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Field, Outcome
from exchange.gate.register import Register
from exchange.pipeline.walk import Caller, Claim, CommandOutcome, ReadOutcome, Steps
from tests.pipeline.shard import NECESSITY, NOW, WIJKTEAM, Shard

WORD = Claim("wmo-onderzoek", "RESIDENT-WORD")
REPRESENTATIVE = "wettelijk-vertegenwoordiger"
SPOKEN = Facts(
    records=True,
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


def seal(shard: Shard, ref: str, *readers: str) -> None:
    """Let two persons hide the goals from everybody else."""
    shard.seal(ref, "s-1", ("goals.own_words",), readers)


@pytest.mark.parametrize("said", ["regisseur", "sealed-reader"])
def test_neither_a_role_on_the_case_nor_that_of_a_token_opens_a_seal(shard: Shard, said: str) -> None:
    ref, case_id, plan_id = shard.plan()
    seal(shard, ref, f"{shard.oin}/veilig-thuis")
    caller = shard.caller(role=said)
    joined = JoinProfessional(
        now=NOW,
        author=shard.author(),
        oin=shard.oin,
        task="college:WMO",
        professional="prof-1",
        role="regisseur",
    )
    shard.done(shard.command(joined, "case", case_id, anchor=f"case-{case_id}"))
    outcome = shard.done(shard.question(plan_id, caller=caller))
    assert (outcome.released, outcome.rules, outcome.withheld_paths) == (set(), ("P-WMO-2.3.2",), ())
    assert outcome.verdict.rules == ("R26",)


def test_a_role_of_reader_on_the_case_opens_no_seal(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    seal(shard, ref, f"{shard.oin}/veilig-thuis")
    # As a history of before the list of roles was closed may hold it.
    joined = ProfessionalJoined(
        resident=ref,
        case_id=case_id,
        oin=shard.oin,
        task="college:WMO",
        professional="prof-1",
        role="sealed-reader",
        at=NOW,
    )
    shard.done(shard.walk(process=lambda _: Steps([(f"case-{case_id}", [joined])]), anchor=f"case-{case_id}"))
    outcome = shard.done(shard.question(plan_id))
    assert (outcome.released, outcome.rules, outcome.withheld_paths) == (set(), ("P-WMO-2.3.2",), ())


@pytest.mark.parametrize("reader", ["college:WMO", "college:WMO/prof-1", "college:WMO/prof-2"])
def test_a_seal_opens_to_the_readers_it_names(shard: Shard, reader: str) -> None:
    ref, _, plan_id = shard.plan()
    seal(shard, ref, f"{shard.oin}/{reader}")
    released = shard.done(shard.question(plan_id)).released
    assert released == (set() if reader.endswith("prof-2") else {"goals.own_words"})


@pytest.mark.parametrize("ago_s", [299, 300, 301])
def test_breaking_the_glass_asks_a_second_factor_of_minutes_ago(shard: Shard, ago_s: int) -> None:
    _, _, plan_id = shard.plan()
    asked_at = NOW + timedelta(hours=1)
    caller = shard.caller(professional="prof-9", authenticated_at=int(asked_at.timestamp()) - ago_s)
    claim = Claim("acute-nood", "AVG-6.1.d", "", ("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer"))
    walk = shard.question(plan_id, caller=caller, claim=claim, now=asked_at, bulk=False)
    if ago_s > 300:
        assert refused(shard, walk) == ("R02",)
        return
    outcome = shard.done(walk)
    assert outcome.valid_until == asked_at + timedelta(minutes=60)
    assert "TTL-60M" in outcome.obligations


def test_no_glass_is_broken_in_bulk(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    claim = Claim("acute-nood", "AVG-6.1.d", "", ("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer"))
    walk = shard.question(plan_id, claim=claim, now=NOW)
    assert refused(shard, walk) == ("R28",)
    assert isinstance(shard.done(replace(walk, bulk=False)), ReadOutcome)


@pytest.mark.parametrize("reason", ["x" * 19, "x" * 20])
def test_breaking_the_glass_asks_twenty_characters_of_reason(shard: Shard, reason: str) -> None:
    _, _, plan_id = shard.plan()
    claim = Claim("acute-nood", "AVG-6.1.d", "", ("LEVENSGEVAAR", reason))
    walk = shard.question(plan_id, claim=claim, now=NOW, bulk=False)
    if len(reason) == 20:
        assert isinstance(shard.done(walk), ReadOutcome)
    else:
        assert refused(shard, walk) == ("R28",)


def test_a_broken_glass_opens_no_seal(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    seal(shard, ref, f"{shard.oin}/veilig-thuis")
    claim = Claim("acute-nood", "AVG-6.1.d", "", ("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer"))
    outcome = shard.done(shard.question(plan_id, claim=claim, now=NOW, bulk=False))
    assert outcome.released == set()
    assert outcome.rules == ("P-AVG-6.1.d",)
