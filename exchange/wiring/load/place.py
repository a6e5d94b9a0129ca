"""Where shards of a bench are: files below a folder, or schemas of a database that go when the bench ends.

Promises: settings of the environment are about other services and play no part; one shard, one store.
"""

from __future__ import annotations

import os
import platform
import sqlite3
import uuid
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from exchange.errors import SettingsInvalid
from exchange.settings import ENV_PREFIX, throw_away_settings
from exchange.store.library_baseline import on_sqlite
from exchange.wiring.bench_raw import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import ModuleType

    from exchange.settings import Settings


class Rows(Protocol):
    """A table of rows as the store takes them without us."""

    def rows_per_s(self) -> float:
        """Insert rows in batches; return how many a second."""

    def insert(self) -> tuple[int, float, float]:
        """Insert as many; return how many, and the seconds by the clock and of this process."""

    def one(self) -> float:
        """Commit one row; return the seconds it took."""

    def close(self) -> None:
        """Close it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of store. `dsn` is libpq's, empty for SQLite."""

    dsn: str = field(default="", repr=False)

    @property
    def store(self) -> str:
        """Which store it is."""
        return "postgres" if self.dsn else "sqlite"

    @contextmanager
    def shard(self, folder: Path, **named: Any) -> Iterator[Settings]:  # noqa: ANN401 -- pydantic checks each
        """Yield settings of a shard in a folder, with a store of its own."""
        if not self.dsn:
            yield throw_away_settings(data=folder, **named)
            return
        with _postgres().schema(self.dsn, uuid.uuid4().hex) as dsn:
            yield throw_away_settings(data=folder, store="postgres", postgres=dsn, **named)

    @contextmanager
    def rows(self, folder: Path, size: int) -> Iterator[Rows]:
        """Yield rows of a size."""
        folder.mkdir(parents=True, exist_ok=True)
        if not self.dsn:
            made: Rows = RawRows(folder / "raw.db", size)
            try:
                yield made
            finally:
                made.close()
            return
        with _postgres().schema(self.dsn, uuid.uuid4().hex) as dsn:
            made = _postgres().PostgresRows(dsn, size, os.urandom)
            try:
                yield made
            finally:
                made.close()

    @contextmanager
    def library(self, folder: Path) -> Iterator[dict[str, str]]:
        """Yield the library's own settings for a store of its own."""
        folder.mkdir(parents=True, exist_ok=True)
        if not self.dsn:
            yield on_sqlite(folder)
            return
        with _postgres().schema(self.dsn, uuid.uuid4().hex) as dsn:
            yield _postgres().library_environment(dsn)

    def machine(self, cores: int | None) -> dict[str, Any]:
        """Return what this runs on. Raises StoreUnavailable."""
        told: dict[str, Any] = {
            "cores": cores,
            "machine": platform.machine(),
            "python": platform.python_version(),
        }
        # With SQLite 2 is FULL: every connection of store and library is made so.
        return told | (_postgres().server_of(self.dsn) if self.dsn else {"sqlite": sqlite3.sqlite_version})


SQLITE: Final = Place()


def store_environment(settings: Settings) -> dict[str, str]:
    """Return what a service's process is told of its store: never in words that others can list."""
    if settings.store == "sqlite":
        return {}
    return {f"{ENV_PREFIX}STORE": settings.store, f"{ENV_PREFIX}POSTGRES": settings.postgres}


def _postgres() -> ModuleType:
    try:
        from exchange.store import throw_away  # noqa: PLC0415 -- the extra may not be there
    except ModuleNotFoundError:
        raise SettingsInvalid(
            "PostgreSQL is measured with the extra `postgres`: pip install 'exchange[postgres]'", name="store"
        ) from None
    return throw_away
