"""What decisions brought that has to be done: listed and ended by the privacy officer, told to the resident.

Promises: the list is a read model and is waited for, never guessed; what a command rests on is read from the
recorded decision itself; a notice counts as told in the commit of the very question that tells it.
Source: GDPR 12(1), 14, 39(1)(b); the gate's design section 5.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.disclosure import DISCLOSURE, DisclosureDecided, ExecuteObligation
from exchange.domain.obligations import Asked, Duty, DutyOutcome, EntryDuty, RightsDuty, duties_of, informs
from exchange.domain.values import Author
from exchange.errors import RequestInvalid, RuleBroken, Unavailable, VersionConflict
from exchange.pipeline.elements import KEEPER_OF_THE_LOG, of_origin
from exchange.pipeline.telling import UNKNOWN_RESIDENT
from exchange.pipeline.walk import Steps
from exchange.projections.obligations import BY_SYSTEM, Obligation, Wanted, moment
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names
from exchange.server.contract.officers import asked_by
from exchange.server.contract.pages import page_rows
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, given_paths, read, receipt
from exchange.v1 import audit_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Any

    from exchange.domain.kernel import Event
    from exchange.pipeline.walk import View
    from exchange.server.house import Call
    from exchange.store.codec import Meta

FOLLOWED_WAIT_S: Final = 2.0
LOOKS_MAX: Final = 8
BY_CLOCK: Final = "clock"
_LABELS: Final = labels_of(pb.ListObligationsResponse.DESCRIPTOR)
# A key of the list is a position and a duty; a page token holds one number.
_DUTIES: Final = tuple(sorted((*Duty, *EntryDuty, *RightsDuty)))
_DUTIES_PER_PLACE: Final = 32


class DecidedDuties(NamedTuple):
    """A recorded decision: whose it is, who asked, and what it brought."""

    decision_id: str
    resident: str
    asked: Author
    duties: tuple[str, ...]
    # Those that ended before, complete as of this version of the stream decision and endings are recorded on.
    ended: frozenset[str] = frozenset()
    version: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """One duty; attributes have the names of the contract's fields."""

    decision_id: str
    duty: str
    organisation: str
    task: str
    professional: str
    resident_pseudonym: str
    decide_time: datetime
    due_time: datetime
    execute_time: datetime | None
    outcome: str
    how: str
    executed_by: str


async def followed(call: Call, position: int) -> None:
    """Wait until the read model holds everything up to a position. Raises Unavailable."""
    parts = call.house.parts
    loop = asyncio.get_running_loop()
    if not await loop.run_in_executor(call.house.pool, parts.followed, position, FOLLOWED_WAIT_S):
        raise Unavailable("the list is behind the events: try again")


async def list_obligations(call: Call, request: pb.ListObligationsRequest) -> pb.ListObligationsResponse:
    """List duties in the order of the decisions that brought them."""
    parts, caller = call.house.parts, call.caller
    after = _key(call.house.pages.place(call.rpc, caller, request) or 0)
    faults = {
        f"duties[{index}]": "is no duty of the gate"
        for index, duty in enumerate(request.duties)
        if duty not in _DUTIES
    }
    if faults:
        raise RequestInvalid("duties are asked that do not exist", fields=faults)
    outcome = await read(
        call,
        request,
        anchor="",
        labels=_LABELS,
        groups=of_origin(_LABELS, KEEPER_OF_THE_LOG),
        capture=asked_by(caller),
    )
    await followed(call, outcome.position)
    wanted = Wanted(
        organisation=outcome.captured,
        duties=tuple(request.duties),
        only_open=request.state == pb.OBLIGATION_STATE_OPEN,
        only_overdue=request.state == pb.OBLIGATION_STATE_OVERDUE,
    )
    size = page_rows(request)
    loop = asyncio.get_running_loop()
    rows = await loop.run_in_executor(
        call.house.pool, parts.obligations.page, wanted, after, size + 1, call.now
    )
    answer = pb.ListObligationsResponse(decision_id=outcome.decision_id)
    copies = copies_of(pb.Obligation.DESCRIPTOR)
    leaves = [path.partition(".")[2] for path in given_paths(outcome)]
    for row in rows[:size]:
        shown, told = listed(row, call.now, parts.log_pseudonym), answer.obligations.add()
        for leaf in leaves:
            copies[leaf](shown, told)
    if len(rows) > size:
        answer.next_page_token = call.house.pages.token(_place(rows[size - 1]), call.rpc, caller, request)
    return answer


async def execute_obligation(
    call: Call, request: pb.ExecuteObligationRequest
) -> pb.ExecuteObligationResponse:
    """Record how a duty was executed; of two at once the second is told that it has ended."""
    outcome = DutyOutcome(enum_names(pb.DutyOutcome.DESCRIPTOR).stored(request.outcome))
    if outcome is DutyOutcome.OBJECTION_RECORDED:
        raise RuleBroken("record the objection itself: that ends this duty", rule="OUTCOME_NOT_OF_THIS_DUTY")
    for _ in range(LOOKS_MAX):
        try:
            return await _execute(call, request, outcome)
        except VersionConflict:
            # Something was recorded about this resident since the look: perhaps how this very duty ended.
            continue
    raise Unavailable("too much was recorded meanwhile: try again")


