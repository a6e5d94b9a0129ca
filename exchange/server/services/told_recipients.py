"""Which recipients were told, of ResidentRightsService: the resident's own question (GDPR 19, last sentence).

Promises: of a rectification, a restriction, its lifting and an erasure alike, with what each answered; of no
recipient of whom the resident's side is not told that it got something, at this moment, and of no
rectification of what is sealed to who asks. Paged by position, so that what comes in between moves nothing.
Source: GDPR 19; Wmo 2015 5.2.6 and 5.3.1; protos/exchange/v1/resident_rights_service.proto.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.erasure.purge import PurgeOutcome
from exchange.domain.obligations import Cleared, RightsDuty
from exchange.domain.rights.recipients import RectificationOutcome
from exchange.domain.rights.restricting import RestrictionOutcome
from exchange.errors import KeyDestroyed
from exchange.pipeline.apart import changed_by
from exchange.pipeline.elements import of_log
from exchange.pipeline.facts import OWN_WORDS
from exchange.pipeline.speakers import cleared_to_be_told
from exchange.projections.erasures import Asked
from exchange.projections.obligations import moment
from exchange.server.contract.access import gave
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import TOPIC, DecisionReader
from exchange.server.contract.labels import labels_of
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.services.duties import followed
from exchange.server.walks import claim_of, given_paths, read
from exchange.v1 import resident_rights_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from exchange.pipeline.walk import Caller, ReadOutcome, View
    from exchange.projections.erasures import Purge
    from exchange.projections.obligations import Obligation
    from exchange.server.house import Call
    from exchange.server.parts import Parts

_LABELS: Final = labels_of(pb.ListToldRecipientsResponse.DESCRIPTOR)
_DUTIES: Final = (RightsDuty.CONFIRM_RECTIFICATION, RightsDuty.CONFIRM_RESTRICTION)
ROWS_PER_LOOK: Final = 200
PURGES_MAX: Final = 10_000
NEWEST: Final = 2**62
RECTIFIED: Final = "rectified"
ERASED: Final = "erased"
DONE, NOTHING_KEPT, NOT_DONE = "done", "nothing_kept", "not_done"
_ANSWERS: Final[Mapping[str, str]] = {
    RectificationOutcome.RECTIFIED: DONE,
    RectificationOutcome.NOT_RECTIFIED: NOT_DONE,
    RestrictionOutcome.APPLIED: DONE,
    RestrictionOutcome.NOT_APPLIED: NOT_DONE,
    PurgeOutcome.ERASED: DONE,
    PurgeOutcome.KEPT_BY_LAW: NOT_DONE,
    # The three say it in one word.
    RestrictionOutcome.NOTHING_KEPT: NOTHING_KEPT,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One recipient that was told; attributes have the names of the contract's fields."""

    position: int
    change_id: str
    change: str
    organisation: str
    task: str
    tell_time: datetime
    due_time: datetime
    answer_time: datetime | None
    answer: str


class Asking(NamedTuple):
    """Who asks, when, and since when he may be told of what a representative is not at once."""

    caller: Caller
    now: datetime
    cleared: Cleared


