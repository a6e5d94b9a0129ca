"""The witness: cosigns checkpoints of logs it knows, as long as each only adds to the one before.

Promises: what is cosigned was made durable before the cosignature leaves; never two roots of one size, never
a smaller size than before; a log that shows another history gets no cosignature, and what it signed is kept.
Source: c2sp.org/tlog-witness, c2sp.org/tlog-cosignature.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, VersionConflict
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.cosigning import SIZE_TYPE, parse_asked
from exchange.ledger.evidence import Conflict
from exchange.ledger.merkle import HASH_BYTES, verify_consistency
from exchange.ledger.note import decode_base64, parse_note
from exchange.ledger.witness_store import Cosigned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from exchange.ledger.checkpoint import Checkpoint
    from exchange.ledger.cosigning import Asked
    from exchange.ledger.evidence import EvidenceFolder
    from exchange.ledger.note import Cosigner, Note, VerifierKey
    from exchange.ledger.witness_store import WitnessStore

TEXT: Final = "text/plain; charset=utf-8"
_CHECKPOINT_LINES: Final = 4  # with what follows the last newline


class Outcome(Enum):
    """How a request ended, and its HTTP status."""

    COSIGNED = 200
    MALFORMED = 400
    NOT_SIGNED = 403
    LOG_UNKNOWN = 404
    SIZE_DIFFERS = 409
    NOT_CONSISTENT = 422


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back. `conflict` is the word for what was kept as evidence, empty where nothing was."""

    outcome: Outcome
    body: bytes
    media_type: str = TEXT
    origin: str = ""
    conflict: str = ""


@dataclass(frozen=True, slots=True)
class _Request:
    """A request whose checkpoint a known log signed."""

    asked: Asked
    note: Note
    head: Checkpoint
    signers: tuple[VerifierKey, ...]


class _RefusedError(Exception):
    """A request that gets no further than its shape or its signature."""

    def __init__(self, outcome: Outcome, says: str, origin: str = "") -> None:
        super().__init__(says)
        self.outcome, self.says, self.origin = outcome, says, origin


