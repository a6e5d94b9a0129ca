"""One load on several nodes of one shard, what befell them meanwhile, and one order that explains all of it.

Promises: every node is asked in turn, also one that is away; how long nobody was answered after each fault is
told; the history is held to the log, its ledger and a replay of each decision.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exchange.settings import Settings
from tests.history.check import OF_STREAMS, check_store
from tests.history.doors import Doors
from tests.history.faulted import LOOKED_AT
from tests.history.load import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from adapters.sdk.credentials import Credentials
    from tests.history.record import Operation
    from tests.history.report import Report

MORE = 12
NS = 1_000_000_000
# Of a node and its place among others: who reads the log beside it is no node.
OF_A_NODE = frozenset({"node_address", "node_certificate", "node_key", "node_authorities", "lease_seconds"})


def is_answered(one: Operation) -> bool:
    """Tell whether somebody got an answer: a stream that is opened may still be told nothing."""
    return one.outcome == "ok" and one.answered_ns > 0 and one.op not in OF_STREAMS


class Clustered:
    """A load, and what is done to the nodes under it."""

    def __init__(self, load: Load, settings: Settings) -> None:
        self.load, self._settings = load, settings
        self.lines: list[str] = []
        self.history: list[Operation] = []

    def fault(self, what: str, harm: Callable[[], None]) -> float:
        """Do harm under load; return for how many seconds nobody was answered from then on."""
        self.load.until(MORE, done=is_answered)
        moment = time.monotonic_ns()
        harm()
        self.load.until(MORE, done=is_answered)
        silent_s = self.silent_s(moment)
        self.lines.append(f"{what}: nobody was answered for {silent_s:.1f} s")
        return silent_s

    def silent_s(self, moment_ns: int) -> float:
        """Return the longest time after a moment in which nothing ended well, in seconds."""
        ends = sorted(
            one.answered_ns
            for one in self.load.operations
            if is_answered(one) and one.answered_ns > moment_ns
        )
        return max((later - earlier for earlier, later in pairwise([moment_ns, *ends])), default=0) / NS

    def end(self) -> Report:
        """Let the load end, and hold what was answered to the log; no check looks at nothing."""
        self.history = self.load.finish()
        report = check_store(self.history, self._settings)
        assert report.faults == [], "\n".join(report.lines())
        assert {check for check in LOOKED_AT if not report.looked_at[check]} == set()
        self.lines += [*report.lines(), f"  outcomes        {self.outcomes()}"]
        return report

    def outcomes(self) -> dict[str, int]:
        """Count how attempts ended, refusals by their reason."""
        ended = (one.reason or one.outcome for one in self.history if one.op not in OF_STREAMS)
        return dict(sorted(Counter(ended).items()))

    def resumed(self) -> int:
        """Count the streams that were opened again at a cursor."""
        return sum(one.op == "opened" and one.cursor > 0 for one in self.history)

    def tell(self) -> None:
        """Print what happened: the figures are what is shown."""
        sys.stdout.write("\n" + "\n".join(self.lines) + "\n")


def beside(settings: Mapping[str, str], folder: Path) -> Settings:
    """Return the settings of who reads the log of a shard that nodes with `settings` serve."""
    of_the_log = {name: value for name, value in settings.items() if name not in OF_A_NODE}
    return Settings(data=folder, **of_the_log)  # type: ignore[arg-type] # as the environment would give them


@contextmanager
def under_load(
    targets: Callable[[], Sequence[str]],
    credentials: Credentials,
    folder: Path,
    settings: Settings,
    **load: Any,  # noqa: ANN401 -- whatever a load takes
) -> Iterator[Clustered]:
    """Start a load on all nodes; it is ended whatever happens."""
    made = None
    try:
        made = Load(Doors(targets, credentials, folder), **load)
        made.start()
        yield Clustered(made, settings)
    finally:
        if made is not None:
            made.stop()
            made.write(folder / "history.jsonl")
