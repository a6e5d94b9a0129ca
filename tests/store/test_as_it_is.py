"""Sealed words lie in PostgreSQL as they are: in a new store, and in one of before that was taken forward."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exchange.errors import StoreOutdated, StoreUnavailable
from exchange.store import postgres_pool
from exchange.store.postgres import SCHEMA_VERSION, PostgresRecorder, found_version, only_adds
from tests.store.postgres_store import PostgresStore

if TYPE_CHECKING:
    from tests.postgres.server import PostgresServer

# Longer than a row may be before PostgreSQL looks for what can be made smaller. Half of it could be.
LONG = b"{" + b"a" * 4_000 + base64.b64encode(os.urandom(3_000)) + b"}"
AS_BEFORE = (
    "ALTER TABLE stored_events ALTER COLUMN state SET STORAGE EXTENDED",
    "ALTER TABLE leaves ALTER COLUMN entry SET STORAGE EXTENDED",
    "UPDATE schema_version SET version = 4",
)

WAITING = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'stored_events'::regclass"


@pytest.fixture
def store(postgres: PostgresServer) -> PostgresStore:
    """A store of its own: what it has as tables is changed."""
    return PostgresStore(postgres.schema())


def kept_as_it_is(dsn: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(dsn) as session:
        return session.execute(
            "SELECT attrelid::regclass::text, attname FROM pg_attribute WHERE attstorage = 'e'"
            " AND attrelid IN ('stored_events'::regclass, 'leaves'::regclass) ORDER BY 1, 2"
        ).fetchall()


def bytes_of_states(dsn: str) -> list[int]:
    with psycopg.connect(dsn) as session:
        found = session.execute(
            "SELECT pg_column_size(state) FROM stored_events ORDER BY notification_id"
        ).fetchall()
    return [size for (size,) in found]


def add_long(recorder: PostgresRecorder, store: PostgresStore, stream: str) -> None:
    batch = store.batch(stream)
    (event,) = batch.events
    object.__setattr__(event, "state", LONG)
    recorder.commit(batch)
    store.resume(batch)


def test_a_new_store_keeps_events_and_leaves_as_they_are(store: PostgresStore) -> None:
    with closing(store):
        assert kept_as_it_is(store.dsn) == [("leaves", "entry"), ("stored_events", "state")]
        add_long(store.recorder, store, "plan-1")
        assert bytes_of_states(store.dsn) == [len(LONG)]


def test_a_store_of_before_is_taken_forward_while_its_nodes_go_on(store: PostgresStore) -> None:
    with closing(store):
        store.tamper(*AS_BEFORE)
        assert kept_as_it_is(store.dsn) == []
        with pytest.raises(StoreOutdated):
            PostgresRecorder(store.dsn)
        assert only_adds(store.dsn)
        # Of before, and open: it sends what it sent, and goes on.
        before = store.recorder
        add_long(before, store, "plan-1")
        with closing(PostgresRecorder(store.dsn, forward=True)) as after:
            assert found_version(store.dsn) == SCHEMA_VERSION
            assert kept_as_it_is(store.dsn) == [("leaves", "entry"), ("stored_events", "state")]
            add_long(before, store, "plan-2")
            add_long(after, store, "plan-3")
        small, *others = bytes_of_states(store.dsn)
        assert small < len(LONG)
        assert others == [len(LONG)] * 2
        assert [row.state for row in store.reader.page(0, 9)] == [LONG] * 3


def test_who_has_a_table_keeps_no_node_behind_a_step_forward(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes the table for itself: whoever asks for it after that stands behind it, a commit too."""
    with monkeypatch.context() as shorter:
        # Of the node alone, so that it is cut off before the step would be.
        shorter.setattr(postgres_pool, "STATEMENT_TIMEOUT_MS", postgres_pool.STATEMENT_TIMEOUT_MS // 3)
        store = PostgresStore(postgres.schema())
    with closing(store), ThreadPoolExecutor(1) as aside:
        store.tamper(*AS_BEFORE)
        with psycopg.connect(store.dsn) as reading, psycopg.connect(store.dsn, autocommit=True) as looking:
            reading.execute("SELECT count(*) FROM stored_events")
            stepping = aside.submit(PostgresRecorder, store.dsn, forward=True)
            while not looking.execute(WAITING).fetchone():
                assert not stepping.done()
            add_long(store.recorder, store, "plan-1")
            with pytest.raises(StoreUnavailable, match="uses the tables"):
                stepping.result()
            assert found_version(store.dsn) == SCHEMA_VERSION - 1
        PostgresRecorder(store.dsn, forward=True).close()
        assert found_version(store.dsn) == SCHEMA_VERSION
