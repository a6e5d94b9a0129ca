"""DisclosureService: who asked what of a resident's data, and what was decided, for the resident (GDPR 15).

Promises: judged first, paged after; what was decided after this very question is not on its pages, nor what
is not told to the resident's side yet, or ever. Seals are looked at anew for each page: the delivery of a
change in what is sealed to who reads is on none, whenever the token was given. Of an answer that did not
arrive, as far as is known by then, it says so.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.pipeline.elements import of_log
from exchange.pipeline.facts import OWN_WORDS
from exchange.pipeline.speakers import cleared_to_be_told
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import Decision, DecisionReader
from exchange.server.contract.informing import as_arrived
from exchange.server.contract.labels import labels_of
from exchange.server.contract.officers import OFFICER, asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.services.notices import list_notices
from exchange.server.walks import claim_of, given_paths, read
from exchange.v1 import disclosure_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from exchange.domain.obligations import Cleared
    from exchange.pipeline.walk import Caller
    from exchange.server.house import Call
    from exchange.store.batch import Row
    from exchange.store.ports import EventReader

_LABELS: Final = labels_of(pb.ListDisclosuresResponse.DESCRIPTOR)
VERSION_MAX: Final = 2**62
SCANS_MAX: Final = 20


async def list_disclosures(call: Call, request: pb.ListDisclosuresRequest) -> pb.ListDisclosuresResponse:
    """List decisions on the resident's data, newest first."""
    parts, caller = call.house.parts, call.caller
    before = call.house.pages.place(call.rpc, caller, request)
    outcome = await read(
        call,
        request,
        anchor=stream_of("case", request.case_id),
        labels=_LABELS,
        groups=of_log(_LABELS, caller, OWN_WORDS | {OFFICER}),
        capture=asked_by(caller),
        collections=call.house.plan_groups.collections,
    )
    answer = pb.ListDisclosuresResponse(
        decision_id=outcome.decision_id, withheld_fields=outcome.withheld_paths
    )
    if not outcome.resident:
        return answer
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    resident = await call.house.state(stream_of("resident", outcome.resident))
    purpose = claim_of(request.claim).purpose
    page = partial(
        _page,
        parts.reader,
        reader,
        stream_of("disclosure", outcome.resident),
        before=before or VERSION_MAX,
        size=page_rows(request),
        position=outcome.position,
        organisation=outcome.captured,
        caller=caller,
        now=call.now,
        hidden=outcome.hidden,
        links=outcome.links,
        cleared=cleared_to_be_told(resident, caller, purpose, day_of(call.now)),
    )
    # What became of an answer is read from the list, as far as it was known when this was asked.
    await followed(call, outcome.position)
    loop, pool = asyncio.get_running_loop(), call.house.pool
    rows, last, more = await loop.run_in_executor(pool, page)
    aborted = await loop.run_in_executor(pool, parts.obligations.aborted, [row.decision_id for row in rows])
    copies = copies_of(pb.Disclosure.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in rows:
        told, shown = answer.disclosures.add(), as_arrived(row, aborted.get(row.decision_id))
        for leaf in leaves:
            copies[leaf](shown, told)
    if more:
        answer.next_page_token = call.house.pages.token(last, call.rpc, caller, request)
    return answer


def _page(
    reader: EventReader,
    decisions: DecisionReader,
    stream: str,
    *,
    before: int,
    size: int,
    position: int,
    organisation: str,
    caller: Caller,
    now: datetime,
    hidden: frozenset[str],
    links: frozenset[str],
    cleared: Cleared,
) -> tuple[list[Decision], int, bool]:
    """Return rows, the version of the last one, and whether there are more below it."""
    found: list[Row] = []
    for _ in range(SCANS_MAX):
        page = reader.page_of_stream(stream, before, size + 1)
        found += [
            row
            for row in page
            if row.position < position
            and decisions.is_told(row, caller, now, hidden, links, cleared=cleared)
            and organisation in {"", decisions.for_resident(row).organisation}
        ]
        if len(found) > size or len(page) <= size:
            break
        before = page[-1].version
    shown = found[:size]
    last = shown[-1].version if shown else 0
    return [decisions.for_resident(row, hidden, links) for row in shown], last, len(found) > size


RPCS: Final[Mapping[str, Unary]] = {
    "ListDisclosures": Unary(pb.ListDisclosuresRequest, list_disclosures),
    "ListNotices": Unary(pb.ListNoticesRequest, list_notices),
}
