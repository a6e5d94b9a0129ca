"""The front as a process: its map looked for again while it runs, its numbers, from start to drain.

Promises: starts with a map that is right or not at all; one that is wrong later is refused whole, logged
once and told as a metric, and the former stays in force. Holds no key, no database and no folder.
Source: exchange/decisions/0123-a-front-opens-nothing.md, 0124-a-shard-map-only-grows.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.logs import open_log
from exchange.server.metrics import Metrics
from exchange.server.shards.errors import ShardMapInvalid
from exchange.server.shards.front import CONNECTIONS_MAX, ShardFront
from exchange.server.shards.map import parse_map
from exchange.wiring.core import utc_now
from exchange.wiring.holding import looping, never_hung_up
from exchange.wiring.shards import map_bytes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOOKED_EVERY_S: Final = 30.0
FILES_OF_ITS_OWN: Final = 64
FILES_OF_A_CONNECTION: Final = 2


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a front stands; `ready` is a file that says so to scripts, None for none."""

    file: Path
    host: str
    port: int
    metrics_port: int
    log_file: Path | None = None
    drain_s: float = 10.0
    ready: Path | None = None


class MapInForce:
    """Keeps the map of a front; owned by one event loop."""

    def __init__(self, front: ShardFront, file: Path, read: bytes, log: Any) -> None:  # noqa: ANN401 -- structlog's bound logger has no public type
        self._front = front
        self._file = file
        self._seen = read
        self._log = log
        self._now = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._told = ""
        self.refused = False

    def start(self) -> None:
        """Look from now on: twice a minute, at once on SIGHUP."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._now.set)
        self._looking = loop.create_task(self._look())

    async def stop(self) -> None:
        """Look no more; SIGHUP stays taken over, or it would end what drains."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    def take(self) -> None:
        """Take what lies there, where it is another map, is right, and follows the one in force."""
        try:
            raw = map_bytes(self._file)
            if raw != self._seen:
                self._front.take(parse_map(raw))
                self._seen = raw
                found = self._front.in_force
                self._log.info("shard_map_taken", version=found.serial, size=len(found.shards))
        except ShardMapInvalid as error:
            self.refused = True
            # The same wrong file is not told of twice a minute for a week.
            if str(error) != self._told:
                place = " ".join(error.metadata.get(name, "") for name in ("shard", "key")).strip()
                self._log.error("shard_map_refused", reason=error.code, place=place, error=error.message)
            self._told = str(error)
            return
        self.refused, self._told = False, ""

    async def _look(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOKED_EVERY_S):
                    await self._now.wait()
            self._now.clear()
            self.take()


def run_front(standing: Standing, told: Callable[[str], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT. Raises ShardMapInvalid, SettingsInvalid."""
    with never_hung_up(), looping() as runner:
        runner.run(_run(standing, told))


async def _run(standing: Standing, told: Callable[[str], None] | None) -> None:
    log, metrics = open_log(standing.log_file), Metrics()
    raw = map_bytes(standing.file)
    front = ShardFront(parse_map(raw), utc_now, _connections_max())
    mapping = MapInForce(front, standing.file, raw, log)
    metrics.watch_front(front, lambda: mapping.refused)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        metrics_port = metrics.serve(standing.metrics_port)
        port = await front.start(standing.host, standing.port)
        mapping.start()
        _say_ready(standing, port, metrics_port)
        in_force = front.in_force
        log.info("front_ready", port=port, version=in_force.serial, size=len(in_force.shards))
        if told is not None:
            told(f"{standing.host}:{port}")
        await stop.wait()
    finally:
        await mapping.stop()
        await front.drain(standing.drain_s)
        metrics.close()
        log.info("front_stopped")


def _connections_max() -> int:
    """Return how many connections fit in the files that this process may open, and in what we take."""
    may, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(CONNECTIONS_MAX, max(1, (may - FILES_OF_ITS_OWN) // FILES_OF_A_CONNECTION))


def _say_ready(standing: Standing, port: int, metrics_port: int) -> None:
    """Write, whole or not at all, where the front listens: for scripts that started it."""
    if standing.ready is None:
        return
    said = {"pid": os.getpid(), "target": f"{standing.host}:{port}", "metrics_port": metrics_port}
    partial = standing.ready.with_suffix(".partial")
    partial.write_text(json.dumps(said), encoding="utf-8")
    partial.replace(standing.ready)
