"""A store in PostgreSQL, told apart from one in SQLite by nothing that a test of both can see."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import psycopg

from exchange.store.postgres import PostgresRecorder
from exchange.store.postgres_reader import PostgresReader
from tests.store.builders import Store

TABLES: Final = ("stored_events", "leaves", "requests", "links", "head", "logs", "schema_version")


class PostgresStore(Store):
    """A recorder and a reader of one schema."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        super().__init__(Path())

    def _open(self) -> tuple[Any, Any]:
        return PostgresRecorder(self.dsn), PostgresReader(self.dsn)

    def everything(self) -> dict[str, list[tuple[object, ...]]]:
        """Return every row of every table, on a connection of its own."""
        with psycopg.connect(self.dsn) as connection:
            found = {
                name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2".encode()).fetchall()  # noqa: S608 -- the names above
                for name in TABLES
                if name != "schema_version"
            }
            found["schema_version"] = connection.execute("SELECT * FROM schema_version").fetchall()
            return found

    def tamper(self, *statements: str) -> None:
        """Change the tables behind everybody's back."""
        with psycopg.connect(self.dsn) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def put(self, position: int, **values: bytes | str) -> None:
        """Change the state, topic or leaf at a position, or the frontier, behind everybody's back."""
        changes = {
            "state": ("UPDATE stored_events SET state = %s WHERE notification_id = %s", position),
            "topic": ("UPDATE stored_events SET topic = %s WHERE notification_id = %s", position),
            "entry": ("UPDATE leaves SET entry = %s WHERE leaf_index = %s", position - 1),
            "frontier": ("UPDATE head SET frontier = %s WHERE one = %s", 1),
        }
        with psycopg.connect(self.dsn) as connection:
            for name, value in values.items():
                statement, place = changes[name]
                connection.execute(statement.encode(), (value, place))
