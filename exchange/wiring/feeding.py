"""The directory that a running service hands its newest published checkpoint to, over HTTP.

Promises: writing, receipts and publishing never wait for it; who does not answer is asked again, and is
handed the newest of then; a directory that holds another history of this log is an alarm, kept with what was
signed.
Source: design of the ledger, section 3 (a directory log over the checkpoints of many).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import ProofInvalid, Unavailable
from exchange.pipeline.handing import OK, Handing, Holder, keep_alarm
from exchange.wiring.cosigning import LOG_VALUE_CHARS, HttpTransport, evidence_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.evidence import Conflict
    from exchange.pipeline.publisher import Publisher
    from exchange.wiring.core import Core

WAIT_S: Final = 5.0
ASK_AGAIN_S: Final = 5.0
EVENT: Final = "directory"


class Feeding:
    """Owned by one event loop: `start` once the publisher runs, `stop` once it published its last."""

    def __init__(
        self,
        core: Core,
        publisher: Publisher,
        log: Any,  # noqa: ANN401 -- structlog's bound logger has no public type
        now: Callable[[], datetime],
        again_s: float = ASK_AGAIN_S,
    ) -> None:
        self._publisher = publisher
        self._log = log
        self._now = now
        self._again_s = again_s
        self._every_s = core.settings.directory_every_s
        self._evidence = evidence_of(core.settings, core.checkpoints)
        self._transport = HttpTransport(WAIT_S)
        self._url = core.settings.directory_url.rstrip("/")
        self._logs = core.ledger.logs
        self._lines: dict[str, tuple[Holder, Handing]] = {}  # by the name of the log: each is held apart
        self._task: asyncio.Task[None] | None = None
        self._handed: SignedCheckpoint | None = None
        self._said = ""  # why it was last refused, so that one reason is told once

    def start(self) -> None:
        """Follow what is published."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Hand over what was published last, once, and let go of the threads."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        while (last := self._publisher.published_after(self._handed)) is not None:
            if not await self._hand(last):
                break
        self._transport.close()

    async def _follow(self) -> None:
        while True:
            newest = await self._publisher.published_beyond(self._handed)
            taken = await self._hand(newest)
            await asyncio.sleep(self._every_s if taken else max(self._again_s, self._every_s))

    async def _hand(self, signed: SignedCheckpoint) -> bool:
        holder, handing = self._line_of(signed)
        try:
            reply = await handing.hand(holder, signed, lambda: self._publisher.size_of(signed))
        except (Unavailable, ProofInvalid) as error:
            self._say(error.code)
            return False
        if reply is None or reply.status != OK:
            self._say("another size" if reply is None else f"status {reply.status}")
            return False
        self._handed, self._said = signed, ""
        self._log.info(EVENT, size=signed.checkpoint.size, reason="taken")
        return True

    def _line_of(self, signed: SignedCheckpoint) -> tuple[Holder, Handing]:
        origin = signed.checkpoint.origin
        if origin not in self._lines:
            log = self._logs.named(origin)
            assert log is not None, "what is published is of a log of this shard"
            handing = Handing(self._transport, log.tiles, log.keys, self._alarm)
            self._lines[origin] = (Holder("directory", self._url), handing)
        return self._lines[origin]

    def _say(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            self._log.warning(EVENT, reason=reason[:LOG_VALUE_CHARS])

    def _alarm(self, name: str, conflict: Conflict) -> None:
        kept = keep_alarm(lambda one: self._evidence.keep(one, self._now()), conflict)
        self._log.error("witness_alarm", witness=name, reason=kept)
