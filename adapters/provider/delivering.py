"""Delivers what waits in the outbox, by batches that are flushed once.

Promises: a message is noted as delivered only after the folder was flushed; after a kill it is written again,
the same; what cannot be written is tried again with growing pauses and parked after a day, never dropped.
Source: ADAPTERS.md section 2; fsync(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.errors import FileRefused

if TYPE_CHECKING:
    from adapters.provider.desk import Desk
    from adapters.provider.folders import Outbox
    from adapters.provider.journal import Waiting


class Delivering:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk, outbox: Outbox) -> None:
        self._desk: Final = desk
        self._outbox: Final = outbox

    def work(self) -> None:
        """Deliver all that is due."""
        while waiting := self._desk.journal.due(self._desk.now_ms):
            self._deliver(waiting)

    def _deliver(self, waiting: tuple[Waiting, ...]) -> None:
        desk = self._desk
        written: list[Waiting] = []
        for one in waiting:
            try:
                self._outbox.emit(one.name, one.content)
            except (OSError, FileRefused) as error:
                self._failed(one, error)
            else:
                written.append(one)
        try:
            self._outbox.settle()
        except OSError as error:
            for one in written:
                self._failed(one, error)
            return
        with desk.journal.transaction():
            for one in written:
                desk.journal.delivered(one.name)
        for one in written:
            desk.log.info("message_delivered", message_type=one.kind)

    def _failed(self, one: Waiting, error: Exception) -> None:
        desk = self._desk
        parked = desk.journal.failed(one.name, desk.now_ms, desk.jitter())
        tell = desk.alarm if parked else desk.log.warning
        tell(
            "message_parked" if parked else "message_not_delivered",
            message_type=one.kind,
            error=type(error).__name__,
            attempt=one.attempts + 1,
        )
