"""Figures of one adapter, in a file a collector reads: how often others were called, and what stood still.

Promises: the file is whole or as it was; no label but the name of a system of the settings; a disk without
room leaves it as it was. Source: Prometheus text format 0.0.4 (the textfile collector of node_exporter).
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.kit.rates import Limits

EVERY_S: Final = 10.0
PREFIX: Final = "exchange_adapter"


class Figures:
    """Owned by the thread of the loop."""

    def __init__(
        self,
        path: Path,
        limits: Limits,
        steady: Callable[[], float] = time.monotonic,
        every_s: float = EVERY_S,
    ) -> None:
        self._path: Final = path
        self._limits: Final = limits
        self._steady: Final = steady
        self._every_s: Final = every_s
        self._next_at = 0.0

    def write_now_and_then(self, faults: int) -> None:
        """Write them, where the last time is long enough ago."""
        if self._steady() >= self._next_at:
            self._next_at = self._steady() + self._every_s
            self.write(faults, still=False)

    def write(self, faults: int, *, still: bool) -> None:
        """Write them now."""
        draft = self._path.with_suffix(".draft")
        try:
            draft.write_text(self.text(faults, still=still), encoding="ascii")
            draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def text(self, faults: int, *, still: bool) -> str:
        """Return them as they are now."""
        limiters = sorted(self._limits.by_name.items())
        counts = [(name, one.counts) for name, one in limiters]
        rows = [
            *_rows("calls_total", "counter", [(name, told.calls) for name, told in counts]),
            *_rows("waited_seconds_total", "counter", [(name, told.waited_s) for name, told in counts]),
            *_rows("put_off_total", "counter", [(name, told.put_off) for name, told in counts]),
            *_rows("wait_seconds", "gauge", [(name, one.wait_s) for name, one in limiters]),
            *_rows("store_faults_total", "counter", [("", faults)]),
            *_rows("standing_still", "gauge", [("", int(still))]),
        ]
        return "\n".join(rows) + "\n"


def _rows(name: str, kind: str, values: list[tuple[str, float]]) -> list[str]:
    said = [
        f'{PREFIX}_{name}{{system="{system}"}} {value:g}' if system else f"{PREFIX}_{name} {value:g}"
        for system, value in values
    ]
    return [f"# TYPE {PREFIX}_{name} {kind}", *said] if said else []
