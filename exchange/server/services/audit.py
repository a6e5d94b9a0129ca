"""AuditService: decisions over all residents, for the privacy officer (GDPR 39).

Promises: the operator's officer sees all, another's only what his own organisation asked; reading the log is
itself a recorded decision, and not on the page it gives; a resident is known by a pseudonym of this log only.
Without a filter the list is read from the events alone: no read model can keep a decision from it.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import TOPIC, Decision, DecisionReader
from exchange.server.contract.filters import OUTCOMES, wanted_of
from exchange.server.contract.informing import as_arrived
from exchange.server.contract.labels import labels_of
from exchange.server.contract.officers import asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services import decisions, duties, exporting, followers
from exchange.server.services.decisions import list_filtered
from exchange.server.services.month import summarise_month
from exchange.server.services.replay import preview_register, replay_decisions
from exchange.server.walks import given_paths, read
from exchange.store.ports import look
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.server.house import Call
    from exchange.server.interceptor import Streaming
    from exchange.store.ports import EventReader

_LABELS: Final = labels_of(pb.ListDecisionsResponse.DESCRIPTOR)
ROWS_PER_SCAN: Final = 500
SCANS_MAX: Final = 20


async def list_decisions(call: Call, request: pb.ListDecisionsRequest) -> pb.ListDecisionsResponse:
    """List decisions in the order they were taken; of a filter, or the newest first, by the read model."""
    if request.HasField("filter") or request.newest_first:
        return await list_filtered(call, request)
    parts, caller = call.house.parts, call.caller
    after = call.house.pages.place(call.rpc, caller, request) or 0
    asked = wanted_of(request.filter, request.outcomes).outcomes
    outcome = await read(
        call,
        request,
        anchor="",
        labels=_LABELS,
        groups=of_origin(_LABELS, KEEPER_OF_THE_LOG),
        capture=asked_by(caller),
    )
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    page = partial(
        _page,
        parts.reader,
        reader,
        after=after,
        size=page_rows(request),
        position=outcome.position,
        wanted=frozenset(asked) or OUTCOMES,
        organisation=outcome.captured,
    )
    await duties.followed(call, outcome.position)
    loop = asyncio.get_running_loop()
    rows, last, more = await loop.run_in_executor(call.house.pool, page)
    names = [row.decision_id for row in rows]
    aborted = await loop.run_in_executor(call.house.pool, parts.obligations.aborted, names)
    answer = pb.ListDecisionsResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.AuditedDecision.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in rows:
        told, shown = answer.decisions.add(), as_arrived(row, aborted.get(row.decision_id))
        for leaf in leaves:
            copies[leaf](shown, told)
    if more:
        answer.next_page_token = call.house.pages.token(last, call.rpc, caller, request)
    return answer


def _page(
    reader: EventReader,
    decisions: DecisionReader,
    *,
    after: int,
    size: int,
    position: int,
    wanted: frozenset[str],
    organisation: str,
) -> tuple[list[Decision], int, bool]:
    """Return rows of wanted outcomes before `position`, where to go on, and whether there may be more."""
    found: list[Decision] = []
    for _ in range(SCANS_MAX):
        rows, place = look(reader, after, position - 1, ROWS_PER_SCAN, (TOPIC,))
        for row in rows:
            if decisions.outcome(row) in wanted and organisation in {
                "",
                (told := decisions.for_officer(row)).organisation,
            }:
                if len(found) == size:
                    return found, after, True
                found.append(told)
            after = row.position
        after = place
        if after >= position - 1:
            return found, after, False
    # Long stretches without a wanted outcome: an unfull page, and a token to go on.
    return found, after, True


RPCS: Final[Mapping[str, Unary | Streaming]] = {
    "ListDecisions": Unary(pb.ListDecisionsRequest, list_decisions),
    **decisions.RPCS,
    **duties.RPCS,
    "ReplayDecisions": Unary(pb.ReplayDecisionsRequest, replay_decisions),
    "PreviewRegister": Unary(pb.PreviewRegisterRequest, preview_register),
    "SummariseMonth": Unary(pb.SummariseMonthRequest, summarise_month),
    **exporting.RPCS,
    **followers.RPCS,
}
