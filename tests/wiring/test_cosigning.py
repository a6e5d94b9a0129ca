"""A service and its witnesses over HTTP: what is published, what a pack holds, what the doctor sees."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from exchange.domain.ledger import name_in, year_of
from exchange.errors import ProofInvalid, SettingsInvalid, Unavailable
from exchange.ledger.checkpoint import Checkpoint, parse_policy, sign_checkpoint
from exchange.ledger.cosigning import ANSWER_BYTES_MAX, ask
from exchange.ledger.evidence import EvidenceFolder
from exchange.ledger.merkle import range_hash
from exchange.ledger.pack import export_pack
from exchange.ledger.verify import verify_pack
from exchange.ledger.witness import Outcome, Witness
from exchange.ledger.witness_store import WitnessStore
from exchange.logs import open_log
from exchange.server.web.door import WebDoor
from exchange.server.web.witness import witness_app
from exchange.wiring import doctor
from exchange.wiring.core import open_core, pipeline_of, publisher_of, utc_now
from exchange.wiring.cosigning import Cosigning, HttpTransport, witness_policy
from exchange.wiring.doctor import Light, examine
from exchange.wiring.ledger import open_ledger
from exchange.wiring.published import published_checkpoint
from tests.ledger.builders import witness
from tests.wiring.shards import position

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exchange.ledger.note import VerifierKey
    from exchange.settings import Settings

QUORUM = "group Q 2 W1 W2 W3\nquorum Q\n"
WAIT_S = 10.0


@dataclass
class Street:
    """Three witnesses behind doors of their own."""

    witnesses: list[Witness]
    lines: str

    def policy(self, log_vkey: str = "") -> str:
        return (f"log {log_vkey}\n" if log_vkey else "") + self.lines + QUORUM


@asynccontextmanager
async def street(folder: Path, log: VerifierKey, running: int = 3) -> AsyncIterator[Street]:
    stores = [WitnessStore(folder / f"w{number}.db") for number in (1, 2, 3)]
    made = Street([], "")
    doors = []
    for number, store in enumerate(stores, start=1):
        one = Witness(witness(number), [log], store, EvidenceFolder(folder / "theirs"), utc_now)
        door = WebDoor(witness_app(one, open_log(stream=StringIO())), "127.0.0.1", None)
        port = await door.start(0)
        if number > running:
            await door.stop(1)
        else:
            doors.append(door)
        made.witnesses.append(one)
        made.lines += f"witness W{number} {witness(number).vkey} http://127.0.0.1:{port}/\n"
    yield made
    for door in doors:
        await door.stop(1)
    for store in stores:
        store.close()


async def served(settings: Settings, log: StringIO) -> None:
    """Run a service's publisher from start to stop."""
    core = open_core(settings)
    policy = witness_policy(settings)
    assert policy is not None
    cosigning = Cosigning(core, policy, open_log(stream=log), utc_now)
    publisher = publisher_of(core, lambda _: None, cosigning.cosigners, cosigning.missing)
    pipeline = pipeline_of(core)
    await publisher.start(pipeline)
    await pipeline.drain()
    await publisher.stop()
    cosigning.close()
    core.close()


def with_witnesses(shard: Settings, text: str) -> Settings:
    file = shard.data / "witnesses"
    file.write_text(text, encoding="utf-8")
    return shard.model_copy(update={"witness_policy": file, "witness_wait_s": WAIT_S})


def key_of(shard: Settings) -> VerifierKey:
    ledger = open_ledger(shard)
    ledger.close()
    return ledger.signer.key


