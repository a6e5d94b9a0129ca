"""A change of the register is a barrier: nothing is walked above it until it is committed, or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import AccessDenied, StoreUnavailable
from exchange.pipeline.walk import CommandOutcome, ReadOutcome
from tests.pipeline.faults import faulty_recorder
from tests.pipeline.held import turns
from tests.pipeline.legal_bases import disabling
from tests.pipeline.shard import WIJKTEAM
from tests.pipeline.test_overlap import ended, overlapping

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard


def refused(outcome: Any) -> bool:  # noqa: ANN401 -- any outcome
    return isinstance(outcome, AccessDenied) and outcome.rules == ("R05",)


def warmed(shard: Shard) -> str:
    """Return a plan of which everything is in memory, and of the register too: walks keep their order."""
    _, _, plan_id = shard.plan()
    shard.done(shard.question(plan_id))
    for stream in ("legal_basis-WGS-8", f"legal_basis-{WIJKTEAM.legal_basis}", "disclosure-unknown"):
        shard.core.hot.put(stream, shard.core.loader.load(stream))
    return plan_id


async def test_what_comes_while_a_change_is_committed_waits_and_is_judged_by_the_new_register(
    shard: Shard,
) -> None:
    plan_id = warmed(shard)
    before = shard.core.register.policy_hash
    async with overlapping(shard) as queue:
        first = await queue.first(disabling(shard, WIJKTEAM.legal_basis))
        after = queue.submit(shard.question(plan_id), shard.goal(plan_id))
        await turns()
        assert queue.groups == [1]
        assert not any(call.done() for call in (*first, *after))
        assert shard.core.register.policy_hash == before
        queue.let_go()
        off, read, goal = await ended(*first, *after)
        assert isinstance(off, CommandOutcome)
        assert refused(read)
        assert refused(goal)
        assert queue.groups == [1, 2]
    shard.verified()


@pytest.mark.parametrize("fault", ["lost", "kept"])
async def test_when_the_commit_fails_it_is_judged_by_the_register_that_stands(
    shard: Shard, fault: str
) -> None:
    plan_id = warmed(shard)
    faulty_recorder(shard).faults = [fault]
    async with overlapping(shard) as queue:
        first = await queue.first(disabling(shard, WIJKTEAM.legal_basis))
        after = queue.submit(shard.question(plan_id), shard.goal(plan_id))
        await turns()
        queue.let_go()
        off, read, goal = await ended(*first, *after)
        if fault == "lost":
            assert isinstance(off, StoreUnavailable)
            assert isinstance(read, ReadOutcome)
            assert isinstance(goal, CommandOutcome)
        else:
            assert isinstance(off, CommandOutcome)
            assert refused(read)
            assert refused(goal)
    assert shard.topics().count("legal_basis.disabled.v1") == (fault == "kept")
    shard.verified()


async def test_walks_behind_a_change_in_one_group_wait_in_their_order_before_those_that_came_since(
    shard: Shard,
) -> None:
    plan_id = warmed(shard)
    async with overlapping(shard) as queue:
        first = await queue.first(
            shard.goal(plan_id), disabling(shard, "WGS-8"), shard.goal(plan_id), shard.goal(plan_id)
        )
        since = queue.submit(shard.goal(plan_id))
        await turns()
        assert queue.groups == [4]
        queue.let_go()
        one, off, two, three, four = await ended(*first, *since)
        goals = [outcome.versions for outcome in (one, two, three, four)]
        assert goals == [{"plan": number} for number in (3, 4, 5, 6)]
        assert one.position < off.position < two.position < three.position < four.position
        assert queue.pipeline.counts["walks"] == 5
    shard.verified()


@pytest.mark.parametrize("faults", [[], ["lost"], ["", "lost"], ["", "kept"]])
async def test_a_change_walked_over_what_is_being_committed_ends_its_group_all_the_same(
    shard: Shard, faults: list[str]
) -> None:
    plan_id = warmed(shard)
    faulty_recorder(shard).faults = [*faults]
    async with overlapping(shard) as queue:
        first = await queue.first(shard.goal(plan_id))
        second = await queue.second(
            shard.goal(plan_id), disabling(shard, WIJKTEAM.legal_basis), shard.question(plan_id)
        )
        third = queue.submit(shard.goal(plan_id))
        await turns()
        assert queue.groups == [1, 3]
        queue.let_go()
        below, goal, off, read, last = await ended(*first, *second, *third)
        assert isinstance(below, StoreUnavailable if faults[:1] == ["lost"] else CommandOutcome)
        if faults == ["", "lost"]:
            assert isinstance(goal, StoreUnavailable)
            assert isinstance(off, StoreUnavailable)
            assert isinstance(read, ReadOutcome)
            assert isinstance(last, CommandOutcome)
        else:
            assert isinstance(goal, CommandOutcome)
            assert isinstance(off, CommandOutcome)
            assert refused(read)
            assert refused(last)
    shard.verified()


async def test_a_change_of_another_writer_in_between_makes_what_was_walked_be_judged_anew(
    shard: Shard,
) -> None:
    plan_id = warmed(shard)
    async with overlapping(shard) as queue:
        first = await queue.first(shard.question(plan_id))
        second = await queue.second(shard.goal(plan_id), disabling(shard, "WGS-8"))
        beside = shard.beside()
        beside.done(disabling(beside, WIJKTEAM.legal_basis))
        beside.close()
        queue.let_go()
        read, goal, off = await ended(*first, *second)
        assert refused(read)
        assert refused(goal)
        assert isinstance(off, CommandOutcome)
    assert shard.topics().count("legal_basis.disabled.v1") == 2
    shard.verified()
