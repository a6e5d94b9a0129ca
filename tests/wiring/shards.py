"""Shards that ran before: closed folders with a history, and how to take something from them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from exchange.ledger.leaf import parse_leaf
from exchange.settings import throw_away_settings
from exchange.store.reader import SQLiteReader
from exchange.wiring.bench import THUMBPRINT, Bench
from exchange.wiring.core import genesis, open_core, utc_now
from exchange.wiring.service import door_material

if TYPE_CHECKING:
    from exchange.settings import Settings


def history(data: Path, plans: int = 1) -> Settings:
    """Make a shard with plans, certificates and a published checkpoint, and close it."""
    bench = Bench.open(data, plans)
    settings = throw_away_settings(data=data)
    try:
        bench.core.integrator.integrate()
        door_material(settings)
    finally:
        bench.core.close()
    return settings


def young(data: Path, **named: str) -> Settings:
    """Make a shard that holds its first event only, and signed nothing."""
    settings = throw_away_settings(data=data, **named)
    core = open_core(settings)
    try:
        genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
    finally:
        core.close()
    return settings


def position(settings: Settings) -> int:
    """Return how many events lie in the store, read past all of our own code."""
    connection = sqlite3.connect(settings.data / "events.db")
    try:
        count: int = connection.execute("SELECT count(*) FROM stored_events").fetchone()[0]
    finally:
        connection.close()
    return count


def newest_at(settings: Settings) -> datetime:
    """Return of when the newest event is, by its leaf."""
    with closing(SQLiteReader(settings.data / "events.db")) as reader:
        head = reader.head()[0]
        return datetime.fromisoformat(parse_leaf(reader.leaf_entries(head - 1, head)[0]).at)


def forget_events(settings: Settings, back_to: Path | None = None) -> None:
    """Take the event database away, or put an older one in its place."""
    for file in settings.data.glob("events.db*"):
        file.unlink()
    if back_to is not None:
        shutil.copy(back_to, settings.data / "events.db")


def change(settings: Settings, statement: str) -> None:
    """Change the event database behind the service's back."""
    connection = sqlite3.connect(settings.data / "events.db")
    try:
        with connection:
            assert connection.execute(statement).rowcount == 1
    finally:
        connection.close()


def flip_a_bit(settings: Settings, where: int, at: int) -> None:
    """Change one byte of the event at a position."""
    connection = sqlite3.connect(settings.data / "events.db")
    try:
        with connection:
            query = "SELECT state FROM stored_events WHERE position = ?"
            state = bytearray(connection.execute(query, (where,)).fetchone()[0])
            state[at] ^= 1
            connection.execute("UPDATE stored_events SET state = ? WHERE position = ?", (bytes(state), where))
    finally:
        connection.close()


def open_files(folder: Path) -> list[str]:
    """Return files below a folder that this process holds open (Linux only)."""
    held = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own descriptor
            held.append(str(descriptor.readlink()))
    return [name for name in held if name.startswith(f"{folder}/")]
