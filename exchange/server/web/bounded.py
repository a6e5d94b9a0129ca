"""How long a door over HTTP waits for whoever is slow, and for whom it makes way when it is full.

Promises: a connection that sends no whole request, and one that does not take its answer, end by a clock that
no byte sets back; at a full door the one that waited longest goes, so that nobody keeps others out by doing
nothing. At the end of a door nobody who asks nothing is waited for.
Source: OWASP ASVS 5.0 chapter 4 (slow requests); RFC 9112 section 9.8; RFC 8446 section 6.1; uvicorn's
protocol classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

# By the library's words for what it waits for. The head of a request: from the opening of a connection, or
# from the answer before. Its body from there: a form of a megabyte over a poor line.
WAITED_S_MAX: Final = {"IDLE": 30.0, "SEND_BODY": 60.0}
# As long an answer may lie here without any of it being taken.
TAKEN_S_MAX: Final = 60.0
# After our word that a connection ends, until it ends without theirs: who keeps one for later does not read.
GOODBYE_S_MAX: Final = 2.0


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that waits so long and no longer."""

    # What is waited for, since when and until when; nothing while an answer is made.
    _awaited = ""
    _awaited_since = 0.0
    _awaited_end: asyncio.TimerHandle | None = None
    _taken_end: asyncio.TimerHandle | None = None
    _goodbye_end: asyncio.TimerHandle | None = None
    _ending = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn narrows it
        """Make way if the door is full, and begin to wait."""
        if self.limit_concurrency is not None and len(self.connections) + 1 >= self.limit_concurrency:
            self._end_the_longest()
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()
        if self._ending:
            self._end_without_theirs()

    def pause_writing(self) -> None:
        """Wait until some of the answer is taken."""
        super().pause_writing()
        if self._taken_end is None:
            self._taken_end = self.loop.call_later(TAKEN_S_MAX, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: some of it was."""
        super().resume_writing()
        if self._taken_end is not None:
            self._taken_end.cancel()
            self._taken_end = None

    def shutdown(self) -> None:
        """End with the door: at once, or with the answer that is being made."""
        self._ending = True
        is_idle = self.cycle is None or self.cycle.response_complete
        # A TLS transport that is closed a second time forgets its line, which then nothing could end.
        if not self.transport.is_closing():
            super().shutdown()
        if is_idle:
            self._end_without_theirs()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        super().connection_lost(exc)
        for end in (self._awaited_end, self._taken_end, self._goodbye_end):
            if end is not None:
                end.cancel()
        self._awaited, self._awaited_end, self._taken_end, self._goodbye_end = "", None, None, None

    def _end_without_theirs(self) -> None:
        # What still lies here of an answer has its own time.
        if self._goodbye_end is None and not self.transport.get_write_buffer_size():
            self._goodbye_end = self.loop.call_later(GOODBYE_S_MAX, self.transport.abort)

    def _look(self) -> None:
        """See what is waited for now; as long as it is the same, the clock runs on."""
        state = self.conn.their_state.__name__
        awaited = state if state in WAITED_S_MAX else ""
        if awaited == self._awaited:
            return
        if self._awaited_end is not None:
            self._awaited_end.cancel()
        self._awaited, self._awaited_end = awaited, None
        if awaited:
            self._awaited_since = self.loop.time()
            self._awaited_end = self.loop.call_later(WAITED_S_MAX[awaited], self.transport.abort)

    def _end_the_longest(self) -> None:
        """End the connection that is waited for longest; where none is, the newcomer hears of a busy door."""
        waiting = [
            one
            for one in self.connections
            if isinstance(one, BoundedProtocol) and one._awaited  # noqa: SLF001 -- of its own kind
        ]
        if waiting:
            longest = min(waiting, key=lambda one: one._awaited_since)  # noqa: SLF001 -- of its own kind
            # It is told of its end only in the next turn of the loop; its place is free now.
            self.connections.discard(longest)
            longest.transport.abort()
