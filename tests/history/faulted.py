"""One run of a load through faults, and what has to hold of it afterwards."""

from __future__ import annotations

import time
from collections import defaultdict
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from exchange.settings import Settings
from tests.e2e.service import Service
from tests.history.check import check_store
from tests.history.doors import Doors
from tests.history.entries import entries_of
from tests.history.load import Load
from tests.history.report import Check
from tests.history.stepped import Stepped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.history.entries import Entry
    from tests.history.record import Operation
    from tests.history.report import Fault, Report

# What a run through faults must have looked at, or its load did not do what it is for.
LOOKED_AT = frozenset(Check) - {Check.REFUSED, Check.REPEATS}


class Run:
    """A service and the load on it."""

    def __init__(self, service: Service, load: Load, settings: Settings) -> None:
        self.service, self.load, self.settings = service, load, settings
        self.history: list[Operation] = []

    def end(self, *, closed_too_long: bool = False) -> Report:
        """Let the load end, stop the service, and hold one to the other; no check looks at nothing.

        `closed_too_long` bears with answers that a consent would have opened and that were refused.
        """
        self.history = self.load.finish()
        assert self.service.stop() == 0
        report = check_store(self.history, self.settings)
        faults = [one for one in report.faults if not (closed_too_long and _is_closed(one))]
        assert faults == [], "\n".join(report.lines())
        assert {check for check in LOOKED_AT if not report.looked_at[check]} == set()
        return report

    def entries(self) -> list[Entry]:
        """Return the log."""
        return entries_of(self.settings)

    def unknown(self) -> list[Operation]:
        """Return the attempts whose outcome nobody was told."""
        return [one for one in self.history if one.outcome == "unknown"]

    def done_unseen(self) -> int:
        """Count commands that were executed before the attempt that was answered was sent."""
        attempts: defaultdict[str, list[Operation]] = defaultdict(list)
        for one in self.history:
            attempts[one.request_id].append(one)
        at = {entry.position: entry.at for entry in self.entries()}
        return sum(
            at[last.position] < datetime.fromtimestamp(last.wall_ns / 1e9, UTC) - timedelta(milliseconds=1)
            for name, (*before, last) in attempts.items()
            if name and before and last.outcome == "ok"
        )


def _is_closed(fault: Fault) -> bool:
    refused = fault.check is Check.CONSENT and "was refused at" in fault.what
    return refused or (fault.check is Check.STREAM_WHOLE and "follower-goals" in fault.what)


@contextmanager
def run(
    folder: Path,
    settings: Mapping[str, str] = MappingProxyType({}),
    *,
    through: Callable[[Service], Callable[[], Sequence[str]]] | None = None,
    load: Mapping[str, Any] = MappingProxyType({}),
    service: Callable[..., Service] = Service,
) -> Iterator[Run]:
    """Start a service and a load on it; both are ended whatever happens. `through` gives other endpoints."""
    serving = service(folder / "exchange", **settings).start()
    made = None
    try:
        targets = through(serving) if through is not None else lambda: [serving.target]
        clock = serving.clock if isinstance(serving, Stepped) else time.time
        made = Load(Doors(targets, serving.credentials(), folder, clock=clock), **load)
        made.start()
        yield Run(serving, made, Settings(data=folder / "exchange", **settings))  # type: ignore[arg-type] # as the environment would give them
    finally:
        if made is not None:
            made.stop()
        serving.close()
