"""The record of processing activities, of LegalBasisService: for whoever answers for it, and who supervises.

Promises: derived from the register as it stood at this very decision; the answer is of one commit.
Source: GDPR 30(1), 30(4); protos/exchange/v1/legal_basis_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

from exchange.server.accountability.activities import activities_of
from exchange.server.contract.names import set_time
from exchange.server.contract.pages import page_rows
from exchange.server.walks import ask_about_nobody
from exchange.v1 import legal_basis_service_pb2 as pb

if TYPE_CHECKING:
    from exchange.domain.organisation import OrganisationState
    from exchange.server.house import Call

ORGANISATIONS: Final = "organisation-"


async def list_processing_activities(
    call: Call, request: pb.ListProcessingActivitiesRequest
) -> pb.ListProcessingActivitiesResponse:
    """List the activities by their URI."""
    parts, config = call.house.parts, call.house.config
    start = call.house.pages.place(call.rpc, call.caller, request) or 0
    outcome = await ask_about_nobody(call, request, lambda _view: parts.register.now)
    found = activities_of(outcome.captured, await _organisations(call), call.now, config.security_measures)
    answer = pb.ListProcessingActivitiesResponse(
        controller=config.controller,
        officer_contact=config.officer_contact,
        policy_hash=outcome.captured.policy_hash,
        decision_id=outcome.decision_id,
    )
    set_time(answer.answer_time, call.now)
    stop = start + page_rows(request)
    answer.activities.extend(pb.ProcessingActivity(**asdict(one)) for one in found[start:stop])
    if stop < len(found):
        answer.next_page_token = call.house.pages.token(stop, call.rpc, call.caller, request)
    return answer


async def _organisations(call: Call) -> list[OrganisationState]:
    """Return who ever joined, as they stand."""
    loop, pool, reader = asyncio.get_running_loop(), call.house.pool, call.house.parts.reader
    rows = await loop.run_in_executor(pool, reader.rows_of_streams, ORGANISATIONS, 0)
    streams = dict.fromkeys(row.stream for row in rows)
    states = [await call.house.state(stream) for stream in streams]
    return [state for state in states if state is not None]
