"""Commands on a plan of which something is sealed: answered to who may not see it as if it were not there."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import JoinProfessional
from exchange.domain.plan import AgreeToPlan, AssessLens, DescribeSituation, RequestSupport, SetGoal
from exchange.errors import ExchangeError, RuleBroken, VersionConflict
from exchange.pipeline.facts import standing_of, subject_of
from exchange.pipeline.sealed import WithoutSealed, decided_on
from exchange.pipeline.walk import Claim, CommandOutcome
from tests.pipeline.shard import COLLECTIONS, NOW

if TYPE_CHECKING:
    from exchange.pipeline.walk import CommandWalk
    from tests.pipeline.shard import Shard

READER = "prof-2"
WORD = Claim("wmo-onderzoek", "RESIDENT-WORD")
GOAL_ID = "0b6c1a52-8f0e-4d26-9f9f-0d8f0a6a1b11"


def sealed_to_all_but_one(shard: Shard, *collections: str) -> tuple[str, str]:
    """Make a plan with a goal and a situation, and seal; return (resident, plan id)."""
    ref, case_id, plan_id = shard.plan()
    for order in (goal(shard), situation(shard)):
        shard.done(shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}"))
    let_in(shard, case_id)
    paths = tuple(path for name in collections for path in sorted(COLLECTIONS[name]))
    shard.seal(ref, "s-1", paths, (f"{shard.oin}/college:WMO/{READER}",))
    return ref, plan_id


def let_in(shard: Shard, case_id: str) -> None:
    joined = JoinProfessional(
        now=NOW,
        author=shard.author(),
        oin=shard.oin,
        task="college:WMO",
        professional=READER,
        role="consulent",
    )
    shard.done(shard.command(joined, "case", case_id, anchor=f"case-{case_id}"))


def goal(shard: Shard) -> SetGoal:
    return SetGoal(
        now=NOW,
        author=shard.author(),
        goal_id=GOAL_ID,
        own_words="weg van hier",
        desired_effect="een eigen huis",
        life_domain="housing",
        target_date=date(2026, 12, 1),
    )


def situation(shard: Shard) -> DescribeSituation:
    return DescribeSituation(
        now=NOW,
        author=shard.author(),
        life_domain="housing",
        description="Verblijft in de opvang.",
        score=1,
        judge_date=date(2026, 3, 1),
    )


def orders(shard: Shard) -> dict[str, Any]:
    """Return a command for each rule a sealed goal or situation could show in."""
    return {
        "agree": AgreeToPlan(now=NOW, author=shard.author("betrokkene"), outcome="agreed"),
        "support": RequestSupport(
            now=NOW,
            author=shard.author(),
            support_id=str(uuid.uuid4()),
            kind="own_network",
            start_date=date(2026, 3, 2),
            goal_ids=(GOAL_ID,),
        ),
        "lens": AssessLens(
            now=NOW, author=shard.author(), law="wmo_2015", finding="fits", reason="Begeleiding past."
        ),
        "situation": situation(shard),
        "goal": replace(goal(shard), goal_id=str(uuid.uuid4())),
    }


def walk_of(shard: Shard, ref: str, plan_id: str, name: str, **changes: Any) -> CommandWalk:  # noqa: ANN401 -- any field of a walk
    speaks: dict[str, Any] = {}
    if name == "agree":
        resident = shard.caller("betrokkene", "burger-1", role="inwoner", resident=ref)
        speaks = {"caller": resident, "claim": WORD, "relation": False}
    order = orders(shard)[name]
    return shard.command(order, "plan", plan_id, anchor=f"plan-{plan_id}", **(speaks | changes))


def told(outcome: Any, version: int) -> Any:  # noqa: ANN401 -- an outcome or an error
    """Return everything of an answer but random ids and positions; versions count from the one before."""
    if isinstance(outcome, CommandOutcome):
        versions = {name: found - version for name, found in outcome.versions.items()}
        return outcome.leaves, outcome.at, versions, sorted(outcome.ids), len(outcome.leaf_entry)
    assert isinstance(outcome, ExchangeError)
    return type(outcome), str(outcome), dict(outcome.metadata)


def version_of(shard: Shard, plan_id: str) -> int:
    return shard.core.writer._overlay().version(f"plan-{plan_id}")


@pytest.mark.parametrize("name", ["agree", "support", "lens", "situation", "goal"])
def test_a_command_is_answered_as_if_what_is_sealed_were_not_there(shard: Shard, name: str) -> None:
    ref, plan_id = sealed_to_all_but_one(shard, "goals", "situations")
    other, _, empty = shard.plan()
    answers = []
    for whom, which in ((ref, plan_id), (other, empty)):
        before, head = version_of(shard, which), shard.head
        (outcome,) = shard.run(walk_of(shard, whom, which, name))
        answers.append((told(outcome, before), shard.topics(head)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("name", "rule"), [("agree", "NO_GOAL"), ("support", "GOAL_UNKNOWN")])
def test_a_named_reader_decides_on_the_plan_as_it_is(shard: Shard, name: str, rule: str) -> None:
    ref, plan_id = sealed_to_all_but_one(shard, "goals")
    (refused,) = shard.run(walk_of(shard, ref, plan_id, name))
    assert isinstance(refused, RuleBroken)
    assert refused.metadata["rule"] == rule
    if name == "support":
        reader = shard.caller(professional=READER)
        assert shard.done(walk_of(shard, ref, plan_id, name, caller=reader)).versions["plan"] > 0
    shard.unseal(ref, "s-2", "s-1")
    assert shard.done(walk_of(shard, ref, plan_id, name)).versions["plan"] > 0


def test_what_is_written_unseen_is_folded_onto_the_plan_as_it_is(shard: Shard) -> None:
    ref, plan_id = sealed_to_all_but_one(shard, "goals", "situations")
    for name in ("goal", "situation"):
        shard.done(walk_of(shard, ref, plan_id, name))
    plan = shard.core.writer._overlay().state(f"plan-{plan_id}")
    assert (len(plan.goals), len(plan.situations), plan.unseen) == (2, 2, ())
    # Again from the store, where the mark is sealed with the words.
    loaded = shard.core.loader.load(f"plan-{plan_id}").state
    assert (loaded.goals, loaded.situations) == (plan.goals, plan.situations)
    rows = [row for row in shard.core.reader.page(0, 1_000) if row.topic == "plan.situation_described.v4"]
    assert len(rows) == 2
    assert all(b"beside" not in row.state for row in rows)


def test_an_expected_version_is_held_against_what_was_written_seen_or_not(shard: Shard) -> None:
    ref, plan_id = sealed_to_all_but_one(shard, "goals")
    version = version_of(shard, plan_id)
    (behind,) = shard.run(walk_of(shard, ref, plan_id, "lens", expected=(f"plan-{plan_id}", version - 1)))
    assert isinstance(behind, VersionConflict)
    # The same words whether what came between can be seen or not.
    assert behind.metadata == {"expected": str(version - 1), "found": str(version)}
    other, _, open_plan = shard.plan()
    for order in (goal(shard), situation(shard)):
        shard.done(shard.command(order, "plan", open_plan, anchor=f"plan-{open_plan}"))
    assert version_of(shard, open_plan) == version
    (seen,) = shard.run(walk_of(shard, other, open_plan, "lens", expected=(f"plan-{open_plan}", version - 1)))
    assert told(seen, 0) == told(behind, 0)


def test_a_command_is_decided_on_what_is_seen_in_the_same_way_where_nothing_is_sealed(shard: Shard) -> None:
    ref, _, plan_id = shard.plan()
    overlay = shard.core.writer._overlay()
    walk = walk_of(shard, ref, plan_id, "lens")
    subject = subject_of(overlay, walk.anchor)
    standing = standing_of(walk, overlay, subject)
    view = decided_on(walk, overlay, subject, standing)
    assert isinstance(view, WithoutSealed)
    assert view.state(f"plan-{plan_id}") == overlay.state(f"plan-{plan_id}")
    # Made once: the next look finds the very same.
    again = decided_on(walk, overlay, subject, standing)
    assert again.state(f"plan-{plan_id}") is view.state(f"plan-{plan_id}")
    shard.seal(ref, "s-1", ("goals.own_words",), (f"{shard.oin}/college:WMO/{READER}",))
    overlay = shard.core.writer._overlay()
    for professional in ("prof-1", READER):
        looks = replace(walk, caller=shard.caller(professional=professional))
        view = decided_on(looks, overlay, subject, standing)
        assert isinstance(view, WithoutSealed)
        assert view.version(f"plan-{plan_id}") == overlay.version(f"plan-{plan_id}")
        assert view.scope(ref) == overlay.scope(ref)
        assert view.state(f"resident-{ref}") is overlay.state(f"resident-{ref}")
        assert bool(view.state(f"plan-{plan_id}").unseen) is (professional != READER)


def test_who_does_not_see_the_goals_does_not_see_which_a_support_serves(shard: Shard) -> None:
    ref, plan_id = sealed_to_all_but_one(shard, "goals")
    reader = shard.caller(professional=READER)
    shard.done(walk_of(shard, ref, plan_id, "support", caller=reader))
    asked = ("supports.goal_ids", "supports.kind")
    assert shard.done(shard.question(plan_id, *asked)).released == {"supports.kind"}
    assert shard.done(shard.question(plan_id, *asked, caller=reader)).released == set(asked)
