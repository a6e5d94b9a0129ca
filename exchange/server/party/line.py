"""The exchange's line to the second party: asks it to evaluate, and believes only what it proves.

Promises: no answer is used that the pinned key did not make; whatever goes wrong is named and leaves nothing
recorded; idle connections are kept, and a stale one is replaced once. Safe between threads.
Source: RFC 9497 section 2.2.2; RFC 8446.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.errors import (
    GroupElementInvalid,
    QuotaExceeded,
    RequestInvalid,
    SecondPartyRefused,
    SecondPartyUnavailable,
)
from exchange.keys.half_renewal import Stepped, is_stepped
from exchange.keys.ristretto import ELEMENT_BYTES
from exchange.keys.voprf import PROOF_BYTES, BatchEvaluation, is_proved
from exchange.server.party.frames import EVALUATE, LENGTH_BYTES, STEP, Word, framed, length_of

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

WAIT_S_MAX: Final = 2.0
IDLE_CONNECTIONS_MAX: Final = 8


class PartyLine:
    """Asks one second party, whose public key (32 bytes) came out of band."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext, public_key: bytes) -> None:
        self.public_key: Final = public_key
        self._place: Final = (host, port)
        self._tls: Final = tls
        self._lock: Final = Lock()
        self._idle: Final[list[ssl.SSLSocket]] = []  # owned by the holder of _lock

    def evaluate(self, blinded: Sequence[bytes]) -> BatchEvaluation:
        """Return what the second party made of the elements, its proof checked.

        Raises GroupElementInvalid, QuotaExceeded, SecondPartyUnavailable, SecondPartyRefused.
        """
        answer = self._ask(framed(EVALUATE + b"".join(blinded)))
        word, body = answer[0], answer[1:]
        if word == Word.NO_ELEMENT:
            raise GroupElementInvalid("these bytes are not a ristretto255 element")
        if word == Word.OVER_QUOTA:
            raise QuotaExceeded(
                "the second party gives no more today",
                retry_after_ms=int.from_bytes(body, "big"),
                limit="second_party_per_day",
            )
        if word != Word.EVALUATED:
            raise SecondPartyUnavailable("the second party could not evaluate", answer=str(word))
        if len(body) != len(blinded) * ELEMENT_BYTES + PROOF_BYTES:
            raise SecondPartyRefused("the second party answered another number of elements than it was asked")
        evaluated, proof = _elements(body)
        if not is_proved(self.public_key, blinded, evaluated, proof):
            raise SecondPartyRefused("the second party's proof does not fit its public key")
        return BatchEvaluation(evaluated, proof)

    def step(self, blinded: Sequence[bytes], following: bytes) -> tuple[bytes, ...]:
        """Return elements taken over to the half whose public key is `following`, the proof checked.

        Raises GroupElementInvalid, SecondPartyUnavailable, and SecondPartyRefused: also where that party has
        no renewal open, or took over as many as its operator allowed.
        """
        answer = self._ask(framed(STEP + b"".join(blinded)))
        word, body = answer[0], answer[1:]
        if word == Word.NO_ELEMENT:
            raise GroupElementInvalid("these bytes are not a ristretto255 element")
        if word == Word.NO_STEP:
            raise SecondPartyRefused(
                "the second party began no renewal of its half, or took over as much as its operator allowed"
            )
        if word != Word.STEPPED:
            raise SecondPartyUnavailable("the second party could not take over", answer=str(word))
        if len(body) != (1 + len(blinded)) * ELEMENT_BYTES + PROOF_BYTES:
            raise SecondPartyRefused("the second party answered another number of elements than it was asked")
        (public, *stepped), proof = _elements(body)
        made = Stepped(tuple(stepped), public, proof)
        if not is_stepped(self.public_key, following, blinded, made):
            raise SecondPartyRefused("the second party's proof does not fit its two public keys")
        return made.elements

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            while self._idle:
                _close(self._idle.pop())

    def _ask(self, question: bytes) -> bytes:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            # The other end may have hung up since: asking twice is harmless, it costs a share.
            with suppress(OSError, RequestInvalid):
                return self._on(kept, question)
        try:
            return self._on(self._connect(), question)
        except (OSError, RequestInvalid) as error:
            raise SecondPartyUnavailable(
                "the second party does not answer", error=type(error).__name__
            ) from None

    def _connect(self) -> ssl.SSLSocket:
        plain = socket.create_connection(self._place, timeout=WAIT_S_MAX)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return self._tls.wrap_socket(plain, server_hostname=self._place[0])
        except BaseException:
            plain.close()
            raise

    def _on(self, connection: ssl.SSLSocket, question: bytes) -> bytes:
        try:
            connection.settimeout(WAIT_S_MAX)
            connection.sendall(question)
            answer = _exactly(connection, length_of(_exactly(connection, LENGTH_BYTES)))
        except BaseException:
            _close(connection)
            raise
        with self._lock:
            if len(self._idle) < IDLE_CONNECTIONS_MAX:
                self._idle.append(connection)
                return answer
        _close(connection)
        return answer


def _elements(body: bytes) -> tuple[tuple[bytes, ...], bytes]:
    """Return the elements of an answer, and the proof behind them."""
    ends = range(0, len(body) - PROOF_BYTES, ELEMENT_BYTES)
    return tuple(body[at : at + ELEMENT_BYTES] for at in ends), body[-PROOF_BYTES:]


def _exactly(connection: ssl.SSLSocket, count: int) -> bytes:
    found = bytearray()
    while len(found) < count:
        part = connection.recv(count - len(found))
        if not part:
            raise ConnectionError("the second party hung up")
        found += part
    return bytes(found)


def _close(connection: ssl.SSLSocket) -> None:
    with suppress(OSError):
        connection.close()
