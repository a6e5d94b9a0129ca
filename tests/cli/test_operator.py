"""What an operator asks: the settings in force, the state of a shard, its store; and what he starts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.settings import Settings
from exchange.wiring import doctor
from tests.wiring.shards import change, flip_a_bit, forget_events, position, young

if TYPE_CHECKING:
    from tests.cli.conftest import Shell

HEX = "ab" * 32


# --- config show -----------------------------------------------------------------------------------------


def test_config_show_prints_what_is_in_force(exchange: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("settings.toml").write_text("port = 1001\nhot_mib = 7\n", encoding="utf-8")
    monkeypatch.setenv("EXCHANGE_PORT", "1002")
    said = exchange("config", "show", "--config", "settings.toml")
    lines = said.out.splitlines()
    assert (said.code, said.err) == (0, "")
    assert {"port = 1002", "hot_mib = 7", "mode = development"} <= set(lines)
    assert len(lines) == len(Settings.model_fields)


def test_config_show_hides_secrets(exchange: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_OPERATOR_SIGNING_KEY", HEX)
    said = exchange("config", "show")
    assert "operator_signing_key = (hidden)" in said.out.splitlines()
    assert HEX not in said.out + said.err


def test_config_show_takes_a_folder_and_says_what_is_not_set(exchange: Shell) -> None:
    lines = exchange("config", "show", "--data", "here").out.splitlines()
    assert {"data = here", "keys = not set", "log_file = not set"} <= set(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("colour = 1", "names=colour"),
        ('port = "s3cret"', "port must be a whole number"),
        ("=", "settings.toml"),
        ("port = 65536", "port must be at most 65535"),
        ('mode = "s3cret"', "mode must be 'development' or 'production'"),
    ],
)
def test_wrong_settings_exit_two_and_name_what_is_wrong(text: str, words: str, exchange: Shell) -> None:
    Path("settings.toml").write_text(text, encoding="utf-8")
    for command in (("config", "show"), ("doctor",), ("store", "verify"), ("serve",)):
        said = exchange(*command, "--config", "settings.toml")
        assert (said.code, said.out) == (2, "")
        assert words in said.err
        assert "s3cret" not in said.err
        assert "Correct the named setting" in said.err


# --- doctor ----------------------------------------------------------------------------------------------


def test_the_doctor_says_green_and_exits_zero(exchange: Shell, shard: Settings) -> None:
    said = exchange("doctor", "--data", shard.data)
    assert (said.code, said.err) == (0, "")
    assert {line.split()[0] for line in said.out.splitlines()} == {"green"}
    assert f"signed up to {position(shard)} of {position(shard)}, published" in said.out


def test_the_doctor_says_red_what_to_do_and_exits_one(
    exchange: Shell, shard: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "FREE_BYTES_MIN", 2**80)
    (shard.keys_folder / "kek").unlink()
    said = exchange("doctor", "--data", shard.data)
    red = [line for line in said.out.splitlines() if line.startswith("RED")]
    assert said.code == 1
    # The log's second key is under the KEK too.
    assert [line.split()[1] for line in red] == ["disk", "keys", "ledger"]
    assert "Free space on the data disk" in red[0]


# --- store verify ----------------------------------------------------------------------------------------


def test_a_whole_store_is_verified(exchange: Shell, shard: Settings) -> None:
    said = exchange("store", "verify", "--data", shard.data)
    assert said.code == 0
    assert f"{position(shard)} events, {position(shard)} leaves" in said.out
    assert "every event has its leaf" in said.out


def test_a_whole_store_for_programs(exchange: Shell, shard: Settings) -> None:
    said = exchange("store", "verify", "--data", shard.data, "-o", "json")
    told = json.loads(said.out)
    assert list(told) == ["ok", "position", "events", "leaves", "root", "problems"]
    assert (told["ok"], told["position"], told["problems"]) == (True, position(shard), [])
    assert len(bytes.fromhex(told["root"])) == 32


@pytest.mark.parametrize("at", [0, 40, -1])
def test_one_changed_byte_exits_one_and_names_the_place(at: int, exchange: Shell, shard: Settings) -> None:
    flip_a_bit(shard, 2, at)
    said = exchange("store", "verify", "--data", shard.data)
    assert said.code == 1
    assert "position 2: the event's bytes are not those the leaf was made of" in said.out
    assert "the store differs from its ledger" in said.out


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM stored_events WHERE position = 2",
        "DELETE FROM leaves WHERE leaf_index = 1",
        """UPDATE leaves SET entry = CAST(replace(entry, '"v":1', '"v":2') AS BLOB) WHERE leaf_index = 1""",
        "UPDATE stored_events SET topic = 'another.topic.v1' WHERE position = 2",
    ],
)
def test_a_changed_row_exits_one_and_names_the_place(
    statement: str, exchange: Shell, shard: Settings
) -> None:
    change(shard, statement)
    said = exchange("store", "verify", "--data", shard.data, "-o", "json")
    told = json.loads(said.out)
    assert (said.code, told["ok"]) == (1, False)
    assert 2 in [problem["position"] for problem in told["problems"]]


def test_a_store_that_is_not_there_is_not_reachable(exchange: Shell) -> None:
    said = exchange("store", "verify", "--data", "nowhere")
    assert (said.code, said.out) == (3, "")
    assert "event store did not answer" in said.err
    assert "--data names the folder of a service that ran" in said.err
    assert not Path("nowhere").exists()


# --- serve -----------------------------------------------------------------------------------------------


def test_a_restored_older_store_is_not_served_and_says_what_to_do(exchange: Shell, shard: Settings) -> None:
    forget_events(shard, back_to=young(Path("older")).data / "events.db")
    said = exchange("serve", "--data", shard.data, "--port", 0, "--metrics-port", 0)
    assert (said.code, said.out) == (1, "")
    assert "rolled back" in said.err
    assert "restore the newest backup; never delete the checkpoint" in said.err
    assert "Traceback" not in said.err


def test_events_without_keys_are_not_served(exchange: Shell, shard: Settings) -> None:
    (shard.keys_folder / "keys.db").unlink()
    said = exchange("serve", "--data", shard.data, "--port", 0, "--metrics-port", 0)
    assert said.code == 1
    assert "there are events but no key database" in said.err


@pytest.mark.parametrize(
    "words",
    [("--host", "0.0.0.0"), ("--port", 65_536), ("--port", "x"), ("--colour", "green")],  # noqa: S104 -- must be refused
)
def test_serving_in_another_way_than_allowed_exits_two(words: tuple[object, ...], exchange: Shell) -> None:
    said = exchange("serve", *words)
    assert (said.code, said.out) == (2, "")
    assert not Path("data").exists()
