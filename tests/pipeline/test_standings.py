"""Standings are found again only while nothing they rest on has changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import JoinProfessional, LeaveCase
from exchange.errors import AccessDenied
from exchange.pipeline import standings as room
from exchange.pipeline.facts import standing_of, subject_of
from exchange.pipeline.standings import Standings
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.walk import CommandWalk
    from tests.pipeline.shard import Shard


def view(shard: Shard) -> Overlay:
    return shard.core.writer._overlay()


def found(shard: Shard, standings: Standings, walk: CommandWalk) -> Any:  # noqa: ANN401 -- a standing
    """Return what is found, held against what would be found anew."""
    overlay = view(shard)
    subject = subject_of(overlay, walk.anchor)
    standing = standings.of(walk, overlay, subject)
    assert standing == standing_of(walk, overlay, subject)
    return standing


def test_the_same_states_give_the_same_standing(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    standings = Standings()
    first = found(shard, standings, shard.goal(plan_id))
    assert found(shard, standings, shard.goal(plan_id)) is first
    # Another goal changes the plan, and nothing of how the two stand to each other.
    shard.done(shard.goal(plan_id))
    assert found(shard, standings, shard.goal(plan_id)) is first


@pytest.mark.parametrize("other", ["person", "task", "purpose", "day"])
def test_another_question_is_another_standing(shard: Shard, other: str) -> None:
    _, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id))
    standings = Standings()
    walk = shard.goal(plan_id)
    first = found(shard, standings, walk)
    changed = {
        "person": replace(walk, caller=replace(walk.caller, professional="prof-2")),
        "task": replace(walk, caller=replace(walk.caller, task="college:PW")),
        "purpose": replace(walk, claim=replace(walk.claim, purpose="wmo-levering")),
        "day": replace(walk, now=walk.now + timedelta(days=1)),
    }[other]
    assert found(shard, standings, changed) is not first


def test_who_left_stands_otherwise_at_once(shard: Shard) -> None:
    _, case_id, plan_id = shard.plan()
    author = shard.author()
    joined = JoinProfessional(
        now=NOW, author=author, oin=shard.oin, task="college:WMO", professional="prof-2", role="consulent"
    )
    shard.done(shard.command(joined, "case", case_id, anchor=f"case-{case_id}"))
    second = shard.caller(professional="prof-2")
    shard.done(shard.goal(plan_id, caller=second))
    left = LeaveCase(now=NOW, author=author, oin=shard.oin, task="college:WMO", professional="prof-2")
    # In one group: the effects of the walk before count.
    _, refused = shard.run(
        shard.command(left, "case", case_id, anchor=f"case-{case_id}"), shard.goal(plan_id, caller=second)
    )
    assert isinstance(refused, AccessDenied)
    assert refused.rules == ("R03",)


def test_a_word_of_consent_is_looked_at_each_time(shard: Shard) -> None:
    ref, case_id, plan_id = shard.plan()
    standings = Standings()
    before = found(shard, standings, shard.goal(plan_id))
    consent_id = shard.consent(ref, case_id)
    given = found(shard, standings, shard.goal(plan_id))
    shard.done(shard.withdrawal(consent_id))
    withdrawn = found(shard, standings, shard.goal(plan_id))
    assert [len(one.consents) for one in (before, given, withdrawn)] == [0, 1, 1]
    assert [one.state for one in (*given.consents, *withdrawn.consents)] == ["GIVEN", "WITHDRAWN"]


def test_no_more_are_kept_than_may_be(shard: Shard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "STANDINGS_KEPT_MAX", 2)
    standings = Standings()
    for plan_id in [shard.plan()[2] for _ in range(5)]:
        found(shard, standings, shard.goal(plan_id))
        assert len(standings._kept) <= 2
