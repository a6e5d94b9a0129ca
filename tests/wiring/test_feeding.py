"""A service hands what it published to a directory over HTTP; both sides keep a fork."""

from __future__ import annotations

import asyncio
import http.client
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import asynccontextmanager, closing, contextmanager
from hashlib import sha256
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from exchange.errors import SettingsInvalid, StoreUnavailable
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.cosigning import ask
from exchange.ledger.directory import Directory
from exchange.ledger.directory_door import DirectoryDoor
from exchange.ledger.evidence import EvidenceFolder
from exchange.logs import open_log
from exchange.server.web.directory import directory_app
from exchange.server.web.door import WebDoor
from exchange.settings import load_settings
from exchange.wiring.core import open_core, pipeline_of, publisher_of, utc_now
from exchange.wiring.cosigning import HttpTransport, evidence_of
from exchange.wiring.directory import EVIDENCE, READY_FILE, STORE, make_directory, serve_directory
from exchange.wiring.feeding import Feeding
from exchange.wiring.ledger import open_ledger
from exchange.wiring.published import published_checkpoint
from exchange.wiring.witness import Stand
from tests.e2e.service import REPOSITORY, environment
from tests.wiring.shards import position

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from exchange.ledger.note import NoteSigner
    from exchange.settings import Settings

WAIT_S = 20.0


def signer_of(shard: Settings) -> NoteSigner:
    ledger = open_ledger(shard)
    ledger.close()
    return ledger.signer


@asynccontextmanager
async def standing(directory: Directory, shard: Settings) -> AsyncIterator[Settings]:
    """A directory behind a door; yields the settings of a service that feeds it."""
    core = open_core(shard)
    policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
    taking = DirectoryDoor(directory, policy, lambda: None, utc_now)
    door = WebDoor(directory_app(taking, core.tiles, open_log(stream=StringIO())), "127.0.0.1", None)
    core.close()
    port = await door.start(0)
    yield shard.model_copy(
        update={"directory_url": f"http://127.0.0.1:{port}/", "directory_every_s": 0.0, "data": shard.data}
    )
    await door.stop(1)


class Told(StringIO):
    """Lines of a log; tells when the first about the directory is there."""

    def __init__(self) -> None:
        super().__init__()
        self.about = asyncio.Event()

    def write(self, text: str, /) -> int:
        if '"event":"directory"' in text:
            self.about.set()
        return super().write(text)


async def fed(settings: Settings) -> Told:
    """Run publisher and feeding until something is said about the directory."""
    log, core = Told(), open_core(settings)
    publisher = publisher_of(core, lambda _: None)
    pipeline = pipeline_of(core)
    feeding = Feeding(core, publisher, open_log(stream=log), utc_now, again_s=0.01)
    await publisher.start(pipeline)
    feeding.start()
    await asyncio.wait_for(log.about.wait(), WAIT_S)
    await pipeline.drain()
    await publisher.stop()
    await feeding.stop()
    core.close()
    return log


def lines(log: StringIO, event: str) -> list[dict[str, object]]:
    return [one for one in map(json.loads, log.getvalue().splitlines()) if one["event"] == event]


async def test_what_is_published_is_in_the_directory_with_its_proof(shard: Settings, tmp_path: Path) -> None:
    size = position(shard)
    directory = Directory(tmp_path / "directory.db", EvidenceFolder(tmp_path / "theirs"))
    # An earlier checkpoint is held there: what follows comes with the proof that it adds to it.
    core = open_core(shard)
    (first, _), *_ = core.checkpoints.history(core.origin)
    with closing(directory):
        policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
        directory.record(sign_checkpoint(first, core.signer, None, 1).note, policy, utc_now())
        core.close()
        async with standing(directory, shard) as settings:
            log = await fed(settings)
            again = await fed(settings)
        newest = directory.latest(first.origin)
        assert newest is not None
        assert policy.accept(newest).size == size
        assert directory.ledger_head()[0] == (1 if first.size == size else 2)
    assert [(one["size"], one["reason"]) for one in lines(log, "directory")] == [(size, "taken")]
    assert len(lines(again, "directory")) == 1
    assert evidence_of(shard).names() == []


@pytest.mark.parametrize(("more", "kind"), [(0, "fork"), (5, "rollback")])
async def test_a_directory_that_holds_another_history_is_an_alarm_with_both_notes(
    shard: Settings, tmp_path: Path, more: int, kind: str
) -> None:
    signer = signer_of(shard)
    other = Checkpoint(signer.name, position(shard) + more, b"o" * 32)
    directory = Directory(tmp_path / "directory.db", EvidenceFolder(tmp_path / "theirs"))
    with closing(directory):
        policy = parse_policy(f"log {signer.vkey}\nquorum none\n")
        directory.record(signer.sign(other.body()), policy, utc_now())
        async with standing(directory, shard) as settings:
            log = await fed(settings)
        assert directory.ledger_head()[0] == 1
    assert {one["reason"] for one in lines(log, "witness_alarm")} == {kind}
    assert [name.partition("-")[0] for name in evidence_of(shard).names()] == [kind]
    assert [name.partition("-")[0] for name in EvidenceFolder(tmp_path / "theirs").names()] == [kind]


async def test_a_directory_that_is_away_stops_nothing_and_is_said_once(shard: Settings) -> None:
    settings = shard.model_copy(update={"directory_url": "http://127.0.0.1:9", "directory_every_s": 0.0})
    told = lines(await fed(settings), "directory")
    assert [one["reason"] for one in told] == ["UNAVAILABLE"]


