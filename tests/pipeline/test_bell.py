"""A bell in one process: wakes who waits for what is after a position, once there is something."""

from __future__ import annotations

import asyncio

import pytest

from exchange.pipeline.bell import LocalBell

LONG_S = 30.0
AT_ONCE_S = 0.0


def test_who_waits_is_woken_by_the_first_ring_beyond_his_position() -> None:
    async def waiting() -> None:
        bell = LocalBell()
        one = asyncio.create_task(bell.wait(5, LONG_S))
        await asyncio.sleep(0)
        bell.ring(5)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not one.done()
        bell.ring(6)
        await one
        assert bell.position == 6

    asyncio.run(waiting())


def test_a_ring_of_before_is_heard_and_an_older_one_is_nothing() -> None:
    async def late() -> None:
        bell = LocalBell()
        bell.ring(9)
        await bell.wait(8, LONG_S)
        bell.ring(3)
        assert bell.position == 9
        # Nothing is there after it: he waits until his patience ends, and that is no error.
        await bell.wait(9, AT_ONCE_S)

    asyncio.run(late())


def test_closing_wakes_everybody_and_whoever_comes_later() -> None:
    async def closing() -> None:
        bell = LocalBell()
        many = [asyncio.create_task(bell.wait(0, LONG_S)) for _ in range(3)]
        await asyncio.sleep(0)
        bell.close()
        await asyncio.gather(*many)
        await bell.wait(0, LONG_S)

    asyncio.run(closing())


def test_who_hangs_up_while_he_waits_leaves_nothing_behind() -> None:
    async def cancelled() -> None:
        bell = LocalBell()
        one = asyncio.create_task(bell.wait(0, LONG_S))
        await asyncio.sleep(0)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        bell.ring(1)
        await bell.wait(0, LONG_S)

    asyncio.run(cancelled())
