"""Schemas of a bench: nothing else of the database is touched, and nothing of them stays."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import StoreUnavailable
from exchange.store import throw_away
from exchange.store.library_baseline import LibraryBaseline
from exchange.wiring.load.place import Place

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres.server import PostgresServer


def schemas(dsn: str) -> set[str]:
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'exchange\\_bench\\_%'"
        )
        return {name for (name,) in rows}


def test_a_schema_goes_when_its_bench_ends_and_when_it_fails(postgres: PostgresServer) -> None:
    before = schemas(postgres.dsn())
    with (
        throw_away.schema(postgres.dsn(), "one") as dsn,
        closing(throw_away.PostgresRows(dsn, 10, bytes)) as rows,
    ):
        assert schemas(postgres.dsn()) - before == {"exchange_bench_one"}
        assert min(rows.one(), rows.rows_per_s()) > 0
        with psycopg.connect(dsn) as connection:
            assert connection.execute("SELECT count(*), min(length(body)) FROM rows").fetchone() == (
                throw_away.ROWS + 1,
                10,
            )
    with pytest.raises(ZeroDivisionError), throw_away.schema(postgres.dsn(), "two"):
        raise ZeroDivisionError
    assert schemas(postgres.dsn()) == before


def test_the_library_runs_in_a_schema_of_its_own(postgres: PostgresServer, tmp_path: Path) -> None:
    with Place(postgres.dsn()).library(tmp_path / "library") as environment:
        with closing(LibraryBaseline(environment, 1)) as library:
            library.set_goals(3, "woorden")
            assert library.read_all() == 4
        name = environment["POSTGRES_SCHEMA"]
        assert name in schemas(postgres.dsn())
        with psycopg.connect(postgres.dsn()) as connection:
            found = connection.execute(
                "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE '%events%'"
            )
            assert found.fetchone() == (0,)
    assert name not in schemas(postgres.dsn())


def test_the_machine_says_which_server_it_is_and_that_it_flushes(postgres: PostgresServer) -> None:
    told = Place(postgres.dsn()).machine(2)
    assert (told["cores"], told["synchronous"], told["postgres"].split(".")[0]) == (2, "on", "18")


def test_a_database_that_is_not_there_is_named_so() -> None:
    with (
        pytest.raises(StoreUnavailable) as refused,
        throw_away.schema("host=/nowhere password=hidden", "x"),
    ):
        raise AssertionError("no schema was made")
    assert "hidden" not in str(refused.value)
