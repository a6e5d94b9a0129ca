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
        self._evidence = evidence_of(core.settings)
        self._transport = HttpTransport(WAIT_S)
        self._holder = Holder("directory", core.settings.directory_url.rstrip("/"))
        keys = [core.signer.key, *([core.second.key] if core.second is not None else [])]
        self._handing = Handing(self._transport, core.tiles, keys, self._alarm)
        self._task: asyncio.Task[None] | None = None
        self._handed = 0
        self._said = ""  # why it was last refused, so that one reason is told once

    def start(self) -> None:
        """Follow what is published."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Hand over what was published last, once, and let go of the threads."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        last = self._publisher.published()
        if last is not None and last.checkpoint.size > self._handed:
            await self._hand(last)
        self._transport.close()

    async def _follow(self) -> None:
        while True:
            newest = await self._publisher.published_beyond(self._handed)
            taken = await self._hand(newest)
            await asyncio.sleep(self._every_s if taken else max(self._again_s, self._every_s))

    async def _hand(self, signed: SignedCheckpoint) -> bool:
        try:
            reply = await self._handing.hand(self._holder, signed, lambda: self._publisher.size)
        except (Unavailable, ProofInvalid) as error:
            self._say(error.code)
            return False
        if reply is None or reply.status != OK:
            self._say("another size" if reply is None else f"status {reply.status}")
            return False
        self._handed, self._said = signed.checkpoint.size, ""
        self._log.info(EVENT, size=self._handed, reason="taken")
        return True

    def _say(self, reason: str) -> None:
        if reason != self._said:
            self._said = reason
            self._log.warning(EVENT, reason=reason[:LOG_VALUE_CHARS])

    def _alarm(self, name: str, conflict: Conflict) -> None:
        kept = keep_alarm(lambda one: self._evidence.keep(one, self._now()), conflict)
        self._log.error("witness_alarm", witness=name, reason=kept)
