"""The organisation's own book of receipts: what it was promised, and the proof that it was kept.

Promises: a receipt is kept before it is proven; a proof is kept only when it verifies under the
organisation's own policy (the log's key and, where it asks them, enough witnesses), for the very entry that
was promised, under a checkpoint that extends every one seen before; a checkpoint that rolls back or forks is
refused and the evidence kept. A log ends with its year: the next one is taken only where its first leaf,
proven, names the very end of the one before.
Source: C2SP tlog-proof v1, tlog-checkpoint v1, tlog-policy; RFC 9162 section 2.1.4.2; `proofs.py`,
`trust.py`.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from adapters.sdk.errors import LedgerRefused, QuorumRefused, RollbackRefused
from adapters.sdk.openings import read_opening
from adapters.sdk.proofs import Checkpoint, ProofRefused, verify_extension
from adapters.sdk.trust import QuorumMissing, Trust, trusting, years_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path

    from adapters.sdk.calls import Awaiting, Blocking, LedgerCalls
    from exchange.v1.common_pb2 import Receipt

    # One question to the ledger, and what comes back: the steps know neither threads nor event loops.
    Ask = Callable[[LedgerCalls[Any]], Any]

# The log may grow between two questions; after so many tries the receipt waits for the next time.
JOIN_ATTEMPTS_MAX: Final = 5
BUSY_WAIT_S: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS receipt (
    leaf_index INTEGER PRIMARY KEY, position INTEGER NOT NULL, rpc TEXT NOT NULL, decision_id TEXT NOT NULL,
    entry BLOB NOT NULL, proof TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS receipt_unproven ON receipt (leaf_index) WHERE proof IS NULL;
CREATE TABLE IF NOT EXISTS seen (
    only INTEGER PRIMARY KEY CHECK (only = 1), size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS log (
    origin TEXT PRIMARY KEY, first INTEGER NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY, what TEXT NOT NULL, seen_note TEXT NOT NULL, shown_note TEXT NOT NULL
) STRICT;
"""
# What a book of before a log could follow another saw: of the one log there was.
_FROM_BEFORE: Final = """
INSERT OR IGNORE INTO log SELECT substr(note, 1, instr(note, char(10)) - 1), 0, size, root, note FROM seen"""


@dataclass(frozen=True, slots=True)
class KeptReceipt:
    """One receipt; `proof` is the text of its `.tlog-proof`, empty until it was fetched and verified."""

    leaf_index: int
    position: int
    rpc: str
    decision_id: str
    entry: bytes
    proof: str


