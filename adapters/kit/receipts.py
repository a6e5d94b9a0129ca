"""An adapter's own book of receipts: for each command what the exchange promised, and later the proof of it.

Promises: a receipt lies sealed, and of which plan it is stands under a keyed name; it is there before its
command counts as done, also after a kill; the proof is fetched by the adapter itself, so that all can be
verified later, offline, under a policy that came another way. The oldest make room, and those of a plan go
with its erasure, also one that comes behind it. What a power cut takes of the last moment is asked again with
its command, or is lost.
Source: GDPR 5(2) (to be able to show it), 17; C2SP tlog-proof v1; `sdk/proofs.py`, `sdk/trust.py`.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from base64 import b64decode, b64encode
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from adapters.kit.erasures import FOR_EVER, Erasures
from adapters.kit.put_aside import CannotOpen
from adapters.kit.sealing import KeyUnusable, Seal, key_at
from adapters.kit.steps import NotFolded, fold_log, step
from adapters.sdk.errors import (
    CredentialsInvalid,
    Invalid,
    ReceiptRefused,
    RuleBroken,
    SdkError,
    ServerFault,
)
from adapters.sdk.proofs import ProofRefused, open_receipt, read_body, split_note
from exchange.v1.ledger_service_pb2 import GetReceiptResponse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from adapters.sdk.trust import Trust
    from exchange.v1.common_pb2 import Receipt

FILE: Final = "receipts.db"
KEY: Final = "receipts.key"
KEPT_MOST: Final = 50_000  # with its proof one takes about 6 kB
PROVE_MOST: Final = 500  # at each look
PROVE_S: Final = 10.0  # and no longer: what else there is to do waits meanwhile
PROOF_WITHIN_MS: Final = 24 * 3_600_000
_TRIM_EVERY: Final = 1_000
_LOOKED_AT: Final = 10  # one of them may be harmed
_OF_ONE: Final = (Invalid, RuleBroken, ServerFault)  # a refusal that says nothing of other leaves
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS receipt (
  leaf_index INTEGER PRIMARY KEY, about BLOB NOT NULL, kept_ms INTEGER NOT NULL, tries INTEGER NOT NULL,
  proven INTEGER NOT NULL, sealed BLOB NOT NULL, proof BLOB
) STRICT;
CREATE INDEX IF NOT EXISTS receipt_about ON receipt (about);
CREATE INDEX IF NOT EXISTS receipt_unproven ON receipt (tries, leaf_index) WHERE proven = 0;
"""


@dataclass(frozen=True, slots=True)
class Kept:
    """One receipt. `entry` is the promised leaf, `proof` the text of its `.tlog-proof`, or nothing yet."""

    leaf_index: int
    position: int
    rpc: str
    decision_id: str
    kept_ms: int
    entry: bytes
    proof: str = ""

    def row(self) -> dict[str, object]:
        """Return what a list says of it."""
        told = asdict(self)
        del told["entry"], told["proof"]
        return told | {"proof": bool(self.proof)}


@dataclass(frozen=True, slots=True)
class Verified:
    """What a look at a book found: how many hold, how many wait for a proof, and what is wrong, by leaf."""

    hold: int
    unproven: int
    wrong: tuple[tuple[int, str], ...]


