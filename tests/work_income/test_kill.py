"""kill -9 at every step from an order to a plan: run again, and it is as if nothing happened.

A step is every statement that writes to the journal, every rename, unlink and sync of a file, and every
question and command; the process is killed just before and just after each.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.work_income.journal import DONE
from tests.forked import ended
from tests.work_income.test_limits import STOP
from tests.work_income.test_service import FOR_RIGHT, FOR_WORK
from tests.work_income.world import (
    PLAN,
    START,
    WORK,
    Adapter,
    Clock,
    Port,
    Restrictions,
    Sources,
    World,
    erasure_of,
    tell,
)

GONE = erasure_of("e-1", PLAN)
PASSES = 3
WRITING = ("COMMIT", "INSERT", "UPDATE", "DELETE")


class Steps:
    """Counts steps, and kills its own process at one of them."""

    def __init__(self, kill_at: int = 0) -> None:
        self.taken = 0
        self._kill_at = kill_at

    def step(self) -> None:
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
    """Take two orders and carry them out; what was done before is not done again."""
    world = World(root / "world")
    ordered = root / "ordered"
    adapter = Adapter(root, world, Clock(START + begin), refresh_days=30)
    if not ordered.exists():
        adapter.order(FOR_RIGHT, "a.json")
        adapter.order(FOR_WORK, "b.json")
        ordered.touch()
    adapter.journal.connection.set_trace_callback(steps.statement)
    for owner, names in ((os, ("fsync",)), (Path, ("replace", "rename", "unlink"))):
        for name in names:
            setattr(owner, name, steps.around(getattr(owner, name)))
    for kind, name in ((Port, "permit"), (Port, "fill_in"), (Sources, "ask")):
        setattr(kind, name, steps.around(getattr(kind, name)))
    adapter.work(PASSES)


Life = Callable[[Path, Steps, timedelta], None]


def in_a_process_of_its_own(
    root: Path, kill_at: int, begin: timedelta, lived: Life = live
) -> tuple[bool, int]:
    """Return whether it was killed, and how many steps it took."""
    counted = root / "steps"

    def stepping() -> None:
        steps = Steps(kill_at)
        lived(root, steps, begin)
        counted.write_text(str(steps.taken))

    code = ended(stepping)
    assert code in {0, -signal.SIGKILL}
    return code != 0, 0 if code else int(counted.read_text())


def assert_as_if_nothing_happened(root: Path) -> None:
    world = World(root / "world")
    held = world.held()
    assert held.commands == len(held.situations) == 2
    adapter = Adapter(root, world, Clock(START + timedelta(days=1)), refresh_days=30)
    assert adapter.names("drafts") == [f"{PLAN}-{WORK}.json"]
    assert adapter.names("inbox") == adapter.names("rejected") == []
    assert adapter.journal.counts()[DONE] == sum(adapter.journal.counts().values()) == 2
    adapter.close()


def kill_at_each(tmp_path: Path, first: int, every: int) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    _, steps = in_a_process_of_its_own(whole, 0, timedelta())
    assert steps > 40
    assert_as_if_nothing_happened(whole)
    for kill_at in range(first, steps, every):
        root = tmp_path / str(kill_at)
        root.mkdir()
        killed, _ = in_a_process_of_its_own(root, kill_at, timedelta())
        assert killed, kill_at
        in_a_process_of_its_own(root, 0, timedelta(hours=3))
        assert_as_if_nothing_happened(root)


def restricted(root: Path, steps: Steps, begin: timedelta) -> None:
    """Take word of a restriction of all that was done before."""
    world = World(root / "world")
    adapter = Adapter(root, world, Clock(START + begin), refresh_days=30)
    adapter.journal.connection.set_trace_callback(steps.statement)
    for owner, names in ((os, ("fsync",)), (Path, ("replace", "unlink"))):
        for name in names:
            setattr(owner, name, steps.around(getattr(owner, name)))
    for answering in (Restrictions, Port):
        setattr(answering, "answer", steps.around(answering.answer))  # noqa: B010 -- as every other step
    adapter.work()


def test_killed_while_it_takes_word_of_a_restriction_or_an_erasure(tmp_path: Path) -> None:
    done = tmp_path / "done"
    done.mkdir()
    in_a_process_of_its_own(done, 0, timedelta())
    for told, after in ((STOP, ([], 1)), (GONE, ([], 0))):
        kill_at, killed = 1, True
        while killed:
            root = tmp_path / f"{type(told).__name__}-{kill_at}"
            shutil.copytree(done, root)
            tell(World(root / "world"), told)
            killed, _ = in_a_process_of_its_own(root, kill_at, timedelta(hours=1), restricted)
            in_a_process_of_its_own(root, 0, timedelta(hours=2), restricted)
            adapter = Adapter(root, World(root / "world"), Clock(START), refresh_days=30)
            assert (adapter.names("drafts"), len(list(adapter.config.aside.iterdir()))) == after, kill_at
            adapter.close()
            held = World(root / "world").held()
            assert set(held.applied.values()) | set(held.purged.values()) == {True}, kill_at
            kill_at += 3
        assert kill_at > 10


def test_killed_here_and_there_it_is_so_all_the_same(tmp_path: Path) -> None:
    # A prime, so that it meets each kind of step somewhere.
    kill_at_each(tmp_path, 2, 5)


@pytest.mark.slow
def test_killed_at_any_step_it_is_so_all_the_same(tmp_path: Path) -> None:
    kill_at_each(tmp_path, 1, 1)


def test_killed_again_and_again_it_gets_there(tmp_path: Path) -> None:
    for life in range(1, 20):
        in_a_process_of_its_own(tmp_path, 3 * life, timedelta(minutes=20 * life))
    in_a_process_of_its_own(tmp_path, 0, timedelta(hours=15))
    assert_as_if_nothing_happened(tmp_path)
