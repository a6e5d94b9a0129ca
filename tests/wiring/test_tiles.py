"""The log over HTTPS: what a stranger can fetch and check, and what nobody gets."""

from __future__ import annotations

import asyncio
import http.client
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from exchange.errors import SettingsInvalid
from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.merkle import (
    consistency_proof,
    hash_leaf,
    inclusion_proof,
    verify_consistency,
    verify_inclusion,
)
from exchange.ledger.tiles import tile_path, tile_reader, tiles_of
from exchange.logs import open_log
from exchange.server.web.door import WebDoor, server_tls
from exchange.server.web.tiles import FOR_A_MOMENT, FOR_EVER, OneLog, tiles_app
from exchange.wiring.published import Shelf
from exchange.wiring.service import door_material
from tests.ledger.builders import Log, entry, grown
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from exchange.settings import Settings

SIZE = 65_536 + 256 + 7


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes


class Reader:
    """One connection of somebody without a certificate."""

    def __init__(self, port: int) -> None:
        self.line = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    async def get(self, path: str, method: str = "GET") -> Reply:
        def ask() -> Reply:
            self.line.request(method, path)
            answer = self.line.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())

        return await asyncio.to_thread(ask)


@asynccontextmanager
async def serving(log: Log) -> AsyncIterator[Reader]:
    door = WebDoor(tiles_app(OneLog(log.tiles), open_log(stream=StringIO())), "127.0.0.1", None)
    reader = Reader(await door.start(0))
    yield reader
    reader.line.close()
    await door.stop(1)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """A log of three levels, every kind of tile in it."""
    log = Log(tmp_path_factory.mktemp("large"))
    entries = [b"leaf %d" % number for number in range(SIZE)]
    log.source.entries = entries
    log.integrator.integrate()
    yield log
    log.close()


async def test_a_stranger_proves_inclusion_and_growth_from_what_is_served(large: Log) -> None:
    async with serving(large) as reader:
        found = await reader.get("/checkpoint")
        head = parse_policy(large.policy).accept(found.body)
        tiles = {}
        # The tiles under the right edge and under one leaf are enough; here a few of each level.
        for level, index, width in tiles_of(head.size):
            if level or index in {0, 3, 256, 257}:
                tiles[level, index] = await reader.get(f"/{tile_path(level, index, width)}")
    assert {one.status for one in tiles.values()} == {200}

    def read(level: int, index: int, width: int) -> bytes:
        return tiles[level, index].body[: width * 32]

    read_hash = tile_reader(head.size, read)
    leaf = hash_leaf(large.source.entries[3 * 256 + 9])
    verify_inclusion(
        3 * 256 + 9, head.size, leaf, inclusion_proof(3 * 256 + 9, head.size, read_hash), head.root
    )
    old = 65_536
    proof = consistency_proof(old, head.size, read_hash)
    verify_consistency(old, head.size, tiles[2, 0].body, head.root, proof)
    assert (head.size, len(tiles)) == (SIZE, 4 + 2 + 1)


async def test_how_long_each_may_be_kept(large: Log) -> None:
    async with serving(large) as reader:
        checkpoint = await reader.get("/checkpoint")
        full, partial = await reader.get("/tile/0/000"), await reader.get("/tile/1/001.p/1")
    assert (checkpoint.headers["content-type"], checkpoint.headers["cache-control"]) == (
        "text/plain; charset=utf-8",
        FOR_A_MOMENT,
    )
    for one, width in ((full, 256), (partial, 1)):
        assert (one.headers["content-type"], one.headers["cache-control"]) == (
            "application/octet-stream",
            FOR_EVER,
        )
        assert len(one.body) == width * 32


@pytest.mark.parametrize(
    "path",
    [
        "/tile/0/00", "/tile/0/0000", "/tile/0/x000/000", "/tile/00/000", "/tile/+0/000", "/tile/64/000",
        "/tile/0/000.p/0", "/tile/0/000.p/256", "/tile/0/000.p/01", "/tile/0/000.p/", "/tile/0/000/",
        "/tile/0/258", "/tile/0/257.p/8", "/tile/0/257", "/tile/3/000", "/tile/2/000.p/2", "/tile/-1/000",
        "/tile/0/../../checkpoint", "/tile/0/%2e%2e/000", "/tile/0/x000%2f000", "/tile/0/000%00", "/tile",
        "/tile/", "/tile/0", "/tile/0/%D9%A0%D9%A0%D9%A0", "/checkpoint/", "/", "/x",
        "/tile/0/999/999", "/tile/0/x1000/000", "/tile/0/" + "x000/" * 40 + "000",
    ],
)  # fmt: skip
async def test_what_is_no_tile_of_the_published_tree_is_not_found(large: Log, path: str) -> None:
    async with serving(large) as reader:
        # The library refuses to send some of these; a hostile caller does not.
        reader.line._validate_path = lambda _: None  # type: ignore[attr-defined] # of the library
        found = await reader.get(path)
    assert (found.status, found.headers["cache-control"]) == (404, "no-store")