@pytest.fixture(autouse=True)
def _no_december(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever these tests run, no year is about to end."""
    monkeypatch.setattr(doctor, "today", lambda: date(2026, 6, 1))


def light(settings: Settings) -> Light:
    return next(one for one in examine(settings) if one.part == "witnesses")


async def test_what_was_published_and_packed_has_a_quorum(shard: Settings, tmp_path: Path) -> None:
    key = key_of(shard)
    async with street(tmp_path, key) as found:
        settings = with_witnesses(shard, found.policy())
        await served(settings, StringIO())
    assert light(settings) == Light("witnesses", ok=True, says=f"3 of 3 cosigned {position(shard)}")
    ledger = open_ledger(settings)
    export_pack(ledger.tiles, ledger.newest(), 0, tmp_path / "pack.zip", ledger.signer)
    ledger.close()
    assert verify_pack(tmp_path / "pack.zip", found.policy(str(key))).ok
    # Without the witnesses' policy the pack holds what was signed, as before.
    assert light(shard).says == "none named: nobody signs along"


async def test_in_december_a_policy_without_the_next_log_is_amber(
    shard: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(shard)
    ledger.close()
    year, signer = year_of(ledger.origin), ledger.signer
    async with street(tmp_path, signer.key) as found:
        settings = with_witnesses(shard, found.policy(signer.vkey))
        await served(settings, StringIO())
    following = signer.named(name_in(ledger.origin, year + 1))
    for day, beware in ((date(year, 11, 30), False), (date(year, 12, 1), True), (date(year, 12, 31), True)):
        monkeypatch.setattr(doctor, "today", lambda day=day: day)
        told = light(settings)
        assert (told.ok, told.beware) == (True, beware)
        assert (following.name in told.says) == beware
    settings = with_witnesses(shard, f"log {following.vkey}\n{found.policy(signer.vkey)}")
    assert not light(settings).beware
    # A clock that stands in the year before: the newest log is ahead of it.
    monkeypatch.setattr(doctor, "today", lambda: date(year - 1, 12, 31))
    assert doctor.next_log(settings, doctor.today()) == ""


async def test_who_is_missing_is_named_by_light_and_log(shard: Settings, tmp_path: Path) -> None:
    log = StringIO()
    async with street(tmp_path, key_of(shard), running=1) as found:
        settings = with_witnesses(shard, found.policy())
        await served(settings, log)
    told = light(settings)
    assert not told.ok
    assert "missing=w2.example, w3.example" in told.says
    assert "start their witness" in told.says
    (line,) = [
        one for one in map(json.loads, log.getvalue().splitlines()) if one["event"] == "witnesses_missing"
    ]
    assert (line["witness"], line["count"], line["reason"]) == ("w2.example, w3.example", 2, "no quorum")


async def test_a_witness_that_holds_a_fork_turns_the_light_red_and_its_note_is_kept(
    shard: Settings, tmp_path: Path
) -> None:
    log, key = StringIO(), key_of(shard)
    ledger = open_ledger(shard)
    forked = sign_checkpoint(Checkpoint(key.name, 2, b"f" * 32), ledger.signer)
    ledger.close()
    async with street(tmp_path, key) as found:
        assert found.witnesses[2].add_checkpoint(ask(0, [], forked.note)).outcome is Outcome.COSIGNED
        settings = with_witnesses(shard, found.policy())
        await served(settings, log)
    told = light(settings)
    assert not told.ok
    assert "holds another history" in told.says
    assert "never" not in told.says
    (file,) = (shard.checkpoints_folder / "evidence").iterdir()
    kept = json.loads(file.read_bytes())
    known = parse_policy(f"log {key}\nquorum none\n")
    assert known.accept(kept["held"].encode()) == forked.checkpoint
    assert known.accept(kept["shown"].encode()).size == position(shard)
    assert '"event":"witness_alarm"' in log.getvalue().replace(" ", "")
    # The others went on: what was published has its quorum.
    assert parse_policy(found.policy(str(key))).accept(published_checkpoint(shard).read_bytes())


async def test_a_published_checkpoint_that_the_log_never_signed_is_not_packed(
    shard: Settings, tmp_path: Path
) -> None:
    async with street(tmp_path, key_of(shard)) as found:
        settings = with_witnesses(shard, found.policy())
    ledger = open_ledger(settings)
    other = sign_checkpoint(Checkpoint(ledger.origin, 2, b"f" * 32), ledger.signer)
    published_checkpoint(shard).write_bytes(other.note)
    with pytest.raises(ProofInvalid, match="not one this log signed"):
        ledger.newest()
    published_checkpoint(shard).unlink()
    assert ledger.newest().checkpoint.size == position(shard)
    ledger.close()
    assert light(settings).says == "3 named; nothing was published yet"


@pytest.mark.parametrize(
    ("text", "says"),
    [("quorum none\n", "names no witness"), ("quorum W\n", "no earlier line"), (None, "cannot be read")],
)
def test_a_policy_without_a_witness_is_refused(shard: Settings, text: str | None, says: str) -> None:
    settings = with_witnesses(shard, text or "")
    if text is None:
        (shard.data / "witnesses").unlink()
    with pytest.raises(SettingsInvalid, match=says):
        witness_policy(settings)
    assert not light(settings).ok


# --- HTTP ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def answering(raw: bytes | None) -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Serve these bytes to everybody once asked; None is a server that is asked and says nothing."""
    lines: list[asyncio.StreamWriter] = []
    asked = asyncio.Event()

    async def answer(question: asyncio.StreamReader, line: asyncio.StreamWriter) -> None:
        lines.append(line)
        head = await question.readuntil(b"\r\n\r\n")
        await question.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r")[0]))
        asked.set()
        if raw is not None:
            line.write(raw)
            await line.drain()
            line.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/add-checkpoint", asked
    server.close()
    for line in lines:
        line.close()


async def test_an_answer_is_read_up_to_its_bound() -> None:
    transport = HttpTransport(WAIT_S)
    body = b"x" * (ANSWER_BYTES_MAX + 1)
    head = f"HTTP/1.1 409 Conflict\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with answering(head + body) as (url, _):
        reply = await transport.send(url, b"old 0\n\n")
    assert (reply.status, len(reply.body)) == (409, ANSWER_BYTES_MAX)
    transport.close()


@pytest.mark.parametrize(
    "raw", [b"", b"HTTP/9\r\n", b"\xff\xff\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_an_answer_that_is_none_is_said_to_be_away(raw: bytes) -> None:
    transport = HttpTransport(WAIT_S)
    async with answering(raw) as (url, _):
        with pytest.raises(Unavailable):
            await transport.send(url, b"")
    transport.close()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/x", "http://127.0.0.1:99999/x", "http:///x"])
async def test_nobody_there_is_away(url: str) -> None:
    transport = HttpTransport(WAIT_S)
    with pytest.raises(Unavailable):
        await transport.send(url, b"")
    transport.close()


async def test_a_question_that_is_called_off_holds_no_thread() -> None:
    transport = HttpTransport(3_600.0)
    async with answering(None) as (url, asked):
        asking = asyncio.ensure_future(transport.send(url, b""))
        async with asyncio.timeout(WAIT_S):
            await asked.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        transport.close()  # would wait for the thread
    assert [one.name for one in threading.enumerate() if one.name.startswith("witnesses")] == []


async def test_a_witness_that_is_further_than_asked_gets_its_proof_over_http(
    shard: Settings, tmp_path: Path
) -> None:
    key = key_of(shard)
    async with street(tmp_path, key) as found:
        settings = with_witnesses(shard, found.policy())
        ledger, size = open_ledger(shard), position(shard)
        root = range_hash(0, 2, ledger.tiles.hash_reader(size))
        note = sign_checkpoint(Checkpoint(key.name, 2, root), ledger.signer).note
        ledger.close()
        assert found.witnesses[0].add_checkpoint(ask(0, [], note)).outcome is Outcome.COSIGNED
        await served(settings, StringIO())
    assert light(settings).says == f"3 of 3 cosigned {size}"
