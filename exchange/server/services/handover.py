"""HandoverService: a plan goes along to another municipality, part by part, each judged when it leaves.

Promises: who takes over has no part in the case; the resident's consent that names him is what opens it, for
commands as for questions, and a handover that is not there is refused alike; a part that is confirmed is one
that this side gave, which its token shows; nothing of the other side is believed but a well-formed receipt.
Source: protos/exchange/v1/handover_service.proto; GDPR 6(1)(a), 7(3), 20(2).
"""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.handover import (
    HANDOVER,
    AcceptHandover,
    CancelHandover,
    CompleteHandover,
    ConfirmPart,
    HandoverState,
    HandoverStatus,
    KeepReceipt,
    OfferHandover,
    complete_handover,
    offer_handover,
)
from exchange.domain.handover.decide import OTHER_COLLEGE
from exchange.errors import RequestInvalid, RuleBroken
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, Asker, of_origin
from exchange.pipeline.walk import Steps
from exchange.server.contract.handover_parts import collections_of, part_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names
from exchange.server.contract.pages import question_of
from exchange.server.contract.plans import PLAN_COLLECTIONS, PLAN_LABELS
from exchange.server.interceptor import Unary
from exchange.server.services import taking_over
from exchange.server.walks import author_of, command, given_paths, read, receipt
from exchange.v1 import handover_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain.plan import PlanState
    from exchange.pipeline.walk import CommandOutcome, ReadOutcome, View
    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.GetHandoverResponse.DESCRIPTOR)
_PREFIX: Final = f"{HANDOVER.name}-"


def _takes_over(call: Call) -> bool:
    """Tell whether another municipality's college calls: it has no part in the case, consent lets it in."""
    return call.caller.task.startswith(OTHER_COLLEGE)


async def _anchor(call: Call, request: Any, *, plan: bool = False) -> str:  # noqa: ANN401 -- a message that names a handover
    """Return the stream a walk is about: of nobody, where another college than the recipient asks.

    Consent stands in the place of a part in the case here: without this, a rule about it would tell whoever
    guessed an id that there is something.
    """
    stream = _stream(request)
    found = await call.house.state(stream)
    if not _takes_over(call):
        return stream
    mine = f"{call.caller.organisation}/{call.caller.task}"
    if found is None or found.recipient != mine or (plan and found.plan_id != request.plan_id):
        return stream_of(HANDOVER.name, call.house.parts.fresh_uuid())
    return stream_of("plan", found.plan_id) if plan else stream


async def offer(call: Call, request: pb.OfferHandoverRequest) -> pb.OfferHandoverResponse:
    """Offer a plan."""
    stream, consent = stream_of("plan", request.plan_id), stream_of("consent", request.consent_id)
    employer = stream_of("organisation", request.recipient_oin)
    order = OfferHandover(
        now=call.now,
        author=author_of(call.caller),
        handover_id=call.house.parts.fresh_uuid(),
        recipient_oin=request.recipient_oin,
        recipient_task=request.recipient_task,
        purpose=enum_names(Purpose.DESCRIPTOR).stored(request.claim.purpose),
        envelope=request.envelope.hex(),
    )

    def process(view: View) -> Steps:
        other = view.state(employer)
        if other is None or other.left or request.recipient_task not in other.tasks:
            raise RuleBroken("that organisation was not granted that task", rule="TASK_NOT_GRANTED")
        plan = view.state(stream)
        case = None if plan is None else view.state(stream_of("case", plan.case_id))
        linked = view.scope(plan.resident) if plan is not None else ()
        others = [found for one in linked if one.startswith(_PREFIX) and (found := view.state(one))]
        appends = offer_handover(order, plan, case, view.state(consent), others)
        return Steps(appends, {"handover_id": order.handover_id})

    outcome = await command(call, request, anchor=stream, process=process, streams=(consent, employer))
    return pb.OfferHandoverResponse(receipt=receipt(outcome), handover_id=outcome.ids["handover_id"])


async def _taking(
    call: Call,
    request: Any,  # noqa: ANN401 -- a command that names a handover
    process: Callable[[View], Steps],
) -> CommandOutcome:
    """Walk a command of who takes over; anybody else needs a part in the case, and is not the recipient."""
    anchor = await _anchor(call, request)
    return await command(call, request, anchor=anchor, process=process, relation=not _takes_over(call))


