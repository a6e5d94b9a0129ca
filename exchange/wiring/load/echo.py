"""A bare service to measure against: mutual TLS, grpc.aio, uvloop, and nothing behind them.

Runs as `-m exchange.wiring.load.echo DATA READ_BYTES WRITE_BYTES` with the certificates of a development
shard in DATA; says its port in one line, and ends when its input does. Promises: an answer is as long as the
answer it stands for; a stream is the very messages of a file, each behind its length in four bytes.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc
import uvloop

from exchange.wiring.collecting import quiet_collector

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SERVICE: Final = "bench.Echo"
READ: Final = f"/{SERVICE}/Read"
WRITE: Final = f"/{SERVICE}/Write"
STREAM: Final = f"/{SERVICE}/Stream"
LENGTH_BYTES: Final = 4
GRACE_S: Final = 1.0


def write_messages(file: Path, messages: list[bytes]) -> None:
    """Keep messages for a stream."""
    file.write_bytes(b"".join(len(one).to_bytes(LENGTH_BYTES, "big") + one for one in messages))


def read_messages(file: Path) -> list[bytes]:
    """Return the messages that were kept in a file."""
    content, at, messages = file.read_bytes(), 0, []
    while at < len(content):
        end = at + LENGTH_BYTES + int.from_bytes(content[at : at + LENGTH_BYTES], "big")
        messages.append(content[at + LENGTH_BYTES : end])
        at = end
    return messages


def _unary(size: int) -> Any:  # noqa: ANN401 -- gRPC's handler has no public type
    answer = b"\0" * size

    async def echo(raw: bytes, context: object) -> bytes:
        del raw, context
        return answer

    return grpc.unary_unary_rpc_method_handler(echo)


async def _stream(raw: bytes, context: object) -> AsyncIterator[bytes]:
    """Stream a file's messages so many times: `TIMES FILE`."""
    del context
    times, _, file = raw.decode().partition(" ")
    messages = read_messages(Path(file))
    for _ in range(int(times)):
        for one in messages:
            yield one


async def _serve(data: Path, read_bytes: int, write_bytes: int) -> None:
    door = data / "door"
    ca, key, certificate = ((door / name).read_bytes() for name in ("ca.pem", "server.key", "server.pem"))
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    table = {
        "Read": _unary(read_bytes),
        "Write": _unary(write_bytes),
        "Stream": grpc.unary_stream_rpc_method_handler(_stream),
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, table),))
    credentials = grpc.ssl_server_credentials(
        [(key, certificate)], root_certificates=ca, require_client_auth=True
    )
    port = server.add_secure_port("127.0.0.1:0", credentials)
    await server.start()
    quiet_collector()
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    ended = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin.fileno(), ended.set)
    await ended.wait()
    await server.stop(GRACE_S)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
