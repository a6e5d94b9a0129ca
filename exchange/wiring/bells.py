"""The bell of this node, as the settings name it: what another committed is heard of, and looked for.

Promises: what is heard is a hint and no more: whoever waits is woken by how far the store is, which is asked
once for all of them; a bell that is false, garbled, of another shard or ahead of the store wakes nobody for
nothing. Where it is not heard at all the store is asked every few seconds: a bell that is lost costs delay.
Source: ARCHITECTURE, section 4; exchange/decisions/0091-a-bell-is-a-hint.md.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from exchange.errors import SettingsInvalid, StoreUnavailable
from exchange.pipeline.bell import Bell, LocalBell

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from exchange.pipeline.hot import HotStates
    from exchange.pipeline.queue import Pipeline
    from exchange.settings import Settings

POLL_S: Final = 5.0
LISTEN_S: Final = 60.0
# The store may be some moments behind its bell, where it is read from a standby.
NOT_YET_S: Final = 0.05
NOT_YET_LOOKS_MAX: Final = 10
PAYLOAD_CHARS_MAX: Final = 64
POSITION_DIGITS_MAX: Final = 16


class Line(Protocol):
    """What carries rings between nodes."""

    async def listen(self, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
        """Hand over every payload until cancelled; tell when it began to listen, each time anew."""
        ...

    def ring(self, payload: str) -> None:
        """Tell the other nodes. Never waits, never fails."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


def payload_of(shard: str, position: int) -> str:
    """Return what a bell says."""
    return f"{shard} {position}"


def position_in(payload: str, shard: str) -> int:
    """Return the position a bell says of this shard; 0 where it says nothing of it that can be read."""
    said, _, position = payload.partition(" ")
    if said != shard or len(payload) > PAYLOAD_CHARS_MAX:
        return 0
    readable = position.isascii() and position.isdecimal() and len(position) <= POSITION_DIGITS_MAX
    return int(position) if readable else 0


class HeardBell:
    """A bell that other nodes ring too. Owned by one event loop: `start` once, `close` once."""

    def __init__(
        self, line: Line, shard: str, head: Callable[[], Awaitable[int]], poll_s: float = POLL_S
    ) -> None:
        """`head` asks the store how far it is. Raises StoreUnavailable when it cannot."""
        self._line = line
        self._shard = shard
        self._head = head
        self._poll_s = poll_s
        self._local = LocalBell()
        self._heard = asyncio.Event()
        self._promised = 0  # the furthest that was heard of and not asked for yet
        self._tasks: list[asyncio.Task[None]] = []
        self.asked = 0  # how often the store was

    @property
    def position(self) -> int:
        """How far the store is, as far as is known here."""
        return self._local.position

    def start(self) -> None:
        """Listen, and look now and then."""
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._line.listen(self._take, self._look)),
            loop.create_task(self._follow()),
        ]

    def ring(self, position: int) -> None:
        """Say what was committed here: to who waits here, and to the other nodes."""
        if position > self._local.position:
            self._local.ring(position)
            self._line.ring(payload_of(self._shard, position))

    async def wait(self, after: int, timeout: float) -> None:  # noqa: ASYNC109 -- as of the protocol
        """Wait until the store has something after a position, as far as is known."""
        await self._local.wait(after, timeout)

    async def closed(self) -> None:
        """Wait until it has hung up."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """Wake everybody, and hang up."""
        self._line.close()
        for task in self._tasks:
            task.cancel()
        self._local.close()

    def _take(self, payload: str) -> None:
        position = position_in(payload, self._shard)
        if position > self._local.position:
            self._promised = max(self._promised, position)
            self._heard.set()

    def _look(self) -> None:
        # What was rung while nobody listened is not rung again.
        self._heard.set()

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._heard.wait()
            self._heard.clear()
            promised, self._promised = self._promised, 0
            for _ in range(NOT_YET_LOOKS_MAX):
                await self._ask()
                if self._local.position >= promised:
                    break
                await asyncio.sleep(NOT_YET_S)

    async def _ask(self) -> None:
        self.asked += 1
        # A store that is away is asked again at the next ring, or when the time comes.
        with suppress(StoreUnavailable):
            self._local.ring(await self._head())


class PostgresLine:
    """Rung by the commit itself, so there is nothing to ring here."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def listen(self, heard: Callable[[str], None], connected: Callable[[], None]) -> None:
        """Listen on a connection of its own."""
        from exchange.store.postgres_bell import listen  # noqa: PLC0415 -- the extra may not be there

        await listen(self._dsn, heard, connected)

    def ring(self, payload: str) -> None:
        """Do nothing: who listens has been told."""

    def close(self) -> None:
        """Do nothing: the listening task closes its connection."""


class Ringing:
    """Rings after each commit of this node, and tells of those it hears of. Owned by one event loop.

    Who hears of its own commits need not hear of them here: a bell that nobody else rings is not listened to.
    """

    def __init__(self, bell: Bell, pipeline: Pipeline, hot: HotStates, heard: Callable[[], None]) -> None:
        self._bell = bell
        self._pipeline = pipeline
        self._hot = hot
        self._heard = heard
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Ring after each commit, and listen where somebody else may ring."""
        self._ring()
        self._pipeline.when_committed.append(self._ring)
        if isinstance(self._bell, HeardBell):
            self._bell.start()
            self._task = asyncio.get_running_loop().create_task(self._listen())

    async def stop(self) -> None:
        """Ring for the last time, and hang up."""
        self._ring()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._bell.close()
        if isinstance(self._bell, HeardBell):
            await self._bell.closed()

    def _ring(self) -> None:
        self._bell.ring(self._hot.as_of)

    async def _listen(self) -> None:
        while True:
            known = self._bell.position
            self._heard()
            await self._bell.wait(known, LISTEN_S)


def open_bell(settings: Settings, head: Callable[[], tuple[int, bytes]]) -> Bell:
    """Return the bell of this node, not started; `head` asks its store how far it is, which takes a moment.

    Raises SettingsInvalid where its extra is not installed.
    """
    if settings.bell == "none":
        return LocalBell()
    line: Line
    if settings.bell == "postgres":
        line = PostgresLine(settings.postgres)
    else:
        try:
            from exchange.wiring.nats_line import NatsLine  # noqa: PLC0415 -- the extra may not be there
        except ModuleNotFoundError:
            raise SettingsInvalid(
                "a bell over NATS needs the extra `nats`: pip install 'exchange[nats]'", name="bell"
            ) from None
        line = NatsLine(settings)

    async def asked() -> int:
        return (await asyncio.to_thread(head))[0]

    return HeardBell(line, settings.operator_oin, asked)
