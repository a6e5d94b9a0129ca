"""Rectification, of ResidentRightsService: what recipients are told, and what they say they did.

Promises: a recipient is told of its own organisation and task alone, which fields of which plan, and nothing
of what they say: that is a question of its own, judged when it is asked, on what is then lawful.
Source: GDPR 16, 19; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.obligations import RightsDuty
from exchange.domain.rights.recipients import ConfirmRectification, RightsRecipientTold
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.errors import KeyDestroyed
from exchange.pipeline.walk import ReadWalk, Steps
from exchange.projections.obligations import Wanted, moment
from exchange.server.contract.names import enum_names, set_time
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.walks import ask, author_of, claim_of, command, receipt
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
    parts, caller, pages = call.house.parts, call.caller, call.house.pages
    after = pages.place(call.rpc, caller, request) or 0
    # About nobody: recorded, and answered from the read model.
    walk = ReadWalk(
        rpc=call.rpc,
        caller=caller,
        claim=claim_of(request.claim),
        now=call.now,
        anchor="",
        fields=(),
        groups=lambda _view, _paths: (),
        capture=lambda _view: None,
        relation=False,
        trace=call.trace,
    )
    outcome = await ask(call, walk)
    await followed(call, outcome.position)
    wanted = Wanted(
        organisation=caller.organisation,
        task=caller.task,
        duties=(RightsDuty.CONFIRM_RECTIFICATION,),
        only_open=request.only_open,
    )
    size = page_rows(request)
    loop = asyncio.get_running_loop()
    # A duty sorts before "~": a page goes on behind the whole position it ended at.
    rows = await loop.run_in_executor(
        call.house.pool, parts.obligations.page, wanted, (after, "~"), size + 1, call.now
    )
    answer = pb.ListRectificationsResponse(decision_id=outcome.decision_id)
    await loop.run_in_executor(call.house.pool, _fill, parts, rows[:size], answer)
    if len(rows) > size:
        answer.next_page_token = pages.token(rows[size - 1].position, call.rpc, caller, request)
    return answer


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


def _fill(parts: Parts, rows: list[Obligation], answer: pb.ListRectificationsResponse) -> None:
    for row in rows:
        (stored,) = parts.reader.page(row.position - 1, 1)
        clear, _, _ = parts.codec.decode_clear(stored.state, stream=stored.stream, topic=stored.topic)
        told = answer.rectifications.add()
        told.rights_request_id = clear["rights_request_id"]
        told.plan_ids.extend(clear["plan_ids"])
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


RPCS: Final[Mapping[str, Unary]] = {
    "ListRectifications": Unary(pb.ListRectificationsRequest, list_rectifications),
    "ConfirmRectification": Unary(pb.ConfirmRectificationRequest, confirm_rectification),
}
