"""One address for many shards: passes each connection on to a node of the shard that its server name means.

Promises: opens nothing. The TLS connection is the caller's with the node: the front has no key, sees what any
router sees, and can speak for nobody. Whom a name leads to decides who is asked, never who answers: a node of
another shard has no certificate for it. A map that is taken touches no connection that stands.
Source: RFC 8446, RFC 6066 section 3; exchange/decisions/0123-a-front-opens-nothing.md.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.errors import SettingsInvalid
from exchange.server.shards.hello import HELLO_BYTES_MAX, UNRECOGNIZED_NAME, NotAHello, server_name
from exchange.server.shards.map import refuse_not_following

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.server.shards.map import Shard, ShardMap

CONNECTIONS_MAX: Final = 4_096
HELLO_WAIT_S: Final = 5.0
HELLO_READS_MAX: Final = 64  # each is looked at from the beginning
DOOR_WAIT_S: Final = 1.0
DOOR_AWAY_S: Final = 5.0  # so long a door that did not open is asked last
CLOSE_WAIT_S: Final = 2.0
CHUNK_BYTES: Final = 64 * 1024
# How connections ended up; the labels of the metric.
HOW: Final = ("passed", "unknown", "away", "no_hello", "own", "full")


class _Line(NamedTuple):
    """One end of a connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def close(self) -> None:
        """Send what is left, and close; what nobody takes is dropped."""
        self.writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CLOSE_WAIT_S):
                await self.writer.wait_closed()
        self.writer.transport.abort()


class ShardFront:
    """Owned by one event loop: `start` once, `drain` once."""

    def __init__(
        self, in_force: ShardMap, clock: Callable[[], datetime], connections_max: int = CONNECTIONS_MAX
    ) -> None:
        self.in_force = in_force
        self.counts: Counter[str] = Counter()
        self._named = in_force.by_server_name()
        self._clock = clock
        self._most = connections_max
        self._open: set[asyncio.Task[Any]] = set()
        self._mine: set[Any] = set()  # this end of the lines to doors, as a door sees them
        self._turn = count()
        self._away: dict[str, float] = {}
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many stand now."""
        return len(self._open)

    def take(self, found: ShardMap) -> None:
        """Let another map be in force, for connections that come from now on. Raises ShardMapInvalid."""
        refuse_not_following(found, self.in_force, self._clock())
        self.in_force, self._named = found, found.by_server_name()

    async def start(self, host: str, port: int) -> int:
        """Open the address; return its port. Raises SettingsInvalid."""
        try:
            self._server = await asyncio.start_server(self._came, host, port, limit=CHUNK_BYTES)
        except OSError as error:
            raise SettingsInvalid("the port of the front cannot be opened", port=str(port)) from error
        opened: int = self._server.sockets[0].getsockname()[1]
        return opened

    async def drain(self, grace_s: float) -> None:
        """Take no connection more, let those that stand end within the grace, and close them."""
        if self._server is not None:
            self._server.close()
        if self._open:
            await asyncio.wait(self._open, timeout=grace_s)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= self._most:
            self.counts["full"] += 1
            writer.transport.abort()
            return
        # A task of our own: that of asyncio's streams complains where it is cancelled.
        task = asyncio.get_running_loop().create_task(self._until_closed(_Line(reader, writer)))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _until_closed(self, caller: _Line) -> None:
        try:
            # A line that broke is found out by whoever called, himself.
            with suppress(OSError):
                await self._served(caller)
        finally:
            await caller.close()

    async def _served(self, caller: _Line) -> None:
        try:
            async with asyncio.timeout(HELLO_WAIT_S):
                first, name = await _hello(caller.reader)
        except (TimeoutError, NotAHello):
            self.counts["no_hello"] += 1
            return
        if caller.writer.get_extra_info("peername") in self._mine:
            # A map that leads to this front itself: each connection would make the next one.
            self.counts["own"] += 1
            return
        shard = self._named.get(name)
        if shard is None or self._clock() < shard.valid_from:
            # Alike for a name that is nobody's, none at all, and one whose time has not come.
            self.counts["unknown"] += 1
            caller.writer.write(UNRECOGNIZED_NAME)
            return
        node = await self._reached(shard)
        if node is None:
            self.counts["away"] += 1
            return
        self.counts["passed"] += 1
        here = node.writer.get_extra_info("sockname")
        self._mine.add(here)
        try:
            node.writer.write(first)
            await _passed_on(caller, node)
        finally:
            try:
                await node.close()
            finally:
                self._mine.discard(here)

    async def _reached(self, shard: Shard) -> _Line | None:
        """Return a line to a node of a shard, None where no door opens."""
        clock = asyncio.get_running_loop().time
        first = next(self._turn) % len(shard.doors)
        turned = (*shard.doors[first:], *shard.doors[:first])
        # Sorting keeps the order of those that are alike.
        for door in sorted(turned, key=lambda one: self._away.get(one, 0.0) > clock()):
            host, _, port = door.rpartition(":")
            try:
                async with asyncio.timeout(DOOR_WAIT_S):
                    line = _Line(*await asyncio.open_connection(host, int(port), limit=CHUNK_BYTES))
            except (OSError, TimeoutError):
                self._away[door] = clock() + DOOR_AWAY_S
                continue
            self._away.pop(door, None)
            return line
        return None


async def _hello(reader: asyncio.StreamReader) -> tuple[bytes, str]:
    """Return the first bytes of a connection, and the name in them. Raises NotAHello."""
    raw = b""
    for _ in range(HELLO_READS_MAX):
        more = await reader.read(HELLO_BYTES_MAX)
        raw += more
        name = server_name(raw) if more else None
        if name is not None:
            return raw, name
        if not more:
            break
    raise NotAHello


async def _passed_on(caller: _Line, node: _Line) -> None:
    """Let bytes go both ways until one end is done."""
    ways = (
        asyncio.ensure_future(_pumped(caller.reader, node.writer)),
        asyncio.ensure_future(_pumped(node.reader, caller.writer)),
    )
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)


async def _pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(CHUNK_BYTES):
        writer.write(chunk)
        # Who reads slowly is sent to slowly: no more than a chunk or two is kept.
        await writer.drain()
