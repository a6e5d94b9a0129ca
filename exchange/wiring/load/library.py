"""The library as it comes, in a process of its own: `-m exchange.wiring.load.library`.

A disk that is slow to one process is slow to this one then too. An order is one line of JSON, and so is its
answer. Promises: get, command, save of aggregates of 20 events, one after another; nothing else runs here.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any, Final

from exchange.store.library_baseline import LibraryBaseline
from exchange.wiring.collecting import quiet_collector

PLANS: Final = 64
WORDS: Final = "Wil weer onder de mensen komen en dan aan het werk."


class Library:
    """Obeys orders."""

    def __init__(self) -> None:
        self._baseline: LibraryBaseline | None = None

    def obey(self, order: dict[str, Any]) -> float:
        """Open a store, or handle commands in it and return how many a second."""
        if self._baseline is None:
            self._baseline = LibraryBaseline(order["environment"], 0)
            return 0.0
        # No more than two on each plan, so that plans stay at 20 events.
        self._baseline.make_short_plans(min(PLANS, order["count"]), WORDS)
        quiet_collector()
        started = time.perf_counter()
        self._baseline.handle_commands(order["count"], WORDS)
        rate: float = order["count"] / (time.perf_counter() - started)
        return rate


def main() -> None:
    """Obey until the input ends."""
    library = Library()
    for line in sys.stdin:
        sys.stdout.write(f"{json.dumps({'answer': library.obey(json.loads(line))})}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
