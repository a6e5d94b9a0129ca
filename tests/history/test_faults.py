"""A load through faults of one node: the log explains every answer, and the service is back by itself."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.history.check import check
from tests.history.faulted import run
from tests.history.proxy import Proxy, over_tcp
from tests.history.record import read
from tests.history.report import Check
from tests.history.stepped import AHEAD, Stepped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.e2e.service import Service
    from tests.history.entries import Entry
    from tests.history.faulted import Run
    from tests.history.record import Operation


CUTS_MAX = 60
LOST = 3
# More than any frame that is no answer; behind the pieces of TLS and HTTP/2 getting to know each other.
ANSWER_BYTES = 300
HANDSHAKE_PIECES = 6
HOUR = timedelta(hours=1)


def lost_answers(through: Run) -> list[Operation]:
    """Return the commands that were cut off by now."""
    return [one for one in through.load.operations if one.outcome == "unknown" and one.op != "read"]


def kill_and_start(through: Run) -> None:
    through.service.kill()
    through.service.start()


def freeze(through: Run) -> None:
    """Stop the process in its tracks until calls to it have run out of time, and let it go on."""
    assert through.service.process is not None
    pid = through.service.process.pid
    os.kill(pid, signal.SIGSTOP)
    try:
        through.load.until(1, done=lambda one: one.outcome == "unknown")
    finally:
        os.kill(pid, signal.SIGCONT)


def assert_mistakes_would_be_found(history: list[Operation], entries: list[Entry]) -> None:
    """The checker is not blind on this very history."""
    last = max(one.position for one in history if one.op == "command")
    assert Check.RECEIPTS in check(history, [one for one in entries if one.position < last]).checks_failed()
    seen = next(one for one in history if one.op == "read" and one.version)
    assert seen.version is not None
    seen.version -= 1
    assert check(history, entries).checks_failed() == {Check.STATE}
    seen.version += 1
    events = [one for one in history if one.op == "event" and not one.on_consent]
    history.remove(events[len(events) // 2])
    assert check(history, entries).checks_failed() == {Check.STREAM_WHOLE}


@pytest.mark.slow
def test_cut_off_at_the_answer_and_killed(tmp_path: Path) -> None:
    """Answers that left the service and never arrived; then its end, under the same load."""
    proxies: list[Proxy] = []

    def through_proxy(service: Service) -> Callable[[], list[str]]:
        proxies.append(Proxy(over_tcp(lambda: service.target)))
        return lambda: [proxies[0].target]

    try:
        with run(tmp_path, through=through_proxy) as through:
            (proxy,) = proxies
            through.load.until(20)
            while proxy.swallowed < CUTS_MAX and len(lost_answers(through)) < LOST:
                cuts = proxy.swallowed
                proxy.swallow(least_bytes=ANSWER_BYTES, passed=HANDSHAKE_PIECES)
                proxy.wait_swallowed(cuts + 1)
                through.load.until(5)
            kill_and_start(through)
            through.load.until(20)
            through.end()
            assert through.done_unseen() > 0
            through.load.write(tmp_path / "history.jsonl")
            assert_mistakes_would_be_found(read(tmp_path / "history.jsonl"), through.entries())
    finally:
        for proxy in proxies:
            proxy.close()


@pytest.mark.slow
def test_killed_many_times_under_load(tmp_path: Path) -> None:
    with run(tmp_path) as through:
        for _ in range(8):
            through.load.until(60)
            kill_and_start(through)
        through.load.until(60)
        through.end()
        assert through.unknown() != []


@pytest.mark.slow
def test_stopped_in_its_tracks_and_let_go_on(tmp_path: Path) -> None:
    with run(tmp_path) as through:
        through.load.until(60)
        freeze(through)
        through.load.until(60)
        through.end()
        assert through.unknown() != []


def is_command(entry: Entry) -> bool:
    """Not a decision on a read: a command that was asked before it may stand behind it."""
    return not entry.kind.startswith("disclosure.")


@pytest.mark.slow
def test_the_clock_steps_an_hour_forward_and_two_back(tmp_path: Path) -> None:
    """Recorded times never run back and nothing opens too much; a new yes is dated by the clock that was set
    back, so it stays behind the no before it, closed, until that time is over.
    """
    with run(tmp_path, service=Stepped) as through:
        assert isinstance(through.service, Stepped)
        for ahead in (AHEAD + HOUR, AHEAD - HOUR, AHEAD):
            through.load.until(40)
            through.service.step(ahead)
        through.load.until(40)
        report = through.end(closed_too_long=True)
        assert report.looked_at[Check.TIME] > 0
        entries = through.entries()
        ahead_of_all = entries[0].at + HOUR / 2
        began = next(
            place for place, entry in enumerate(entries) if entry.at > ahead_of_all and is_command(entry)
        )
        assert all(entry.at > ahead_of_all for entry in entries[began:])
        assert through.service.verify_store()["problems"] == []
