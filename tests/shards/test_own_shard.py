"""A node that names the map and its municipality: it starts as the shard that the map says, or not at all."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import SettingsInvalid
from exchange.keys.authority import DevelopmentAuthority
from exchange.server.shards.errors import ShardMapInvalid
from exchange.settings import load_settings, throw_away_settings
from exchange.wiring.doctor import examine
from exchange.wiring.ledger import open_ledger
from exchange.wiring.service import serve
from exchange.wiring.shards import add_shard, databases_apart, map_bytes, read_caller, refuse_other_shard
from tests.shards.maps import log_key, made, table, text
from tests.wiring.shards import position, young

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres.server import PostgresServer

NAME = "g0363.exchange.example"
STRING = "service=events-0363 target_session_attrs=read-write"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Certificates of doors, by the names they are for."""
    base = tmp_path_factory.mktemp("certificates")
    authority = DevelopmentAuthority(base)
    hosts = {
        "own": (NAME, "b.nl"),
        "wide": ("*.exchange.example",),
        "higher": ("*.example",),
        "other": ("a.nl",),
    }
    return {
        word: authority.issue_server(base / word, names).certificate.read_bytes()
        for word, names in hosts.items()
    }


def node(tmp_path: Path, mapped: bytes, **named: Any) -> Any:  # noqa: ANN401 -- settings
    file = tmp_path / "map.toml"
    file.write_bytes(mapped)
    return throw_away_settings(data=tmp_path / "data", shard_map=file, municipality="0363", **named)


def own(**named: object) -> bytes:
    return text(1, table("0363", databases=None, **named), table("0518"))


def test_one_whose_door_would_do_for_another_municipality_does_not_start(
    tmp_path: Path, certificates: dict[str, bytes]
) -> None:
    with pytest.raises(ShardMapInvalid, match="good for another municipality"):
        refuse_other_shard(node(tmp_path, own()), log_key("0363"), certificates["wide"])
    alone = node(tmp_path, text(1, table("0363", databases=None), table("0518", server_names=["a.nl"])))
    refuse_other_shard(alone, log_key("0363"), certificates["wide"])
    second = node(
        tmp_path, text(1, table("0363", databases=None), table("0518", server_names=["a.nl", "b.nl"]))
    )
    with pytest.raises(ShardMapInvalid, match="good for another municipality"):
        refuse_other_shard(second, log_key("0363"), certificates["own"])


def test_a_node_of_the_shard_that_the_map_says_starts(tmp_path: Path, certificates: dict[str, bytes]) -> None:
    refuse_other_shard(node(tmp_path, own()), log_key("0363"), certificates["own"])
    # The log of another year is the same shard's.
    refuse_other_shard(node(tmp_path, own()), log_key("0363", 2027), certificates["own"])
    refuse_other_shard(throw_away_settings(), log_key("0518"), b"")


@pytest.mark.parametrize("word", ["other", "higher"])
def test_one_whose_door_has_another_name_does_not(
    word: str, tmp_path: Path, certificates: dict[str, bytes]
) -> None:
    with pytest.raises(ShardMapInvalid, match="certificate lacks a name"):
        refuse_other_shard(node(tmp_path, own()), log_key("0363"), certificates[word])


def test_nor_one_with_another_log_or_a_municipality_that_is_not_there(
    tmp_path: Path, certificates: dict[str, bytes]
) -> None:
    with pytest.raises(ShardMapInvalid, match="another log"):
        refuse_other_shard(node(tmp_path, own()), log_key("0518"), certificates["own"])
    with pytest.raises(ShardMapInvalid, match="does not name"):
        refuse_other_shard(node(tmp_path, text(1, table("0518"))), log_key("0363"), certificates["own"])
    with pytest.raises(ShardMapInvalid, match="certificate lacks a name"):
        refuse_other_shard(node(tmp_path, own()), log_key("0363"), b"no certificate")


def test_nor_one_on_another_database(tmp_path: Path, certificates: dict[str, bytes]) -> None:
    mapped = text(1, table("0363", databases={"postgres": "events-0363"}))
    good = node(tmp_path, mapped, store="postgres", postgres=STRING)
    refuse_other_shard(good, log_key("0363"), certificates["own"])
    for string in ("service=events-0518", "host=db dbname=events-0363", ""):
        with pytest.raises(ShardMapInvalid, match="another database"):
            refuse_other_shard(node(tmp_path, mapped, postgres=string), log_key("0363"), certificates["own"])


