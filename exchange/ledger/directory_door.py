"""What a directory answers a log that hands over its checkpoints: words of a witness, without a cosignature.

Promises: taken is what the policy trusts and what is proved to add to what was taken of that log before; it
is in the directory's own log, published, before the answer leaves; what cannot follow is kept as evidence.
Source: design of the ledger, section 3; c2sp.org/tlog-witness (add-checkpoint).
"""

from __future__ import annotations

from hashlib import sha256
from threading import Lock
from typing import TYPE_CHECKING

from exchange.errors import ForkRefused, ProofInvalid, VersionConflict
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.cosigning import parse_asked
from exchange.ledger.directory import PROOF
from exchange.ledger.note import parse_note
from exchange.ledger.witness import Answer, Outcome, refused, size_differs

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from exchange.ledger.checkpoint import Policy
    from exchange.ledger.cosigning import Asked
    from exchange.ledger.directory import Directory


class DirectoryDoor:
    """One directory, the logs of its policy. Safe from any thread; one answer at a time."""

    def __init__(
        self,
        directory: Directory,
        policy: Policy,
        integrate: Callable[[], object],
        clock: Callable[[], datetime],
    ) -> None:
        """`integrate` publishes what was taken."""
        self._directory = directory
        self._policy = policy
        self._origins = frozenset(key.name for key in policy.logs)
        self._integrate = integrate
        self._clock = clock
        self._lock = Lock()

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request; the body of a yes is the index of the entry. Raises StoreUnavailable."""
        try:
            asked = parse_asked(body)
            origin = parse_note(asked.note, "checkpoint").text.partition("\n")[0]
        except ProofInvalid as error:
            return refused(Outcome.MALFORMED, error.message)
        if origin not in self._origins:
            return refused(Outcome.LOG_UNKNOWN, "this log is not known here")
        with self._lock:
            answer = self._answer(asked, origin)
            if answer.outcome is Outcome.COSIGNED:
                self._integrate()
            return answer

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """Return the newest checkpoint taken of the log whose name has this SHA-256, in hexadecimal."""
        for origin in self._origins:
            if sha256(origin.encode()).hexdigest() == origin_hash:
                return self._directory.latest(origin)
        return None

    def _answer(self, asked: Asked, origin: str) -> Answer:
        try:
            index = self._directory.extend(asked, self._policy, self._clock())
        except VersionConflict as error:
            return size_differs(origin, int(error.metadata["held"]), "")
        except ForkRefused as error:
            # Of the same size it can never follow; a smaller one may be an old one, and learns what is held.
            if error.metadata["taken"] == error.metadata["shown"]:
                return refused(Outcome.NOT_CONSISTENT, error.message, origin, "fork")
            return size_differs(origin, self._held(origin), "rollback")
        except ProofInvalid as error:
            if error.metadata.get("place") != PROOF:
                return refused(Outcome.NOT_SIGNED, error.message, origin)
            return refused(Outcome.NOT_CONSISTENT, error.message, origin, "unproven")
        return Answer(Outcome.COSIGNED, f"{index}\n".encode(), origin=origin)

    def _held(self, origin: str) -> int:
        note = self._directory.latest(origin)
        return 0 if note is None else parse_body(parse_note(note).text).size
