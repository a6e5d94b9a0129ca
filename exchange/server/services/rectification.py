"""Rectification, of ResidentRightsService: what recipients are told, and what they say they did.

Promises: a recipient is told of its own organisation and task alone, which fields of which plan, and nothing
of what they say: that is a question of its own, judged when it is asked, on what is then lawful. Of what is
sealed now only those of its staff are told whom the seal lets see it.
Source: GDPR 16, 19, 32; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.obligations import RightsDuty
from exchange.domain.relations import relation_of
from exchange.domain.rights.recipients import ConfirmRectification, RightsRecipientTold
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.errors import KeyDestroyed
from exchange.pipeline.sealed import kept_from
from exchange.pipeline.walk import Steps
from exchange.projections.obligations import Wanted, moment
from exchange.server.contract.names import enum_names, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.walks import ask_about_nobody, author_of, command, receipt
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.pipeline.walk import View
    from exchange.projections.obligations import Obligation
    from exchange.server.house import Call
    from exchange.server.parts import Parts


async def list_rectifications(
    call: Call, request: pb.ListRectificationsRequest
) -> pb.ListRectificationsResponse:
    """List what was rectified of what this organisation got in this task."""
    caller, pages = call.caller, call.house.pages
    after = pages.place(call.rpc, caller, request) or 0
    outcome = await ask_about_nobody(call, request)
    await followed(call, outcome.position)
    wanted = Wanted(
        organisation=caller.organisation,
        task=caller.task,
        duties=(RightsDuty.CONFIRM_RECTIFICATION,),
        only_open=request.only_open,
    )
    size = page_rows(request)
    shown = await _shown(call, wanted, after, size + 1)
    answer = pb.ListRectificationsResponse(
        decision_id=outcome.decision_id, rectifications=[told for _, told in shown[:size]]
    )
    if len(shown) > size:
        answer.next_page_token = pages.token(shown[size - 1][0], call.rpc, caller, request)
    return answer


async def _shown(call: Call, wanted: Wanted, after: int, limit: int) -> list[tuple[int, pb.Rectification]]:
    """Return what is told behind a position, each with its own: a page is filled with what can be seen."""
    parts, found = call.house.parts, list[tuple[int, pb.Rectification]]()
    loop = asyncio.get_running_loop()
    while True:
        # A duty sorts before "~": a page goes on behind the whole position it ended at.
        rows = await loop.run_in_executor(
            call.house.pool, parts.obligations.page, wanted, (after, "~"), limit, call.now
        )
        more = len(rows) == limit
        for position, resident, told in await loop.run_in_executor(call.house.pool, _read, parts, rows):
            after = position
            if await _is_seen(call, resident, told):
                found.append((position, told))
        if not more or len(found) >= limit:
            return found[:limit]


async def _is_seen(call: Call, resident: str, told: pb.Rectification) -> bool:
    """Leave out what is sealed to who asks; tell whether anything is left.

    An organisation that got it before may have no reader of the seal: then its duty stays open, which the
    officer sees, who decides whether and by whom it is told.
    """
    house, caller, role = call.house, call.caller, ""
    for plan_id in told.plan_ids[:1]:
        plan = await house.state(stream_of("plan", plan_id))
        case = None if plan is None else await house.state(stream_of("case", plan.case_id))
        relation = relation_of(case, caller.organisation, caller.task, caller.professional, call.now)
        role = "" if relation is None else relation.role
    kept = kept_from(await house.state(stream_of("resident", resident)), caller, role)
    paths = [path for path in told.paths if path not in kept.paths]
    if len(paths) == len(told.paths):
        return True
    del told.paths[:]
    told.paths.extend(paths)
    return bool(paths)


async def confirm_rectification(
    call: Call, request: pb.ConfirmRectificationRequest
) -> pb.ConfirmRectificationResponse:
    """Record what the recipient did."""
    stream = stream_of(RIGHTS_REQUEST.name, request.rights_request_id)
    order = ConfirmRectification(
        now=call.now,
        author=author_of(call.caller),
        outcome=enum_names(pb.RectificationOutcome.DESCRIPTOR).stored(request.outcome),
    )

    def process(view: View) -> Steps:
        return Steps(((stream, RIGHTS_REQUEST.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor="", process=process, streams=(stream,), relation=False)
    return pb.ConfirmRectificationResponse(receipt=receipt(outcome))


def _read(parts: Parts, rows: list[Obligation]) -> list[tuple[int, str, pb.Rectification]]:
    """Return each duty as it is told, with its position and the resident it is about."""
    found = []
    for row in rows:
        (stored,) = parts.reader.page(row.position - 1, 1)
        clear, _, _ = parts.codec.decode_clear(stored.state, stream=stored.stream, topic=stored.topic)
        told = pb.Rectification(rights_request_id=clear["rights_request_id"], plan_ids=clear["plan_ids"])
        found.append((row.position, clear["resident"], told))
        set_time(told.tell_time, moment(row.decided_at))
        set_time(told.due_time, moment(row.due_at))
        if row.executed_at is not None:
            set_time(told.confirm_time, moment(row.executed_at))
            number = enum_names(pb.RectificationOutcome.DESCRIPTOR).number(row.how)
            told.outcome = pb.RectificationOutcome.ValueType(number)
        try:
            event = parts.codec.decode(
                stored.state, stream=stored.stream, version=stored.version, topic=stored.topic
            ).event
        except KeyDestroyed:
            continue
        assert isinstance(event, RightsRecipientTold)
        told.paths.extend(event.paths)
    return found


RPCS: Final[Mapping[str, Unary]] = {
    "ListRectifications": Unary(pb.ListRectificationsRequest, list_rectifications),
    "ConfirmRectification": Unary(pb.ConfirmRectificationRequest, confirm_rectification),
}
