"""HandoverService, receiving side: parts are kept apart, and come into the plan in one commit.

Promises: the gate judges each part by what it writes, as it judges whatever a college records; the plan has
nothing of a handover before all of it is there; of the other side nothing is believed but a well-formed
receipt, which is kept as it came for whoever verifies it.
Source: protos/exchange/v1/handover_service.proto; Wmo 2015 2.3.2; GDPR 14.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.handover import HANDOVER, FinishHandover, ReceivePart, TakeUpHandover, finish_handover
from exchange.domain.handover.events import HandoverCompleted
from exchange.errors import ProofInvalid, RequestInvalid, RuleBroken
from exchange.ledger.receipt import parse_receipt
from exchange.pipeline.walk import Steps
from exchange.server.contract.handover_parts import read_part
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, receipt
from exchange.v1 import handover_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.pipeline.walk import View
    from exchange.server.house import Call


async def take_up(call: Call, request: pb.TakeUpHandoverRequest) -> pb.TakeUpHandoverResponse:
    """Take up a handover for a plan of this side."""
    plan_stream = stream_of("plan", request.plan_id)
    stream = stream_of(HANDOVER.name, request.handover_id)

    def process(view: View) -> Steps:
        plan, handover = view.state(plan_stream), view.state(stream)
        if plan is None:
            raise RuleBroken("the plan it came for is not there", rule="NO_PLAN")
        if handover is not None and handover.resident != plan.resident:
            raise RuleBroken("this handover was taken up for another plan or giver", rule="HANDOVER_KNOWN")
        order = TakeUpHandover(
            now=call.now,
            author=author_of(call.caller),
            handover_id=request.handover_id,
            resident=plan.resident,
            case_id=plan.case_id,
            plan_id=request.plan_id,
            giver_oin=request.giver_oin,
            plan_version=request.plan_version,
            collections=tuple(request.collections),
        )
        return Steps(((stream, HANDOVER.decide(order, handover)),))

    outcome = await command(call, request, anchor=plan_stream, process=process, streams=(stream,))
    return pb.TakeUpHandoverResponse(receipt=receipt(outcome))


async def receive(call: Call, request: pb.ReceivePartRequest) -> pb.ReceivePartResponse:
    """Record a part."""
    part = read_part(request.part, request.sha256)
    stream = stream_of(HANDOVER.name, request.handover_id)
    if part.number != request.number:
        raise RequestInvalid("the part is another one", {"number": "is not what the part says"})
    order = ReceivePart(
        now=call.now,
        author=author_of(call.caller),
        number=part.number,
        handover_id=part.handover_id,
        plan_version=part.plan_version,
        collection=part.collection,
        total=part.total,
        sha256=request.sha256.hex(),
        contents=part.contents,
        withheld=tuple(request.withheld_fields),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, HANDOVER.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor=stream, process=process, fields=part.fields)
    return pb.ReceivePartResponse(receipt=receipt(outcome))


async def finish(call: Call, request: pb.FinishHandoverRequest) -> pb.FinishHandoverResponse:
    """Bring all parts into the plan, beside the giver's receipt."""
    require_receipt(request.giver_entry, request.giver_proof, "giver_proof")
    stream = stream_of(HANDOVER.name, request.handover_id)
    order = FinishHandover(
        now=call.now,
        author=author_of(call.caller),
        other_entry=request.giver_entry.decode(),
        other_proof=request.giver_proof,
    )

    def process(view: View) -> Steps:
        handover = view.state(stream)
        if handover is None:
            raise RuleBroken("there is no such handover on this side", rule="NO_HANDOVER")
        return Steps(finish_handover(order, handover, view.state(stream_of("plan", handover.plan_id))))

    outcome = await command(call, request, anchor=stream, process=process)
    return pb.FinishHandoverResponse(receipt=receipt(outcome), version=outcome.versions.get("plan", 0))


def require_receipt(entry: bytes, proof: str, field: str) -> None:
    """Refuse what is no receipt of a completion. Whose log it is, its own verifier has to say."""
    try:
        parsed, leaf = parse_receipt(proof.encode()), json.loads(entry)
        whole = leaf["t"] == HandoverCompleted.TOPIC and parsed.extra in {b"", entry}
    except (ProofInvalid, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise RequestInvalid(
            "this is no receipt of a completed handover", {field: "must be of the other side's completion"}
        )


RPCS: Final[Mapping[str, Unary]] = {
    "TakeUpHandover": Unary(pb.TakeUpHandoverRequest, take_up),
    "ReceivePart": Unary(pb.ReceivePartRequest, receive),
    "FinishHandover": Unary(pb.FinishHandoverRequest, finish),
}
