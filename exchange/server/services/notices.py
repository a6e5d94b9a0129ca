"""What the resident's side must be told because of decisions, and that it was told.

Promises: what is on a page counts as told in the commit of the question, before the page leaves; what is kept
from a representative is on none of his pages and in none of his tokens; a deferred notice is on the page once
its weeks are over, and open until then and until it was told. Of an investigation a representative is told
in the place of a resident without access of his own, once he was found not to be the one it is about.
Seals are looked at anew for each page, and again in the commit of its question: a notice of what is sealed to
who reads is not told, and stays to be executed.
Source: GDPR 12(1), 14(5), 34; Wmo 2015 5.2.6, 5.3.1; CJEU C-579/21.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.disclosure import ObligationExecuted
from exchange.domain.obligations import (
    FETCHED,
    NOTICES,
    Asked,
    Cleared,
    Duty,
    DutyOutcome,
    EntryDuty,
    kept_from,
)
from exchange.domain.values import RESIDENT_TASK
from exchange.pipeline.elements import of_log
from exchange.pipeline.facts import OWN_WORDS
from exchange.pipeline.sealed import kept_from as sealed_to
from exchange.pipeline.speakers import cleared_to_be_told
from exchange.pipeline.walk import Steps
from exchange.server.contract.copies import copies_of
from exchange.server.contract.decisions import Decision, DecisionReader
from exchange.server.contract.informing import informed, told_later
from exchange.server.contract.labels import labels_of
from exchange.server.contract.pages import page_rows
from exchange.server.services.duties import disclosure_stream, followed
from exchange.server.walks import claim_of, given_paths, read
from exchange.v1 import disclosure_service_pb2 as pb

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.walk import View
    from exchange.projections.obligations import Obligation
    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.ListNoticesResponse.DESCRIPTOR)
TOLD: Final = tuple(sorted(NOTICES))
POSITION_MAX: Final = 2**62


@dataclass(frozen=True, slots=True)
class Told:
    """One notice; attributes have the names of the contract's fields."""

    row: Obligation
    decision_id: str
    duty: str
    decide_time: datetime
    organisation: str
    task: str
    purpose: str
    explanation: str
    told_time: datetime | None
    about: frozenset[str]  # collections of the plan of whose change it tells
    decision: Decision

    @property
    def asked_by(self) -> str:
        """The recipient who asked, as a seal names it."""
        return f"{self.organisation}/{self.task}"

    def is_kept_from(self, call: Call, cleared: Cleared) -> bool:
        """Tell whether it is not for who reads, whom `cleared` lets hear of what is not told him at once."""
        one = self.decision
        return kept_from(
            Asked(one.task, one.purpose, one.legal_basis, one.action),
            one.obligations,
            one.decide_time,
            call.now,
            representative=call.caller.task != RESIDENT_TASK,
            cleared=cleared,
        )


async def list_notices(call: Call, request: pb.ListNoticesRequest) -> pb.ListNoticesResponse:
    """List notices, newest first, and record that they were told."""
    parts, caller = call.house.parts, call.caller
    before = call.house.pages.place(call.rpc, caller, request) or POSITION_MAX
    size = page_rows(request)
    stream, loop = stream_of("case", request.case_id), asyncio.get_running_loop()
    case = (await loop.run_in_executor(call.house.pool, parts.loader.load, stream)).state
    await followed(call, parts.reader.head()[0])
    # Looked up for who is bound to this resident only: time must not tell others that there is a case.
    bound = case is not None and bool(caller.resident) and caller.resident == case.resident
    resident = case.resident if bound else ""
    purpose = claim_of(request.claim).purpose
    notices, last = await loop.run_in_executor(
        call.house.pool, _notices, call, resident, purpose, before, size
    )
    shown: list[Told] = []

    def tell(view: View) -> Steps:
        state = view.state(stream_of("resident", resident)) if resident else None
        kept = sealed_to(state, caller)
        cleared = cleared_to_be_told(state, caller, purpose, day_of(call.now))
        shown[:] = [
            one
            for one in notices
            if one.about.isdisjoint(kept.collections)
            and one.asked_by not in kept.links
            and not one.is_kept_from(call, cleared)
        ]
        events = tuple(_executed(call, resident, one) for one in shown if _is_new(one))
        return Steps(((disclosure_stream(resident), events),) if events else ())

    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=_LABELS,
        groups=of_log(_LABELS, caller, OWN_WORDS),
        capture=lambda _view: None,
        beside=tell,
    )
    answer = pb.ListNoticesResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.Notice.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for one in shown:
        told = answer.notices.add()
        for leaf in leaves:
            copies[leaf](one, told)
    if last:
        answer.next_page_token = call.house.pages.token(last, call.rpc, caller, request)
    return answer


def _notices(call: Call, resident: str, purpose: str, before: int, size: int) -> tuple[list[Told], int]:
    """Return the notices of whole decisions below a position, and where the next page goes on, or 0."""
    if not resident:
        return [], 0
    parts = call.house.parts
    reader = DecisionReader(parts.codec, parts.register, parts.log_pseudonym)
    state = parts.loader.load(stream_of("resident", resident)).state
    kept = sealed_to(state, call.caller)
    cleared = cleared_to_be_told(state, call.caller, purpose, day_of(call.now))
    found: list[Told] = []
    while True:
        rows = parts.obligations.of_stream(disclosure_stream(resident), before, size + len(TOLD), TOLD)
        more = len(rows) == size + len(TOLD)
        # The last decision of a full look may have more duties than were looked at: next time.
        cut = rows[-1].position if more else 0
        for position in dict.fromkeys(row.position for row in rows if row.position > cut):
            told = [
                one
                for one in _of_decision(
                    call, reader, [row for row in rows if row.position == position], kept.links, cleared
                )
                if one.about.isdisjoint(kept.collections)
            ]
            if found and len(found) + len(told) > size:
                return found, before
            found += told
            before = position
        if not more:
            return found, 0


def _of_decision(
    call: Call,
    reader: DecisionReader,
    duties: list[Obligation],
    links: frozenset[str],
    cleared: Cleared,
) -> list[Told]:
    parts = call.house.parts
    (row,) = parts.reader.page(duties[0].position - 1, 1)
    if reader.kept_from(row, call.caller, call.now, links, cleared):
        return []
    decision, about = reader.for_resident(row, links=links), reader.changes(row)
    return [
        Told(
            row=duty,
            decision_id=duty.decision_id,
            duty=duty.duty,
            decide_time=decision.decide_time,
            organisation=decision.organisation,
            task=decision.task,
            purpose=decision.purpose,
            explanation=_explained(duty.duty, decision),
            told_time=duty.executed_by_now(call.now),
            about=about,
            decision=decision,
        )
        for duty in duties
    ]


def _explained(duty: str, decision: Decision) -> str:
    if duty == EntryDuty.INFORM_14:
        return informed(decision.explanation, decision.released_fields)
    if duty == Duty.DEFER_NOTICE_4W:
        return told_later(decision.explanation, decision.released_fields)
    return decision.explanation


def _is_new(one: Told) -> bool:
    return one.duty in NOTICES and one.told_time is None


def _executed(call: Call, resident: str, one: Told) -> ObligationExecuted:
    caller = call.caller
    return ObligationExecuted(
        resident=resident,
        decision_id=one.decision_id,
        obligation=one.duty,
        outcome=DutyOutcome.EXECUTED,
        how=FETCHED,
        remark="",
        by=f"{caller.organisation}/{caller.professional}",
        at=call.now,
    )