@pytest.mark.parametrize(
    "path", ["/tile/entries/000", "/tile/entries/x001/000", "/tile/entries/999.p/3", "/tile/entries"]
)
async def test_nobody_gets_entries(large: Log, path: str) -> None:
    async with serving(large) as reader:
        found = await reader.get(path)
    assert (found.status, found.headers["cache-control"]) == (403, "no-store")
    assert b"leaf" not in found.body


async def test_nothing_is_changed_over_http(large: Log) -> None:
    async with serving(large) as reader:
        for path in ("/checkpoint", "/tile/0/000"):
            for method in ("POST", "PUT", "DELETE"):
                assert (await reader.get(path, method)).status == 405
            assert (await reader.get(path, "HEAD")).body == b""


async def test_what_is_written_but_not_published_is_not_served(tmp_path: Path) -> None:
    log = Log(tmp_path)
    async with serving(log) as reader:
        assert (await reader.get("/checkpoint")).status == 404
        assert (await reader.get("/tile/0/000.p/3")).status == 404
        note = grown(log, 3).note
        grown(log, 5)
        # As a service that has not yet published what it signed last.
        log.tiles.write("checkpoint", note)
        assert (await reader.get("/tile/0/000.p/3")).status == 200
        assert (await reader.get("/tile/0/000.p/5")).status == 404
        assert entry(4) not in (await reader.get("/tile/0/000.p/3")).body
        log.tiles.write("checkpoint", b"no checkpoint")
        assert (await reader.get("/tile/0/000.p/3")).status == 503
    log.close()


async def test_it_is_served_under_the_doors_own_certificate(shard: Settings, tmp_path: Path) -> None:
    material, _, _ = door_material(shard)
    log = Log(tmp_path)
    grown(log, 3)
    door = WebDoor(
        tiles_app(OneLog(log.tiles), open_log(stream=StringIO())),
        "127.0.0.1",
        lambda: server_tls(material.server_certificate, material.server_key),
    )
    port = await door.start(0)
    context = ssl.create_default_context(cafile=str(shard.data / "door" / "ca.pem"))
    line = http.client.HTTPSConnection("localhost", port, context=context, timeout=20)

    def ask() -> int:
        line.request("GET", "/checkpoint")
        return line.getresponse().status

    assert await asyncio.to_thread(ask) == 200
    line.close()
    await door.stop(1)
    log.close()


def test_a_certificate_that_does_not_do_is_named() -> None:
    with pytest.raises(SettingsInvalid, match="does not do"):
        server_tls(b"no certificate", b"no key")


async def test_the_log_of_each_year_is_served_under_its_year(tmp_path: Path) -> None:
    shard = Shard(tmp_path)
    shard.done(replace(shard.registration("a" * 32), now=datetime(2027, 1, 1, tzinfo=UTC)))
    shard.core.integrator.integrate()
    shelf = Shelf(shard.core.ledger.logs)
    door = WebDoor(tiles_app(shelf, open_log(stream=StringIO())), "127.0.0.1", None)
    port = await door.start(0)
    reader = Reader(port)
    newest, former, same = [await reader.get(f"{of}/checkpoint") for of in ("", "/2026", "/2027")]
    logs = list(shard.core.ledger.logs)
    assert [one.body for one in (newest, former)] == [one.tiles.read("checkpoint") for one in reversed(logs)]
    assert same.body == newest.body
    size = logs[1].first
    for level, index, width in tiles_of(size):
        found = await reader.get(f"/2026/{tile_path(level, index, width)}")
        assert found.body == logs[0].tiles.read_tile(level, index, width)
    assert (await reader.get(f"/{tile_path(0, 0, 2)}")).body == logs[1].tiles.read_tile(0, 0, 2)
    for path in ("/2025/checkpoint", "/2028/tile/0/000.p/1"):
        assert (await reader.get(path)).status == 404
    assert (await reader.get("/2026/tile/entries/000.p/3")).status == 403
    reader.line.close()
    await door.stop(1)
    shard.close()
