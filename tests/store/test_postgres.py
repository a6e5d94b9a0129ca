"""What only a server can do wrong: two writers, dying, not flushing, being of another version."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg_pool import PoolTimeout

from exchange.databases.place import InPostgres
from exchange.databases.postgres import is_weak
from exchange.errors import HistoryUnreadable, SettingsInvalid, StoreFull, StoreOutdated, StoreUnavailable
from exchange.keys.database import open_database
from exchange.store import postgres as room
from exchange.store.errors import HeadMoved, Taken
from exchange.store.postgres import (
    SCHEMA_VERSION,
    PostgresRecorder,
    found_version,
    head_position,
    store_errors,
)
from exchange.store.postgres_reader import PostgresReader
from exchange.store.verify import verify_store
from tests.postgres.server import USER, PostgresServer
from tests.store.builders import FIRST_LOG, OIN
from tests.store.postgres_store import PostgresStore

if TYPE_CHECKING:
    from exchange.store.batch import Batch

GROUPS = 40


def test_a_store_is_verified_whole_and_what_differs_is_named(postgres_store: PostgresStore) -> None:
    store = postgres_store
    store.add("plan-1", "case-1", "plan-1")
    store.commit(store.turn(2027))
    store.add("plan-1")
    assert [(one.first, one.origin) for one in store.reader.heads().opened] == [
        (3, f"exchange.example/{OIN}/2027")
    ]
    report = verify_store(store.reader, FIRST_LOG)
    assert (report.problems, report.events, report.leaves) == ([], 5, 5)
    store.put(2, state=b'{"id": "00"}')
    assert [position for position, _ in verify_store(store.reader, FIRST_LOG).problems] == [2, 2]


def test_of_two_writers_on_one_head_one_wins_and_the_other_is_told(postgres_store: PostgresStore) -> None:
    store, other = postgres_store, PostgresRecorder(postgres_store.dsn)
    moved: list[HeadMoved] = []

    def race(recorder: PostgresRecorder, batch: Batch, barrier: threading.Barrier) -> None:
        barrier.wait()
        try:
            recorder.commit(batch)
        except HeadMoved as error:
            moved.append(error)

    for number in range(GROUPS):
        # Other streams and requests: nothing but the head tells these two apart.
        groups = [store.batch(f"plan-{number}-{side}", requests=[f"{number}-{side}"]) for side in "ab"]
        barrier = threading.Barrier(2)
        threads = [
            threading.Thread(target=race, args=(recorder, batch, barrier))
            for recorder, batch in zip((store.recorder, other), groups, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (won,) = (batch for batch in groups if batch.frontier == store.reader.head()[1])
        store.resume(won)
    other.close()
    assert len(moved) == store.reader.head()[0] == GROUPS
    assert verify_store(store.reader, FIRST_LOG).ok


def test_who_takes_a_turn_is_not_overtaken_and_who_waited_finds_the_head_moved(
    postgres_store: PostgresStore,
) -> None:
    store, other = postgres_store, PostgresRecorder(postgres_store.dsn)
    mine, theirs = store.batch("plan-a"), store.batch("plan-b")
    told: list[BaseException] = []

    def overtake() -> None:
        try:
            other.commit(theirs)
        except HeadMoved as error:
            told.append(error)

    waiting = threading.Thread(target=overtake)
    with psycopg.connect(postgres_store.dsn, autocommit=True) as looking:
        with store.recorder.turn():
            waiting.start()
            while not looking.execute(
                "SELECT FROM pg_locks WHERE NOT granted AND locktype IN ('tuple', 'transactionid')"
            ).fetchall():
                assert waiting.is_alive()
            store.commit(mine)
        waiting.join()
    assert [type(one) for one in told] == [HeadMoved]
    # A turn in which nothing was committed leaves nothing behind, and one that failed neither.
    with pytest.raises(HeadMoved), store.recorder.turn():
        store.recorder.commit(theirs)
    with store.recorder.turn():
        pass
    other.commit(store.batch("plan-a", "plan-b"))
    assert store.reader.head()[0] == 3
    other.close()


def test_a_server_that_is_killed_keeps_what_it_acknowledged_and_nothing_half() -> None:
    server = PostgresServer()
    try:
        server.start()
        store = PostgresStore(server.dsn())
        acknowledged = 0
        killing = threading.Timer(0.5, server.kill)
        killing.start()
        try:
            while True:
                store.add("plan-1", "case-1")
                acknowledged = store.position
        except StoreUnavailable:
            pass
        killing.join()
        with pytest.raises(StoreUnavailable):
            store.reader.head()
        server.start()
        # The reader finds its way back by itself; the group under way stands whole or not at all.
        position, _ = store.reader.head()
        assert position in {acknowledged, acknowledged + 2}
        assert verify_store(store.reader, FIRST_LOG).ok
        again = PostgresRecorder(store.dsn)
        store.recorder.close()
        store.recorder = again
        if position > acknowledged:
            store.resume(store.batch("plan-1", "case-1"))
        store.add("plan-1")
        assert store.reader.head()[0] == position + 1
        store.close()
    finally:
        server.stop()


@pytest.mark.parametrize("setting", ["synchronous_commit"])
def test_a_server_that_does_not_flush_is_refused(postgres: PostgresServer, setting: str) -> None:
    dsn = postgres.schema()
    lax = dsn.replace("options='", f"options='-c {setting}=off ")
    with pytest.raises(SettingsInvalid) as caught:
        PostgresRecorder(lax)
    assert caught.value.metadata == {"setting": setting}
    with psycopg.connect(dsn) as connection:
        assert connection.execute("SELECT to_regclass('head')").fetchone() == (None,)


@pytest.mark.parametrize("sslmode", ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"])
def test_a_line_over_a_network_is_weak_unless_the_server_shows_who_it_is(sslmode: str) -> None:
    assert is_weak("db.example", sslmode) is (sslmode != "verify-full")
    assert not is_weak("/run/postgresql", sslmode)


def test_who_must_be_sure_of_the_server_takes_a_socket_and_refuses_a_weak_line(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    dsn = postgres.schema()
    PostgresRecorder(dsn, sure_of_server=True).close()
    asked: list[tuple[str, str]] = []

    def weak(*line: str) -> bool:
        asked.append((line[0], line[1]))
        return True

    monkeypatch.setattr(room, "is_weak", weak)
    with pytest.raises(SettingsInvalid, match="sslmode=verify-full"):
        PostgresRecorder(f"{dsn} sslmode=require", sure_of_server=True)
    PostgresRecorder(dsn).close()
    ((host, sslmode),) = asked
    assert (host in dsn, sslmode) == (True, "require")


@pytest.mark.parametrize(("found", "words"), [(1, "before the first release"), (SCHEMA_VERSION + 1, "newer")])
def test_a_store_of_another_version_is_refused_and_not_touched(
    postgres_store: PostgresStore, found: int, words: str
) -> None:
    postgres_store.tamper(f"UPDATE schema_version SET version = {found}")  # noqa: S608 -- a number of ours
    before = postgres_store.everything()
    with pytest.raises(HistoryUnreadable, match=words):
        PostgresRecorder(postgres_store.dsn)
    assert postgres_store.everything() == before


def test_a_store_of_before_is_taken_forward_where_that_is_asked_whole_or_not_at_all(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = postgres_store
    store.add("plan-1")
    monkeypatch.setattr(room, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
    monkeypatch.setattr(room, "STEPS", {SCHEMA_VERSION: ("ALTER TABLE links ADD new bigint", "no SQL")})
    before = store.everything()
    with pytest.raises(StoreOutdated) as refused:
        PostgresRecorder(store.dsn)
    assert refused.value.metadata == {"found": str(SCHEMA_VERSION), "known": str(SCHEMA_VERSION + 1)}
    with pytest.raises(StoreUnavailable):
        PostgresRecorder(store.dsn, forward=True)
    assert (store.everything(), found_version(store.dsn)) == (before, SCHEMA_VERSION)
    monkeypatch.setattr(room, "STEPS", {SCHEMA_VERSION: ("ALTER TABLE links ADD new bigint",)})
    PostgresRecorder(store.dsn, forward=True).close()
    assert found_version(store.dsn) == SCHEMA_VERSION + 1
    again = PostgresRecorder(store.dsn)
    again.commit(store.batch("plan-1"))
    again.close()
    assert (store.reader.head()[0], head_position(store.dsn)) == (2, 2)


def test_who_may_only_read_insert_and_update_is_enough_once_the_tables_are_there(
    postgres_store: PostgresStore,
) -> None:
    store, role = postgres_store, f"r{uuid.uuid4().hex}"
    schema = store.dsn.partition("search_path=")[2].rstrip("'")
    store.tamper(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT USAGE ON SCHEMA {schema} TO {role}",
        f"GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    )
    recorder = PostgresRecorder(store.dsn.replace(f"user={USER}", f"user={role}"))
    try:
        recorder.commit(store.batch("plan-1", "case-1", links=[("resident", "plan-1")]))
    finally:
        recorder.close()
    assert store.reader.head()[0] == 2
    assert store.reader.scope("resident").streams == ("plan-1",)


def test_two_that_make_the_tables_at_once_make_them_once(postgres: PostgresServer) -> None:
    dsn, made = postgres.schema(), list[PostgresRecorder]()
    threads = [threading.Thread(target=lambda: made.append(PostgresRecorder(dsn))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == len(threads)
    for recorder in made:
        recorder.close()


def test_a_connection_that_the_server_ended_unused_is_nobodys(postgres_store: PostgresStore) -> None:
    store = postgres_store
    store.commit(store.batch("plan-1"))
    # As a restart ends all of them, and a limit on idle sessions each.
    ended = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    with psycopg.connect(store.dsn, autocommit=True) as session:
        session.execute(f"{ended} AND backend_type = 'client backend'".encode())
    store.commit(store.batch("plan-1"))
    with store.recorder.turn():
        store.commit(store.batch("plan-1"))
    assert store.reader.head()[0] == 3


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_is_refused_by_its_name(
    postgres: PostgresServer, encoding: str
) -> None:
    name = f"in_{encoding.lower()}"
    with psycopg.connect(postgres.dsn(), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0".encode())
    for opened in (PostgresRecorder, lambda dsn: open_database(InPostgres(dsn))):
        with pytest.raises(SettingsInvalid, match="UTF-8") as refused:
            opened(postgres.dsn(name))
        assert refused.value.metadata == {"encoding": encoding}


def test_a_database_that_takes_no_writes_is_refused_and_told_what_to_say(
    postgres_store: PostgresStore,
) -> None:
    # As a standby is, where the string names it and does not ask for who writes.
    closed = postgres_store.dsn.replace("options='", "options='-c default_transaction_read_only=on ")
    for opened in (PostgresRecorder, lambda dsn: open_database(InPostgres(dsn))):
        with pytest.raises(SettingsInvalid, match="target_session_attrs=read-write"):
            opened(closed)


def test_a_reader_cannot_write(postgres_store: PostgresStore) -> None:
    with pytest.raises(StoreUnavailable):
        postgres_store.reader._all(b"DELETE FROM links")


@pytest.mark.parametrize(("failed", "asked"), [(psycopg.OperationalError, 2), (PoolTimeout, 1)])
def test_a_read_is_made_again_on_another_line_and_not_where_there_is_none(
    postgres_store: PostgresStore, monkeypatch: pytest.MonkeyPatch, failed: type[Exception], asked: int
) -> None:
    reads: list[bytes] = []

    def once(statement: bytes, _values: tuple[object, ...]) -> list[object]:
        reads.append(statement)
        with store_errors():
            raise failed

    monkeypatch.setattr(postgres_store.reader, "_once", once)
    with pytest.raises(StoreUnavailable):
        postgres_store.reader.head()
    assert len(reads) == asked


def test_a_closed_reader_and_a_server_that_is_not_there_do_not_answer(postgres_store: PostgresStore) -> None:
    reader = PostgresReader(postgres_store.dsn)
    reader.close()
    with pytest.raises(StoreUnavailable):
        reader.head()


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        (psycopg.errors.UniqueViolation("Key (name)=(x) already exists"), Taken),
        (psycopg.errors.DiskFull("could not extend file"), StoreFull),
        (psycopg.errors.ReadOnlySqlTransaction("cannot execute UPDATE"), StoreUnavailable),
        (psycopg.OperationalError("server closed the connection"), StoreUnavailable),
    ],
)
def test_every_failure_of_the_server_has_its_own_name(raised: Exception, told: type[Exception]) -> None:
    with pytest.raises(StoreUnavailable) as caught, store_errors():
        raise raised
    assert type(caught.value) is told
    assert str(raised) not in str(caught.value)