async def accept(call: Call, request: pb.AcceptHandoverRequest) -> pb.AcceptHandoverResponse:
    """Accept the plan as it stands now, and as it is seen by who takes over."""
    stream, plan_stream = _stream(request), stream_of("plan", request.plan_id)

    def process(view: View) -> Steps:
        plan = view.state(plan_stream)
        collections = collections_of(plan)
        order = AcceptHandover(
            now=call.now,
            author=author_of(call.caller),
            plan_id=request.plan_id,
            plan_version=0 if plan is None else plan.version,
            collections=collections,
        )
        ids = {"collections": " ".join(collections), "plan_version": str(order.plan_version)}
        return Steps(((stream, HANDOVER.decide(order, view.state(stream))),), ids)

    anchor = await _anchor(call, request, plan=True)
    outcome = await command(call, request, anchor=anchor, process=process, relation=not _takes_over(call))
    return pb.AcceptHandoverResponse(
        receipt=receipt(outcome),
        plan_version=int(outcome.ids["plan_version"]),
        collections=outcome.ids["collections"].split(),
    )


async def get(call: Call, request: pb.GetHandoverRequest) -> pb.GetHandoverResponse:
    """Tell how far a handover is."""
    stream = _stream(request)
    outcome = await read(
        call,
        request,
        anchor=await _anchor(call, request),
        labels=_LABELS,
        groups=of_origin(_LABELS, KEEPER_OF_THE_LOG),
        capture=lambda view: view.state(stream),
        relation=not _takes_over(call),
    )
    answer = pb.GetHandoverResponse(decision_id=outcome.decision_id)
    if outcome.captured is not None:
        await _tell(call, outcome, answer)
    return answer


async def _tell(call: Call, outcome: ReadOutcome, answer: pb.GetHandoverResponse) -> None:
    found: HandoverState = outcome.captured
    values: dict[str, Any] = {
        "state": str(found.status),
        "side": str(found.side),
        "other_oin": found.other_oin,
        "case_id": found.case_id,
        "plan_id": found.plan_id,
        "plan_version": found.plan_version,
        "digest": found.digest,
        "other_entry": found.other_entry.encode(),
        "other_proof": found.other_proof,
        "envelope": bytes.fromhex(found.envelope),
        "sender_oin": found.organisation,
        "cancel_reason": found.cancel_reason,
        "collections": found.collections,
        "received_parts": [f"{one.number} {one.sha256}" for one in found.parts],
        "withheld_fields": sorted({path for one in found.parts for path in one.withheld}),
    }
    given = given_paths(outcome)
    for path in given & values.keys():
        if isinstance(values[path], list | tuple):
            getattr(answer, path).extend(values[path])
        else:
            setattr(answer, path, values[path])
    if "resident" in given and f"{call.caller.organisation}/{call.caller.task}" == found.recipient:
        loop = asyncio.get_running_loop()
        links, oin = call.house.parts.links, call.caller.organisation
        own = await loop.run_in_executor(call.house.pool, links.pseudonym_of, oin, outcome.resident)
        answer.resident = own or b""


async def get_part(call: Call, request: pb.GetHandoverPartRequest) -> pb.GetHandoverPartResponse:
    """Give one part, judged now."""
    plan_stream, stream = stream_of("plan", request.plan_id), _stream(request)
    groups = call.house.plan_groups
    outcome = await read(
        call,
        request,
        anchor=await _anchor(call, request, plan=True),
        labels=PLAN_LABELS,
        groups=groups.of_plan(plan_stream, Asker(call.caller, request.claim.legal_basis, call.now)),
        capture=lambda view: (
            groups.within_term(plan_stream, view.state(plan_stream), call.now),
            view.state(stream),
        ),
        relation=not _takes_over(call),
        collections=groups.collections,
    )
    plan, handover = outcome.captured
    _refuse_part(call, request, plan, handover)
    raw = part_of(handover, request.number, plan, outcome)
    digest = sha256(raw).digest()
    return pb.GetHandoverPartResponse(
        part=raw,
        sha256=digest,
        part_token=call.house.pages.seal(request.number, _given(call, request.handover_id, handover, digest)),
        withheld_fields=outcome.withheld_paths,
        decision_id=outcome.decision_id,
    )


