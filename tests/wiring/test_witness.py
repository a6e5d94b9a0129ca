"""A witness as a process: its key, its door, what it says over HTTP, and a kill in the middle."""

from __future__ import annotations

import http.client
import json
import re
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from exchange.cli.__main__ import app
from exchange.errors import DataFolderInUse, KeyUnavailable, SettingsInvalid
from exchange.ledger.cosigning import REQUEST_BYTES_MAX, ask, read_cosignature
from exchange.ledger.note import parse_vkey
from exchange.wiring.holding import held
from exchange.wiring.witness import Stand, make_key, open_key, serve_witness
from tests.ledger.builders import ORIGIN, signer
from tests.ledger.witnessing import OTHERS, head, note, proof

if TYPE_CHECKING:
    from collections.abc import Iterator

NAME = "witness.example/w1"
WAIT_S = 60.0
LOOK_EVERY_S = 0.02


def known_logs(folder: Path) -> Path:
    file = folder / "logs"
    file.write_text(f"log {signer().vkey}\nquorum none\n", encoding="utf-8")
    return file


@contextmanager
def running(
    data: Path, prelude: str = "", more: tuple[str, ...] = ()
) -> Iterator[tuple[subprocess.Popen[bytes], http.client.HTTPConnection]]:
    """Run the command as it is; `prelude` is run first, in the same process."""
    words = [
        "witness",
        "serve",
        "--data",
        str(data),
        "--logs",
        str(data.parent / "logs"),
        "--port",
        "0",
        *more,
    ]
    code = f"{prelude}\nimport sys\nfrom exchange.cli.__main__ import main\nsys.argv[1:] = {words!r}\nmain()"
    process = subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-c", code], cwd=Path(__file__).parents[2], stderr=subprocess.PIPE
    )
    try:
        until = time.monotonic() + WAIT_S
        while not (data / "witness.json").exists() and time.monotonic() < until and process.poll() is None:
            time.sleep(LOOK_EVERY_S)  # a process of its own tells by a file
        told = json.loads((data / "witness.json").read_text(encoding="utf-8"))
        address = urlsplit(told["url"])
        assert address.hostname is not None
        connection = http.client.HTTPConnection(address.hostname, address.port or 0, timeout=WAIT_S)
        yield process, connection
        connection.close()
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=WAIT_S)


def say(
    connection: http.client.HTTPConnection, body: bytes, path: str = "/add-checkpoint"
) -> tuple[int, str, bytes]:
    connection.request("POST", path, body)
    answer = connection.getresponse()
    return answer.status, answer.headers.get("content-type", ""), answer.read()


