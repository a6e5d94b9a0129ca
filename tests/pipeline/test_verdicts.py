"""Remembered verdicts: never another one than the gate would give now."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exchange.domain.limits.restrictions import LiftRestriction, Restrict
from exchange.errors import AccessDenied
from exchange.gate.conflicts import Objection
from exchange.gate.judge import judge
from exchange.gate.model import Consent, Facts, Field, Verdict
from exchange.gate.register import Register
from exchange.pipeline import verdicts as room
from exchange.pipeline.facts import Standing, assemble, law_of
from exchange.pipeline.verdicts import Verdicts
from exchange.pipeline.walk import Caller, Claim, CommandOutcome, CommandWalk, Steps
from tests.pipeline.shard import NECESSITY, NOW, WIJKTEAM, Shard

REGISTER = Register.load()
OIN = "00000001003214345000"
AT_EASE = Standing(
    related=True,
    involved=True,
    age=45,
    capable=True,
    objections=(),
    restricted=False,
    own_word=True,
    consents=(),
)
GIVEN = Consent(state="GIVEN", start=NOW - timedelta(days=1), end=NOW + timedelta(hours=1))
CALLER = Caller(OIN, "college:WMO", "prof-1", "regisseur", "ab" * 32, two_factor=True, mutual_tls=True)
WALK = CommandWalk(
    rpc="SetGoal",
    caller=CALLER,
    claim=WIJKTEAM,
    now=NOW,
    request_id="one",
    content=b"",
    anchor="plan-1",
    fields=(("own_words", "WMO-PLAN"),),
    process=lambda _: Steps([]),
)
BREAK_GLASS = ("VITAL", "Levensgevaar: de buurvrouw hoort niets meer")


def given_now(walk: CommandWalk, standing: Standing) -> Verdict:
    """Judge without any memory."""
    task = walk.caller.task
    fields = [Field(name, kind, provider=task, acquired_for=law_of(task)) for name, kind in walk.fields]
    return judge(assemble(walk, standing, fields, task, REGISTER), REGISTER)


callers = st.builds(
    replace,
    st.just(CALLER),
    task=st.sampled_from(["college:WMO", "college:PW", "betrokkene"]),
    role=st.sampled_from(["regisseur", "sealed-reader"]),
    two_factor=st.booleans(),
    professional=st.sampled_from(["prof-1", "prof-2"]),
)
claims = st.builds(
    Claim,
    purpose=st.sampled_from(["wmo-onderzoek", "wmo-afstemming", "pw-arbeidsinschakeling"]),
    legal_basis=st.sampled_from([*[entry.id for entry in REGISTER.entries()], "NO-SUCH-BASIS"]),
    necessity=st.sampled_from([NECESSITY, " ", ""]),
    break_glass=st.sampled_from([None, None, BREAK_GLASS]),
)
walks = st.builds(
    replace,
    st.just(WALK),
    caller=callers,
    claim=claims | st.just(WIJKTEAM),
    now=st.sampled_from([NOW, NOW + timedelta(days=1), datetime(2010, 1, 1, tzinfo=UTC)]),
    fields=st.sampled_from([(("own_words", "WMO-PLAN"),), (("own_words", "STRAFRECHT"),), ()]),
)
standings = st.builds(
    Standing,
    related=st.booleans(),
    involved=st.booleans(),
    age=st.sampled_from([None, 11, 14, 17, 45]),
    capable=st.sampled_from([None, True, False]),
    objections=st.sampled_from([(), (Objection("PENDING"),), (Objection("UPHELD", "wmo-onderzoek"),)]),
    restricted=st.booleans(),
    own_word=st.booleans(),
    consents=st.sampled_from([(), (), (GIVEN,)]),
    role=st.sampled_from(["", "regisseur", "sealed-reader"]),
    relative=st.booleans(),
    determined=st.sampled_from([frozenset(), frozenset({"disproportionate"})]),
)


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(walks, standings | st.just(AT_EASE)), min_size=1, max_size=12))
def test_a_remembered_verdict_is_the_one_the_gate_gives_now(
    asked: list[tuple[CommandWalk, Standing]],
) -> None:
    verdicts = Verdicts(REGISTER)
    for walk, standing in [*asked, *asked]:
        verdict, facts = verdicts.of_command(walk, standing)
        assert verdict == given_now(walk, standing)
        # What is refused is recorded with its facts, so these are never left out.
        assert facts is not None or verdict.permitted


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[Facts]:
    """Every fact the gate is asked about."""
    asked: list[Facts] = []

    def counted(facts: Facts, register: Register) -> Verdict:
        asked.append(facts)
        return judge(facts, register)

    monkeypatch.setattr(room, "judge", counted)
    return asked


def test_alike_commands_are_judged_once(judged: list[Facts]) -> None:
    verdicts = Verdicts(REGISTER)
    for professional in ("prof-1", "prof-2", "prof-1"):
        walk = replace(WALK, caller=replace(CALLER, professional=professional))
        assert verdicts.of_command(walk, AT_EASE)[0].permitted
    assert len(judged) == 1


@pytest.mark.parametrize(
    ("walk", "standing"),
    [
        (WALK, AT_EASE._replace(related=False)),
        (WALK, AT_EASE._replace(consents=(GIVEN,))),
        (replace(WALK, claim=replace(WIJKTEAM, break_glass=BREAK_GLASS)), AT_EASE),
    ],
    ids=["refused", "consents", "break-glass"],
)
def test_what_may_change_by_the_minute_is_judged_each_time(
    judged: list[Facts], walk: CommandWalk, standing: Standing
) -> None:
    verdicts = Verdicts(REGISTER)
    for _ in range(3):
        verdicts.of_command(walk, standing)
    assert len(judged) == 3


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "REMEMBERED_MAX", 3)
    verdicts = Verdicts(REGISTER)
    for day in range(10):
        walk = replace(WALK, now=NOW + timedelta(days=day))
        assert verdicts.of_command(walk, AT_EASE)[0].permitted
        assert len(verdicts._permits) <= 3


def test_a_restriction_is_heard_by_the_very_next_command(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()

    def order(kind: type[Restrict | LiftRestriction]) -> CommandWalk:
        command = kind(now=NOW, author=shard.author(), restriction_id="b-1", reason="op verzoek")
        return shard.command(
            command, "resident", ref, anchor=f"resident-{ref}", category="CONTACT", relation=False
        )

    before, restricted, refused = shard.run(shard.goal(plan_id), order(Restrict), shard.goal(plan_id))
    assert isinstance(before, CommandOutcome)
    assert isinstance(restricted, CommandOutcome)
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R24",)
