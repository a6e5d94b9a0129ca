"""How long a call may take: its task is cancelled when the time is over, and then it is known that it was.

Promises: as `asyncio.timeout` does, of which a call needs a part and pays the whole; whoever else cancels the
task is not taken for the time.
Source: gRPC deadlines; docs.python.org, Task.uncancel.
"""

from __future__ import annotations

import asyncio


class Deadline:
    """Of the running task, from when it is made until it is closed, which is always done."""

    __slots__ = ("_cancelled", "_task", "_timer", "passed")

    def __init__(self, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None, "only within a task"
        self._task = task
        self._cancelled = task.cancelling()
        self.passed = False
        self._timer = task.get_loop().call_later(seconds, self._pass)

    def close(self) -> None:
        """Let the task take as long as it likes from here on."""
        self._timer.cancel()

    def ended_it(self) -> bool:
        """Tell, once it was cancelled, whether the time did that and nobody else; then it is so no more."""
        return self.passed and self._task.uncancel() <= self._cancelled

    def _pass(self) -> None:
        self.passed = True
        self._task.cancel()
