"""After an erasure nothing of the resident is in memory: not what was folded, not what was made of it."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from exchange.domain.plan import Goal
from exchange.domain.resident import ResidentState
from exchange.pipeline import hot
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.walk import ReadOutcome
from exchange.server.contract.plans import PLAN_LABELS
from tests.pipeline.erasing import erased
from tests.pipeline.shard import NOW

if TYPE_CHECKING:
    import pytest

    from tests.pipeline.shard import Shard

WORDS = "ik wil weer naar buiten, en dit leest straks niemand meer"


def in_memory(ref: str) -> tuple[int, int]:
    """Return how many goals with these words, and states of this resident, this process holds anywhere."""
    gc.collect()
    held = gc.get_objects()
    goals = sum(isinstance(one, Goal) and one.own_words == WORDS for one in held)
    return goals, sum(isinstance(one, ResidentState) and one.resident == ref for one in held)


def test_what_was_asked_and_written_of_who_is_erased_is_in_memory_no_more(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    groups = PlanGroups(PLAN_LABELS, shard.core.registers)
    shard.core.hot.when_evicted.append(groups.forget)
    ref, _, plan_id = shard.plan()
    shard.done(shard.goal(plan_id, words=WORDS))
    # Opened by somebody else, which leaves a mark of its past after each event.
    monkeypatch.setattr(hot, "EVENTS_PER_MARK", 1)
    shard.core.hot.evict((f"plan-{plan_id}",))
    shard.core.hot.put(f"plan-{plan_id}", shard.core.loader.load(f"plan-{plan_id}"))
    assert shard.core.hot.peek(f"{hot.PAST_PREFIX}plan-{plan_id}") is not None
    asked = groups.of_plan(f"plan-{plan_id}", Asker(shard.caller(), "WMO-2.3.2", NOW))
    assert isinstance(shard.run(shard.question(plan_id, groups=asked))[0], ReadOutcome)
    assert min(in_memory(ref)) > 0
    erased(shard, ref)
    assert in_memory(ref) == (0, 0)
