"""The running service: what it must not start with, and how it starts and stops as a process."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import stat
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exchange.errors import DataFolderInUse, ForkRefused, SettingsInvalid
from exchange.ledger.note import COSIGNATURE_ML_DSA_44, parse_vkey
from exchange.wiring import service
from exchange.wiring.bench import Bench
from exchange.wiring.doctor import examine
from exchange.wiring.holding import held
from exchange.wiring.published import published_checkpoint
from exchange.wiring.service import READY_FILE, door_material, serve
from tests.registers import GENESIS_EVENTS
from tests.wiring.shards import forget_events, open_files, position, young

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.settings import Settings

KEYS_IN_USE = 4  # told by the first start
WAIT_MAX_S = 60.0
LOOK_EVERY_S = 0.02


# --- the door's certificates -----------------------------------------------------------------------------


def test_development_makes_its_certificates_once(empty: Settings) -> None:
    assert door_material(empty) == door_material(empty)


def test_production_reads_what_it_is_told(empty: Settings, tmp_path: Path) -> None:
    files = {}
    for name in ("server_certificate", "server_key", "client_authorities"):
        files[name] = tmp_path / name
        files[name].write_bytes(name.encode())
    named = {"mode": "production", "operator_thumbprint": "ab" * 32, "operator_signing_key": "cd" * 32}
    material, thumbprint, signing_key = door_material(empty.model_copy(update=files | named))
    assert material.server_certificate == b"server_certificate"
    assert material.server_key == b"server_key"
    assert material.client_authorities == b"client_authorities"
    assert (thumbprint, signing_key) == ("ab" * 32, "cd" * 32)
    assert not empty.data.exists()


def test_production_without_a_readable_certificate_does_not_start(empty: Settings, tmp_path: Path) -> None:
    absent = tmp_path / "absent.pem"
    named = {
        "mode": "production",
        "server_certificate": absent,
        "server_key": absent,
        "client_authorities": absent,
    }
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        door_material(empty.model_copy(update=named))


# --- what it must not start with -------------------------------------------------------------------------


def on_any_port(settings: Settings) -> Settings:
    return settings.model_copy(update={"port": 0, "metrics_port": 0})


def test_an_older_store_is_not_served(shard: Settings, tmp_path: Path) -> None:
    forget_events(shard, back_to=young(tmp_path / "older").data / "events.db")
    with pytest.raises(ForkRefused, match="rolled back") as refused:
        serve(on_any_port(shard))
    assert "restore the newest backup" in refused.value.remedy
    assert position(shard) == GENESIS_EVENTS
    assert not (shard.data / READY_FILE).exists()


def test_a_rewritten_store_of_the_same_size_is_not_served(shard: Settings, tmp_path: Path) -> None:
    """Another history, as long as the signed one: only the roots can tell."""
    bench = Bench.open(tmp_path / "other", 1)
    bench.core.close()
    forget_events(shard, back_to=tmp_path / "other" / "events.db")
    before = published_checkpoint(shard).read_bytes()
    with pytest.raises(ForkRefused, match="its root at that size is another"):
        serve(on_any_port(shard))
    assert published_checkpoint(shard).read_bytes() == before
    assert not (shard.data / READY_FILE).exists()


def test_a_longer_rewritten_store_is_not_served(shard: Settings, tmp_path: Path) -> None:
    bench = Bench.open(tmp_path / "other", 2)
    bench.core.close()
    assert position(bench.core.settings) > position(shard)
    forget_events(shard, back_to=tmp_path / "other" / "events.db")
    with pytest.raises(ForkRefused):
        serve(on_any_port(shard))


def test_a_taken_port_is_told_and_everything_closed_again(shard: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsInvalid, match=f"cannot be opened.*{port}"):
            serve(shard.model_copy(update={"port": port, "metrics_port": 0}))
    assert not (shard.data / READY_FILE).exists()
    if Path("/proc/self/fd").is_dir():
        assert open_files(shard.data) == []


# --- as a process ----------------------------------------------------------------------------------------


@pytest.fixture
def start() -> Iterator[Callable[[Path], subprocess.Popen[bytes]]]:
    """Start a service on a folder; what still runs at the end is killed."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(data: Path, *more: str) -> subprocess.Popen[bytes]:
        words = ["serve", "--data", str(data), "--port", "0", "--metrics-port", "0", *more]
        process = subprocess.Popen([sys.executable, "-m", "exchange", *words], stderr=subprocess.DEVNULL)  # noqa: S603 -- our own program
        started.append(process)
        return process

    yield start_one
    for process in started:
        process.kill()
        process.wait()


def ready(process: subprocess.Popen[bytes], data: Path) -> dict[str, Any]:
    """Return what this very process says of itself, once it does."""
    until = time.monotonic() + WAIT_MAX_S
    while time.monotonic() < until:
        assert process.poll() is None, "the service ended"
        # What a service that was killed left lies there, and goes between two looks at it.
        with suppress(FileNotFoundError):
            told: dict[str, Any] = json.loads((data / READY_FILE).read_text(encoding="utf-8"))
            if told["pid"] == process.pid:
                return told
        time.sleep(LOOK_EVERY_S)
    raise AssertionError("the service did not get ready")