def test_a_service_does_not_start_as_another_shard_and_records_nothing(tmp_path: Path) -> None:
    settings = node(tmp_path, own())
    with pytest.raises(ShardMapInvalid, match="another log"):
        serve(settings)
    with pytest.raises(SettingsInvalid):
        serve(settings.model_copy(update={"shard_map": tmp_path / "away.toml"}))
    assert position(settings) == 0


def test_both_settings_or_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXCHANGE_CONFIG", raising=False)
    for half in ({"municipality": "0363"}, {"shard_map": "map.toml"}):
        with pytest.raises(SettingsInvalid, match="needs both"):
            load_settings(None, **half)
    with pytest.raises(SettingsInvalid, match="municipality"):
        load_settings(municipality="363", shard_map="map.toml")
    assert load_settings(municipality="0363", shard_map="map.toml").municipality == "0363"


def test_the_doctor_tells(tmp_path: Path) -> None:
    def light(settings: Any) -> tuple[bool, str]:  # noqa: ANN401 -- settings
        return next((one.ok, one.says) for one in examine(settings) if one.part == "shard")

    ran = young(tmp_path / "data")
    assert light(ran) == (True, "no map named: nothing is compared")
    DevelopmentAuthority(tmp_path / "data" / "authority").issue_server(tmp_path / "data" / "door", (NAME,))
    ledger = open_ledger(ran)
    vkey = ledger.logs.newest.signer.vkey
    ledger.close()
    ok, says = light(node(tmp_path, own(log_key=vkey)))
    assert (ok, says) == (True, "serial 1; log, databases and door are those of 0363")
    ok, says = light(node(tmp_path, own()))
    assert (ok, "another log" in says) == (False, True)
    (tmp_path / "map.toml").unlink()
    ok, says = light(throw_away_settings(data=ran.data, shard_map=tmp_path / "map.toml", municipality="0363"))
    assert (ok, "cannot be read" in says) == (False, True)


def test_two_names_of_one_database_are_found(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def section(name: str, database: str) -> str:
        words = dict(word.split("=", 1) for word in postgres.dsn(database).split())
        return f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in words.items())

    for name in ("town_a", "town_b"):
        postgres.create(name)
    services = section("a", "town_a") + section("b", "town_b") + section("again", "town_a")
    (tmp_path / "services").write_text(services)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))

    def wrong(**second: str) -> list[str]:
        found = made(2, table("0363", databases={"postgres": "a"}), table("0518", databases=second))
        return [one.wrong for one in databases_apart(found)]

    assert wrong(postgres="b") == ["", ""]
    assert wrong(postgres="again") == ["", "is postgres of 0363 too"]
    assert wrong(keys_postgres="again") == ["", "is postgres of 0363 too"]
    assert wrong(postgres="nowhere")[1].startswith("the database does not answer")


def test_what_cannot_be_read_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ShardMapInvalid, match="cannot be read"):
        map_bytes(tmp_path)
    with pytest.raises(SettingsInvalid, match="credentials cannot be read"):
        read_caller(tmp_path)
    with pytest.raises(ShardMapInvalid, match="cannot be written"):
        add_shard(tmp_path / "away" / "map.toml", table("0363"), tmp_path)


def test_one_at_a_time_adds_to_a_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.wiring.shards.looked_at", lambda *_: ())
    monkeypatch.setattr("exchange.wiring.shards.read_caller", lambda *_: None)
    file = tmp_path / "map.toml"
    codes = [f"{one:04}" for one in range(1, 9)]
    adding = [
        threading.Thread(target=add_shard, args=(file, table(code, doors=[f"h{code}:1"]), tmp_path))
        for code in codes
    ]
    for one in adding:
        one.start()
    for one in adding:
        one.join()
    assert file.stat().st_mode & 0o777 == 0o644
    assert file.read_bytes().count(b"[[shard]]") == len(codes)
    assert file.read_bytes().splitlines()[1] == b"serial = 8"
