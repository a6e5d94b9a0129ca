"""Laws of the gate that hold through the walk: P6 (replay), P9 (withdrawal), P10 (seals), P14 (on record)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.limits.objections import Object
from exchange.domain.limits.restrictions import Restrict
from exchange.domain.plan import DescribeSituation, RecordConversation
from exchange.errors import AccessDenied, StoreUnavailable
from exchange.gate.judge import judge, judge_to_record
from exchange.gate.model import MISSING, Facts
from exchange.pipeline.decisions import facts_text
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.recall import facts_of, verdict_of
from exchange.pipeline.walk import Claim, CommandOutcome, ReadOutcome
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.settings import Settings
from exchange.wiring.core import open_core
from tests.gate.drawn import draw_facts, registers
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.shard import NECESSITY, NOW, WIJKTEAM, WITH_CONSENT, Shard
from tests.registers import adopted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.pipeline.walk import ReadWalk

SHIPPED, _ = registers(0)
SEALED_QUESTIONS = 1_000
GROUP = 200
GLASS = ("LEVENSGEVAAR", "de inwoner reageert nergens meer op")
CLAIMS = [
    WIJKTEAM,
    WIJKTEAM,
    Claim("wmo-onderzoek", "WMO-2.3.2", ""),
    Claim("inzage", "WMO-2.3.2", NECESSITY),
    WITH_CONSENT,
    Claim("acute-nood", "AVG-6.1.d", NECESSITY, GLASS),
    Claim("acute-nood", "AVG-6.1.d", NECESSITY, ("HAAST", "x")),
    Claim("wmo-onderzoek", "NO-SUCH-BASIS", NECESSITY),
]
once = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def laws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shard]:
    """One shard for every example of every law: each makes residents of its own."""
    made = Shard(tmp_path_factory.mktemp("laws") / "data")
    yield made
    made.close()


def full_plan(shard: Shard, *domains: str) -> tuple[str, str, str]:
    """Return resident, case and plan, with goals, situations in the life domains and a conversation."""
    ref, case_id, plan_id = shard.plan()
    who: dict[str, Any] = {"now": NOW, "author": shard.author()}
    told = [
        DescribeSituation(**who, life_domain=name, description=name, score=2, judge_date=date(2026, 2, 1))
        for name in domains
    ]
    talked = RecordConversation(
        **who,
        conversation_id="e3b8f1f0-37c1-4f6a-9d3a-000000000001",
        kind="first",
        hold_date=date(2026, 2, 2),
        outcome="continue",
        summary="gesprek aan de keukentafel",
    )
    walks = [shard.command(one, "plan", plan_id, anchor=f"plan-{plan_id}") for one in (*told, talked)]
    for outcome in shard.run(shard.goal(plan_id), shard.goal(plan_id, "samen eten"), *walks):
        assert isinstance(outcome, CommandOutcome), outcome
    return ref, case_id, plan_id


def asked(
    shard: Shard,
    plan_id: str,
    paths: tuple[str, ...],
    claim: Claim,
    **changes: Any,  # noqa: ANN401 -- any field of a walk
) -> ReadWalk:
    caller = changes.pop("caller", shard.caller())
    groups = PlanGroups(PLAN_LABELS, shard.core.registers)
    of_plan = groups.of_plan(f"plan-{plan_id}", Asker(caller, claim.legal_basis, NOW))
    asking: dict[str, Any] = {"caller": caller, "claim": claim, "groups": of_plan, "bulk": False}
    return shard.question(plan_id, *paths, **asking, collections=groups.collections, **changes)


def some_questions(chance: Random, shard: Shard, plan_id: str, number: int) -> list[ReadWalk]:
    paths = sorted(PLAN_LABELS)
    return [
        asked(
            shard,
            plan_id,
            tuple(chance.sample(paths, chance.randint(1, 6))),
            chance.choice(CLAIMS),
            allow_partial=chance.random() < 0.6,
            delivered_later=chance.random() < 0.2,
            caller=shard.caller(
                professional=chance.choice(["prof-1", "prof-1", "prof-1", "prof-2"]),
                authenticated_at=int((NOW + timedelta(hours=1)).timestamp()),
            ),
        )
        for _ in range(number)
    ]


# --- P6 ------------------------------------------------------------------------------------------------


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_p06_recorded_facts_are_judged_the_same_again(seed: int) -> None:
    facts = established(next(draw_facts(seed, SHIPPED)))
    assert judge(facts_of(facts_text(facts)), SHIPPED) == judge(facts, SHIPPED)


def established(facts: Facts) -> Facts:
    """Return the facts with what a walk always establishes: a moment, fields, whether there is a consent and
    a part in the case; and with the date of birth, whether the resident can decide.
    """
    return replace(
        facts,
        now=facts.now or NOW,
        fields=facts.fields or (),
        consent=None if facts.consent is MISSING else facts.consent,
        case_relation=bool(facts.case_relation),
        capable=None if facts.age is None else bool(facts.capable),
    )


def test_p06_every_stored_decision_replays_also_after_a_restart(tmp_path: Path) -> None:
    shard = Shard(tmp_path / "data")
    chance = Random(6)  # noqa: S311 -- questions, and the same ones each time
    for number in range(6):
        ref, case_id, plan_id = full_plan(shard, "housing", "mental_health", "justice")
        limit_somehow(shard, number, ref, case_id)
        shard.run(*some_questions(chance, shard, plan_id, 60))
    policy = shard.core.register.policy_hash
    shard.close()
    core = open_core(Settings(data=tmp_path / "data"), lambda: NOW + timedelta(days=3_650))
    opened = [
        core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event
        for row in core.reader.page(0, 10_000, (DisclosureDecided.TOPIC,))
    ]
    core.close()
    decisions = [event for event in opened if isinstance(event, DisclosureDecided)]
    assert len(decisions) > 300
    assert {event.outcome for event in decisions} >= {"PERMIT", "PARTIAL", "DENY", "PERMIT_BREAK_GLASS"}
    for event in decisions:
        assert event.policy_hash == policy
        again = judge_to_record(facts_of(event.request), SHIPPED)
        assert (again.rules, again.obligations) == (event.rules, event.obligations)
        assert (again.basis_id or event.legal_basis, again.consent_id) == (
            event.legal_basis,
            event.consent_id,
        )
        released = tuple(name for name, one in again.fields.items() if one.release)
        # What was asked as all or nothing, and could be had in part only, was refused whole.
        whole = (event.outcome, event.released) == (again.outcome.value, released)
        assert whole or (event.outcome, event.released) == ("DENY", ())
        assert verdict_of(event, SHIPPED)[0].rules == event.rules


def limit_somehow(shard: Shard, number: int, ref: str, case_id: str) -> None:
    who: dict[str, Any] = {"now": NOW, "author": shard.author(), "reason": "bezwaar loopt"}
    order: Any = None
    if number == 1:
        shard.consent(ref, case_id)
    elif number == 2:
        shard.done(shard.withdrawal(shard.consent(ref, case_id)))
    elif number == 3:
        order = Restrict(**who, restriction_id="b-1")
    elif number == 4:
        order = Object(**who, objection_id="o-1")
    elif number == 5:
        shard.seal(ref, "s-1", ("goals.own_words", "reports.desk"))
    if order is not None:
        shard.done(shard.command(order, "resident", ref, anchor=f"resident-{ref}", relation=False))


# --- P9 ------------------------------------------------------------------------------------------------


@once
@given(
    before=st.integers(0, 3),
    among=st.integers(0, 3),
    after=st.integers(1, 4),
    cuts=st.sets(st.integers(0, 12), max_size=4),
)
def test_p09_after_a_withdrawal_nothing_is_permitted_on_it_however_walks_are_grouped(
    laws: Shard, before: int, among: int, after: int, cuts: set[int]
) -> None:
    ref, case_id, plan_id = laws.plan()
    consents = [laws.consent(ref, case_id), laws.consent(ref, case_id)]
    walks: list[Any] = [laws.question_with_consent(plan_id) for _ in range(before)]
    walks.append(laws.withdrawal(consents[0]))
    walks += [laws.question_with_consent(plan_id) for _ in range(among)]
    walks.append(laws.withdrawal(consents[1]))
    walks += [laws.question_with_consent(plan_id) for _ in range(after)]
    edges = [0, *sorted(cut for cut in cuts if cut < len(walks)), len(walks)]
    outcomes = [
        outcome for first, last in pairwise(edges) if first < last for outcome in laws.run(*walks[first:last])
    ]
    assert len(outcomes) == len(walks)
    assert all(isinstance(outcome, ReadOutcome) for outcome in outcomes[:before])
    # The resident's last word is a no from the first withdrawal on: no other yes is newer.
    later = [outcome for outcome in outcomes[before + 1 :] if not isinstance(outcome, CommandOutcome)]
    assert len(later) == among + after
    assert all(isinstance(outcome, AccessDenied) and "R19" in outcome.rules for outcome in later)


# --- P10 -----------------------------------------------------------------------------------------------


def some_paths(chance: Random) -> tuple[str, ...]:
    """Return paths to seal, of no collection all: what is hidden whole is compared with what never was."""
    whole = PlanGroups(PLAN_LABELS, adopted(SHIPPED)).collections.values()
    chosen = set(chance.sample(sorted(PLAN_LABELS), chance.randint(1, len(PLAN_LABELS) // 4)))
    return tuple(sorted(chosen.difference(*(leaves for leaves in whole if leaves <= chosen))))


def emptied(plan: Any, sealed: tuple[str, ...]) -> bytes:  # noqa: ANN401 -- a message of a plan
    """Return the plan as if the sealed leaves had never been filled in, as bytes."""
    bare = type(plan)()
    for told, value in plan.ListFields():
        if told.name in sealed:
            continue
        if not told.is_repeated:
            setattr(bare, told.name, value)
            continue
        for element in value:
            for path in sealed:
                if path.startswith(f"{told.name}."):
                    element.ClearField(path.partition(".")[2])
            if element.ByteSize():
                getattr(bare, told.name).add().CopyFrom(element)
    made: bytes = bare.SerializeToString(deterministic=True)
    return made


def told_of(outcome: Any, sealed: tuple[str, ...]) -> tuple[Any, ...]:  # noqa: ANN401 -- any outcome
    """Return everything a requester gets but what is new in each answer: its decision and its place."""
    if isinstance(outcome, AccessDenied):
        known = {key: value for key, value in outcome.metadata.items() if key != "decision_id"}
        return outcome.message, outcome.rules, outcome.remedy, outcome.explanation, outcome.obligations, known
    assert isinstance(outcome, ReadOutcome)
    answer = emptied(build_plan(outcome.captured, outcome.groups, outcome.released), sealed)
    return answer, outcome.withheld_paths, outcome.rules, outcome.obligations


def test_p10_sealed_and_absent_are_answered_alike_byte_for_byte(laws: Shard) -> None:
    chance = Random(10)  # noqa: S311 -- questions, and the same ones each time
    kinds, plans = set(), list[str]()
    compared = held_back = 0
    while compared < SEALED_QUESTIONS:
        # The Wmo desk may know nothing of the law of crime: alone, that is a path that is withheld.
        ref, _, plan_id = full_plan(laws, *(("justice",) if len(plans) % 2 else ("housing", "justice")))
        plans.append(plan_id)
        questions = some_questions(chance, laws, plan_id, GROUP)
        sealed = some_paths(chance)
        if not sealed:
            continue
        absent = laws.run(*questions)
        laws.seal(ref, "s-1", sealed)
        for before, after in zip(absent, laws.run(*questions), strict=True):
            assert told_of(after, ()) == told_of(before, sealed)
            compared += 1
            kinds.add((type(after).__name__, bool(getattr(after, "withheld_paths", ()))))
            held_back += isinstance(after, ReadOutcome) and after.released != before.released
        laws.unseal(ref, "s-2", "s-1")
        again = [told_of(outcome, ()) for outcome in laws.run(*questions)]
        assert again == [told_of(outcome, ()) for outcome in absent]
    assert kinds == {("AccessDenied", False), ("ReadOutcome", False), ("ReadOutcome", True)}
    assert held_back > SEALED_QUESTIONS // 25


# --- P14 -----------------------------------------------------------------------------------------------


def on_record(shard: Shard, after: int) -> dict[str, tuple[int, DisclosureDecided]]:
    """Return the decisions after a position, by id, each with its place."""
    found = {}
    for row in shard.core.reader.page(after, 1_000, (DisclosureDecided.TOPIC,)):
        opened = shard.core.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        assert isinstance(opened.event, DisclosureDecided)
        found[opened.event.decision_id] = (row.position, opened.event)
    return found


@once
@given(seed=st.integers(0, 2**32), number=st.integers(1, 6), fault=st.sampled_from(["", "", "lost", "kept"]))
def test_p14_every_answer_has_its_decision_on_record_or_nothing_leaves(
    laws: Shard, seed: int, number: int, fault: str
) -> None:
    chance = Random(seed)  # noqa: S311 -- questions
    ref, _, plan_id = laws.plan()
    head = laws.head
    recorder = faulty_recorder(laws)
    recorder.faults = [fault] if fault else []
    outcomes = laws.run(*some_questions(chance, laws, plan_id, number))
    laws.core.writer._recorder = recorder.recorder
    found = on_record(laws, head)
    if fault == "lost":
        assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
        assert (found, laws.head) == ({}, head)
        return
    assert laws.head == head + number == head + len(found)
    for outcome in outcomes:
        position, event = found.pop(outcome.decision_id)
        # The access line of the resident: in that resident's own stream, with who, what for and on what.
        assert (event.resident, event.subject) == (ref, plan_id)
        assert event.professional
        assert event.purpose
        assert event.legal_basis
        if isinstance(outcome, ReadOutcome):
            assert (outcome.position, frozenset(event.released)) == (position, outcome.released)
        else:
            assert isinstance(outcome, AccessDenied)
            assert (event.outcome, event.released) == ("DENY", ())
    assert found == {}
    entries = laws.core.reader.leaf_entries(head, laws.head)
    assert len(entries) == number
