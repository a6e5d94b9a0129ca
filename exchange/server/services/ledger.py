"""LedgerService: checkpoints and proofs.

Promises: they hold no personal data and need no decision; a certificate is enough.

Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof@v1, RFC 9162 section 2.1.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.errors import Unavailable
from exchange.server.interceptor import Unary
from exchange.v1 import ledger_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.server.house import Call


async def get_checkpoint(call: Call, _request: pb.GetCheckpointRequest) -> pb.GetCheckpointResponse:
    """Return the newest checkpoint, with the cosignatures that have come."""
    newest = call.house.parts.ledger.newest()
    if newest is None:
        raise Unavailable("nothing has been signed yet")
    return pb.GetCheckpointResponse(
        checkpoint=newest.signed.note.decode(), missing_witnesses=newest.missing, quorum=newest.quorum
    )


async def get_receipt(call: Call, request: pb.GetReceiptRequest) -> pb.GetReceiptResponse:
    """Return the proof of a leaf; where the caller waits for a quorum and it does not come, as it is."""
    proof = await call.house.parts.ledger.receipt(
        request.leaf_index, await_quorum=request.await_quorum, whole=request.second_signature
    )
    return pb.GetReceiptResponse(tlog_proof=proof.text, missing_witnesses=proof.missing, quorum=proof.quorum)


async def get_consistency_proof(
    call: Call, request: pb.GetConsistencyProofRequest
) -> pb.GetConsistencyProofResponse:
    """Return the proof that the newest checkpoint extends an earlier one."""
    checkpoint, hashes = await call.house.parts.ledger.consistency(request.from_size)
    return pb.GetConsistencyProofResponse(checkpoint=checkpoint, hashes=hashes)


RPCS: Final[Mapping[str, Unary]] = {
    "GetCheckpoint": Unary(pb.GetCheckpointRequest, get_checkpoint, person=False),
    "GetReceipt": Unary(pb.GetReceiptRequest, get_receipt, person=False),
    "GetConsistencyProof": Unary(pb.GetConsistencyProofRequest, get_consistency_proof, person=False),
}