async def _execute(
    call: Call, request: pb.ExecuteObligationRequest, outcome: DutyOutcome
) -> pb.ExecuteObligationResponse:
    """Raise VersionConflict where the look at what has ended is no longer whole."""
    decided = await decided_duties(call, request.of_decision_id)
    executed = execution(
        call, decided, duty=request.duty, outcome=outcome, how=request.how, remark=request.remark
    )
    whose = asked_by(call.caller)

    def process(view: View) -> Steps:
        # Another organisation's officer is told alike of a decision of others and of one that is not there.
        if whose(view) not in {"", decided.asked.oin}:
            raise _no_such_duty()
        if view.version(disclosure_stream(decided.resident)) != decided.version and decided.duties:
            raise VersionConflict("more was recorded since this was looked at")
        return Steps((executed(view, decided.resident),))

    walked = await command(call, request, anchor="", process=process, relation=False)
    return pb.ExecuteObligationResponse(receipt=receipt(walked))


async def decided_duties(call: Call, decision_id: str) -> DecidedDuties:
    """Return what a decision brought, from its record; empty where there is none."""
    parts, loop = call.house.parts, asyncio.get_running_loop()
    await followed(call, parts.reader.head()[0])

    def version() -> int:
        rows = parts.obligations.of_decision(decision_id)
        return parts.reader.last_version(rows[0].stream)[1] if rows else 0

    # Before what has ended is read: then whatever ended since shows in the version.
    seen = await loop.run_in_executor(call.house.pool, version)
    await followed(call, parts.reader.head()[0])

    def find() -> DecidedDuties:
        rows = parts.obligations.of_decision(decision_id)
        ended = frozenset(row.duty for row in rows if row.executed_at is not None)
        # The read model only says where to look.
        for row in parts.reader.page(rows[0].position - 1, 1) if rows else ():
            clear, meta, _ = parts.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if row.topic == DisclosureDecided.TOPIC and clear["decision_id"] == decision_id:
                asked = Author(clear["organisation"], clear["task"], clear["professional"])
                duties = duties_of(clear["action"], clear["obligations"])
                # Which of those on one ground opened it, the list says; whether it may have, the record.
                if any(one.duty == EntryDuty.INFORM_14 for one in rows) and _informs(call, clear, meta):
                    duties = (*duties, EntryDuty.INFORM_14)
                return DecidedDuties(
                    decision_id, clear.get("resident", ""), asked, duties, ended=ended, version=seen
                )
        return DecidedDuties(decision_id, "", Author("", "", ""), ())

    return await loop.run_in_executor(call.house.pool, find)


def _informs(call: Call, clear: Mapping[str, Any], meta: Meta) -> bool:
    asked = Asked(clear["task"], clear["purpose"], clear["legal_basis"], clear["action"])
    entries = call.house.parts.register.informing
    recorded = (clear["basis_version"], clear["outcome"], clear["obligations"])
    return informs(asked, *recorded, entries, answered=meta.answered)


def execution(
    call: Call, decided: DecidedDuties, *, duty: str, outcome: str, how: str, remark: str = ""
) -> Callable[[View, str], tuple[str, tuple[Event, ...]]]:
    """Return what records that a duty about this resident was executed."""

    def executed(_view: View, resident: str) -> tuple[str, tuple[Event, ...]]:
        if decided.resident != resident or not decided.duties:
            raise _no_such_duty()
        order = ExecuteObligation(
            now=call.now,
            author=author_of(call.caller),
            resident=resident,
            decision_id=decided.decision_id,
            duties=decided.duties,
            decided_for=decided.asked,
            obligation=duty,
            outcome=outcome,
            how=how,
            remark=remark,
            ended=decided.ended,
        )
        return disclosure_stream(resident), DISCLOSURE.decide(order, None)

    return executed


def disclosure_stream(resident: str) -> str:
    """Return where decisions about a resident are recorded."""
    return stream_of("disclosure", resident or UNKNOWN_RESIDENT)


def _no_such_duty() -> RuleBroken:
    return RuleBroken("this decision brought no such duty", rule="NO_SUCH_OBLIGATION")


def listed(row: Obligation, now: datetime, pseudonym: Callable[[str], str]) -> Listed:
    """Return a duty as it is told now."""
    executed = row.executed_by_now(now)
    by_clock = executed is not None and row.executed_at is None
    resident = row.stream.partition("-")[2]
    return Listed(
        decision_id=row.decision_id,
        duty=row.duty,
        organisation=row.organisation,
        task=row.task,
        professional=row.professional,
        resident_pseudonym="" if resident == UNKNOWN_RESIDENT else pseudonym(resident),
        decide_time=moment(row.decided_at),
        due_time=moment(row.due_at),
        execute_time=executed,
        outcome=DutyOutcome.EXECUTED if by_clock else row.outcome,
        how=BY_CLOCK if by_clock else row.how,
        executed_by=BY_SYSTEM if by_clock else row.executed_by,
    )


def _place(row: Obligation) -> int:
    # A duty this version does not know sorts where it sorts; the next page begins behind its decision.
    number = _DUTIES.index(row.duty) if row.duty in _DUTIES else _DUTIES_PER_PLACE - 1
    return row.position * _DUTIES_PER_PLACE + number


def _key(place: int) -> tuple[int, str]:
    position, number = divmod(place, _DUTIES_PER_PLACE)
    if not place:
        return 0, ""
    return position, str(_DUTIES[number]) if number < len(_DUTIES) else "~"


RPCS: Final[Mapping[str, Unary]] = {
    "ListObligations": Unary(pb.ListObligationsRequest, list_obligations),
    "ExecuteObligation": Unary(pb.ExecuteObligationRequest, execute_obligation),
}
