"""Delivers what waits in the outbox, by batches that are flushed once: into a folder, or over HTTP.

Promises: a message is noted as delivered only after the folder was flushed, or the other side confirmed it;
after a kill it goes again, the same; what cannot go is tried again with growing pauses, and not before the
other side asked for it, and is parked after a day, never dropped; what the other side will not take is parked
at once. None goes out before an older one about the same person left, or a person looked at that.
Source: fsync(2); GGk koppelvlak 2.1.04 (OntvangAsynchroon).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Protocol

from adapters.kit.outward import NotNow, Outward, OutwardError, Refused, Unexpected
from adapters.provider.apart import behind
from adapters.provider.desk import COUNTERPARTY
from adapters.provider.envelopes import FAULT
from adapters.provider.errors import EnvelopeRefused, FileRefused, MessageNotReadable
from adapters.provider.folders import Outbox
from adapters.provider.stuf import CARRYING, Kind, Reader
from adapters.provider.stuf_writing import write_envelope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.provider.desk import Desk
    from adapters.provider.journal import Waiting
    from adapters.provider.stuf import Told
    from adapters.provider.transport import Http

SYSTEM: Final = COUNTERPARTY
TIMEOUT_S: Final = 30.0
SIDE_BY_SIDE: Final = 8
BATCH: Final = 100
MOMENT_S: Final = 0.1
BEHIND_MS: Final = 3_600_000
XML: Final = "application/xml"
# SOAP 1.1 over HTTP: text/xml, and which operation it is.
SOAP: Final = "text/xml; charset=utf-8"
_ACTIONS: Final = {
    Kind.OUTWARD: '"http://www.stufstandaarden.nl/koppelvlak/ggk0210/ggk_Di01"',
    Kind.RETURN: '"http://www.stufstandaarden.nl/koppelvlak/ggk0210/ggk_Du01"',
    Kind.FAULT: '"http://www.egem.nl/StUF/StUF0301/Fo01"',
}
_NEVER: Final = frozenset({400, 413, 415, 422})
Failure = OSError | FileRefused | OutwardError


class TurnedDown(OutwardError):
    """The other side will not take this message, now or later."""


class Way(Protocol):
    """A way out of the house."""

    def send(self, waiting: Sequence[Waiting]) -> list[Failure | None]:
        """Send messages; return for each what went wrong, or None for one that is there for good."""

    def room(self) -> int:
        """Return how many may go now."""


class ByFolder:
    """Files in the outbox, in their envelope where the settings say so."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._outbox: Final = Outbox(desk.config.outbox)

    def room(self) -> int:
        """Return what one turn of the disk takes."""
        return BATCH

    def send(self, waiting: Sequence[Waiting]) -> list[Failure | None]:
        """Write each file whole, then flush the folder once."""
        contents = [self._content(one) for one in waiting]
        names = [one.name for one in waiting]
        # Side by side the disk flushes many files in one turn.
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            outcomes = list(pool.map(self._emit, names, contents))
        try:
            self._outbox.settle()
        except OSError as error:
            return [outcome or error for outcome in outcomes]
        return outcomes

    def _content(self, one: Waiting) -> bytes:
        desk = self._desk
        if desk.config.ggk is None:
            return one.content
        return b"".join(desk.envelopes.written(one, desk.local_now))

    def _emit(self, name: str, content: bytes) -> Failure | None:
        try:
            self._outbox.emit(name, content)
        except (OSError, FileRefused) as error:
            return error
        return None