def test_an_address_is_one_of_the_web(tmp_path: Path) -> None:
    assert load_settings(None, data=tmp_path, directory_url="http://directory.example").directory_url
    with pytest.raises(SettingsInvalid):
        load_settings(None, data=tmp_path, directory_url="ftp://directory.example")


@contextmanager
def running(*words: object, url: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process of ours, from its word that it is ready to its end by a signal."""
    with subprocess.Popen(  # noqa: S603 -- our own program
        [sys.executable, "-m", "exchange", *map(str, words), "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env=environment() | ({"EXCHANGE_DIRECTORY_URL": url} if url else {}),
    ) as process:
        assert process.stderr is not None
        said = ""
        while '"event":"ready"' not in said:
            said = process.stderr.readline()
            assert said, "the process ended"
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(WAIT_S) == 0


def test_a_service_and_a_directory_as_processes(shard: Settings, tmp_path: Path) -> None:
    signer = signer_of(shard)
    folder, logs = tmp_path / "directory", tmp_path / "logs"
    make_directory(folder, "logboeken.example/2026")
    logs.write_text("quorum none\n")
    with pytest.raises(SettingsInvalid, match="names no log"):
        serve_directory(Stand(folder, logs))
    logs.write_text(f"log {signer.vkey}\nquorum none\n")
    with running("directory", "serve", "--data", folder, "--logs", logs):
        ready = json.loads((folder / READY_FILE).read_text())
        with running("serve", "--data", shard.data, "--metrics-port", "0", url=ready["url"]):
            pass
        # It stopped by a signal: what it published last was handed over.
        published = asyncio.run(got(f"{ready['url']}/checkpoint"))
        name = sha256(signer.name.encode()).hexdigest()
        held = asyncio.run(got(f"{ready['url']}/{name}/checkpoint"))
    mine = parse_policy(f"log {signer.vkey}\nquorum none\n").accept(held)
    assert mine.size == position(shard)
    assert published_checkpoint(shard).read_bytes().startswith(mine.body().encode())
    size = parse_policy(f"log {ready['vkey']}\nquorum none\n").accept(published).size
    with closing(Directory(folder / STORE, EvidenceFolder(folder / EVIDENCE))) as directory:
        assert (directory.ledger_head()[0], directory.leaf_entries(size - 1, size)) == (size, [held])
    assert not (folder / READY_FILE).exists()


def test_a_directory_tells_on_loopback_how_it_answered_and_when_it_took_something(
    shard: Settings, tmp_path: Path
) -> None:
    core = open_core(shard)
    found, signer = core.ledger.newest(), core.signer
    core.close()
    folder, logs = tmp_path / "directory", tmp_path / "logs"
    make_directory(folder, "logboeken.example/2026")
    logs.write_text(f"log {signer.vkey}\nquorum none\n")
    other = Checkpoint(signer.name, position(shard), b"o" * 32)
    begun = time.time()
    with running("directory", "serve", "--data", folder, "--logs", logs, "--metrics-port", "0"):
        ready = json.loads((folder / READY_FILE).read_text())
        told = f"http://127.0.0.1:{ready['metrics_port']}/metrics"
        before = asyncio.run(got(told)).decode()
        # All of them from the start, so that the first is seen to be one more.
        assert 'exchange_answers_total{outcome="CONFLICT",process="directory"} 0.0' in before
        asked = [ask(0, [], found.note), ask(0, [], signer.sign(other.body())), b"old\n"]
        assert [said(ready["url"], body) for body in asked] == [200, 422, 400]
        after = asyncio.run(got(told)).decode()
    for outcome in ("COSIGNED", "CONFLICT", "MALFORMED"):
        assert f'exchange_answers_total{{outcome="{outcome}",process="directory"}} 1.0' in after
    (taken,) = re.findall(r"^exchange_directory_taken_seconds (\S+)$", after, re.MULTILINE)
    assert float(taken) > begun
    # Of whom, it does not say.
    assert signer.name not in after
    assert "exchange_witness" not in after


def said(url: str, body: bytes) -> int:
    """Hand a body over; return the status of the answer."""
    line = http.client.HTTPConnection(url.removeprefix("http://"), timeout=WAIT_S)
    line.request("POST", "/add-checkpoint", body)
    status = line.getresponse().status
    line.close()
    return status


def test_what_was_taken_and_not_published_is_published_by_the_next(shard: Settings, tmp_path: Path) -> None:
    broken, published = [StoreUnavailable("the disk said no")], []

    def integrate() -> None:
        if broken:
            raise broken.pop()
        published.append(1)

    core = open_core(shard)
    found = core.ledger.newest()
    policy = parse_policy(f"log {core.signer.vkey}\nquorum none\n")
    core.close()
    with closing(Directory(tmp_path / "directory.db", EvidenceFolder(tmp_path / "theirs"))) as directory:
        taking = DirectoryDoor(directory, policy, integrate, utc_now)
        with pytest.raises(StoreUnavailable):
            taking.add_checkpoint(ask(0, [], found.note))
        # Handed over again it is the entry of before, and now it is published.
        assert taking.add_checkpoint(ask(0, [], found.note)).body == b"0\n"
    assert published == [1]


async def got(url: str) -> bytes:
    transport = HttpTransport(WAIT_S)
    try:
        return (await transport.send(url, None)).body
    finally:
        transport.close()