def _refuse_part(
    call: Call,
    request: pb.GetHandoverPartRequest,
    plan: PlanState | None,
    handover: HandoverState | None,
) -> None:
    mine = f"{call.caller.organisation}/{call.caller.task}"
    if handover is None or handover.recipient != mine or handover.plan_id != request.plan_id:
        raise RuleBroken("there is no such handover to this recipient", rule="NO_HANDOVER")
    if handover.status != HandoverStatus.ACCEPTED:
        raise RuleBroken("this handover is not accepted, or ended", rule="NOT_ACCEPTED")
    if plan is None or plan.version != handover.plan_version:
        raise RuleBroken("the plan changed since it was accepted: accept it anew", rule="PLAN_CHANGED")
    if request.number > len(handover.collections):
        raise RuleBroken("this handover has no part with that number", rule="NO_SUCH_PART")
    own = PLAN_COLLECTIONS[handover.collections[request.number - 1]]
    foreign = [path for path in request.fields if "." in path and path not in own]
    if foreign:
        raise RequestInvalid("fields of another collection", {"fields": "must be of the part's collection"})


def _given(call: Call, handover_id: str, handover: HandoverState, digest: bytes) -> bytes:
    said = f"{handover_id}\n{handover.plan_version}\n".encode() + digest
    return question_of("GetHandoverPart", call.caller, said)


async def confirm(call: Call, request: pb.ConfirmPartRequest) -> pb.ConfirmPartResponse:
    """Confirm a part, which the token shows this side gave."""
    stream = _stream(request)

    def process(view: View) -> Steps:
        handover = view.state(stream)
        if handover is not None:
            given = _given(call, request.handover_id, handover, request.sha256)
            if call.house.pages.open(request.part_token, given, "part_token") != request.number:
                raise RequestInvalid(
                    "this side gave other bytes as this part", {"part_token": "is of another"}
                )
        order = ConfirmPart(
            now=call.now,
            author=author_of(call.caller),
            number=request.number,
            sha256=request.sha256.hex(),
            withheld=tuple(request.withheld_fields),
        )
        return Steps(((stream, HANDOVER.decide(order, handover)),))

    outcome = await _taking(call, request, process)
    return pb.ConfirmPartResponse(receipt=receipt(outcome))


async def complete(call: Call, request: pb.CompleteHandoverRequest) -> pb.CompleteHandoverResponse:
    """Complete the giving side; its case is closed in the same commit."""
    stream = _stream(request)

    def process(view: View) -> Steps:
        handover = view.state(stream)
        if handover is None:
            raise RuleBroken("there is no such handover on this side", rule="NO_HANDOVER")
        plan = view.state(stream_of("plan", handover.plan_id))
        case = view.state(stream_of("case", handover.case_id))
        order = CompleteHandover(
            now=call.now, author=author_of(call.caller), plan_version=0 if plan is None else plan.version
        )
        return Steps(complete_handover(order, handover, plan, case))

    outcome = await _taking(call, request, process)
    return pb.CompleteHandoverResponse(receipt=receipt(outcome))


async def keep(call: Call, request: pb.KeepReceiptRequest) -> pb.KeepReceiptResponse:
    """Keep the receipt of the receiving side."""
    taking_over.require_receipt(request.receiver_entry, request.receiver_proof, "receiver_proof")
    stream = _stream(request)
    order = KeepReceipt(
        now=call.now,
        author=author_of(call.caller),
        other_entry=request.receiver_entry.decode(),
        other_proof=request.receiver_proof,
    )

    def process(view: View) -> Steps:
        return Steps(((stream, HANDOVER.decide(order, view.state(stream))),))

    outcome = await _taking(call, request, process)
    return pb.KeepReceiptResponse(receipt=receipt(outcome))


async def cancel(call: Call, request: pb.CancelHandoverRequest) -> pb.CancelHandoverResponse:
    """End a handover that is not completed."""
    stream = _stream(request)
    order = CancelHandover(now=call.now, author=author_of(call.caller), reason=request.reason)

    def process(view: View) -> Steps:
        return Steps(((stream, HANDOVER.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor=stream, process=process, fence=True)
    return pb.CancelHandoverResponse(receipt=receipt(outcome))


def _stream(request: Any) -> str:  # noqa: ANN401 -- a message that names a handover
    return stream_of(HANDOVER.name, request.handover_id)


RPCS: Final[Mapping[str, Unary]] = {
    "OfferHandover": Unary(pb.OfferHandoverRequest, offer),
    "AcceptHandover": Unary(pb.AcceptHandoverRequest, accept),
    "GetHandover": Unary(pb.GetHandoverRequest, get),
    "GetHandoverPart": Unary(pb.GetHandoverPartRequest, get_part),
    "ConfirmPart": Unary(pb.ConfirmPartRequest, confirm),
    "CompleteHandover": Unary(pb.CompleteHandoverRequest, complete),
    "KeepReceipt": Unary(pb.KeepReceiptRequest, keep),
    "CancelHandover": Unary(pb.CancelHandoverRequest, cancel),
    **taking_over.RPCS,
}
