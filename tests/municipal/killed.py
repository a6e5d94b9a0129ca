"""`python -m tests.municipal.killed SETTINGS KILL_AT`: one pass, killed at one of its steps; 0 is never.

A step is just before and just after each call to the outside, each call to the exchange and each statement
that writes to the journal. Prints how many there were.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.kit import journal, outward
from adapters.municipal import running
from adapters.municipal.config import load_config
from adapters.sdk.client import ExchangeClient
from adapters.sdk.logs import AdapterLog

if TYPE_CHECKING:
    import sqlite3

WRITING = ("COMMIT", "INSERT", "UPDATE", "DELETE")


class Steps:
    def __init__(self, kill_at: int) -> None:
        self.taken = 0
        self._kill_at = kill_at

    def step(self) -> None:
        self.taken += 1
        if self.taken == self._kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: type, name: str) -> None:
        done = getattr(owner, name)

        def stepping(*words: Any, **more: Any) -> Any:  # noqa: ANN401 -- whatever is wrapped
            self.step()
            answer = done(*words, **more)
            self.step()
            return answer

        setattr(owner, name, stepping)

    def statement(self, text: str) -> None:
        if text.startswith(WRITING):
            self.step()


def main() -> None:
    steps = Steps(int(sys.argv[2]))
    steps.around(outward.Outward, "_exchange")
    steps.around(ExchangeClient, "_send")
    opened = journal.Journal.__init__

    def opening(self: journal.Journal, path: Path, schema: str = "") -> None:
        opened(self, path, schema)
        connection: sqlite3.Connection = self.connection
        connection.set_trace_callback(steps.statement)

    journal.Journal.__init__ = opening  # type: ignore[method-assign] # this process ends soon
    running.once(load_config(Path(sys.argv[1])), AdapterLog())
    sys.stdout.write(f"{steps.taken}\n")


if __name__ == "__main__":
    main()
