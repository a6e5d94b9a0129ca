"""Where a small database lies, what it holds, and how it is spoken to: alike for a file and for a server.

Promises: one text for each statement and each table, written for both; `?` stands for a value, and nothing
that one of the two understands otherwise is used: no `INSERT OR`, no numbered values, no types left to guess.
A transaction that begins with `BEGIN IMMEDIATE` is the only one that writes, until its end.
Source: sqlite.org/lang_transaction.html, sqlite.org/lang_upsert.html; postgresql.org/docs/current:
sql-insert.html.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, runtime_checkable

from exchange.errors import HistoryUnreadable, SettingsInvalid, StoreOutdated

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

# How a column's type and a table's end are written in each.
IN_SQLITE: Final[Mapping[str, str]] = {
    "text": "TEXT",
    "bytes": "BLOB",
    "number": "INTEGER",
    "keyed": " STRICT, WITHOUT ROWID",
    "plain": " STRICT",
}
# Ordered by its bytes, as SQLite orders: a place in a walk over rows means the same in both.
IN_POSTGRES: Final[Mapping[str, str]] = {
    "text": 'TEXT COLLATE "C"',
    "bytes": "BYTEA",
    "number": "BIGINT",
    "keyed": "",
    "plain": "",
}


class InPostgres(NamedTuple):
    """Tables in a schema that a libpq string names.

    `sure_of_server` refuses a line at whose end somebody else may be; `forward` takes older tables forward.
    """

    dsn: str
    sure_of_server: bool = False
    forward: bool = False


Place = Path | InPostgres


class Cursor(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:  # noqa: ANN401 -- a row is what its statement asks for
        """Return the next row, None behind the last."""

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Go through the rows that are left."""


class Connection(Protocol):
    """One line to a database, for use under its owner's lock; `sqlite3.Connection` is one."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction was begun and did not end."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Cursor:
        """Run one statement."""

    def executemany(self, statement: str, rows: Sequence[Sequence[Any]], /) -> Cursor:
        """Run one statement for each row."""

    def close(self) -> None:
        """End it."""


@runtime_checkable
class Scrubbing(Protocol):
    """A connection whose deleted rows go by writing their tables anew."""

    def scrub(self) -> bool:
        """Do so; False where it could not be done for now. Raises Refusal."""


class Refusal(Exception):
    """PostgreSQL refused or did not answer; `name` is the kind, without its words: those hold values."""

    def __init__(self, name: str, *, full: bool = False) -> None:
        super().__init__(name)
        self.name = name
        self.full = full


@dataclass(frozen=True)
class Tables:
    """The tables of one small database, at a version; `name` is that of the table which holds the version.

    In braces the words of IN_SQLITE and IN_POSTGRES. `steps` take a version to the next, in PostgreSQL: a
    file's new tables are made when it is opened, by the program that alone opens it.
    """

    name: str
    version: int
    made: tuple[str, ...]
    only_sqlite: tuple[str, ...] = ()
    only_postgres: tuple[str, ...] = ()
    # Which hold what must be gone once it was deleted.
    scrubbed: tuple[str, ...] = ()
    steps: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    def in_sqlite(self) -> list[str]:
        """Return the statements that make them in a file; done again they change nothing."""
        return [*(one.format_map(IN_SQLITE) for one in self.made), *self.only_sqlite]

    def in_postgres(self) -> list[str]:
        """Return the statements that make them in an empty schema."""
        return [*(one.format_map(IN_POSTGRES) for one in self.made), *self.only_postgres]

    def steps_from(self, found: int, *, forward: bool) -> list[str]:
        """Return what takes tables of a version to this one, nothing for those of today.

        Raises HistoryUnreadable for what is newer, or has no step; StoreOutdated for what is older, unless it
        is to go forward.
        """
        refuse_newer(self, found)
        told = {"store": self.name, "found": str(found), "known": str(self.version)}
        missing = [one for one in range(found, self.version) if one not in self.steps]
        if missing:
            raise HistoryUnreadable("no step leads from the version of this database to today's", **told)
        if found < self.version and not forward:
            raise StoreOutdated("the database was written by an older version", **told)
        return [one.format_map(IN_POSTGRES) for at in range(found, self.version) for one in self.steps[at]]


def refuse_newer(tables: Tables, found: int) -> None:
    """Raise HistoryUnreadable where the tables were written by a newer version of this code."""
    if found > tables.version:
        told = {"store": tables.name, "found": str(found), "known": str(tables.version)}
        raise HistoryUnreadable("the database was written by a newer version", **told)


def in_postgres(place: InPostgres, tables: Tables) -> Connection:
    """Return a connection to tables in PostgreSQL. Raises SettingsInvalid where the extra is missing."""
    return _room().PostgresConnection(place, tables)  # type: ignore[no-any-return] # the room is loaded late


def found_version(place: InPostgres, tables: Tables) -> int | None:
    """Return the version of the tables in a schema, None where there are none. Raises Refusal."""
    return _room().found_version(place, tables)  # type: ignore[no-any-return] # the room is loaded late


def holding(place: InPostgres, *, alone: bool) -> AbstractContextManager[bool]:
    """Hold a schema's tables against who wants them alone, or alone; give whether that could be."""
    return _room().holding(place, alone=alone)  # type: ignore[no-any-return] # the room is loaded late


def asked(place: InPostgres, question: str) -> tuple[Any, ...] | None:
    """Return the first row of an answer, None without one or without tables. Raises Refusal."""
    return _room().asked(place, question)  # type: ignore[no-any-return] # the room is loaded late


def server_of(place: InPostgres) -> tuple[str, str]:
    """Return (server, database) as the server itself names them. Raises Refusal."""
    return _room().server_of(place)  # type: ignore[no-any-return] # the room is loaded late


def certificate_of(dsn: str) -> Path | None:
    """Return the client's certificate that a libpq string or the environment names; None for none."""
    return _room().certificate_of(dsn)  # type: ignore[no-any-return] # the room is loaded late


def _room() -> Any:  # noqa: ANN401 -- a module
    try:
        from exchange.databases import postgres  # noqa: PLC0415 -- the extra may not be there
    except ModuleNotFoundError:
        raise SettingsInvalid(
            "a database in PostgreSQL needs the extra `postgres`: pip install 'exchange[postgres]'",
            name="store",
        ) from None
    return postgres
