"""A service whose machine's clock is stepped while it runs, forward and backward.

`python -m tests.history.stepped --data DIR --clock FILE` serves as `exchange serve` does, on the clock that
the composition root is given. Promises: the product has no such clock; every part of it that asks for the
time gets this one, but for TLS, which asks the machine.
"""

from __future__ import annotations

import argparse
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.settings import load_settings
from exchange.wiring.core import utc_now
from exchange.wiring.service import Starter, serve
from tests.e2e.service import Service

if TYPE_CHECKING:
    from datetime import datetime

AHEAD = timedelta(hours=2)


class Clock:
    """The machine's, and as many seconds more as a file says at each look."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def ahead(self) -> timedelta:
        return timedelta(seconds=int(self._file.read_text()))

    def __call__(self) -> datetime:
        return utc_now() + self.ahead()


class Stepped(Service):
    """Such a service; whoever makes tokens for it has its clock, as on one machine."""

    def step(self, ahead: timedelta) -> None:
        """Set the clock so far ahead of the machine's, or behind."""
        partial = self._file.with_suffix(".partial")
        partial.write_text(str(int(ahead.total_seconds())))
        partial.replace(self._file)

    def clock(self) -> float:
        """Tell the time, in seconds since 1970."""
        return time.time() + Clock(self._file).ahead().total_seconds()

    def start(self) -> Service:
        """Start with whatever the clock says: at first well ahead of every certificate."""
        if not self._file.exists():
            self.step(AHEAD)
        return super().start()

    def _command(self) -> list[str]:
        return ["-m", "tests.history.stepped", "--data", str(self.data), "--clock", str(self._file)]

    @property
    def _file(self) -> Path:
        return self.data.parent / f"{self.data.name}-clock"


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--clock", required=True, type=Path)
    words = parser.parse_args()
    settings = load_settings(None, data=words.data, port=0, metrics_port=0)
    serve(settings, Starter(clock=Clock(words.clock)))


if __name__ == "__main__":
    main()
