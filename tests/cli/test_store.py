"""`exchange store`, and every command that looks at a shard, on PostgreSQL as on a file."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import ForkRefused, KeysBehindEvents, StoreUnavailable
from exchange.settings import throw_away_settings
from exchange.store import postgres as in_postgres
from exchange.store.lease import PostgresLease
from exchange.store.postgres import SCHEMA_VERSION as IN_POSTGRESQL
from exchange.store.sqlite import SCHEMA_VERSION
from exchange.wiring.core import key_file, open_core
from exchange.wiring.stores import event_file, has_events, open_reader, open_recorder
from tests.registers import GENESIS_EVENTS
from tests.wiring.shards import young

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from tests.cli.conftest import Shell
    from tests.postgres.server import PostgresServer


@pytest.fixture
def named(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of an empty store in PostgreSQL, in the environment too."""
    found = {"store": "postgres", "postgres": postgres.schema()}
    for name, value in found.items():
        monkeypatch.setenv(f"EXCHANGE_{name.upper()}", value)
    return found


def test_a_shard_on_postgresql_is_looked_at_as_any_other(
    named: dict[str, str], exchange: Shell, tmp_path: Path
) -> None:
    data = tmp_path / "shard"
    empty = throw_away_settings(data=data, **named)
    assert not has_events(empty)
    assert exchange("doctor", "--data", data).code == 0
    assert "no service ran" in exchange("audit", "adl", "--data", data).err
    made = exchange("store", "migrate", "--data", data)
    assert (made.code, made.out) == (0, f"made the tables of version {IN_POSTGRESQL}\n")
    # Tables that their owner made are no events: the first start still makes its keys.
    assert not has_events(empty)
    settings = young(data, **named)
    assert has_events(settings)
    assert not event_file(settings).exists()
    told = json.loads(exchange("store", "verify", "--data", data, "-o", "json").out)
    assert (told["ok"], told["events"], told["leaves"]) == (True, GENESIS_EVENTS, GENESIS_EVENTS)
    again = exchange("store", "migrate", "--data", data)
    assert (again.code, again.out) == (0, f"the store is of version {IN_POSTGRESQL}; nothing to do\n")
    assert f"{GENESIS_EVENTS} events" in exchange("doctor", "--data", data).out
    shown = exchange("config", "show", "--data", data).out.splitlines()
    assert {"store = postgres", "postgres = (hidden)"} <= set(shown)
    log = exchange("audit", "adl", "--data", data)
    assert (log.code, log.err) == (0, "")


def test_a_database_changed_behind_the_ledger_is_named(
    named: dict[str, str], exchange: Shell, tmp_path: Path
) -> None:
    young(tmp_path / "shard", **named)
    with psycopg.connect(named["postgres"]) as connection:
        connection.execute("UPDATE leaves SET entry = 'other'::bytea WHERE leaf_index = 1")
    said = exchange("store", "verify", "--data", tmp_path / "shard")
    assert (said.code, "position 2: " in said.out) == (1, True)


