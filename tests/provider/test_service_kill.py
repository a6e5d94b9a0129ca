"""kill -9 at every step of the whole traffic: run again, and it is as if nothing happened.

A step is every statement that writes to a journal, every rename and every sync of a file, and every change of
the exchange; the process is killed just before and just after each.
"""

from __future__ import annotations

import os
import signal
import threading
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider.plan_seen import Stage
from adapters.provider.retour import read_retour
from adapters.provider.transport import Ggk
from tests.forked import ended
from tests.provider.around import Adapter, Both, Clock, agreed
from tests.provider.world import START, SUPPORT

if TYPE_CHECKING:
    from collections.abc import Callable

PASSES = 3
IN_ENVELOPES = "in-envelopes"
WRITING = ("COMMIT", "INSERT", "UPDATE", "DELETE")
KINDS = ["301", "302", "305", "306", "307", "308"]


class Steps:
    """Counts steps, and kills its own process at one of them."""

    def __init__(self, kill_at: int = 0) -> None:
        self.taken = 0
        self._kill_at = kill_at
        self._one_at_a_time = threading.Lock()

    def watch(self, *adapters: Adapter) -> None:
        """Count what these adapters write, and what this process does to files, until it ends."""
        for adapter in adapters:
            adapter.journal.connection.set_trace_callback(self.statement)
        os.fsync = self.around(os.fsync)
        Path.replace = self.around(Path.replace)  # type: ignore[method-assign] # this process ends soon
        Path.rename = self.around(Path.rename)  # type: ignore[method-assign] # this process ends soon

    def step(self) -> None:
        with self._one_at_a_time:
            self.taken += 1
            if self.taken == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, done: Callable[..., Any]) -> Callable[..., Any]:
        def stepping(*words: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever is wrapped
            self.step()
            answer = done(*words, **more)
            self.step()
            return answer

        return stepping

    def statement(self, text: str) -> None:
        if text.startswith(WRITING):
            self.step()


def live(root: Path, steps: Steps, begin: timedelta) -> None:
    """Live through it all: agree, assign, start, stop; what was done before is not done again."""
    both = opened(root, begin)
    world = both.world
    if not world.held().plans:
        world.open_plan()
    if SUPPORT not in world.held().plans["plan-1"].supports:
        agreed(both)
    steps.watch(both.municipality, both.provider)
    both.work(PASSES)
    if world.support().stage is Stage.ASSIGNED:
        world.start()
    both.work(PASSES)
    if world.support().stage is Stage.STARTED:
        world.stop()
    both.work(PASSES)


def opened(root: Path, begin: timedelta) -> Both:
    """Open what a root holds; where a file says so, messages travel in envelopes."""
    return Both(root, Clock(START + begin), ggk=Ggk() if (root / IN_ENVELOPES).exists() else None)


def in_a_process_of_its_own(
    root: Path, kill_at: int, begin: timedelta, lives: Callable[[Path, Steps, timedelta], None] = live
) -> tuple[bool, int]:
    """Return whether it was killed, and how many steps it took."""
    counted = root / "steps"

    def stepping() -> None:
        steps = Steps(kill_at)
        lives(root, steps, begin)
        counted.write_text(str(steps.taken))

    code = ended(stepping)
    assert code in {0, -signal.SIGKILL}
    return code != 0, 0 if code else int(counted.read_text())


def assert_as_if_nothing_happened(root: Path) -> None:
    both = opened(root, timedelta(days=1))
    assert len(both.world.assigned) == 1
    assert both.world.support().stage is Stage.STOPPED
    went = {(message.number, message) for message in both.municipality.archived + both.provider.archived}
    # The same message may have arrived twice; there is one of each kind.
    assert sorted(number for number, _ in went) == KINDS
    assert all(read_retour(message).accepted for _, message in went if message.schema.answers)
    for adapter in (both.municipality, both.provider):
        assert adapter.names("inbox") == adapter.names("rejected") == []
        assert adapter.service._desk.errands.undone() == ()
        assert adapter.journal.due(2**60) == adapter.journal.parked() == ()
        noted = "SELECT count(*) FROM inbox WHERE archived IS NULL"
        assert adapter.journal.connection.execute(noted).fetchone() == (0,)
    both.close()


def test_undisturbed_it_is_so(tmp_path: Path) -> None:
    killed, steps = in_a_process_of_its_own(tmp_path, 0, timedelta())
    assert not killed
    assert steps > len(KINDS) * 10
    assert_as_if_nothing_happened(tmp_path)


def kill_at_each(tmp_path: Path, first: int, every: int, *marks: str) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    for mark in marks:
        (whole / mark).touch()
    _, steps = in_a_process_of_its_own(whole, 0, timedelta())
    for kill_at in range(first, steps, every):
        root = tmp_path / str(kill_at)
        root.mkdir()
        for mark in marks:
            (root / mark).touch()
        killed, _ = in_a_process_of_its_own(root, kill_at, timedelta())
        assert killed, kill_at
        in_a_process_of_its_own(root, 0, timedelta(hours=3))
        assert_as_if_nothing_happened(root)


@pytest.mark.slow
def test_killed_here_and_there_it_is_so_all_the_same(tmp_path: Path) -> None:
    # A prime, so that it meets each kind of step somewhere.
    kill_at_each(tmp_path, 3, 13)


@pytest.mark.slow
@pytest.mark.parametrize("third", [1, 2, 3])
def test_killed_at_any_step_it_is_so_all_the_same(tmp_path: Path, third: int) -> None:
    kill_at_each(tmp_path, third, 3)


@pytest.mark.slow
def test_killed_while_messages_travel_in_envelopes_it_is_so_all_the_same(tmp_path: Path) -> None:
    kill_at_each(tmp_path, 2, 5, IN_ENVELOPES)


def test_killed_again_and_again_it_gets_there(tmp_path: Path) -> None:
    for life in range(1, 40):
        in_a_process_of_its_own(tmp_path, 5 * life, timedelta(minutes=20 * life))
    in_a_process_of_its_own(tmp_path, 0, timedelta(hours=15))
    assert_as_if_nothing_happened(tmp_path)
