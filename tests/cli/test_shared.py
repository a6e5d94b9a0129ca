"""Every command that touches keys, checkpoints or read models, on a shard whose sides lie in PostgreSQL."""

from __future__ import annotations

import json
import shutil
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.databases.place import InPostgres
from exchange.errors import (
    ForkRefused,
    KeyDestroyed,
    KeysBehindEvents,
    KeyUnavailable,
    SettingsInvalid,
    StoreUnavailable,
)
from exchange.settings import throw_away_settings
from exchange.wiring.core import open_core
from exchange.wiring.doctor import examine
from exchange.wiring.places import held_keys, refuse_together
from exchange.wiring.shredding import standing
from tests.cli.test_keys import Desk
from tests.databases.kept import stored
from tests.wiring.shards import young

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.settings import Settings
    from tests.cli.conftest import Shell
    from tests.postgres.server import PostgresServer


@pytest.fixture
def named(postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The settings of an empty shard in three databases, in the environment too."""
    found = postgres.settings()
    for name, value in found.items():
        monkeypatch.setenv(f"EXCHANGE_{name.upper()}", value)
    return found


@pytest.fixture
def desk(tmp_path: Path, named: dict[str, str]) -> Desk:
    """A stopped shard with one resident."""
    return Desk(tmp_path, **named)


def other_node(settings: Settings, folder: Path) -> Settings:
    """Return another node of a shard: its operator gave it the keys that lie in files, and nothing else."""
    node = settings.model_copy(update={"data": folder})
    node.keys_folder.mkdir(parents=True)
    for file in ("kek", "log.key", "log-mldsa.key"):
        shutil.copy(settings.keys_folder / file, node.keys_folder)
    return node


def test_keys_are_renewed_destroyed_and_told_of(desk: Desk, exchange: Shell, named: dict[str, str]) -> None:
    data = ("--data", desk.settings.data)
    assert not [*desk.settings.keys_folder.glob("keys.db*"), *desk.settings.checkpoints_folder.glob("*")]
    place = InPostgres(named["keys_postgres"])
    with psycopg.connect(place.dsn) as line:
        rows = line.execute("SELECT wrapped FROM data_key").fetchall()
    assert all(key in stored(place) for (key,) in rows)

    assert exchange("keys", "rotate", "--all", *data).code == 0
    shown = json.loads(exchange("keys", "kek", "show", "--json", *data).out)
    (desk.settings.keys_folder / "kek").rename(desk.folder / "former")
    (desk.folder / "before.toml").write_text(f'kek_file = "{desk.folder}/former"\ndata = "{data[1]}"\n')
    assert exchange("keys", "kek", "create", *data).code == 0
    assert exchange("keys", "rotate-kek", "--from", desk.folder / "before.toml", *data).code == 0
    after = json.loads(exchange("keys", "kek", "show", "--json", *data).out)
    assert (after["kek"] != shown["kek"], list(after["wrapped"])) == (True, [after["kek"]])
    assert not [key for (key,) in rows if key in stored(place)]
    assert exchange("identity", "rotate", "--yes", *data).code == 0

    done = json.loads(exchange(*desk.words(*desk.people())).out)
    told = json.loads(exchange("keys", "status", "-o", "json", *data).out)
    assert (told["decided"], told["listed"], told["left"], told["residents"]) == (1, 1, [], 0)
    said = exchange("keys", "certificate", done["erasure_id"], "--out", desk.folder / "certificate", *data)
    assert said.code == 0
    with psycopg.connect(place.dsn) as line:
        assert line.execute("SELECT count(*) FROM data_key").fetchone() == (0,)

    assert exchange("store", "verify", *data).code == 0
    for word in ("rebuild", "status"):
        read = [
            json.loads(line) for line in exchange("projections", word, "-o", "jsonl", *data).out.splitlines()
        ]
        assert [(one["position"], one["name"]) for one in read if one["position"] != one["head"]] == []
    shown_lights = {light.part: light for light in examine(desk.settings)}
    assert [light for light in shown_lights.values() if not light.ok] == []
    assert "one server" in shown_lights["databases"].says
    assert shown_lights["databases"].beware


def test_another_node_needs_no_file_but_the_keys_that_wrap_and_sign(desk: Desk, tmp_path: Path) -> None:
    node = other_node(desk.settings, tmp_path / "node")
    with closing(open_core(desk.settings)) as mine, closing(open_core(node)) as theirs:
        assert theirs.origin == mine.origin
        signed, again = mine.integrator.integrate(), theirs.integrator.integrate()
        assert signed == again
        assert signed is not None
        key = mine.keys.obtain(desk.ref, "CONTACT")
        assert theirs.keys.open_key(desk.ref, "CONTACT", key.version).material == key.material
    for file in ("log.key", "log-mldsa.key", "kek"):
        away = (node.keys_folder / file).rename(tmp_path / "away")
        with pytest.raises((KeyUnavailable, SettingsInvalid)):
            open_core(node)
        away.rename(node.keys_folder / file)


def test_what_one_node_erased_the_other_opens_no_more(desk: Desk, exchange: Shell, tmp_path: Path) -> None:
    with closing(open_core(other_node(desk.settings, tmp_path / "node"))) as core:
        position = core.reader.head()[0]
        version = core.keys.obtain(desk.ref, "CONTACT").version
        key = core.keys.open_key(desk.ref, "CONTACT", version)
        erasure_id = json.loads(exchange(*desk.words(*desk.people())).out)["erasure_id"]
        # What is opened stays open until it is told; whoever writes or follows next is told.
        assert core.keys.open_key(desk.ref, "CONTACT", key.version) is key
        core.erasures.catch_up(position)
        assert (list(core.erasures.listed.entries), core.keys.erasures) == ([erasure_id], 1)
        with pytest.raises(KeyDestroyed):
            core.keys.open_key(desk.ref, "CONTACT", key.version)


def test_keys_of_before_an_erasure_come_back_and_are_destroyed_again(
    desk: Desk, exchange: Shell, named: dict[str, str]
) -> None:
    """The drill: the key database of yesterday, events and checkpoints of today."""
    tables = ("data_key", "secret", "link", "place")
    with psycopg.connect(named["keys_postgres"]) as line:
        kept = {name: line.execute(f"SELECT * FROM {name}".encode()).fetchall() for name in tables}  # noqa: S608 -- the names above
    erasure_id = json.loads(exchange(*desk.words(*desk.people())).out)["erasure_id"]
    with psycopg.connect(named["keys_postgres"]) as line:
        for name in (*tables, "destroyed", "executed"):
            line.execute(f"DELETE FROM {name}".encode())  # noqa: S608 -- the names above
        for name, rows in kept.items():
            for row in rows:
                marks = ", ".join(["%s"] * len(row))
                line.execute(f"INSERT INTO {name} VALUES ({marks})".encode(), row)  # noqa: S608 -- the names above
    data = ("--data", desk.settings.data)
    said = exchange("keys", "status", *data)
    assert (said.code, f"1 not carried out\n  {erasure_id}" in said.out) == (1, True)
    said = exchange("keys", "shred", "-o", "json", *data)
    assert (said.code, json.loads(said.out)) == (0, {"carried_out": [erasure_id]})
    assert standing(desk.settings).whole
    with psycopg.connect(named["keys_postgres"]) as line:
        line.execute("DELETE FROM secret")
    with pytest.raises(KeysBehindEvents):
        open_core(desk.settings)


def test_beside_another_node_nothing_is_renewed_and_nobody_shredded(
    desk: Desk, exchange: Shell, tmp_path: Path
) -> None:
    data = ("--data", desk.settings.data)
    with held_keys(other_node(desk.settings, tmp_path / "node"), alone=False):
        # A service beside a service.
        with held_keys(desk.settings, alone=False):
            pass
        for words in (
            ("keys", "rotate", "--all", *data),
            ("keys", "rotate-kek", *data),
            ("identity", "rotate", "--yes", *data),
            desk.words(*desk.people()),
        ):
            said = exchange(*words)
            assert (said.code, "another node uses these keys" in said.err) == (2, True)
    assert exchange("keys", "rotate", "--all", *data).code == 0


def test_checkpoints_that_are_gone_or_ahead_are_a_fork(desk: Desk, named: dict[str, str]) -> None:
    with psycopg.connect(named["checkpoints_postgres"]) as line:
        line.execute(
            "INSERT INTO signed"
            " SELECT origin, size + 9, root, NULL, claimed_at FROM signed ORDER BY size LIMIT 1"
        )
    with pytest.raises(ForkRefused, match="less than was signed"):
        open_core(desk.settings)
    with psycopg.connect(named["checkpoints_postgres"]) as line:
        line.execute("DROP TABLE signed, kept_line, checkpoint_store; DROP FUNCTION is_kept, note_stays")
    with pytest.raises(ForkRefused, match="gone"):
        open_core(desk.settings)


def test_migrate_makes_the_tables_of_every_database_and_a_newer_one_is_refused(
    named: dict[str, str], exchange: Shell, tmp_path: Path
) -> None:
    data = ("--data", tmp_path / "shard")
    made = exchange("store", "migrate", *data)
    assert (made.code, made.out.splitlines()[1:]) == (
        0,
        ["key database: made the tables of version 1", "checkpoint store: made the tables of version 2"],
    )
    # Their owner made tables, and nobody keys: the first start still does.
    young(data[1], **named)
    again = exchange("store", "migrate", *data)
    assert (again.code, again.out.count("nothing to do")) == (0, 3)
    for name, table in (("keys_postgres", "key_database"), ("checkpoints_postgres", "checkpoint_store")):
        with psycopg.connect(named[name]) as line:
            line.execute(f"UPDATE {table} SET version = version + 1".encode())  # noqa: S608 -- the names above
        for words in (("store", "migrate"), ("doctor",)):
            said = exchange(*words, *data)
            assert said.code != 0
            assert "newer version" in said.out + said.err
        with psycopg.connect(named[name]) as line:
            line.execute(f"UPDATE {table} SET version = version - 1".encode())  # noqa: S608 -- the names above


def test_production_keeps_the_three_apart_by_what_the_servers_say(
    named: dict[str, str], tmp_path: Path
) -> None:
    shard = throw_away_settings(data=tmp_path, **named).model_copy(update={"mode": "production"})
    refuse_together(shard)
    for name, beside in (
        ("keys_postgres", "postgres"),
        ("checkpoints_postgres", "postgres"),
        ("checkpoints_postgres", "keys_postgres"),
    ):
        # Another schema of the same database is the same database.
        together = shard.model_copy(update={name: f"{named[beside]} options='-c search_path=another'"})
        with pytest.raises(SettingsInvalid, match="apart") as refused:
            refuse_together(together)
        assert {refused.value.metadata["name"], refused.value.metadata["beside"]} == {name, beside}
        with pytest.raises(SettingsInvalid, match="apart"):
            open_core(together)
        refuse_together(together.model_copy(update={"mode": "development"}))
    with pytest.raises(StoreUnavailable) as away:
        refuse_together(shard.model_copy(update={"keys_postgres": f"host={tmp_path} dbname=away"}))
    assert str(tmp_path) not in str(away.value)
