"""A service whose clock somebody else moves: for a story that takes years and is told in seconds.

`python -m exchange.wiring.years --data DIR --clock FILE`. FILE holds eight bytes, little-endian and signed:
by how many seconds this clock is ahead of the machine's, negative where it is behind. Promises: development
only, below one folder with a throw-away authority; `exchange serve` has no such clock, and no setting that
gives it one; set back, it tells the last time it told until that is over.
"""

from __future__ import annotations

import argparse
import mmap
import struct
import sys
import threading
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from exchange.settings import throw_away_settings
from exchange.wiring.core import development_authority, utc_now
from exchange.wiring.holding import private_files
from exchange.wiring.service import OPERATOR_FOLDER, Starter, serve

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from exchange.settings import Settings

OFFSET: Final = struct.Struct("<q")
LEEWAY: Final = timedelta(days=1)


def years_settings(data: Path, databases: Mapping[str, str]) -> Settings:
    """Return the settings of a story that takes years; `databases` are those of its store, if it has any."""
    log_file = data / "exchange.log"
    return throw_away_settings(data=data, port=0, metrics_port=0, log_file=log_file, **databases)


def set_clock(file: Path, ahead: timedelta) -> None:
    """Make the clock's file anew: by how much it is ahead of the machine's, negative where it is behind."""
    file.write_bytes(OFFSET.pack(int(ahead.total_seconds())))


class MovedClock:
    """The machine's clock, moved by what a file holds now. Never tells a time before one it told."""

    def __init__(self, file: Path, machine: Callable[[], datetime] = utc_now) -> None:
        with file.open("rb") as opened:
            self._offset: Final = mmap.mmap(opened.fileno(), OFFSET.size, access=mmap.ACCESS_READ)
        self._machine: Final = machine
        self._lock: Final = threading.Lock()
        self._last = self._read()

    def _read(self) -> datetime:
        (ahead_s,) = OFFSET.unpack(self._offset[: OFFSET.size])
        return self._machine() + timedelta(seconds=ahead_s)

    def __call__(self) -> datetime:
        """Return the time of the story; microseconds, UTC."""
        with self._lock:
            self._last = max(self._last, self._read())
            return self._last


def issue_for(settings: Settings, start: datetime, others: Mapping[Path, tuple[str, str]]) -> None:
    """Give the operator, and others (OIN, name) by folder, what holds from `start` until after now.

    Both clocks judge a certificate: the service's, and that of the machine, which TLS asks.
    """
    lasts = utc_now() - start + 2 * LEEWAY
    authority = development_authority(settings)
    operator = {settings.data / OPERATOR_FOLDER: (settings.operator_oin, settings.operator_name)}
    for folder, (oin, name) in (operator | dict(others)).items():
        authority.issue_organisation(oin, name, folder, valid_from=start - LEEWAY, valid_for=lasts)


def main() -> None:
    """Serve until the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--clock", required=True, type=Path)
    parser.add_argument("--config", type=Path)
    words = parser.parse_args()
    with private_files():
        words.data.mkdir(parents=True, exist_ok=True)
    databases = {} if words.config is None else tomllib.loads(words.config.read_text(encoding="utf-8"))
    serve(
        years_settings(words.data, databases),
        Starter(leash=sys.stdin.fileno(), clock=MovedClock(words.clock)),
    )


if __name__ == "__main__":
    main()
