"""IdentityService: blinded evaluation and registration, so that no BSN ever comes here.

Promises: the exchange sees blinded elements and pseudonyms only; who has no right to the BSN gets no
pseudonym either (R29); a link is made once the command is permitted, and is durable before
the command is recorded.
Source: RFC 9497; UAVG 46; LEDGER design section 6.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.resident import RESIDENT, RegisterResident
from exchange.pipeline.elements import Label, of_origin
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.names import required_day
from exchange.server.interceptor import Unary
from exchange.server.walks import ask, author_of, claim_of, command, receipt
from exchange.v1 import identity_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.pipeline.walk import View
    from exchange.server.house import Call

EVALUATED: Final = "evaluated_elements"
# A pseudonym stands for a BSN: whoever may not have the one may not have the other.
_LABELS: Final = {EVALUATED: Label("BSN")}


async def evaluate_blinded(call: Call, request: pb.EvaluateBlindedRequest) -> pb.EvaluateBlindedResponse:
    """Evaluate elements under the organisation's key, with a proof over all of them."""
    caller = call.caller
    elements = tuple(request.blinded_elements)
    call.house.evaluations.take(caller.organisation, len(elements))
    walk = ReadWalk(
        rpc=call.rpc,
        caller=caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor="",
        fields=(EVALUATED,),
        groups=of_origin(_LABELS, caller.task),
        capture=lambda _view: None,
        relation=False,
    )
    await ask(call, walk)
    identity = call.house.parts.identity
    loop = asyncio.get_running_loop()
    batch = await loop.run_in_executor(
        call.house.pool, identity.evaluate_batch, caller.organisation, elements
    )
    return pb.EvaluateBlindedResponse(
        evaluated_elements=batch.elements,
        proof=batch.proof,
        public_key=identity.public_key(caller.organisation),
    )


async def register_resident(call: Call, request: pb.RegisterResidentRequest) -> pb.RegisterResidentResponse:
    """Register a resident; the same one registered twice is one resident."""
    resident, bind = await call.house.residents.for_command(call.caller.organisation, request.resident)
    stream = stream_of("resident", resident)
    order = RegisterResident(
        now=call.now,
        author=author_of(call.caller),
        resident=resident,
        birth_date=required_day(request.birth_date),
        capable=request.capable,
    )

    def process(view: View) -> Steps:
        steps = Steps(((stream, RESIDENT.decide(order, view.state(stream))),))
        bind()
        return steps

    outcome = await command(call, request, anchor=stream, process=process, relation=False)
    return pb.RegisterResidentResponse(receipt=receipt(outcome))


RPCS: Final[Mapping[str, Unary]] = {
    "EvaluateBlinded": Unary(pb.EvaluateBlindedRequest, evaluate_blinded),
    "RegisterResident": Unary(pb.RegisterResidentRequest, register_resident),
}
