"""A log in memory, made with the exchange's own ledger: it proves what it holds, and may be told to lie."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import consistency_proof, hash_leaf, root_of
from exchange.ledger.note import Cosigner, NoteSigner
from exchange.ledger.receipt import make_receipt
from exchange.v1.common_pb2 import Receipt
from exchange.v1.ledger_service_pb2 import (
    GetCheckpointResponse,
    GetConsistencyProofResponse,
    GetReceiptResponse,
)
from tests.ledger.builders import cosign
from tests.sdk.conftest import OIN

if TYPE_CHECKING:
    from exchange.v1.ledger_service_pb2 import GetConsistencyProofRequest, GetReceiptRequest
    from tests.sdk.exchange_fake import FakeExchange

ORIGIN = "exchange.example/0363/2026"


def entry(number: int, oin: str = OIN, history: str = "") -> bytes:
    seed = sha256(f"event {number}{history}".encode()).digest()
    return leaf_entry(
        event_id=seed[:16],
        topic="plan.goal_set.v1",
        organisation=oin,
        task="college:WMO",
        purpose="wmo-onderzoek",
        basis="WMO-2.3.2@1",
        at="2026-01-31T12:00:00.000000Z",
        state=seed,
        pseudonym=None,
        fields=(),
    )


class FakeLog:
    """A log of `size` entries; `grow_at_each_call` makes it busy."""

    def __init__(self, size: int, *, history: str = "", seed: bytes = b"k" * 32) -> None:
        self.history = history
        self.entries = [entry(number, history=history) for number in range(size)]
        self.signer = NoteSigner(ORIGIN, Ed25519PrivateKey.from_private_bytes(seed))
        self.grow_at_each_call = 0
        self.published: int | None = None  # size of the newest checkpoint; all entries where not set
        self.witnesses: list[NoteSigner] = []  # who cosigns under receipts
        self.second: Cosigner | None = None  # signs along on ML-DSA-44
        self.awaited: list[bool] = []  # what each question for a receipt said of the quorum

    @property
    def vkey(self) -> str:
        return self.signer.vkey

    def grow(self, count: int) -> None:
        start = len(self.entries)
        self.entries += [entry(number, history=self.history) for number in range(start, start + count)]

    def receipt_for(self, index: int) -> Receipt:
        return Receipt(
            position=index + 1, leaf_index=index, leaves=1, leaf_entry=self.entries[index], decision_id="d"
        )

    def signed(self, size: int | None = None) -> SignedCheckpoint:
        size = size or self.published or len(self.entries)
        hashes = [hash_leaf(found) for found in self.entries[:size]]
        return sign_checkpoint(Checkpoint(ORIGIN, size, root_of(hashes)), self.signer, self.second, 17)

    def note(self, size: int | None = None) -> str:
        return self.signed(size).note.decode()

    def proof(self, index: int, size: int | None = None, *, whole: bool = False) -> str:
        signed = self.signed(size)
        lines = b"".join(cosign(signed.checkpoint.body(), witness) for witness in self.witnesses)
        cosigned = SignedCheckpoint(signed.checkpoint, signed.note + lines)
        return make_receipt(index, cosigned, self._hash_at, whole=whole).decode()

    def _hash_at(self, level: int, index: int) -> bytes:
        first = index << level
        return root_of([hash_leaf(found) for found in self.entries[first : first + (1 << level)]])

    def serve(self, exchange: FakeExchange) -> None:
        exchange.on("GetCheckpoint", lambda _request, _context: self._checkpoint())
        exchange.on("GetReceipt", lambda request, _context: self._receipt(request))
        exchange.on("GetConsistencyProof", lambda request, _context: self._consistency(request))

    def _checkpoint(self) -> GetCheckpointResponse:
        self.grow(self.grow_at_each_call)
        return GetCheckpointResponse(checkpoint=self.note())

    def _receipt(self, request: GetReceiptRequest) -> GetReceiptResponse:
        self.grow(self.grow_at_each_call)
        self.awaited.append(request.await_quorum)
        return GetReceiptResponse(tlog_proof=self.proof(request.leaf_index, whole=request.second_signature))

    def _consistency(self, request: GetConsistencyProofRequest) -> GetConsistencyProofResponse:
        self.grow(self.grow_at_each_call)
        newest = self.signed().checkpoint.size
        hashes = consistency_proof(request.from_size, newest, self._hash_at)
        return GetConsistencyProofResponse(checkpoint=self.note(), hashes=hashes)
