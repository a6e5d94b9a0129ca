"""One front before nodes that tell who they are: real TLS with certificates on both ends."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from adapters.sdk.credentials import Credentials
from exchange.errors import SettingsInvalid
from exchange.keys.authority import DevelopmentAuthority
from exchange.server.shards import front as room
from exchange.server.shards.errors import ShardMapInvalid
from exchange.server.shards.front import CONNECTIONS_MAX, ShardFront
from exchange.server.shards.hello import UNRECOGNIZED_NAME
from tests.shards.maps import NOW, made, table
from tests.shards.test_hello import hello

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

ASK = "/test.Echo/Ask"
HERE = "127.0.0.1"
NAMES = {"0363": "g0363.exchange.example", "0518": "g0518.exchange.example"}
BIG_BYTES = 3 * 1024 * 1024
NOWHERE = "127.0.0.1:1"
OIN = "00000003271543200000"
SECOND = timedelta(seconds=1)


@dataclass
class Town:
    """Certificates of two shards' doors, and of one caller."""

    base: Path
    authority: DevelopmentAuthority = field(init=False)
    caller: Credentials = field(init=False)
    doors: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.authority = DevelopmentAuthority(self.base / "authority")
        self.authority.issue_organisation(OIN, "Zorg Voorbeeld", self.base / "caller")
        self.caller = Credentials.load(self.base / "caller")
        for code, name in NAMES.items():
            door = self.authority.issue_server(self.base / code, (name,))
            self.doors[code] = grpc.ssl_server_credentials(
                [(door.key.read_bytes(), door.certificate.read_bytes())],
                root_certificates=self.authority.root_pem,
                require_client_auth=True,
            )

    @asynccontextmanager
    async def node(self, code: str) -> AsyncIterator[str]:
        """Give the address of a node that answers with its shard and who called."""

        async def ask(raw: bytes, context: Any) -> bytes:  # noqa: ANN401 -- gRPC's
            (pem,) = context.auth_context()["x509_pem_cert"]
            assert pem.strip() == self.caller.certificate_pem.strip()
            return code.encode() + raw

        server = grpc.aio.server(options=[("grpc.max_receive_message_length", -1)])
        table_of: dict[str, Any] = {"Ask": grpc.unary_unary_rpc_method_handler(ask)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Echo", table_of),))
        port = server.add_secure_port(f"{HERE}:0", self.doors[code])
        await server.start()
        try:
            yield f"{HERE}:{port}"
        finally:
            await server.stop(0)

    @asynccontextmanager
    async def line(self, target: str, name: str, **options: str) -> AsyncIterator[Any]:
        """Give a caller's line to an address under a name."""
        mine = grpc.ssl_channel_credentials(
            self.caller.root_pem, self.caller.key_pem, self.caller.certificate_pem
        )
        told = (
            ("grpc.ssl_target_name_override", name),
            ("grpc.max_receive_message_length", -1),
            ("grpc.use_local_subchannel_pool", 1),
            *((key.replace("_", "."), value) for key, value in options.items()),
        )
        async with grpc.aio.secure_channel(target, mine, told) as channel:
            yield channel.unary_unary(ASK)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return Town(tmp_path_factory.mktemp("town"))


@asynccontextmanager
async def fronted(in_force: Any, most: int = CONNECTIONS_MAX) -> AsyncIterator[tuple[ShardFront, str]]:  # noqa: ANN401 -- a map
    front = ShardFront(in_force, lambda: NOW, most)
    port = await front.start(HERE, 0)
    try:
        yield front, f"{HERE}:{port}"
    finally:
        await front.drain(0)
        assert front.connections == 0


async def refused(ask: Any) -> grpc.aio.AioRpcError:  # noqa: ANN401 -- gRPC's call
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await ask(b"", timeout=10)
    return caught.value


async def raw_answer(target: str, *parts: bytes) -> bytes:
    """Return all that comes back for bytes that are no handshake's."""
    host, _, port = target.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        with suppress(ConnectionError):
            return await reader.read()
        return b""
    finally:
        writer.close()


async def test_each_name_reaches_its_own_shard_as_the_caller_himself(town: Town) -> None:
    async with town.node("0363") as one, town.node("0518") as two:
        two_shards = made(2, table("0363", doors=[one]), table("0518", doors=[two]))
        async with fronted(two_shards) as (front, target):
            for code, name in NAMES.items():
                async with town.line(target, name) as ask:
                    assert await ask(b" asked") == code.encode() + b" asked"
                    # Both ways more than any buffer holds.
                    assert len(await ask(bytes(BIG_BYTES))) == BIG_BYTES + 4
            assert front.counts["passed"] == 2


async def test_what_a_caller_writes_in_headers_leads_nowhere_else(town: Town) -> None:
    async with town.node("0363") as one, town.node("0518") as two:
        two_shards = made(2, table("0363", doors=[one]), table("0518", doors=[two]))
        async with fronted(two_shards) as (_, target):
            forged = (("host", NAMES["0518"]), ("x-forwarded-host", NAMES["0518"]), ("x-shard", "0518"))
            async with town.line(target, NAMES["0363"], grpc_default_authority=NAMES["0518"]) as ask:
                assert await ask(b"", metadata=forged) == b"0363"


async def test_a_map_that_leads_to_another_shard_reaches_nobody(town: Town) -> None:
    async with town.node("0518") as two, fronted(made(1, table("0363", doors=[two]))) as (front, target):
        async with town.line(target, NAMES["0363"]) as ask:
            assert (await refused(ask)).code() is grpc.StatusCode.UNAVAILABLE
        assert front.counts["passed"] > 0


async def test_names_that_are_nobodys_or_not_yet_or_none_are_refused_alike(town: Town) -> None:
    async with town.node("0363") as one:
        coming = table("0518", doors=[one], valid_from=NOW + SECOND)
        async with fronted(made(1, coming)) as (front, target):
            for name in (NAMES["0518"], NAMES["0363"], "nobody.example"):
                assert await raw_answer(target, hello(name)) == UNRECOGNIZED_NAME
            assert await raw_answer(target, hello(None)) == UNRECOGNIZED_NAME
            async with town.line(target, NAMES["0363"]) as ask:
                assert (await refused(ask)).code() is grpc.StatusCode.UNAVAILABLE
            assert front.counts["unknown"] == front.counts.total() > 4
    async with town.node("0518") as two:
        now_open = made(1, table("0518", doors=[two], valid_from=NOW))
        async with fronted(now_open) as (_, target), town.line(target, NAMES["0518"]) as ask:
            assert await ask(b"") == b"0518"


async def test_a_door_that_is_away_is_passed_over(town: Town) -> None:
    async with (
        town.node("0363") as one,
        fronted(made(1, table("0363", doors=[NOWHERE, one]))) as (front, target),
    ):
        for _ in range(4):
            async with town.line(target, NAMES["0363"]) as ask:
                assert await ask(b"") == b"0363"
        assert front.counts == {"passed": 4}


async def test_a_shard_of_which_no_door_opens_is_told_by_a_closed_line(town: Town) -> None:
    async with fronted(made(1, table("0363", doors=[NOWHERE]))) as (front, target):
        assert await raw_answer(target, hello()) == b""
        assert front.counts == {"away": 1}


async def test_another_map_touches_no_connection_and_a_wrong_one_changes_nothing(town: Town) -> None:
    async with town.node("0363") as one, town.node("0518") as two:
        first = made(1, table("0363", doors=[one]))
        async with fronted(first) as (front, target), town.line(target, NAMES["0363"]) as ask:
            assert await ask(b"") == b"0363"
            with pytest.raises(ShardMapInvalid, match="does not leave"):
                front.take(made(2, table("0518", doors=[two])))
            assert await raw_answer(target, hello(NAMES["0518"])) == UNRECOGNIZED_NAME
            assert front.in_force is first
            front.take(made(2, table("0363", doors=[NOWHERE]), table("0518", doors=[two])))
            # The line that stands goes on, though its door is in the map no more.
            assert await ask(b"") == b"0363"
            async with town.line(target, NAMES["0518"]) as other:
                assert await other(b"") == b"0518"


async def test_a_map_that_leads_back_to_the_front_makes_no_circle(town: Town) -> None:
    front = ShardFront(made(1, table("0363", doors=[NOWHERE])), lambda: NOW)
    port = await front.start(HERE, 0)
    front.take(made(2, table("0363", doors=[f"{HERE}:{port}"])))
    try:
        assert await raw_answer(f"{HERE}:{port}", hello()) == b""
        assert front.counts == {"passed": 1, "own": 1}
    finally:
        await front.drain(0)
    assert town.caller.oin == OIN


@pytest.mark.parametrize(
    "parts",
    [(b"GET / HTTP/1.1\r\n",), (b"\x16\x03\x01",), tuple(bytes([one]) for one in b"\x16\x03\x01\x02")],
)
async def test_who_begins_no_tls_is_let_go(parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "HELLO_WAIT_S", 0.05)
    async with fronted(made(1, table("0363", doors=[NOWHERE]))) as (front, target):
        assert await raw_answer(target, *parts) == b""
        assert front.counts == {"no_hello": 1}


async def test_so_many_connections_and_no_more(town: Town) -> None:
    async with town.node("0363") as one, fronted(made(1, table("0363", doors=[one])), 1) as (front, target):
        async with town.line(target, NAMES["0363"]) as ask:
            assert await ask(b"") == b"0363"
            assert await raw_answer(target, hello()) == b""
            assert await ask(b"") == b"0363"
        assert front.counts == {"passed": 1, "full": 1}


async def test_a_front_that_drains_lets_lines_end_and_closes_the_rest(town: Town) -> None:
    async with (
        town.node("0363") as one,
        fronted(made(1, table("0363", doors=[one]))) as (front, target),
        town.line(target, NAMES["0363"]) as ask,
    ):
        assert await ask(b"") == b"0363"
        await front.drain(0)
        assert front.connections == 0
        assert (await refused(ask)).code() is grpc.StatusCode.UNAVAILABLE


async def test_a_port_that_is_taken_is_told() -> None:
    async with fronted(made(1, table("0363"))) as (_, target):
        with pytest.raises(SettingsInvalid, match="cannot be opened"):
            await ShardFront(made(1, table("0363")), lambda: NOW).start(HERE, int(target.rpartition(":")[2]))