def test_a_service_says_where_it_listens_and_takes_it_back(
    shard: Settings, start: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    # Left by a service that was killed.
    (shard.data / READY_FILE).write_text(json.dumps({"pid": os.getpid(), "target": "127.0.0.1:1"}))
    process = start(shard.data)
    told = ready(process, shard.data)
    assert told["admin_target"] == ""
    host, _, port = told["target"].rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WAIT_MAX_S):
        process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_MAX_S) == 0
    assert not (shard.data / READY_FILE).exists()


def test_a_first_start_publishes_its_first_event_and_opens_the_ports_it_was_asked(
    empty: Settings, start: Callable[..., subprocess.Popen[bytes]]
) -> None:
    process = start(empty.data, "--admin-port", "0")
    told = ready(process, empty.data)
    operator = empty.data / "operator"
    context = ssl.create_default_context(cafile=str(operator / "ca.pem"))
    context.load_cert_chain(operator / "client.pem", operator / "client.key")
    host, _, port = told["admin_target"].rpartition(":")
    line = http.client.HTTPSConnection(host, int(port), context=context, timeout=WAIT_MAX_S)
    line.request("GET", "/.well-known/authzen-configuration")
    said = json.loads(line.getresponse().read())
    assert said["policy_decision_point"] == f"https://{told['admin_target']}"
    note = published_checkpoint(empty).read_text(encoding="utf-8")
    assert note.startswith(f"{told['origin']}\n{GENESIS_EVENTS + KEYS_IN_USE}\n")
    assert told["log_vkey"].startswith(f"{told['origin']}+")
    assert parse_vkey(told["log_vkey_mldsa"]).kind == COSIGNATURE_ML_DSA_44
    process.send_signal(signal.SIGINT)
    assert process.wait(WAIT_MAX_S) == 0
    line.close()
    assert position(empty) == GENESIS_EVENTS + KEYS_IN_USE


# --- one service to a folder -----------------------------------------------------------------------------


def test_a_second_service_on_a_folder_is_refused_and_takes_nothing_from_the_first(
    shard: Settings, start: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    process = start(shard.data)
    told = ready(process, shard.data)
    with pytest.raises(DataFolderInUse, match="another service runs") as refused:
        serve(on_any_port(shard))
    assert "Stop the service that runs there" in refused.value.remedy
    assert ready(process, shard.data) == told
    # Who only reads its files asks for no hold.
    assert all(light.ok for light in examine(shard))
    process.send_signal(signal.SIGTERM)
    assert process.wait(WAIT_MAX_S) == 0


def test_a_killed_service_holds_its_folder_no_longer(
    empty: Settings, start: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    first = start(empty.data)
    ready(first, empty.data)
    first.kill()
    first.wait()
    assert (empty.data / READY_FILE).exists()
    second = start(empty.data)
    assert ready(second, empty.data)["pid"] == second.pid


def test_what_another_service_said_of_itself_is_not_taken_back(tmp_path: Path) -> None:
    file = tmp_path / READY_FILE
    for kept in (json.dumps({"pid": os.getpid() + 1}), "half"):
        file.write_text(kept, encoding="utf-8")
        service._take_back(file)
        assert file.read_text(encoding="utf-8") == kept
    file.write_text(json.dumps({"pid": os.getpid()}), encoding="utf-8")
    service._take_back(file)
    assert not file.exists()


@pytest.mark.parametrize("taken", ["data", "data/service.lock"])
def test_a_data_folder_that_cannot_be_used_is_told(taken: str, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    if taken == "data":
        folder.write_text("a file", encoding="utf-8")
    else:
        (folder / "service.lock").mkdir(parents=True)
    with pytest.raises(SettingsInvalid, match="the data folder cannot be used"), held(folder):
        pytest.fail("it was held")


def test_what_a_service_makes_is_for_its_own_account_only(
    empty: Settings, start: Callable[[Path], subprocess.Popen[bytes]]
) -> None:
    process = start(empty.data)
    ready(process, empty.data)
    found = [empty.data, *empty.data.rglob("*")]
    assert {"events.db", "keys.db", "checkpoint", "service.json"} <= {path.name for path in found}
    assert [path for path in found if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


# --- who started it --------------------------------------------------------------------------------------


def test_on_a_terminal_a_service_says_where_it_listens_and_what_to_do_next(empty: Settings) -> None:
    try:
        screen, terminal = os.openpty()
    except OSError:
        pytest.skip("no pseudo-terminal can be had here")
    words = ["serve", "--data", str(empty.data), "--port", "0", "--metrics-port", "0"]
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words], stdout=subprocess.PIPE, stderr=terminal
    ) as process:
        os.close(terminal)
        target = ready(process, empty.data)["target"]
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=WAIT_MAX_S)
        said = b""
        with suppress(OSError):  # how a terminal says that nobody writes to it any more
            while piece := os.read(screen, 4096):
                said += piece
    os.close(screen)
    assert (process.returncode, out) == (0, b"")
    assert f"listens on {target}" in said.decode()
    assert f"exchange doctor --data {empty.data}" in said.decode()


def test_a_service_on_a_leash_ends_with_whoever_holds_it(empty: Settings) -> None:
    words = ["serve", "--data", str(empty.data), "--port", "0", "--metrics-port", "0", "--leash"]
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *words], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        ready(process, empty.data)
        process.stdin.write(b"a word is no end")
        process.stdin.flush()
        assert ready(process, empty.data)
        process.stdin.close()
        assert process.wait(WAIT_MAX_S) == 0
    assert not (empty.data / READY_FILE).exists()
