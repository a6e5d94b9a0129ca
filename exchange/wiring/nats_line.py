"""What carries a bell over NATS: the newest ring of each shard in a JetStream stream, live to who listens.

Promises: a ring is a shard and a position; the newest one waits for who comes later; a server that is away is
connected to again for as long as it takes, and what was to be rung meanwhile is rung then, once; nothing here
waits for it.
Source: docs.nats.io (JetStream, streams); exchange/decisions/0091-a-bell-is-a-hint.md.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Final

import nats
from nats.errors import Error as NatsError
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from nats.aio.client import Client
    from nats.aio.msg import Msg
    from nats.js import JetStreamContext

    from exchange.settings import Settings

STREAM: Final = "EXCHANGE_BELL"
SUBJECTS: Final = "exchange.bell"
MESSAGE_BYTES_MAX: Final = 64
CONNECT_TIMEOUT_S: Final = 2
ANSWER_TIMEOUT_S: Final = 2.0
AGAIN_S: Final = 0.5
# A line that was cut without a word is noticed in twice this time; until then the poll stands in.
PING_S: Final = 5
SCHEME_OF_TLS: Final = "tls://"


class NatsLine:
    """Owned by one event loop: `listen` runs until it is cancelled."""

    def __init__(self, settings: Settings) -> None:
        self._servers = settings.bell_nats.split(",")
        self._authority = settings.bell_nats_authority
        self._replicas = settings.bell_nats_replicas
        self._subject = f"{SUBJECTS}.{settings.operator_oin}"
        self._newest = ""  # to be rung; empty once it was
        self._to_ring = asyncio.Event()
        self._gone = asyncio.Event()  # the connection there is now has ended, or is to end
        self._closed = False

    def ring(self, payload: str) -> None:
        """Ring the newest; one that was not rung yet is not needed any more."""
        self._newest = payload
        self._to_ring.set()

    def close(self) -> None:
        """End listening; to be cancelled is not enough, for the library may take that for an answer."""
        self._closed = True
        self._gone.set()

    async def listen(self, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
        """Listen and ring over one connection after another."""
        while not self._closed:
            try:
                await self._over_one(heard, connected)
            except (NatsError, OSError, TimeoutError, ssl.SSLError):
                # Nothing is lost by it: who waits looks for himself now and then.
                await asyncio.sleep(AGAIN_S)

    async def _over_one(self, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
        connection = await self._connected()
        try:
            stream = connection.jetstream(timeout=ANSWER_TIMEOUT_S)
            await self._make_stream(stream)

            async def take(message: Msg) -> None:
                heard(message.data.decode("ascii", "replace"))

            await connection.subscribe(self._subject, cb=take)
            await connection.flush(CONNECT_TIMEOUT_S)
            connected()
            await self._hear_newest(stream, heard)
            await self._ring_until(stream)
        finally:
            await connection.close()

    async def _connected(self) -> Client:
        gone = self._gone = asyncio.Event()

        async def ended() -> None:
            gone.set()

        async def nothing(_error: Exception) -> None:
            # The library would log it in words of its own, with names of hosts.
            return

        return await nats.connect(
            servers=self._servers,
            tls=self._tls(),
            allow_reconnect=False,
            connect_timeout=CONNECT_TIMEOUT_S,
            ping_interval=PING_S,
            closed_cb=ended,
            disconnected_cb=ended,
            error_cb=nothing,
        )

    def _tls(self) -> ssl.SSLContext | None:
        if not any(one.startswith(SCHEME_OF_TLS) for one in self._servers):
            return None
        return ssl.create_default_context(cafile=self._authority)

    async def _make_stream(self, stream: JetStreamContext) -> None:
        try:
            await stream.stream_info(STREAM)
        except NotFoundError:
            made = StreamConfig(
                name=STREAM,
                subjects=[f"{SUBJECTS}.*"],
                max_msgs_per_subject=1,
                max_msg_size=MESSAGE_BYTES_MAX,
                discard=DiscardPolicy.OLD,
                storage=StorageType.FILE,
                num_replicas=self._replicas,
            )
            await stream.add_stream(made)

    async def _hear_newest(self, stream: JetStreamContext, heard: Callable[[str], None]) -> None:
        try:
            newest = await stream.get_last_msg(STREAM, self._subject)
        except NotFoundError:
            return
        heard((newest.data or b"").decode("ascii", "replace"))

    async def _ring_until(self, stream: JetStreamContext) -> None:
        ended = asyncio.ensure_future(self._gone.wait())
        try:
            while not (ended.done() or self._closed):
                ringing = asyncio.ensure_future(self._to_ring.wait())
                await asyncio.wait({ended, ringing}, return_when=asyncio.FIRST_COMPLETED)
                ringing.cancel()
                if ended.done():
                    return
                self._to_ring.clear()
                if newest := self._newest:
                    try:
                        await stream.publish(self._subject, newest.encode())
                    except (NatsError, TimeoutError):
                        self._to_ring.set()  # by the next connection
                        raise
                    if self._newest == newest:
                        self._newest = ""
        finally:
            ended.cancel()
