"""Settings: who wins, who is refused, and what an error may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exchange.errors import SettingsInvalid
from exchange.settings import (
    PRODUCTION_NAMES,
    Settings,
    load_settings,
    shown,
    throw_away_settings,
)

HEX = "ab" * 32


@pytest.fixture
def production(tmp_path: Path) -> dict[str, Any]:
    """Flags of a production service that lacks nothing."""
    return {
        "mode": "production",
        "data": tmp_path / "data",
        "keys": tmp_path / "keys",
        "checkpoints": tmp_path / "checkpoints",
        "host": "0.0.0.0",  # noqa: S104 -- what production is for
        "server_certificate": tmp_path / "server.pem",
        "server_key": tmp_path / "server.key",
        "client_authorities": tmp_path / "ca.pem",
        "operator_thumbprint": HEX,
        "operator_signing_key": HEX,
        "kek": "file",
    }


def file_with(text: str) -> Path:
    file = Path("settings.toml")
    file.write_text(text, encoding="utf-8")
    return file


# --- who wins ------------------------------------------------------------------------------------------


def test_a_flag_wins_over_environment_over_file_over_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().port == 8443
    file = file_with("port = 1001")
    assert load_settings(file).port == 1001
    monkeypatch.setenv("EXCHANGE_PORT", "1002")
    assert load_settings(file).port == 1002
    assert load_settings(file, port=1003).port == 1003
    assert load_settings(file, port=None).port == 1002


def test_each_setting_is_taken_from_the_highest_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    file = file_with("port = 1001\nintegrate_ms = 20\ndrain_s = 1.5")
    monkeypatch.setenv("EXCHANGE_INTEGRATE_MS", "30")
    found = load_settings(file, drain_s=2.5)
    assert (found.port, found.integrate_ms, found.drain_s, found.metrics_port) == (1001, 30, 2.5, 9464)


def test_the_environment_can_name_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_CONFIG", str(file_with("port = 1001")))
    assert load_settings().port == 1001


def test_an_empty_variable_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_KEYS", "")
    assert load_settings().keys_folder == Path("data/keys")
    assert load_settings(file_with('keys = "elsewhere"')).keys_folder == Path("elsewhere")


def test_folders_left_out_lie_below_data() -> None:
    found = load_settings(data=Path("here"))
    assert (found.keys_folder, found.checkpoints_folder) == (Path("here/keys"), Path("here/checkpoints"))


def test_a_throw_away_shard_does_not_hear_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_KEYS", "real-keys")
    monkeypatch.setenv("EXCHANGE_MODE", "production")
    found = throw_away_settings(data=Path("demo"))
    assert (found.mode, found.keys_folder) == ("development", Path("demo/keys"))


# --- unknown ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["colour = 1", "[server]\nport = 1", '_env_file = "x"', "message = 1", '"a b" = 1']
)
def test_an_unknown_setting_in_the_file_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="unknown"):
        load_settings(file_with(text))


@pytest.mark.parametrize("name", ["EXCHANGE_COLOUR", "exchange_port", "Exchange_Host", "EXCHANGE_"])
def test_an_unknown_setting_in_the_environment_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "s3cret")
    with pytest.raises(SettingsInvalid, match="unknown") as refused:
        load_settings()
    assert name in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_variables_of_the_tests_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_STANDARDS_DIR", "somewhere")
    assert load_settings().port == 8443


def test_an_unknown_flag_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="colour"):
        load_settings(colour="green")


# --- wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "s3cret"),
        ("port", 65_536),
        ("port", -1),
        ("integrate_ms", 9),
        ("integrate_ms", 60_001),
        ("hot_mib", 0),
        ("drain_s", 300.5),
        ("drain_s", -0.1),
        ("mode", "s3cret"),
        ("log_level", "s3cret"),
        ("operator_oin", "1234567890123456789"),
        ("operator_oin", "123456789012345678901"),
        ("operator_name", "n" * 201),
        ("operator_thumbprint", "s3cret"),
        ("operator_signing_key", HEX[:-1]),
        ("origin_host", "Not A Host"),
    ],
)
@pytest.mark.parametrize("way", ["flag", "environment", "file"])
def test_an_error_names_the_setting_and_never_its_value(
    name: str, value: object, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, flags = None, {}
    if way == "flag":
        flags = {name: value}
    elif way == "environment":
        monkeypatch.setenv(f"EXCHANGE_{name.upper()}", str(value))
    else:
        file = file_with(f"{name} = {value!r}")
    with pytest.raises(SettingsInvalid) as refused:
        load_settings(file, **flags)
    assert name in str(refused.value)
    assert str(value) not in str(refused.value)
    # Nor beside the message, where a traceback would show it.
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize(
    ("name", "value"),
    [("port", 0), ("port", 65_535), ("integrate_ms", 10), ("integrate_ms", 60_000), ("drain_s", 300.0)],
)
def test_a_bound_itself_is_allowed(name: str, value: float) -> None:
    flags: dict[str, Any] = {name: value}
    assert getattr(load_settings(**flags), name) == value


def test_a_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="not there"):
        load_settings(Path("absent.toml"))


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"port = 1\nport = 2"])
def test_a_malformed_file_is_refused(content: bytes) -> None:
    Path("settings.toml").write_bytes(content)
    with pytest.raises(SettingsInvalid, match=r"cannot be read.*settings\.toml"):
        load_settings(Path("settings.toml"))


def test_a_folder_is_no_settings_file() -> None:
    Path("folder").mkdir()
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        load_settings(Path("folder"))


# --- weak ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_development_serves_loopback(host: str) -> None:
    assert load_settings(host=host).host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "exchange.example", ""])  # noqa: S104 -- must be refused
@pytest.mark.parametrize("name", ["host", "admin_host"])
def test_development_serves_nothing_else(name: str, host: str) -> None:
    with pytest.raises(SettingsInvalid, match=f"loopback.*{name}"):
        load_settings(None, **{name: host})


def test_there_is_no_administration_port_unless_it_is_asked() -> None:
    assert load_settings().admin_port is None
    assert load_settings(admin_port=0).admin_port == 0
    with pytest.raises(SettingsInvalid, match="admin_port"):
        load_settings(admin_port=65_536)


def test_a_whole_production_service_may_start(production: dict[str, Any]) -> None:
    assert load_settings(**production).mode == "production"


@pytest.mark.parametrize("name", PRODUCTION_NAMES)
def test_production_lacks_nothing(name: str, production: dict[str, Any]) -> None:
    del production[name]
    with pytest.raises(SettingsInvalid, match=f"production needs.*{name}"):
        load_settings(**production)


@pytest.mark.parametrize("name", ["keys", "checkpoints"])
@pytest.mark.parametrize("where", ["left out", "data", "data/below", "data/../data/x", "link/below"])
def test_production_keeps_keys_and_checkpoints_apart(
    name: str, where: str, production: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "data")
    if where == "left out":
        del production[name]
    else:
        production[name] = tmp_path / where
    with pytest.raises(SettingsInvalid, match=f"apart from the events.*{name}"):
        load_settings(**production)


@pytest.mark.parametrize("name", ["keys", "checkpoints"])
def test_production_keeps_the_events_out_of_the_other_folders(
    name: str, production: dict[str, Any], tmp_path: Path
) -> None:
    production |= {name: tmp_path / "outer", "data": tmp_path / "outer" / "data"}
    with pytest.raises(SettingsInvalid, match=f"keeps the events apart from this.*{name}"):
        load_settings(**production)


@pytest.mark.parametrize("where", [("both", "both"), ("both", "both/below"), ("both/below", "both")])
def test_production_keeps_the_erasure_list_out_of_the_backup_of_the_keys(
    where: tuple[str, str], production: dict[str, Any], tmp_path: Path
) -> None:
    production |= {"keys": tmp_path / where[0], "checkpoints": tmp_path / where[1]}
    with pytest.raises(SettingsInvalid, match="erasure list apart from the keys"):
        load_settings(**production)


def test_production_hands_checkpoints_over_by_https(production: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="by https") as refused:
        load_settings(**production, directory_url="http://directory.example")
    assert refused.value.metadata["name"] == "directory_url"
    assert load_settings(**production, directory_url="https://directory.example").directory_url


def test_a_folder_that_only_begins_alike_is_apart(production: dict[str, Any], tmp_path: Path) -> None:
    production["keys"] = tmp_path / "data-keys"
    assert load_settings(**production).keys_folder == tmp_path / "data-keys"


# --- shown -----------------------------------------------------------------------------------------------


def test_a_secret_is_hidden_and_everything_else_is_shown() -> None:
    told = shown(load_settings(operator_signing_key=HEX, port=7))
    assert HEX not in "".join(told.values())
    assert told["operator_signing_key"] == "(hidden)"
    assert told["port"] == "7"
    assert told.keys() == Settings.model_fields.keys()


def test_a_secret_that_is_not_set_is_not_hidden() -> None:
    assert shown(load_settings())["operator_signing_key"] == ""


# --- where the events are --------------------------------------------------------------------------------


def test_half_a_store_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="name=postgres"):
        load_settings(store="postgres")
    with pytest.raises(SettingsInvalid, match="named, and not used"):
        load_settings(postgres="dbname=exchange")
    assert load_settings(store="postgres", postgres="dbname=exchange").store == "postgres"


@pytest.mark.parametrize(
    "line",
    [
        "host=db user=exchange password=s3cret",
        "host=db sslkey=k sslpassword = s3cret",
        "postgresql://exchange:s3cret@db/exchange",
        "postgres://db/exchange?password=s3cret",
        "postgres://db/exchange?pass%77ord=s3cret",
    ],
)
def test_a_password_stands_in_no_setting_of_production(line: str, production: dict[str, Any]) -> None:
    with pytest.raises(SettingsInvalid, match="PGPASSFILE") as refused:
        load_settings(**production, store="postgres", postgres=line)
    assert "s3cret" not in str(refused.value)
    settings = load_settings(store="postgres", postgres=line)
    assert "s3cret" not in repr(settings)
    assert shown(settings)["postgres"] == "(hidden)"


@pytest.mark.parametrize(
    "line",
    [
        "service=exchange",
        "host=/run/postgresql dbname=exchange passfile=/etc/exchange/pgpass",
        "postgresql://exchange@one:5432,two:5432/exchange?target_session_attrs=read-write",
        "postgresql://one:5432/exchange?sslmode=verify-full&require_auth=scram-sha-256",
    ],
)
def test_a_line_without_a_password_is_taken(line: str, production: dict[str, Any]) -> None:
    assert load_settings(**production, store="postgres", postgres=line).postgres == line


# --- where the KEK is ------------------------------------------------------------------------------------


@pytest.fixture
def hardware(production: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """Flags of a production service whose KEK is in a token."""
    return production | {
        "kek": "pkcs11",
        "kek_module": tmp_path / "module.so",
        "kek_token": "exchange",
        "kek_pin_file": tmp_path / "pin",
    }


def test_a_kek_in_hardware_is_taken_with_all_of_its_settings(hardware: dict[str, Any]) -> None:
    assert load_settings(**hardware).kek_label == "exchange-kek"


@pytest.mark.parametrize("name", ["kek_module", "kek_token", "kek_pin_file"])
def test_half_a_kek_in_hardware_is_refused(name: str, hardware: dict[str, Any]) -> None:
    del hardware[name]
    with pytest.raises(SettingsInvalid, match=name):
        load_settings(**hardware)


def test_a_pin_comes_from_one_place(hardware: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXCHANGE_KEK_PIN", "0417")
    with pytest.raises(SettingsInvalid, match="from one place") as refused:
        load_settings(**hardware)
    assert "0417" not in str(refused.value)
    del hardware["kek_pin_file"]
    settings = load_settings(**hardware)
    assert settings.kek_pin == "0417"
    assert "0417" not in repr(settings)
    assert shown(settings)["kek_pin"] == "(hidden)"


def test_a_pin_stands_in_no_settings_file(hardware: dict[str, Any]) -> None:
    del hardware["kek_pin_file"]
    with pytest.raises(SettingsInvalid, match="environment or in a file of its own") as refused:
        load_settings(file_with('kek_pin = "0417"'), **hardware)
    assert "0417" not in str(refused.value)


def test_a_kek_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(SettingsInvalid, match="kek must be 'file' or 'pkcs11'"):
        load_settings(kek="memory")
