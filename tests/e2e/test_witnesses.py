"""A service with three witnesses, all processes of their own: they die one by one, and come back."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from deploy.local.processes import free_ports
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.receipt import verify_receipt
from exchange.wiring.witness import make_key
from tests.e2e.service import REPOSITORY, Case, Service, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from exchange.ledger.checkpoint import Policy

WAIT_S = 60.0
LOOK_EVERY_S = 0.05
PROOF_BYTES_MAX = 1_536


class Process:
    """One witness; started again it listens where it did."""

    def __init__(self, data: Path, logs: Path, name: str) -> None:
        self.data, self.logs = data, logs
        # It comes back there after a kill.
        (self.port,) = free_ports(1)
        self.vkey = make_key(data, name)
        self.url = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Process:
        words = ["witness", "serve", "--data", str(self.data), "--logs", str(self.logs)]
        self.process = subprocess.Popen(  # noqa: S603 -- our own program, fixed words
            [
                sys.executable,
                "-m",
                "exchange",
                *words,
                "--port",
                str(self.port),
                "--log-file",
                str(self.data / "log"),
            ],
            cwd=REPOSITORY,
            env=environment(),
        )
        ready, until = self.data / "witness.json", time.monotonic() + WAIT_S
        while time.monotonic() < until and self.process.poll() is None:
            if ready.exists() and (told := json.loads(ready.read_text()))["pid"] == self.process.pid:
                self.url = told["url"]
                return self
            time.sleep(LOOK_EVERY_S)  # another process tells by a file
        raise AssertionError("the witness did not start")

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(WAIT_S)


@pytest.fixture
def first(tmp_path: Path) -> str:
    """The key of a log that ran before it had witnesses."""
    service = Service(tmp_path / "exchange").start()
    vkey = service.log_vkey
    service.close()
    return vkey


@pytest.fixture
def witnesses(tmp_path: Path, first: str) -> Iterator[list[Process]]:
    (tmp_path / "logs").write_text(f"log {first}\nquorum none\n")
    made = [
        Process(tmp_path / name, tmp_path / "logs", f"{name}.example").start() for name in ("w1", "w2", "w3")
    ]
    yield made
    for one in made:
        one.kill()


def policy(witnesses: list[Process], quorum: int, log: str = "") -> str:
    lines = [f"witness W{number} {one.vkey} {one.url}\n" for number, one in enumerate(witnesses)]
    return f"{log}{''.join(lines)}group Q {quorum} W0 W1 W2\nquorum Q\n"


def assert_a_stranger_can_check(service: Service, trusted: Policy, leaf_index: int) -> None:
    """He fetches the checkpoint over HTTPS; entries he does not get."""
    context = ssl.create_default_context(cafile=str(service.data / "door" / "ca.pem"))
    line = http.client.HTTPSConnection(
        "localhost", int(service.ready["tiles_target"].rpartition(":")[2]), context=context, timeout=WAIT_S
    )
    line.request("GET", "/checkpoint")
    assert trusted.accept(line.getresponse().read()).size > leaf_index
    line.request("GET", "/tile/entries/000.p/1")
    assert line.getresponse().status == 403
    line.close()


@pytest.mark.slow
def test_a_log_with_witnesses_that_die_and_come_back(
    tmp_path: Path, first: str, witnesses: list[Process]
) -> None:
    (tmp_path / "witnesses").write_text(policy(witnesses, 2))
    service = Service(
        tmp_path / "exchange", witness_policy=str(tmp_path / "witnesses"), tiles_port="0", witness_wait_s="1"
    ).start()
    assert service.log_vkey == first
    trusted = {quorum: parse_policy(policy(witnesses, quorum, f"log {first}\n")) for quorum in (2, 3)}
    case = Case(service)

    # All are there: a proof of one entry that three signed along is small.
    done = case.report("Ik wil weer onder de mensen komen.").receipt
    told = case.wmo.ledger.get_receipt(leaf_index=done.leaf_index, await_quorum=True)
    assert told.quorum
    assert verify_receipt(done.leaf_entry, told.tlog_proof.encode(), trusted[2]).index == done.leaf_index
    assert len(told.tlog_proof.encode()) <= PROOF_BYTES_MAX

    assert_a_stranger_can_check(service, trusted[2], done.leaf_index)

    # One dies: two are enough, and it is named.
    witnesses[0].kill()
    done = case.report("En dan aan het werk.").receipt
    told = case.wmo.ledger.get_receipt(leaf_index=done.leaf_index, await_quorum=True)
    assert (told.quorum, list(told.missing_witnesses)) == (True, ["w1.example"])
    assert verify_receipt(done.leaf_entry, told.tlog_proof.encode(), trusted[2]).index == done.leaf_index

    # Two are dead: writes go on, whoever asks for a quorum is told after the bound.
    witnesses[1].kill()
    done = case.report("Dat lukt nu niet.").receipt
    told = case.wmo.ledger.get_receipt(leaf_index=done.leaf_index, await_quorum=True)
    assert not told.quorum
    assert {"w1.example", "w2.example"} <= set(told.missing_witnesses)

    # They come back with what they knew, and are asked again.
    for one in witnesses[:2]:
        one.start()
    until = time.monotonic() + WAIT_S
    while told.missing_witnesses and time.monotonic() < until:
        told = case.wmo.ledger.get_receipt(leaf_index=done.leaf_index, await_quorum=True)
    assert verify_receipt(done.leaf_entry, told.tlog_proof.encode(), trusted[3]).index == done.leaf_index
    service.hang_up()
    assert service.stop() == 0
    service.close()
    assert not (service.data / "checkpoints" / "evidence").exists()
