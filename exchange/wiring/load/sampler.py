"""Where a process is: stacks of its threads, looked at a thousand times a second, and their processor time.

Promises: nothing of the process is changed but the thread that looks. A look needs the interpreter's lock, so
that what runs without it (TLS, SQL, fsync) is seen where it was called, and so is a loop that waits; of who
holds it a look sees the next place where he may let go, which is after a long call and not in it. The
kernel's own count of processor time stands beside it for each thread, and is not guessed.
Source: docs.python.org `sys._current_frames`; proc(5), /proc/self/task/TID/stat; stacks in the folded form
of Gregg's flame graphs.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.wiring.load.processes import STIME, UTIME

if TYPE_CHECKING:
    from types import FrameType

EVERY_S: Final = 0.001
SWITCH_S: Final = 0.0005  # who looks gets the lock at least as often as it looks
LOOKS_PER_COUNT: Final = 50
DEPTH_MAX: Final = 60
SHOWN: Final = 40
# On top of a stack, where a thread has nothing to do: kept in the folded form, left out of what people read.
WAITING: Final = frozenset(
    {
        "thread.py:_worker",
        "threading.py:Condition.wait",
        "threading.py:Thread.run",
        "selectors.py:_PollLikeSelector.select",
    }
)
TASKS: Final = Path("/proc/self/task")


class Sampler:
    """Looks from `start` to `stop`. A thread of its own, which it leaves out."""

    def __init__(self) -> None:
        self._stacks: Counter[str] = Counter()  # owned by the thread until it has ended
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, name="sampler", daemon=True)
        self._began: dict[str, float] = {}
        self._took: dict[str, float] = {}

    def start(self) -> None:
        """Begin to look."""
        sys.setswitchinterval(SWITCH_S)
        self._began = processor_s()
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._ended.set()
        self._thread.join()
        self._count()

    def _look(self) -> None:
        mine = threading.get_ident()
        looks = 0
        while not self._ended.wait(EVERY_S):
            if (looks := looks + 1) % LOOKS_PER_COUNT == 1:
                # While they live: what a thread took is gone when it has ended.
                self._count()
            names = {thread.ident: thread.name for thread in threading.enumerate()}
            for ident, frame in sys._current_frames().items():  # noqa: SLF001 -- documented, and there is no other way
                if ident != mine:
                    self._stacks[f"{names.get(ident, 'thread')};{_stack(frame)}"] += 1

    def _count(self) -> None:
        for name, took in processor_s().items():
            self._took[name] = max(self._took.get(name, 0.0), took - self._began.get(name, 0.0))

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.folded for a flame graph, and NAME.txt for people."""
        folder.mkdir(parents=True, exist_ok=True)
        stacks = sorted(self._stacks.items())
        (folder / f"{name}.folded").write_text(
            "".join(f"{stack} {count}\n" for stack, count in stacks), encoding="utf-8"
        )
        (folder / f"{name}.txt").write_text("\n".join([*self._threads(), "", *self._places(), ""]))

    def _threads(self) -> list[str]:
        took = sorted(self._took.items(), key=lambda one: -one[1])
        return ["processor seconds by thread", *(f"{seconds:10.2f}  {name}" for name, seconds in took)]

    def _places(self) -> list[str]:
        """Return where threads were most often, on top of their stack and anywhere in it."""
        own, within = Counter[str](), Counter[str]()
        for stack, count in self._stacks.items():
            frames = stack.split(";")
            if frames[-1] in WAITING:
                continue
            own[f"{frames[0]}: {frames[-1]}"] += count
            for frame in set(frames[1:]):
                within[f"{frames[0]}: {frame}"] += count
        lines = []
        for title, counts in (("looks: where it was", own), ("looks: what it was in", within)):
            lines += [title, *(f"{count:10}  {place}" for place, count in counts.most_common(SHOWN)), ""]
        return lines


def processor_s() -> dict[str, float]:
    """Return the processor seconds of each thread, as the kernel counts them; empty where it tells none.

    Threads of one name are told together: those of gRPC's core have the process's.
    """
    names = {thread.native_id: thread.name for thread in threading.enumerate()}
    found: dict[str, float] = {}
    if not TASKS.is_dir():
        return {}
    for task in TASKS.iterdir():
        try:
            text = (task / "stat").read_text(encoding="utf-8")
        except OSError:
            continue
        fields = text.rpartition(")")[2].split()
        name = names.get(int(task.name), text.partition("(")[2].rpartition(")")[0])
        seconds = (int(fields[UTIME]) + int(fields[STIME])) / os.sysconf("SC_CLK_TCK")
        found[name] = found.get(name, 0.0) + seconds
    return found


def _stack(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None and len(names) < DEPTH_MAX:
        code = frame.f_code
        names.append(f"{Path(code.co_filename).name}:{code.co_qualname}")
        frame = frame.f_back
    return ";".join(reversed(names))