class ByHttp:
    """Posts to the counterparty, one after the other."""

    def __init__(self, desk: Desk, http: Http) -> None:
        self._desk: Final = desk
        identity = None if http.certificate is None else (str(http.certificate), str(http.key))
        self._outward: Final = Outward(
            SYSTEM,
            http.deliver_to,
            dict,
            timeout_s=TIMEOUT_S,
            authorities=str(http.authorities or ""),
            identity=identity,
            turns=desk.limits[COUNTERPARTY],
        )

    def room(self) -> int:
        """Return how many our own rate, and a wait that was asked, let go now, or in a moment."""
        turns = self._desk.limits[COUNTERPARTY]
        return min(turns.free, BATCH) or int(turns.wait_s <= MOMENT_S)

    def send(self, waiting: Sequence[Waiting]) -> list[Failure | None]:
        """Post each; where the other side is away the rest is not tried now."""
        outcomes: list[Failure | None] = []
        for one in waiting:
            away = outcomes[-1] if outcomes else None
            outcomes.append(away if isinstance(away, NotNow) else self._post(one))
        return outcomes

    def _post(self, one: Waiting) -> OutwardError | None:
        try:
            if self._desk.config.ggk is None:
                self._outward.post("", [one.content], {"Content-Type": XML})
            else:
                self._post_in_envelope(one)
        except Refused as refused:
            # Any other status tells of a setting of either side, which somebody may mend within the day.
            kind = TurnedDown if refused.status in _NEVER else NotNow
            return kind(SYSTEM, f"status_{refused.status}")
        except OutwardError as error:
            return error
        return None

    def _post_in_envelope(self, one: Waiting) -> None:
        desk = self._desk
        if one.kind == FAULT:
            kind, reference, pieces = Kind.FAULT, "", [one.content]
        else:
            # Asked for once: the door may take what this answers anew at any moment, under another number.
            letter = desk.envelopes.letter(one, desk.local_now)
            kind, reference = letter.kind, letter.reference
            pieces = list(write_envelope(letter, one.content, soap=True))
        headers = {"Content-Type": SOAP, "SOAPAction": _ACTIONS[kind]}
        try:
            raw = self._outward.post("", pieces, headers)
        except (Refused, NotNow) as error:
            # SOAP 1.1 tells faults under 500: one with a code of the traffic is an answer.
            told = _told(error.raw)
            if told is not None and told.kind is Kind.REFUSED:
                raise TurnedDown(SYSTEM, told.code) from None
            raise
        told = _told(raw)
        if told is not None and told.kind is Kind.REFUSED:
            # A no is a no, also under 200.
            raise TurnedDown(SYSTEM, told.code)
        if told is None or told.kind is not Kind.TAKEN:
            raise Unexpected(SYSTEM, "no_confirmation")
        if kind in CARRYING and told.cross_reference != reference:
            raise Unexpected(SYSTEM, "confirms_another")


class Delivering:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        http = desk.config.http
        self._desk: Final = desk
        self._next_told_ms = 0
        self._way: Final[Way] = ByHttp(desk, http) if http is not None and http.deliver_to else ByFolder(desk)

    def meanwhile(self) -> None:
        """Deliver what is due while more comes in, where nobody else is waited for: into a folder."""
        if isinstance(self._way, ByFolder):
            self.work()

    def work(self) -> None:
        """Deliver all that is due."""
        # What may not go yet stays where it is, oldest first: no attempt of it is counted.
        while room := self._way.room():
            waiting = self._desk.journal.due(self._desk.now_ms, room)
            if not waiting:
                break
            self._deliver(waiting)
        self._tell_behind()

    def _tell_behind(self) -> None:
        """Tell, once an hour, that the oldest message waits an hour and longer for its turn.

        And how many wait behind one that a person must look at.
        """
        desk = self._desk
        if desk.steady_ms < self._next_told_ms:
            return
        waiting = desk.journal.due(desk.now_ms, 1)
        late = bool(waiting) and desk.now_ms - waiting[0].created_ms >= BEHIND_MS
        stuck = behind(desk.journal)
        if late or stuck:
            self._next_told_ms = desk.steady_ms + BEHIND_MS
        if late:
            desk.alarm("outbox_behind", message_type=waiting[0].kind)
        if stuck:
            desk.alarm("messages_behind", count=len(stuck))

    def _deliver(self, waiting: tuple[Waiting, ...]) -> None:
        desk = self._desk
        outcomes = self._way.send(waiting)
        sent = [one for one, outcome in zip(waiting, outcomes, strict=True) if outcome is None]
        with desk.journal.transaction():
            noted = {one.name for one in sent if desk.journal.delivered(one.name, one.created_ms)}
        for one, outcome in zip(waiting, outcomes, strict=True):
            if outcome is None:
                # The door told of what was turned down meanwhile.
                if one.name in noted:
                    desk.log.info("message_delivered", message_type=one.kind)
            elif isinstance(outcome, TurnedDown):
                self._turned_down(one, outcome)
            else:
                self._failed(one, outcome)

    def _turned_down(self, one: Waiting, why: TurnedDown) -> None:
        self._desk.journal.refused(one.name, why.code)
        self._desk.alarm("message_parked", message_type=one.kind, error="TurnedDown", code=why.code)

    def _failed(self, one: Waiting, error: Failure) -> None:
        desk = self._desk
        least_ms = error.retry_after_s * 1_000 if isinstance(error, NotNow) else 0
        parked = desk.journal.failed(one.name, desk.now_ms, desk.jitter(), least_ms)
        tell = desk.alarm if parked else desk.log.warning
        tell(
            "message_parked" if parked else "message_not_delivered",
            message_type=one.kind,
            error=type(error).__name__,
            attempt=one.attempts + 1,
        )


def _told(raw: bytes) -> Told | None:
    """Return what an answer says, or None where it says nothing of the standard."""
    reader = Reader(lambda _piece: None)
    try:
        reader.feed(raw)
        return reader.close()
    except (EnvelopeRefused, MessageNotReadable):
        return None