class ReceiptBook:
    """Receipts of one organisation (`oin`) from one exchange, in one SQLite file. Safe between threads.

    `trust` is the text of a policy file, what `parse_trust` read of it, or a log's verifier key alone; it
    reaches the organisation out of band. It names the logs of the years of one municipality, oldest first.
    Raises LedgerRefused where it is none of these, or names others.
    """

    def __init__(self, path: Path, trust: Trust | str, oin: str) -> None:
        try:
            self._trust: Final = trusting(trust)
        except ProofRefused as refused:
            raise LedgerRefused(str(refused)) from None
        self._origins: Final = list(dict.fromkeys(key.name for key in self._trust.logs))
        pairs = list(pairwise(self._origins))
        if not self._origins or any(not years_apart(one, two) or one > two for one, two in pairs):
            named = len(self._origins)
            raise LedgerRefused(
                f"a book is of one log a year, oldest first, and the policy names {named} that are not"
            )
        self._oin: Final = oin
        self._lock: Final = threading.RLock()
        # Made before SQLite would make it readable for all: entries are pseudonymous, yet personal.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._database: Final = sqlite3.connect(
            path, timeout=BUSY_WAIT_S, isolation_level=None, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)
        self._database.execute(_FROM_BEFORE)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._database.close()

    def keep(self, receipt: Receipt, rpc: str = "") -> None:
        """Keep what an answer brought; the same receipt twice is one.

        Raises LedgerRefused when the entry is not about this organisation, or when another entry was promised
        at this index before.
        """
        self._require_ours(receipt.leaf_entry)
        row = (receipt.leaf_index, receipt.position, rpc, receipt.decision_id, receipt.leaf_entry)
        with self._transaction():
            self._database.execute("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?, NULL)", row)
            (found,) = self._database.execute(
                "SELECT entry FROM receipt WHERE leaf_index = ?", (receipt.leaf_index,)
            ).fetchone()
        if found != receipt.leaf_entry:
            raise LedgerRefused(f"two entries were promised at index {receipt.leaf_index}")

    def find(self, leaf_index: int) -> KeptReceipt | None:
        """Return the receipt of this leaf."""
        found = self._select("leaf_index = ?", leaf_index)
        return found[0] if found else None

    def unproven(self) -> list[KeptReceipt]:
        """Return the receipts without a verified proof, oldest first."""
        return self._select("proof IS NULL")

    def seen(self) -> Checkpoint | None:
        """Return the largest checkpoint that was verified of the newest log."""
        found = (self._seen_of(origin) for origin in reversed(self._origins))
        return next((one for one in found if one is not None), None)

    def _seen_of(self, origin: str) -> Checkpoint | None:
        with self._lock:
            row = self._database.execute("SELECT size, root FROM log WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else Checkpoint(origin, row[0], row[1])

    def first_of(self, origin: str) -> int | None:
        """Return the number of a log's first leaf among all leaves, None for a log that was never seen."""
        with self._lock:
            row = self._database.execute("SELECT first FROM log WHERE origin = ?", (origin,)).fetchone()
        return None if row is None else int(row[0])

    def evidence(self) -> list[tuple[str, str, str]]:
        """Return what was refused: what was wrong, the note seen before, the note shown then."""
        with self._lock:
            return self._database.execute("SELECT what, seen_note, shown_note FROM evidence").fetchall()

    def settle(self, ledger: LedgerCalls[Blocking]) -> int:
        """Look at the newest checkpoint and prove what is unproven; return how many were proven.

        Raises LedgerRefused, RollbackRefused, QuorumRefused, or what the call itself raises; proofs kept
        before that stay.
        """
        steps, answer = self._settle(), None
        while True:
            try:
                ask = steps.send(answer)
            except StopIteration as done:
                return int(done.value)
            answer = ask(ledger)

    async def settle_async(self, ledger: LedgerCalls[Awaiting]) -> int:
        """Do what `settle` does, with the asyncio client."""
        steps, answer = self._settle(), None
        while True:
            try:
                ask = steps.send(answer)
            except StopIteration as done:
                return int(done.value)
            answer = await ask(ledger)

    def _settle(self) -> Generator[Ask, Any, int]:
        # Before the first receipt there may be no checkpoint yet; the first proof brings one.
        if self.seen() is not None:
            yield from self._advance()
        joined: set[Checkpoint] = set()
        proven = 0
        for kept in self.unproven():
            index = kept.leaf_index
            answer = yield self._receipt_of(index)
            checkpoint, note, at = self._verified_receipt(kept.entry, index, answer.tlog_proof)
            if checkpoint not in joined and not (yield from self._join(checkpoint, note)):
                continue
            # Only now is it known where its log begins.
            first = self.first_of(checkpoint.origin)
            assert first is not None, "what was joined was seen"
            if first + at != index:
                raise LedgerRefused(f"the entry promised at index {index} is shown at {first + at}")
            joined.add(checkpoint)
            with self._transaction():
                self._database.execute(
                    "UPDATE receipt SET proof = ? WHERE leaf_index = ?", (answer.tlog_proof, index)
                )
            proven += 1
        return proven

    def _receipt_of(self, leaf_index: int) -> Ask:
        """Return the question for what the policy asks to see: a quorum, the log's second signature."""
        quorum = self._trust.quorum is not None
        second = any(key.name in self._origins for key in self._trust.witnesses.values())
        return lambda ledger: ledger.get_receipt(
            leaf_index=leaf_index, await_quorum=quorum, second_signature=second
        )

    def _verified_receipt(self, entry: bytes, number: int, proof: str) -> tuple[Checkpoint, str, int]:
        """Return the checkpoint of a receipt that holds, its note, and the index of the leaf in its log."""
        try:
            index = self._trust.verify_receipt(entry, proof)
        except QuorumMissing as refused:
            what = f"the receipt of leaf {number} is not relied on: {refused}"
            raise QuorumRefused(what, refused.missing) from None
        except ProofRefused as refused:
            raise LedgerRefused(f"the receipt of leaf {number} does not hold: {refused}") from None
        note = proof.partition("\n\n")[2]
        return self._verified(note), note, index

    def _advance(self, origin: str = "") -> Generator[Ask, Any, None]:
        """Move to the newest checkpoint of a log, of the newest one where none is named.

        Raises RollbackRefused when it does not hold what was seen.
        """
        answer = yield _newest_checkpoint(origin)
        newest, latest = self._verified(answer.checkpoint), self.seen()
        if origin and newest.origin != origin:
            raise LedgerRefused(f"a checkpoint of {newest.origin} was shown as one of {origin}")
        if not origin and latest is not None and self._is_before(newest.origin, latest.origin):
            self._refuse("the newest checkpoint is of a log that had ended", answer.checkpoint)
        seen = self._seen_of(newest.origin)
        if seen is None:
            yield from self._begin(newest, answer)
        elif newest.size <= seen.size:
            if newest != seen:
                self._refuse(
                    "the newest checkpoint is older than, or differs from, one seen", answer.checkpoint
                )
        else:
            proof = yield _proof_from(seen.size, seen.origin)
            extended = self._verified(proof.checkpoint)
            self._require_extension(seen, extended, proof)
            self._remember(extended, proof.checkpoint)

    # --- from one log to the next -----------------------------------------------------------------------

    def _is_before(self, origin: str, other: str) -> bool:
        return self._origins.index(origin) < self._origins.index(other)

    def _begin(self, newest: Checkpoint, answer: Any) -> Generator[Ask, Any, None]:  # noqa: ANN401 -- GetCheckpointResponse, of a generated module
        """Take a log that was never seen, once its first leaf is proven and the former ended as that says."""
        before = [one for one in self._origins if self._is_before(one, newest.origin)]
        known = [one for one in before if self._seen_of(one) is not None]
        if not answer.HasField("opening"):
            if known:
                self._refuse(f"{newest.origin} does not follow the log that was seen", answer.checkpoint)
            self._remember(newest, answer.checkpoint, 0)
            return
        entry = answer.opening.entry
        try:
            opening = read_opening(answer.opening.event, entry, newest.origin)
        except ProofRefused as refused:
            raise LedgerRefused(f"how {newest.origin} began does not hold: {refused}") from None
        shown = yield self._receipt_of(opening.first)
        checkpoint, note, at = self._verified_receipt(entry, opening.first, shown.tlog_proof)
        if (checkpoint.origin, at) != (newest.origin, 0):
            raise LedgerRefused(f"what opened {newest.origin} is not its first leaf")
        former = opening.former
        if former.origin in before:
            yield from self._close(former, answer.checkpoint)
            began = self.first_of(former.origin)
            if began is None or began + former.size != opening.first:
                self._refuse(f"{newest.origin} begins at another leaf than the former ended", note)
        elif known:
            self._refuse(f"{newest.origin} does not follow the log that was seen", note)
        self._remember(checkpoint, note, opening.first)

    def _close(self, former: Checkpoint, shown_note: str) -> Generator[Ask, Any, None]:
        """See that a log ended as the next one says. Raises RollbackRefused."""
        if self._seen_of(former.origin) is None:
            yield from self._advance(former.origin)
        seen = self._seen_of(former.origin)
        assert seen is not None, "it was seen just now"
        if seen.size < former.size:
            proof = yield _proof_from(seen.size, former.origin)
            ended = self._verified(proof.checkpoint)
            if ended == former:
                self._require_extension(seen, ended, proof)
                self._remember(ended, proof.checkpoint)
            seen = ended
        if seen != former:
            self._refuse(f"{former.origin} ended otherwise than the log after it says", shown_note)

    def _join(self, checkpoint: Checkpoint, note: str) -> Generator[Ask, Any, bool]:
        """Tell whether `checkpoint` is of the one history that was seen; False when the log grew too fast."""
        origin = checkpoint.origin
        for _ in range(JOIN_ATTEMPTS_MAX):
            seen = self._seen_of(origin)
            if seen is None or checkpoint.size > seen.size:
                yield from self._advance(origin)
                continue
            if checkpoint.size == seen.size:
                if checkpoint.root != seen.root:
                    self._refuse("a receipt stands under another history", note)
                return True
            proof = yield _proof_from(checkpoint.size, origin)
            newest = self._verified(proof.checkpoint)
            self._require_extension(checkpoint, newest, proof)
            if newest.size == seen.size:
                if newest.root != seen.root:
                    self._refuse("a receipt stands under another history", note)
                return True
            yield from self._advance(origin)
        return False

    def _verified(self, note: str) -> Checkpoint:
        """Return what the log says; witnesses are asked for under receipts, which is what is relied on."""
        try:
            return self._trust.verify_log(note).checkpoint
        except ProofRefused as refused:
            origin = note.partition("\n")[0]
            if origin not in self._origins and years_apart(origin, self._origins[-1]):
                raise LedgerRefused(f"the policy names no key of {origin}, the log of another year") from None
            raise LedgerRefused(str(refused)) from None

    def _require_extension(self, older: Checkpoint, newer: Checkpoint, proof: Any) -> None:  # noqa: ANN401 -- GetConsistencyProofResponse, of a generated module
        try:
            verify_extension(older, newer, proof.hashes)
        except ProofRefused as refused:
            self._refuse(str(refused), proof.checkpoint)

    def _require_ours(self, entry: bytes) -> None:
        try:
            leaf = json.loads(entry)
        except ValueError:
            leaf = None
        if not isinstance(leaf, dict) or leaf.get("a") != self._oin:
            raise LedgerRefused("the entry of a receipt is not about this organisation")

    def _refuse(self, what: str, shown_note: str) -> None:
        with self._transaction():
            query = "SELECT note FROM log ORDER BY first DESC, size DESC LIMIT 1"
            row = self._database.execute(query).fetchone()
            self._database.execute(
                "INSERT INTO evidence (what, seen_note, shown_note) VALUES (?, ?, ?)",
                (what, row[0] if row else "", shown_note),
            )
        raise RollbackRefused(f"{what}; both checkpoints are kept as evidence")

    def _remember(self, checkpoint: Checkpoint, note: str, first: int | None = None) -> None:
        """Keep a checkpoint as the largest of its log; `first` where the log was not seen before."""
        with self._transaction():
            # Never backwards, also when two processes settle at once.
            if first is not None:
                self._database.execute(
                    "INSERT OR IGNORE INTO log VALUES (?, ?, ?, ?, ?)",
                    (checkpoint.origin, first, checkpoint.size, checkpoint.root, note),
                )
            self._database.execute(
                "UPDATE log SET size = ?2, root = ?3, note = ?4 WHERE origin = ?1 AND size < ?2",
                (checkpoint.origin, checkpoint.size, checkpoint.root, note),
            )

    def _select(self, where: str, *values: int) -> list[KeptReceipt]:
        columns = "leaf_index, position, rpc, decision_id, entry, coalesce(proof, '')"
        query = f"SELECT {columns} FROM receipt WHERE {where} ORDER BY leaf_index"  # noqa: S608 -- fixed texts
        with self._lock:
            return [KeptReceipt(*row) for row in self._database.execute(query, values)]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")


def _newest_checkpoint(origin: str) -> Ask:
    return lambda ledger: ledger.get_checkpoint(origin=origin)


def _proof_from(size: int, origin: str) -> Ask:
    return lambda ledger: ledger.get_consistency_proof(from_size=size, origin=origin)
