"""A copy to take along, of ResidentRightsService: judged as a read of the plan, given in parts.

Promises: every part is a recorded decision of its own, on the plan as it is then; a plan that changed in
between shows in the SHA-256, which each part tells; to whoever is not of the resident's side it is refused as
every question of his.
Source: GDPR 20; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.errors import RequestInvalid
from exchange.pipeline.elements import OTHER_ORGANISATION, Asker
from exchange.pipeline.facts import OWN_WORDS
from exchange.server.contract.plans import PLAN_LABELS
from exchange.server.contract.portable import Known, bases_of, document_of
from exchange.server.interceptor import Unary
from exchange.server.walks import read
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.pipeline.elements import Groups
    from exchange.pipeline.walk import Caller, Group, View
    from exchange.server.house import Call

PART_BYTES_MAX: Final = 1_048_576


async def get_portable_copy(call: Call, request: pb.GetPortableCopyRequest) -> pb.GetPortableCopyResponse:
    """Give a part of the copy."""
    pages, caller, house = call.house.pages, call.caller, call.house
    start = pages.place(call.rpc, caller, request) or 0
    stream = stream_of("plan", request.plan_id)
    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=PLAN_LABELS,
        groups=_own(
            house.plan_groups.of_plan(stream, Asker(caller, request.claim.legal_basis, call.now)), caller
        ),
        capture=lambda view: house.plan_groups.within_term(stream, view.state(stream), call.now),
        collections=house.plan_groups.collections,
    )
    loop = asyncio.get_running_loop()
    bases = await loop.run_in_executor(house.pool, bases_of, call, stream)
    known = Known(outcome.captured, outcome.groups, outcome.released, bases)
    document = document_of(known, house.parts.register.now)
    if start > len(document):
        raise RequestInvalid("the copy became shorter: begin again", {"page_token": "is of a longer copy"})
    end = start + (request.page_size or PART_BYTES_MAX)
    answer = pb.GetPortableCopyResponse(
        part=document[start:end],
        sha256=sha256(document).digest(),
        total_bytes=len(document),
        decision_id=outcome.decision_id,
        leaf_index=outcome.position - 1,
        withheld_fields=outcome.withheld_paths,
    )
    if end < len(document):
        answer.next_page_token = pages.token(end, call.rpc, caller, request)
    return answer


def _own(groups: Groups, caller: Caller) -> Groups:
    """Return the groups for the resident's side; for others those of a kind that no basis names (R09)."""
    if caller.task in OWN_WORDS:
        return groups

    def others(view: View, paths: tuple[str, ...]) -> Sequence[Group]:
        return [
            replace(one, fact=replace(one.fact, provider=OTHER_ORGANISATION)) for one in groups(view, paths)
        ]

    return others


RPCS: Final[Mapping[str, Unary]] = {"GetPortableCopy": Unary(pb.GetPortableCopyRequest, get_portable_copy)}
