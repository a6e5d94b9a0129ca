"""The roles and rights of the runbook, as it has them made, on a real PostgreSQL."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import StoreUnavailable
from exchange.store.lease import PostgresLease
from exchange.store.postgres import PostgresRecorder
from tests.docs.pages import blocks_of
from tests.store.postgres_store import PostgresStore

if TYPE_CHECKING:
    from tests.postgres.server import PostgresServer

OWNER, SERVICE = "owning", "serving"
LEASE_S = 60.0


def as_user(dsn: str, name: str) -> str:
    return f"{dsn} user={name}"


def made_by_the_runbook(postgres: PostgresServer) -> str:
    """Run the statements under names of the test's own; return how the database is reached."""
    (block,) = [one for one in blocks_of("deploy/RUNBOOKS.md") if one.mark == "sql owner"]
    # The server's superuser has the name of the service.
    text = block.text.replace("exchange_owner", OWNER).replace("exchange", SERVICE)
    dsn = postgres.dsn()
    for line in text.splitlines():
        if line.startswith("\\connect "):
            dsn = postgres.dsn(line.partition(" ")[2])
            continue
        with psycopg.connect(dsn, autocommit=True) as session:
            session.execute(line.encode())
    return dsn


def test_the_owner_makes_the_tables_and_the_service_may_do_its_work_and_no_more(
    postgres: PostgresServer,
) -> None:
    dsn = made_by_the_runbook(postgres)
    with pytest.raises(StoreUnavailable, match="lacks a right"):
        PostgresRecorder(as_user(dsn, SERVICE))
    PostgresRecorder(as_user(dsn, OWNER)).close()
    with closing(PostgresStore(as_user(dsn, SERVICE))) as store:
        store.add("plan-1")
        assert store.reader.head()[0] == 1
    with closing(PostgresLease(as_user(dsn, SERVICE), "a:1", LEASE_S)) as lease:
        assert lease.take().mine
    # A table that a later version adds.
    with psycopg.connect(as_user(dsn, OWNER), autocommit=True) as session:
        session.execute("CREATE TABLE later (one integer)")
    with psycopg.connect(as_user(dsn, SERVICE), autocommit=True) as session:
        session.execute("INSERT INTO later VALUES (1)")
        for refused in ("DELETE FROM stored_events", "DROP TABLE later", "CREATE TABLE mine (one integer)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                session.execute(refused.encode())
