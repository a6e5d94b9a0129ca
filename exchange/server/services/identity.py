"""IdentityService: blinded evaluation, registration, and telling a recipient whom a case is about.

Promises: the exchange sees blinded elements and pseudonyms only; who has no right to the BSN gets no
pseudonym either (R29); a link is made once the command is permitted, and is durable before
the command is recorded; every evaluation is counted with its case or reason before it is done; no answer
holds a pseudonym of another organisation (P12): a recipient's own is made when he reads it.
Source: RFC 9497; UAVG 46; Wabb 11(1); LEDGER design section 6.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.case import CASE
from exchange.domain.evaluation import EVALUATION, CountEvaluation, day_key
from exchange.domain.identities import SendIdentity, sent_to
from exchange.domain.resident import RESIDENT, RegisterResident
from exchange.errors import RequestInvalid
from exchange.pipeline.elements import Label, of_origin
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, required_day, set_time
from exchange.server.interceptor import Unary
from exchange.server.walks import ask, author_of, claim_of, command, given_paths, read, receipt
from exchange.v1 import identity_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.domain.relations import Sent
    from exchange.pipeline.walk import Group, ReadOutcome, View
    from exchange.server.house import Call

EVALUATED: Final = "evaluated_elements"
# A pseudonym stands for a BSN: whoever may not have the one may not have the other.
_LABELS: Final = {EVALUATED: Label("BSN")}
_IDENTITY: Final = labels_of(pb.GetIdentityResponse.DESCRIPTOR)


async def evaluate_blinded(call: Call, request: pb.EvaluateBlindedRequest) -> pb.EvaluateBlindedResponse:
    """Evaluate elements under the organisation's key, with a proof over all of them."""
    caller = call.caller
    elements = tuple(request.blinded_elements)
    if bool(request.case_id) == bool(request.no_case_reason):
        raise RequestInvalid(
            "fields of the request do not have the shape they need",
            {"case_id": "must be given, or a reason why there is no case; not both"},
        )
    call.house.evaluations.take(caller.organisation, len(elements))
    answer = pb.EvaluateBlindedResponse()
    # First, and of no use by itself: where it does not answer, nothing at all is recorded.
    given = await _by_second_party(call, elements, answer)
    await ask(call, _evaluation(call, request, len(elements)))
    identity = call.house.parts.identity
    loop = asyncio.get_running_loop()
    batch = await loop.run_in_executor(call.house.pool, identity.evaluate_batch, caller.organisation, given)
    answer.evaluated_elements.extend(batch.elements)
    answer.proof = batch.proof
    answer.public_key = identity.public_key(caller.organisation)
    answer.generation = identity.generation
    return answer


async def _by_second_party(
    call: Call, elements: tuple[bytes, ...], answer: pb.EvaluateBlindedResponse
) -> tuple[bytes, ...]:
    """Return what the second party made of the elements, noted in the answer; these where there is none."""
    party = call.house.parts.second_party
    if party is None:
        return elements
    loop = asyncio.get_running_loop()
    half = await loop.run_in_executor(call.house.pool, party.evaluate, elements)
    answer.intermediate_elements.extend(half.elements)
    answer.second_proof = half.proof
    answer.second_public_key = party.public_key
    return half.elements


def _evaluation(call: Call, request: pb.EvaluateBlindedRequest, elements: int) -> ReadWalk:
    """Return the walk; what it permits is counted in its own commit."""
    caller = call.caller
    stream = stream_of(EVALUATION.name, day_key(caller.organisation, call.now))
    order = CountEvaluation(
        now=call.now,
        author=author_of(caller),
        elements=elements,
        elements_per_day_max=call.house.config.evaluations_per_day,
        case_id=request.case_id,
        reason=enum_names(pb.NoCaseReason.DESCRIPTOR).stored(request.no_case_reason),
    )

    def count(view: View) -> Steps:
        return Steps(((stream, EVALUATION.decide(order, view.state(stream))),))

    return ReadWalk(
        rpc=call.rpc,
        caller=caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor=stream_of(CASE.name, request.case_id) if request.case_id else "",
        fields=(EVALUATED,),
        groups=of_origin(_LABELS, caller.task),
        capture=lambda _view: None,
        relation=bool(request.case_id),
        streams=(stream,),
        beside=count,
        trace=call.trace,
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


async def send_identity(call: Call, request: pb.SendIdentityRequest) -> pb.SendIdentityResponse:
    """Record that a recipient may know whom the case is about; answers nothing of what he will read."""
    stream = stream_of(CASE.name, request.case_id)
    order = SendIdentity(
        now=call.now,
        author=author_of(call.caller),
        # Somebody unknown is nobody's case: refused like somebody else.
        resident=await call.house.residents.known(call.caller.organisation, request.resident),
        recipient_oin=request.recipient_oin,
        recipient_task=request.recipient_task,
        purpose=enum_names(Purpose.DESCRIPTOR).stored(request.claim.purpose),
        envelope=request.envelope.hex(),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, CASE.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor=stream, process=process)
    return pb.SendIdentityResponse(receipt=receipt(outcome))


async def get_identity(call: Call, request: pb.GetIdentityRequest) -> pb.GetIdentityResponse:
    """Give the recipient his own pseudonym and the envelope, judged now."""
    caller, registers = call.caller, call.house.parts.register
    stream = stream_of(CASE.name, request.case_id)

    def senders() -> frozenset[str]:
        basis = registers.now.find(request.claim.legal_basis, call.now)
        return basis.providers if basis is not None else frozenset()

    def sent(view: View) -> Sent | None:
        return sent_to(view.state(stream), caller.organisation, caller.task, senders())

    def groups(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        found = sent(view)
        # Where nothing was sent, nobody's: of whom the basis names, so that the answer is an empty one.
        origin = found.sender_task if found is not None else min(senders(), default=caller.task)
        return of_origin(_IDENTITY, origin)(view, paths)

    outcome = await read(call, request, anchor=stream, labels=_IDENTITY, groups=groups, capture=sent)
    answer = pb.GetIdentityResponse(decision_id=outcome.decision_id)
    if outcome.captured is not None:
        await _tell(call, outcome, answer)
    return answer


async def _tell(call: Call, outcome: ReadOutcome, answer: pb.GetIdentityResponse) -> None:
    found: Any = outcome.captured
    given = given_paths(outcome)
    if "resident" in given:
        loop = asyncio.get_running_loop()
        links, oin = call.house.parts.links, call.caller.organisation
        own = await loop.run_in_executor(call.house.pool, links.pseudonym_of, oin, outcome.resident)
        answer.resident = own or b""
    values = {
        "envelope": bytes.fromhex(found.envelope),
        "sender_oin": found.sender_oin,
        "sender_task": found.sender_task,
        "purpose": enum_names(Purpose.DESCRIPTOR).number(found.purpose),
    }
    for path, value in values.items():
        if path in given:
            setattr(answer, path, value)
    if "send_time" in given:
        set_time(answer.send_time, found.at)


RPCS: Final[Mapping[str, Unary]] = {
    "EvaluateBlinded": Unary(pb.EvaluateBlindedRequest, evaluate_blinded),
    "RegisterResident": Unary(pb.RegisterResidentRequest, register_resident),
    "SendIdentity": Unary(pb.SendIdentityRequest, send_identity),
    "GetIdentity": Unary(pb.GetIdentityRequest, get_identity),
}