async def list_told_recipients(
    call: Call, request: pb.ListToldRecipientsRequest
) -> pb.ListToldRecipientsResponse:
    """List who was told, newest first."""
    parts, caller, pages = call.house.parts, call.caller, call.house.pages
    place = pages.place(call.rpc, caller, request)
    anchor = stream_of("case", request.case_id)
    outcome = await read(
        call,
        request,
        anchor=anchor,
        labels=_LABELS,
        groups=of_log(_LABELS, caller, OWN_WORDS),
        capture=lambda view: _erased(view, anchor),
        collections=call.house.plan_groups.collections,
    )
    answer = pb.ListToldRecipientsResponse(
        decision_id=outcome.decision_id, withheld_fields=outcome.withheld_paths
    )
    if not outcome.resident:
        return answer
    resident = await call.house.state(stream_of("resident", outcome.resident))
    purpose = claim_of(request.claim).purpose
    cleared = cleared_to_be_told(resident, caller, purpose, day_of(call.now))
    await followed(call, outcome.position)
    size, asking = page_rows(request), Asking(caller, call.now, cleared)
    before = outcome.position if place is None else place
    rows = await asyncio.get_running_loop().run_in_executor(
        call.house.pool, partial(_rows, parts, outcome, asking, before, size + 1)
    )
    copies = copies_of(pb.ToldRecipient.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in rows[:size]:
        told = answer.recipients.add()
        for leaf in leaves:
            copies[leaf](row, told)
    if len(rows) > size:
        answer.next_page_token = pages.token(rows[size - 1].position, call.rpc, caller, request)
    return answer


def _erased(view: View, anchor: str) -> tuple[str, ...]:
    """Return the erasures of some categories that were carried out: of who was erased whole nobody asks."""
    case = view.state(anchor)
    resident = None if case is None else view.state(stream_of("resident", case.resident))
    return () if resident is None else resident.erased


def _rows(parts: Parts, outcome: ReadOutcome, asking: Asking, before: int, limit: int) -> list[Told]:
    """Return at most `limit` rows below a position, newest first."""
    known = _known(parts, outcome, asking)
    found = [one for one in _purges(parts, outcome, before) if (one.organisation, one.task) in known]
    below, shown = before, 0
    while shown < limit:
        stream = stream_of("disclosure", outcome.resident)
        page = parts.obligations.of_stream(stream, below, ROWS_PER_LOOK, _DUTIES)
        told = [
            _of_duty(row)
            for row in page
            if (row.organisation, row.task) in known and not _is_hidden(parts, row, outcome.hidden)
        ]
        found, shown = [*found, *told], shown + len(told)
        if len(page) < ROWS_PER_LOOK:
            break
        below = page[-1].position
    return sorted(found, key=lambda one: -one.position)[:limit]


def _known(parts: Parts, outcome: ReadOutcome, asking: Asking) -> frozenset[tuple[str, str]]:
    """Return the recipients of whom who asks is told, now, that they got something."""
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    stream, below = stream_of("disclosure", outcome.resident), NEWEST
    known = set[tuple[str, str]]()
    while rows := parts.reader.page_of_stream(stream, below, ROWS_PER_LOOK):
        below = rows[-1].version
        for row in rows:
            if row.topic != TOPIC or row.position >= outcome.position:
                continue
            clear, _, _ = parts.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            who = (clear["organisation"], clear["task"])
            if who not in known and gave(clear):
                told = reader.is_told(
                    row, asking.caller, asking.now, outcome.hidden, outcome.links, cleared=asking.cleared
                )
                known |= {who} if told else set()
    return frozenset(known)


def _is_hidden(parts: Parts, row: Obligation, hidden: frozenset[str]) -> bool:
    """Tell whether it is word of a rectification of what is sealed to who asks."""
    if not hidden or row.duty != RightsDuty.CONFIRM_RECTIFICATION:
        return False
    (stored,) = parts.reader.page(row.position - 1, 1)
    try:
        event = parts.codec.decode(
            stored.state, stream=stored.stream, version=stored.version, topic=stored.topic
        ).event
    except KeyDestroyed:
        return False
    return not hidden.isdisjoint(changed_by(event))


def _of_duty(row: Obligation) -> Told:
    name, *rest = row.decision_id.split("/")
    return Told(
        position=row.position,
        change_id=name,
        change=RECTIFIED if row.duty == RightsDuty.CONFIRM_RECTIFICATION else rest[0],
        organisation=row.organisation,
        task=row.task,
        tell_time=moment(row.decided_at),
        due_time=moment(row.due_at),
        answer_time=None if row.executed_at is None else moment(row.executed_at),
        answer=_ANSWERS.get(row.how, ""),
    )


def _purges(parts: Parts, outcome: ReadOutcome, before: int) -> Iterator[Told]:
    for erasure_id in outcome.captured:
        for row in parts.erasures.page(Asked(erasure_id=erasure_id), 0, PURGES_MAX):
            if row.position < before:
                yield _of_purge(row)


def _of_purge(row: Purge) -> Told:
    return Told(
        position=row.position,
        change_id=row.erasure_id,
        change=ERASED,
        organisation=row.organisation,
        task=row.task,
        tell_time=moment(row.asked_at),
        due_time=moment(row.due_at),
        answer_time=None if row.confirmed_at is None else moment(row.confirmed_at),
        answer=_ANSWERS.get(row.outcome, ""),
    )


RPCS: Final[Mapping[str, Unary]] = {
    "ListToldRecipients": Unary(pb.ListToldRecipientsRequest, list_told_recipients)
}
