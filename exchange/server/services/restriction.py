"""Restriction, of ResidentRightsService: set, announced, lifted; what recipients are told, and say they did.

Promises: the restriction and word of it to all who got what it reaches are one commit, by all that had left
before; so are its lifting and word of that. A recipient is told of its own organisation and task alone, of
which plans and for which of its own purposes. Whoever is behind a sealed link, and from the resident's side
also who got it for an investigation alone, is told apart, and nothing in the answer counts it.
Source: GDPR 18, 19, 32; Wmo 2015 5.2.6 and 5.3.1; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.limits.restrictions import AnnounceLifting, LiftRestriction, Restrict
from exchange.domain.obligations import RightsDuty
from exchange.domain.resident import RESIDENT, ResidentState
from exchange.domain.rights.restricting import (
    RESTRICTION,
    ConfirmRestriction,
    RestrictionRecipientTold,
    TellLifted,
    TellRestricted,
)
from exchange.errors import KeyDestroyed, RuleBroken
from exchange.pipeline.recipients import Scope, parted, reached_by
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import Steps
from exchange.projections.obligations import Wanted, moment
from exchange.server.contract.names import day, enum_names, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.walks import ask_about_nobody, author_of, command, receipt
from exchange.v1 import resident_rights_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain.kernel import Events
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.projections.obligations import Obligation
    from exchange.server.house import Call
    from exchange.server.parts import Parts

_CHANGES: Final = enum_names(pb.RestrictionChange.DESCRIPTOR)
_OUTCOMES: Final = enum_names(pb.RestrictionOutcome.DESCRIPTOR)
_PURPOSES: Final = enum_names(Purpose.DESCRIPTOR)


async def restrict(call: Call, request: pb.RestrictRequest) -> pb.RestrictResponse:
    """Restrict processing, and tell who got what it reaches; the same again tells who got it since."""
    parts = call.house.parts
    order = Restrict(
        now=call.now,
        author=author_of(call.caller),
        restriction_id=parts.fresh_uuid(),
        purpose=_PURPOSES.stored(request.restricted_purpose),
        recipient=request.recipient,
        reason=request.reason,
        review_date=day(request.review_date),
    )
    scope = Scope(order.purpose, order.recipient)

    def decide(view: View, stream: str, state: ResidentState | None) -> Steps:
        events, stands = RESIDENT.decide(order, state), state
        for event in events:
            stands = RESIDENT.evolve(stands, event)
        assert isinstance(stands, ResidentState)
        name = next(
            one.restriction_id for one in stands.restrictions if (one.purpose, one.recipient) == scope
        )
        tell = TellRestricted(
            now=call.now,
            author=order.author,
            restriction_id=name,
            resident=stands.resident,
            recipients=reached_by(parts.reader, parts.codec, view, stands.resident, scope, but=order.author),
        )
        told = stream_of(RESTRICTION.name, name)
        return _steps(
            call, stands, (told, RESTRICTION.decide(tell, view.state(told))), (stream, events), name
        )

    # Alone: what left before is all on disk then, and nobody is told too little.
    outcome = await _on_resident(call, request, decide, fence=True, alone=True)
    return pb.RestrictResponse(receipt=receipt(outcome), restriction_id=outcome.ids["restriction_id"])


async def announce_lifting(call: Call, request: pb.AnnounceLiftingRequest) -> pb.AnnounceLiftingResponse:
    """Record that the resident was told."""
    order = AnnounceLifting(
        now=call.now,
        author=author_of(call.caller),
        restriction_id=request.restriction_id,
        how=request.how,
    )

    def decide(_view: View, stream: str, state: ResidentState | None) -> Steps:
        return Steps(((stream, RESIDENT.decide(order, state)),))

    return pb.AnnounceLiftingResponse(receipt=receipt(await _on_resident(call, request, decide)))


async def lift_restriction(call: Call, request: pb.LiftRestrictionRequest) -> pb.LiftRestrictionResponse:
    """Lift a restriction, and tell everybody who was told of it."""
    order = LiftRestriction(
        now=call.now,
        author=author_of(call.caller),
        restriction_id=request.restriction_id,
        reason=request.reason,
    )
    told = stream_of(RESTRICTION.name, request.restriction_id)

    def decide(view: View, stream: str, state: ResidentState | None) -> Steps:
        events = RESIDENT.decide(order, state)
        tell = TellLifted(now=call.now, author=order.author)
        word = RESTRICTION.decide(tell, view.state(told))
        return _steps(call, state, (told, word), (stream, events), order.restriction_id)

    return pb.LiftRestrictionResponse(receipt=receipt(await _on_resident(call, request, decide)))


def _steps(
    call: Call,
    resident: ResidentState | None,
    word: tuple[str, Events],
    done: tuple[str, Events],
    name: str,
) -> Steps:
    """Return who is told, and last what was done: the receipt is of that."""
    caller = call.caller
    own = author_of(caller).is_residents_side
    unseen, seen = parted(word[1], kept_from(resident, caller).links, apart=own)
    return Steps(((word[0], seen), done), {"restriction_id": name}, ((word[0], unseen),) if unseen else ())


async def list_restrictions(call: Call, request: pb.ListRestrictionsRequest) -> pb.ListRestrictionsResponse:
    """List what is restricted, or no more, of what this organisation got in this task."""
    parts, caller, pages = call.house.parts, call.caller, call.house.pages
    after = pages.place(call.rpc, caller, request) or 0
    outcome = await ask_about_nobody(call, request)
    await followed(call, outcome.position)
    wanted = Wanted(
        organisation=caller.organisation,
        task=caller.task,
        duties=(RightsDuty.CONFIRM_RESTRICTION,),
        only_open=request.only_open,
    )
    size = page_rows(request)
    loop = asyncio.get_running_loop()

    def page() -> list[pb.ToldRestriction]:
        # A duty sorts before "~": a page goes on behind the whole position it ended at.
        rows = parts.obligations.page(wanted, (after, "~"), size + 1, call.now)
        positions.extend(row.position for row in rows)
        return [_read(parts, row) for row in rows[:size]]

    positions: list[int] = []
    told = await loop.run_in_executor(call.house.pool, page)
    answer = pb.ListRestrictionsResponse(decision_id=outcome.decision_id, restrictions=told)
    if len(positions) > size:
        answer.next_page_token = pages.token(positions[size - 1], call.rpc, caller, request)
    return answer


async def confirm_restriction(
    call: Call, request: pb.ConfirmRestrictionRequest
) -> pb.ConfirmRestrictionResponse:
    """Record what the recipient did."""
    stream = stream_of(RESTRICTION.name, request.restriction_id)
    order = ConfirmRestriction(
        now=call.now,
        author=author_of(call.caller),
        change=_CHANGES.stored(request.change),
        outcome=_OUTCOMES.stored(request.outcome),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, RESTRICTION.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor="", process=process, streams=(stream,), relation=False)
    return pb.ConfirmRestrictionResponse(receipt=receipt(outcome))


def _read(parts: Parts, row: Obligation) -> pb.ToldRestriction:
    """Return a duty as it is told; of who was erased without the purposes."""
    (stored,) = parts.reader.page(row.position - 1, 1)
    clear, _, _ = parts.codec.decode_clear(stored.state, stream=stored.stream, topic=stored.topic)
    told = pb.ToldRestriction(
        restriction_id=clear["restriction_id"],
        plan_ids=clear["plan_ids"],
        change=pb.RestrictionChange.ValueType(_CHANGES.number(clear["change"])),
    )
    set_time(told.tell_time, moment(row.decided_at))
    set_time(told.due_time, moment(row.due_at))
    if row.executed_at is not None:
        set_time(told.confirm_time, moment(row.executed_at))
        told.outcome = pb.RestrictionOutcome.ValueType(_OUTCOMES.number(row.how))
    try:
        event = parts.codec.decode(
            stored.state, stream=stored.stream, version=stored.version, topic=stored.topic
        ).event
    except KeyDestroyed:
        return told
    assert isinstance(event, RestrictionRecipientTold)
    told.purposes.extend(Purpose.ValueType(_PURPOSES.number(one)) for one in event.purposes)
    return told


async def _on_resident(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a case
    decide: Callable[[View, str, ResidentState | None], Steps],
    *,
    fence: bool = False,
    alone: bool = False,
) -> CommandOutcome:
    case_stream = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        case = view.state(case_stream)
        if case is None:
            raise RuleBroken("there is no such case", rule="NO_CASE")
        stream = stream_of(RESIDENT.name, case.resident)
        return decide(view, stream, view.state(stream))

    return await command(call, request, anchor=case_stream, process=process, fence=fence, alone=alone)


RPCS: Final[Mapping[str, Unary]] = {
    "Restrict": Unary(pb.RestrictRequest, restrict),
    "AnnounceLifting": Unary(pb.AnnounceLiftingRequest, announce_lifting),
    "LiftRestriction": Unary(pb.LiftRestrictionRequest, lift_restriction),
    "ListRestrictions": Unary(pb.ListRestrictionsRequest, list_restrictions),
    "ConfirmRestriction": Unary(pb.ConfirmRestrictionRequest, confirm_restriction),
}
