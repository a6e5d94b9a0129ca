"""LedgerService: checkpoints and proofs.

Promises: they hold no personal data and need no decision; a certificate is enough.

Source: c2sp.org/tlog-checkpoint, c2sp.org/tlog-proof@v1, RFC 9162 section 2.1.4.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exchange.errors import RequestInvalid, Unavailable
from exchange.server.contract.names import set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.v1 import ledger_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.server.house import Call


async def get_checkpoint(call: Call, request: pb.GetCheckpointRequest) -> pb.GetCheckpointResponse:
    """Return the newest checkpoint of a log, with the cosignatures that have come, and what opened it."""
    ledger = call.house.parts.ledger
    newest = ledger.newest_of(request.origin)
    if newest is None and request.origin and ledger.newest() is not None:
        raise RequestInvalid("nothing was signed under this name", {"origin": "must be a log of this shard"})
    if newest is None:
        raise Unavailable("nothing has been signed yet")
    first = ledger.log_of(newest).first
    loop = asyncio.get_running_loop()
    opening = await loop.run_in_executor(call.house.pool, _opening, call, first) if first else None
    return pb.GetCheckpointResponse(
        checkpoint=newest.signed.note.decode(),
        missing_witnesses=newest.missing,
        quorum=newest.quorum,
        opening=opening,
    )


def _opening(call: Call, first: int) -> pb.LogOpening:
    """Return the event that opened a log, and its leaf: the operator's own, and about nobody."""
    reader = call.house.parts.reader
    (row,) = reader.page(first, 1)
    (entry,) = reader.leaf_entries(first, first + 1)
    return pb.LogOpening(first_leaf=first, entry=entry, event=row.state)


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
    checkpoint, hashes = await call.house.parts.ledger.consistency(request.from_size, request.origin)
    return pb.GetConsistencyProofResponse(checkpoint=checkpoint, hashes=hashes)


async def list_checkpoints(call: Call, request: pb.ListCheckpointsRequest) -> pb.ListCheckpointsResponse:
    """Return checkpoints of the past, by the key of their size."""
    size, loop = page_rows(request), asyncio.get_running_loop()
    found = await loop.run_in_executor(
        call.house.pool, call.house.parts.packs.checkpoints, request.origin, request.below_size, size + 1
    )
    answer = pb.ListCheckpointsResponse(more=len(found) > size)
    for one in found[:size]:
        told = answer.checkpoints.add(size=one.size, checkpoint=one.note.decode())
        set_time(told.claim_time, one.claimed_at)
    return answer


RPCS: Final[Mapping[str, Unary]] = {
    "GetCheckpoint": Unary(pb.GetCheckpointRequest, get_checkpoint, person=False),
    "GetReceipt": Unary(pb.GetReceiptRequest, get_receipt, person=False),
    "GetConsistencyProof": Unary(pb.GetConsistencyProofRequest, get_consistency_proof, person=False),
    "ListCheckpoints": Unary(pb.ListCheckpointsRequest, list_checkpoints, person=False),
}
