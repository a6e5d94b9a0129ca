"""A call's time: it ends what takes longer, and is not blamed for what somebody else ended."""

from __future__ import annotations

import asyncio

import pytest

from exchange.server.deadline import Deadline


def test_what_takes_longer_is_cancelled_and_the_task_goes_on() -> None:
    async def call() -> bool:
        deadline = Deadline(0.0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        assert deadline.ended_it()
        # Nothing is left of it: the task can wait again, to tell why it ended.
        await asyncio.sleep(0)
        return deadline.passed

    assert asyncio.run(call())


@pytest.mark.parametrize("passed", [False, True])
def test_who_else_cancels_the_task_is_not_taken_for_the_time(passed: bool) -> None:  # noqa: FBT001 -- a case of the table
    async def both() -> bool:
        made: list[Deadline] = []

        async def call() -> None:
            made.append(Deadline(60.0))
            await asyncio.Event().wait()

        task = asyncio.create_task(call())
        await asyncio.sleep(0)
        if passed:
            made[0]._pass()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        made[0].close()
        return made[0].ended_it()

    assert not asyncio.run(both())


def test_what_is_closed_ends_nothing() -> None:
    async def call() -> bool:
        deadline = Deadline(0.0)
        deadline.close()
        for _ in range(5):
            await asyncio.sleep(0)
        return deadline.passed or deadline.ended_it()

    assert not asyncio.run(call())