def test_a_database_that_does_not_answer_is_red_and_nothing_is_made(
    named: dict[str, str], exchange: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"host={tmp_path} dbname=nowhere connect_timeout=1"
    monkeypatch.setenv("EXCHANGE_POSTGRES", nowhere)
    settings = throw_away_settings(data=tmp_path / "shard", **(named | {"postgres": nowhere}))
    with pytest.raises(StoreUnavailable):
        has_events(settings)
    with pytest.raises(StoreUnavailable):
        open_core(settings)
    assert not settings.data.exists()
    said = exchange("doctor", "--data", settings.data)
    assert said.code == 1
    assert "did not answer" in said.out
    assert "nowhere" not in said.out + said.err


def test_events_elsewhere_are_never_taken_for_a_first_start(named: dict[str, str], tmp_path: Path) -> None:
    """Another store under a folder that signed, and another folder over a store with events."""
    on_file = young(tmp_path / "file")
    with closing(open_core(on_file)) as core:
        core.integrator.integrate()
    with pytest.raises(ForkRefused):
        open_core(on_file.model_copy(update=named))
    settings = young(tmp_path / "shard", **named)
    key_file(settings).unlink()
    with pytest.raises(KeysBehindEvents):
        open_core(settings)
    with pytest.raises(KeysBehindEvents):
        open_core(throw_away_settings(data=tmp_path / "another", **named))
    with closing(open_reader(settings)) as reader:
        assert reader.head()[0] == GENESIS_EVENTS


# --- migrate ---------------------------------------------------------------------------------------------


@pytest.fixture
def outdated(tmp_path: Path) -> Settings:
    """A shard as the version before this one left it."""
    settings = young(tmp_path / "shard")
    change(settings, "DROP TABLE logs", "UPDATE schema_version SET version = 2")
    return settings


def change(settings: Settings, *statements: str) -> None:
    with closing(sqlite3.connect(event_file(settings), isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def test_an_older_store_is_not_opened_until_it_is_taken_forward(outdated: Settings, exchange: Shell) -> None:
    said = exchange("serve", "--data", outdated.data, "--port", 0, "--metrics-port", 0)
    assert said.code != 0
    assert "exchange store migrate" in said.err
    light = exchange("doctor", "--data", outdated.data)
    assert (light.code, "exchange store migrate" in light.out) == (1, True)
    taken = exchange("store", "migrate", "--data", outdated.data)
    assert (taken.code, taken.out) == (0, f"taken from version 2 to version {SCHEMA_VERSION}\n")
    assert exchange("doctor", "--data", outdated.data).code == 0
    open_core(outdated).close()


def test_a_newer_store_and_none_are_refused(outdated: Settings, exchange: Shell, tmp_path: Path) -> None:
    change(outdated, "UPDATE schema_version SET version = 99")
    said = exchange("store", "migrate", "--data", outdated.data)
    assert said.code != 0
    assert "newer version" in said.err
    none = exchange("store", "migrate", "--data", tmp_path / "nowhere")
    assert "no service ran" in none.err


def test_a_store_in_use_is_not_taken_forward(named: dict[str, str], exchange: Shell, tmp_path: Path) -> None:
    from exchange.wiring.holding import held

    settings = throw_away_settings(data=tmp_path / "shard", **named)
    with held(settings.data):
        assert "another service runs" in exchange("store", "migrate", "--data", settings.data).err
    open_recorder(settings).close()


# --- the lease -------------------------------------------------------------------------------------------


def test_who_holds_a_shard_is_told_and_it_is_moved(named: dict[str, str], exchange: Shell) -> None:
    open_recorder(throw_away_settings(**named)).close()
    nobody = exchange("lease", "show")
    assert (nobody.code, nobody.out) == (1, "nobody holds the shard; the last term was 0\n")
    with closing(PostgresLease(named["postgres"], "a:1", 60.0)) as lease:
        lease.take()
        told = exchange("lease", "show")
        assert (told.code, told.out.startswith("a:1 holds the shard in term 1, for ")) == (0, True)
        read = json.loads(exchange("lease", "show", "--json").out)
        assert (read["term"], read["holder"], 0 < read["seconds_left"] <= 60) == (1, "a:1", True)
        moved = exchange("lease", "move")
        assert (moved.code, moved.out) == (0, "a:1 held the shard; whoever is quickest takes term 3\n")
        assert exchange("lease", "show").code == 1


def test_what_wants_the_service_to_stand_still_is_refused_while_any_node_holds_the_shard(
    named: dict[str, str], exchange: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    young(tmp_path / "shard", **named)
    with closing(PostgresLease(named["postgres"], "a:1", 60.0)) as lease:
        lease.take()
        # A step that only adds goes beside nodes that run, and so does what is nothing to do.
        assert exchange("store", "migrate", "--data", tmp_path / "shard").code == 0
        with monkeypatch.context() as later:
            later.setattr(in_postgres, "SCHEMA_VERSION", IN_POSTGRESQL + 1)
            for words in (("store", "migrate"), ("keys", "rotate", "--all")):
                said = exchange(*words, "--data", tmp_path / "shard")
                assert (said.code, "a node holds this shard" in said.err) == (2, True)
        lease.give()
        assert exchange("store", "migrate", "--data", tmp_path / "shard").code == 0
        assert exchange("keys", "rotate", "--all", "--data", tmp_path / "shard").code == 0


def test_a_store_in_a_file_has_no_lease(exchange: Shell) -> None:
    for word in ("show", "move"):
        said = exchange("lease", word)
        assert (said.code, "one node and no lease" in said.err) == (2, True)