def look(connection: http.client.HTTPConnection, path: str) -> tuple[int, bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    known_logs(tmp_path)
    make_key(tmp_path / "witness", NAME)
    return tmp_path / "witness"


def test_how_requests_ended_and_when_it_cosigned_last_is_told_on_loopback(data: Path) -> None:
    begun = time.time()
    with running(data, more=("--metrics-port", "0")) as (_, line):
        where = http.client.HTTPConnection("127.0.0.1", told_port(data), timeout=WAIT_S)
        assert look(where, "/metrics")[0] == 200
        before = look(where, "/metrics")[1].decode()
        # All of them from the start, so that the first is seen to be one more.
        assert 'exchange_answers_total{outcome="CONFLICT",process="witness"} 0.0' in before
        assert say(line, ask(0, [], note(7)))[0] == 200
        assert say(line, ask(7, [], note(7, OTHERS)))[0] == 422
        assert say(line, b"old\n")[0] == 400
        assert say(line, b"x" * (REQUEST_BYTES_MAX + 1))[0] == 413
        after = look(where, "/metrics")[1].decode()
        for outcome in ("COSIGNED", "CONFLICT", "MALFORMED", "TOO_LARGE"):
            assert f'exchange_answers_total{{outcome="{outcome}",process="witness"}} 1.0' in after
        (cosigned,) = re.findall(r"^exchange_witness_cosigned_seconds (\S+)$", after, re.MULTILINE)
        assert float(cosigned) > begun
        # Of whom, it does not say.
        assert ORIGIN not in after
        assert NAME not in after
        where.close()


def told_port(data: Path) -> int:
    port: int = json.loads((data / "witness.json").read_text(encoding="utf-8"))["metrics_port"]
    return port


def test_a_witness_tells_no_numbers_unless_it_is_asked_to(data: Path) -> None:
    with running(data):
        assert told_port(data) == 0


def test_the_whole_protocol_over_http(data: Path) -> None:
    key = open_key(data).key
    hashed = sha256(ORIGIN.encode()).hexdigest()
    with running(data) as (process, line):
        assert look(line, f"/{hashed}/checkpoint")[0] == 404
        status, _, answer = say(line, ask(0, [], note(7)))
        assert status == 200
        assert read_cosignature(answer, head(7).body(), key).name == NAME
        assert say(line, ask(0, [], note(9))) == (409, "text/x.tlog.size", b"7\n")
        assert say(line, ask(7, proof(7, 9), note(9)))[0] == 200
        assert say(line, ask(9, [], note(9, OTHERS)))[0] == 422
        assert say(line, ask(0, [], note(9, key=signer(seed=b"i" * 32))))[0] == 403
        stranger = signer("stranger.example")
        assert say(line, ask(0, [], stranger.sign("stranger.example\n0\nAAAA\n")))[0] == 404
        assert say(line, b"old\n")[0] == 400
        # The rest of a body that is too long is not read: this connection is over.
        assert say(line, b"x" * (REQUEST_BYTES_MAX + 1))[0] == 413
        line.close()
        assert say(line, b"", "/sign-subtree")[0] == 404
        assert look(line, "/add-checkpoint")[0] == 405
        for path in ("/checkpoint", "/../checkpoint", f"/{hashed.upper()}/checkpoint", "/x/checkpoint"):
            assert look(line, path)[0] == 404
        status, kept = look(line, f"/{hashed}/checkpoint")
        assert (status, kept.startswith(head(9).body().encode())) == (200, True)
        with pytest.raises(DataFolderInUse), held(data):
            pass
    assert process.returncode == 0
    assert [file.name.split("-")[0] for file in (data / "evidence").iterdir()] == ["fork"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in (data / "evidence").iterdir()} == {0o600}


KILLED = """
import os, signal
from exchange.ledger.witness_store import WitnessStore
whole = WitnessStore.advance
def advance(self, expected, new, now):
    if {persisted}:
        whole(self, expected, new, now)
    os.kill(os.getpid(), signal.SIGKILL)
WitnessStore.advance = advance
"""


@pytest.mark.parametrize("persisted", [False, True], ids=["before it was durable", "before the answer left"])
def test_a_kill_leaves_one_root_of_a_size(data: Path, *, persisted: bool) -> None:
    with running(data, KILLED.format(persisted=persisted)) as (process, line):
        with pytest.raises((http.client.HTTPException, ConnectionError)):
            say(line, ask(0, [], note(7)))
        assert process.wait(WAIT_S) == -signal.SIGKILL
    (data / "witness.json").unlink()
    with running(data) as (_, line):
        first, other = (
            say(line, ask(7 * persisted, [], note(7, OTHERS)))[0],
            say(line, ask(7, [], note(7)))[0],
        )
    # What never left was never said: the witness says one thing of size 7, and it is the first that it kept.
    assert (first, other) == ((422, 200) if persisted else (200, 422))


# --- what it does not start with ---


def test_a_key_is_made_once_for_its_owner_only(data: Path) -> None:
    key = (data / "witness.key").read_bytes()
    assert stat.S_IMODE((data / "witness.key").stat().st_mode) == 0o600
    with pytest.raises(SettingsInvalid, match="never made anew"):
        make_key(data, "another.example")
    (data / "name").unlink()
    with pytest.raises(SettingsInvalid, match="never made anew"):
        make_key(data, NAME)
    assert (data / "witness.key").read_bytes() == key


def test_the_commands_print_the_verifier_key(tmp_path: Path) -> None:
    shell = CliRunner()
    made = shell.invoke(app, ["witness", "keygen", "--data", str(tmp_path / "w"), "--name", NAME])
    again = shell.invoke(app, ["witness", "vkey", "--data", str(tmp_path / "w")])
    assert (made.exit_code, made.stdout) == (0, again.stdout)
    key = parse_vkey(made.stdout.strip())
    assert (key.name, key.kind) == (NAME, 4)


def test_a_witness_that_lost_its_key_does_not_start(data: Path, tmp_path: Path) -> None:
    (data / "witness.key").unlink()
    with pytest.raises(KeyUnavailable, match="keygen"):
        serve_witness(Stand(data, tmp_path / "logs"))


@pytest.mark.parametrize("left", [None, b""], ids=["gone", "empty"])
def test_a_witness_that_lost_what_it_cosigned_does_not_begin_anew(
    data: Path, tmp_path: Path, left: bytes | None
) -> None:
    for file in data.glob("witness.db*"):
        file.unlink()
    if left is not None:
        (data / "witness.db").write_bytes(left)

    def started(_url: str) -> None:
        raise AssertionError(
            "under a key that cosigned before, anything would be cosigned from the beginning"
        )

    with pytest.raises(SettingsInvalid, match="cosigned before is gone"):
        serve_witness(Stand(data, tmp_path / "logs"), started)
    assert (data / "witness.db").exists() is (left is not None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"host": "0.0.0.0"}, "loopback only"),  # noqa: S104 -- it is refused
        ({"certificate": Path("absent.pem")}, "named together"),
        ({"certificate": Path("absent.pem"), "key": Path("absent.key")}, "cannot be read"),
        ({"logs": Path("absent")}, "policy cannot be read"),
    ],
)
def test_a_witness_that_is_set_up_weakly_does_not_start(
    data: Path, tmp_path: Path, changes: dict[str, object], says: str
) -> None:
    named: dict[str, object] = {"data": data, "logs": tmp_path / "logs"} | changes
    with pytest.raises(SettingsInvalid, match=says):
        serve_witness(Stand(**named))  # type: ignore[arg-type] # fields by name


def test_a_policy_without_a_log_is_nothing_to_witness(data: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("quorum none\n")
    with pytest.raises(SettingsInvalid, match="no log"):
        serve_witness(Stand(data, tmp_path / "logs"))


def test_a_name_that_no_note_can_carry_makes_no_key(tmp_path: Path) -> None:
    shell = CliRunner()
    made = shell.invoke(app, ["witness", "keygen", "--data", str(tmp_path / "w"), "--name", "a b"])
    assert made.exit_code != 0
    assert list((tmp_path / "w").iterdir()) == []
