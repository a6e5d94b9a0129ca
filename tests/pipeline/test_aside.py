"""A thread beside the loop: in order, each job told once, whatever came of it."""

from __future__ import annotations

import asyncio
import threading

from exchange.pipeline.aside import Aside


def test_jobs_are_done_in_order_in_one_thread_and_told_on_the_loop() -> None:
    async def run() -> None:
        aside, told, done = Aside("aside"), list[tuple[object, object, str]](), asyncio.Event()

        def take(found: object, error: BaseException | None) -> None:
            told.append((found, type(error), threading.current_thread().name))
            if len(told) == 3:
                done.set()

        def fail() -> None:
            raise SystemExit

        aside.give(take, threading.current_thread)
        aside.give(take, fail)
        aside.give(take, int, "7")
        await done.wait()
        aside.close()
        here = threading.current_thread().name
        (thread, *_), *rest = told
        assert isinstance(thread, threading.Thread)
        assert not thread.is_alive()
        assert rest == [(None, SystemExit, here), (7, type(None), here)]
        assert told[0][1:] == (type(None), here)

    asyncio.run(run())


def test_closing_waits_for_what_was_given_and_a_loop_that_is_gone_is_not_told() -> None:
    aside, begin, done = Aside("aside"), threading.Event(), list[int]()
    told: list[object] = []

    def work() -> None:
        begin.wait()
        done.append(1)

    async def give() -> None:
        aside.give(lambda *said: told.append(said), work)

    asyncio.run(give())
    begin.set()
    aside.close()
    assert (done, told) == ([1], [])
    # One that was given nothing has nothing to wait for.
    Aside("idle").close()