class Witness:
    """One key, many logs. Safe from any thread."""

    def __init__(
        self,
        cosigner: Cosigner,
        logs: Iterable[VerifierKey],
        store: WitnessStore,
        evidence: EvidenceFolder,
        clock: Callable[[], datetime],
    ) -> None:
        self._cosigner = cosigner
        self._logs: dict[str, list[VerifierKey]] = {}
        for key in logs:
            self._logs.setdefault(key.name, []).append(key)
        self._store = store
        self._evidence = evidence
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one request. Raises StoreUnavailable: then nothing was cosigned."""
        try:
            return self._extend(self._read(body))
        except _RefusedError as found:
            return refused(found.outcome, found.says, found.origin)

    def _read(self, body: bytes) -> _Request:
        """Return what was asked, signed by a log that is known here. Raises _RefusedError."""
        try:
            asked = parse_asked(body)
            note = parse_note(asked.note, "checkpoint")
        except ProofInvalid as error:
            raise _RefusedError(Outcome.MALFORMED, error.message) from None
        origin = note.text.partition("\n")[0]
        if origin not in self._logs:
            raise _RefusedError(Outcome.LOG_UNKNOWN, "this log is not known here")
        try:
            signers = note.signers(self._logs[origin])
        except ProofInvalid as error:
            raise _RefusedError(Outcome.NOT_SIGNED, error.message, origin) from None
        if not signers:
            raise _RefusedError(Outcome.NOT_SIGNED, "no known key of this log signed the checkpoint", origin)
        try:
            head = parse_body(note.text)
        except ProofInvalid as error:
            wrong = Outcome.NOT_CONSISTENT if _is_empty_tree(note.text) else Outcome.MALFORMED
            raise _RefusedError(wrong, error.message, origin) from None
        if asked.old > head.size:
            raise _RefusedError(Outcome.MALFORMED, "the old size is larger than the checkpoint", origin)
        return _Request(asked, note, head, signers)

    def _extend(self, request: _Request) -> Answer:
        asked, note, head = request.asked, request.note, request.head
        held = self._store.latest(head.origin)
        if asked.old != (0 if held is None else held.checkpoint.size):
            kept = "" if held is None else self._keep(at_odds(head, held.checkpoint), held, note)
            return self._size_differs(head.origin, kept)
        try:
            require_extension(asked, head, None if held is None else held.checkpoint)
        except ProofInvalid as error:
            kind = at_odds(head, held.checkpoint) if held is not None else ""
            kept = "" if held is None else self._keep(kind or "unproven", held, note)
            return refused(Outcome.NOT_CONSISTENT, error.message, head.origin, kept)
        now = self._clock()
        line = self._cosigner.cosign(note.text, int(now.timestamp()))
        # Of other lines only those are kept that were verified.
        whole = note.with_lines([*note.lines_of(request.signers), line])
        try:
            self._store.advance(None if held is None else held.checkpoint, Cosigned(head, whole), now)
        except VersionConflict:
            return self._size_differs(head.origin, "")
        return Answer(Outcome.COSIGNED, str(line).encode(), origin=head.origin)

    def checkpoint(self, origin_hash: str) -> bytes | None:
        """Return the latest cosigned checkpoint of the log whose name has this SHA-256, in hexadecimal."""
        for origin in self._logs:
            if sha256(origin.encode()).hexdigest() == origin_hash:
                held = self._store.latest(origin)
                return None if held is None else held.note
        return None

    def _size_differs(self, origin: str, kept: str) -> Answer:
        held = self._store.latest(origin)
        return size_differs(origin, 0 if held is None else held.checkpoint.size, kept)

    def _keep(self, kind: str, held: Cosigned, note: Note) -> str:
        if not kind:
            return ""
        shown = note.with_lines(note.lines_of(self._logs[held.checkpoint.origin]))
        conflict = Conflict(kind, _CONFLICTS[kind], held.checkpoint.origin, held.note, shown)
        return kind if self._evidence.keep(conflict, self._clock()) else f"{kind}, not kept: too many"


def size_differs(origin: str, held: int, conflict: str) -> Answer:
    """Return the answer that tells which size is held."""
    return Answer(Outcome.SIZE_DIFFERS, f"{held}\n".encode(), SIZE_TYPE, origin, conflict)


_CONFLICTS: Final = {
    "fork": "the log signed two roots of one size",
    "rollback": "the log's signature stands under a smaller tree than was cosigned before",
    "unproven": "the log's checkpoint came without a proof that it adds to what was cosigned before",
}


def at_odds(head: Checkpoint, held: Checkpoint) -> str:
    """Return the word for a checkpoint that cannot follow what is held, whatever is proven; or nothing."""
    if head.size == held.size:
        return "fork" if head.root != held.root else ""
    return "rollback" if head.size < held.size else ""


def require_extension(asked: Asked, head: Checkpoint, held: Checkpoint | None) -> None:
    """Raise ProofInvalid unless what was asked proves that `head` only adds to what is held."""
    if asked.old == 0 or held is None:
        if asked.proof:
            raise ProofInvalid("from an empty tree there is nothing to prove", place="consistency proof")
        return
    verify_consistency(asked.old, head.size, held.root, head.root, asked.proof)


def _is_empty_tree(text: str) -> bool:
    """Tell whether a text is a checkpoint of size 0 that has another root than the empty tree."""
    lines = text.split("\n")
    if len(lines) != _CHECKPOINT_LINES or lines[1] != "0" or lines[3]:
        return False
    try:
        return len(decode_base64(lines[2], "checkpoint")) == HASH_BYTES
    except ProofInvalid:
        return False


def refused(outcome: Outcome, says: str, origin: str = "", conflict: str = "") -> Answer:
    """Return the answer that refuses, with its reason in words."""
    return Answer(outcome, f"{outcome.name}: {says}\n".encode(), origin=origin, conflict=conflict)