class ReceiptsKept:
    """One SQLite file and its key in the state folder of an adapter. Safe between threads."""

    def __init__(
        self,
        state: Path,
        *,
        most: int = KEPT_MOST,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        make: bool = True,
    ) -> None:
        """Open it. Raises CredentialsInvalid where its key is gone, open to others, or no key."""
        path = state / FILE
        try:
            self._seal: Final = Seal(key_at(state / KEY, make=make and not path.exists()))
        except KeyUnusable as unusable:
            raise CredentialsInvalid(str(unusable)) from None
        self._most: Final = most
        self._now_ms: Final = now_ms
        self._lock: Final = threading.RLock()
        self._expected: Final[dict[str, tuple[tuple[str, ...], int]]] = {}
        self._since_trim = _TRIM_EVERY
        path.touch(mode=0o600, exist_ok=True)
        self._database: Final = sqlite3.connect(
            path, isolation_level=None, timeout=5.0, check_same_thread=False
        )
        self._database.execute("PRAGMA journal_mode = WAL")
        # Survives a kill. Of a power cut it may lose the last: flushing each would cost more than a command.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("PRAGMA secure_delete = ON")
        self._database.executescript(_SCHEMA)
        self._require_key()
        self._erasures: Final = Erasures(self._database, self._seal.name)
        # What was erased before a kill may lie in the file still.
        self._to_fold = self._erasures.any_begun

    def _require_key(self) -> None:
        # Under another key nothing of what is here would be found again, not by an erasure either.
        newest = self._database.execute(
            "SELECT leaf_index, sealed FROM receipt ORDER BY leaf_index DESC LIMIT ?", (_LOOKED_AT,)
        ).fetchall()
        for index, sealed in newest:
            with suppress(CannotOpen):
                self._seal.open(sealed, f"receipt {index}")
                return
        if newest:
            self._database.close()
            raise CredentialsInvalid(f"{KEY} is another key than that of {FILE}: put that one back")

    def close(self) -> None:
        """Close the file; again, nothing."""
        with self._lock:
            self._database.close()

    # --- for the SDK --------------------------------------------------------------------------------------

    def keep(self, receipt: Receipt, rpc: str, plan_id: str) -> None:
        """Keep what an answer brought about a plan, or else a case; the same again is one.

        One that was promised before an erasure, and comes behind it, is not written. Raises ReceiptRefused
        where another entry was promised at this leaf before, sqlite3.Error.
        """
        told = {
            "position": receipt.position,
            "rpc": rpc,
            "decision_id": receipt.decision_id,
            "entry": b64encode(receipt.leaf_entry).decode("ascii"),
        }
        sealed = self._seal.seal(json.dumps(told).encode(), f"receipt {receipt.leaf_index}")
        promised_ms = receipt.record_time.ToMilliseconds()
        # In one step with the look: an erasure may be noted at any moment, by another process too.
        with self._lock, step(self._database):
            if plan_id and self._erasures.erased(plan_id, promised_ms):
                return
            fresh = self._database.execute(
                "INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, 0, 0, ?, NULL)",
                (receipt.leaf_index, self._erasures.name(plan_id), self._now_ms(), sealed),
            )
            self._trim()
        if fresh.rowcount == 0:
            self._compare(receipt, sealed)

    def _compare(self, receipt: Receipt, sealed: bytes) -> None:
        try:
            known = self.find(receipt.leaf_index)
        except CannotOpen:
            # What opens no more is worth nothing: this one takes its place.
            with self._lock:
                self._database.execute(
                    "UPDATE receipt SET sealed = ?, proof = NULL, proven = 0 WHERE leaf_index = ?",
                    (sealed, receipt.leaf_index),
                )
            return
        if known is not None and known.entry != receipt.leaf_entry:
            raise ReceiptRefused("two entries were promised for one leaf", receipt)

    def _trim(self) -> None:
        self._since_trim += 1
        if self._since_trim > _TRIM_EVERY:
            self._since_trim = 0
            self._database.execute(
                "DELETE FROM receipt WHERE leaf_index IN "
                "(SELECT leaf_index FROM receipt ORDER BY leaf_index DESC LIMIT -1 OFFSET ?)",
                (self._most,),
            )

    def expect(self, erasure_id: str, plan_ids: Iterable[str], until_ms: int = FOR_EVER) -> None:
        """Erase the receipts about these plans or cases, whoever answers; at the latest before that.

        `until_ms`, since 1970, is when a part was erased: what was promised later is kept.
        """
        self._expected[erasure_id] = (tuple(plan_ids), until_ms)
        self._forget(erasure_id)

    def erase(self, erasure_id: str) -> bool:
        """Erase the receipts about the plans of an erasure. Raises sqlite3.Error, NotFolded (OSError)."""
        self._forget(erasure_id)
        with self._lock:
            # Also where a kill came between the erasing and the answer.
            begun = self._erasures.begun(erasure_id)
            if begun:
                self._fold()
            return begun

    def answered(self, erasure_id: str) -> None:
        """Forget an erasure whose answer the exchange took. Raises sqlite3.Error."""
        with self._lock:
            self._expected.pop(erasure_id, None)
            self._erasures.end(erasure_id)

    def _forget(self, erasure_id: str) -> None:
        plan_ids, until_ms = self._expected.get(erasure_id, ((), FOR_EVER))
        with self._lock:
            held = self._recorded(plan_ids, until_ms)
            if not held and all(self._erasures.erased(one, until_ms) for one in plan_ids):
                return
            # Not even a power cut takes it back: what comes behind it would be written.
            self._database.execute("PRAGMA synchronous = FULL")
            try:
                with step(self._database):
                    self._erasures.follow(plan_ids, until_ms)
                    # Again: another process may have kept one meanwhile.
                    held = self._recorded(plan_ids, until_ms)
                    if held:
                        self._to_fold = True
                        self._erasures.begin(erasure_id)
                        self._database.executemany("DELETE FROM receipt WHERE leaf_index = ?", held)
            finally:
                self._database.execute("PRAGMA synchronous = NORMAL")

    def _recorded(self, plan_ids: Iterable[str], until_ms: int) -> list[tuple[int]]:
        """Return the leaves about these that were recorded up to a moment, or do not tell when."""
        query, found = "SELECT leaf_index, sealed FROM receipt WHERE about = ?", list[tuple[int]]()
        for one in plan_ids:
            for leaf_index, sealed in self._database.execute(query, (self._erasures.name(one),)).fetchall():
                at_ms = 0
                with suppress(CannotOpen):
                    told = json.loads(self._seal.open(sealed, f"receipt {leaf_index}"))
                    at_ms = _recorded_ms(b64decode(told["entry"]))
                if at_ms <= until_ms:
                    found.append((leaf_index,))
        return found

    def _fold(self) -> None:
        # Once for all that was erased: the whole file is written anew.
        if self._to_fold:
            fold_log(self._database)
            self._to_fold = False

    def prove(self, ask: Callable[[int], GetReceiptResponse]) -> None:
        """Fetch proofs, those first that were asked for least; again until enough witnesses cosigned."""
        with self._lock:
            with suppress(NotFolded):
                self._fold()
            rows = self._database.execute(
                "SELECT leaf_index FROM receipt WHERE proven = 0 ORDER BY tries, leaf_index LIMIT ?",
                (PROVE_MOST,),
            ).fetchall()
        until_s = time.monotonic() + PROVE_S
        for (leaf_index,) in rows:
            if time.monotonic() > until_s:
                return
            try:
                answer = ask(leaf_index)
            except _OF_ONE:
                # The others are asked all the same, and this one as the last.
                answer = GetReceiptResponse()
            except SdkError:
                # At the next look.
                return
            self._take(leaf_index, answer)

    def _take(self, leaf_index: int, answer: GetReceiptResponse) -> None:
        kept: Kept | None = None
        with suppress(CannotOpen):
            kept = self.find(leaf_index)
        proof: bytes | None = None
        if kept is not None and _is_of(kept.entry, answer.tlog_proof):
            proof = self._seal.seal(answer.tlog_proof.encode(), f"proof {leaf_index}")
        with self._lock:
            # One that is of another entry takes the place of none.
            self._database.execute(
                "UPDATE receipt SET tries = tries + 1, proof = coalesce(?, proof), proven = ? "
                "WHERE leaf_index = ?",
                (proof, int(proof is not None and answer.quorum), leaf_index),
            )

    # --- for a person -------------------------------------------------------------------------------------

    def find(self, leaf_index: int) -> Kept | None:
        """Return the receipt of a leaf. Raises CannotOpen."""
        return next(self._select("leaf_index = ?", (leaf_index,)), None)

    def listed(self, plan_id: str = "") -> Iterator[Kept]:
        """Give what is kept, of one plan where it is named, oldest first. Raises CannotOpen."""
        if plan_id:
            return self._select("about = ?", (self._erasures.name(plan_id),))
        return self._select("1", ())

    def verify(self, trust: Trust) -> Verified:
        """Verify all that is kept, without asking anybody. Nothing here is taken from the exchange's word."""
        hold, unproven, wrong = 0, 0, list[tuple[int, str]]()
        roots: dict[tuple[str, int], bytes] = {}
        with self._lock:
            indices = [row[0] for row in self._database.execute("SELECT leaf_index FROM receipt ORDER BY 1")]
        for index in indices:
            try:
                kept = self.find(index)
                if kept is None:
                    continue
                if kept.proof:
                    trust.verify_receipt(kept.entry, kept.proof)
                    said = trust.verify_log(_note(kept.proof)).checkpoint
                    if roots.setdefault((said.origin, said.size), said.root) != said.root:
                        wrong.append((index, "its log showed two histories of one size"))
                    else:
                        hold += 1
                elif self._now_ms() - kept.kept_ms > PROOF_WITHIN_MS:
                    wrong.append((index, "no proof came within a day"))
                else:
                    unproven += 1
            except CannotOpen:
                wrong.append((index, "does not open with the key in the state folder"))
            except ProofRefused as refused:
                wrong.append((index, str(refused)))
        return Verified(hold, unproven, tuple(wrong))

    def _select(self, condition: str, values: tuple[object, ...]) -> Iterator[Kept]:
        query = (
            f"SELECT leaf_index, kept_ms, sealed, proof FROM receipt WHERE {condition} ORDER BY leaf_index"  # noqa: S608 -- our own words
        )
        with self._lock:
            rows = self._database.execute(query, values).fetchall()
        for leaf_index, kept_ms, sealed, proof in rows:
            told = json.loads(self._seal.open(sealed, f"receipt {leaf_index}"))
            shown = b"" if proof is None else self._seal.open(proof, f"proof {leaf_index}")
            entry = b64decode(told.pop("entry"))
            yield Kept(leaf_index, kept_ms=kept_ms, entry=entry, proof=shown.decode(), **told)


def _is_of(entry: bytes, proof: str) -> bool:
    """Tell whether a proof is one of this entry; who signed it is asked when it is verified."""
    with suppress(ProofRefused):
        opened = open_receipt(entry, proof)
        opened.prove(read_body(split_note(opened.note)[0]))
        return True
    return False


def _recorded_ms(entry: bytes) -> int:
    """Return when a leaf says it was recorded, since 1970; 0 where it does not say so."""
    with suppress(ValueError, TypeError, KeyError):
        since = datetime.fromisoformat(json.loads(entry)["at"]) - datetime.fromtimestamp(0, UTC)
        return since // timedelta(milliseconds=1)
    return 0


def _note(proof: str) -> str:
    return proof.partition("\n\n")[2]
