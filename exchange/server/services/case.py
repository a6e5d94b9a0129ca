"""CaseService: one case per resident, whichever desk a report comes to.

Promises: a report works alike, and is answered alike to who has no part in the case, for residents known and
unknown to the exchange; a case that is not there and
a case of others are refused alike; a new professional belongs to an organisation that was granted the task.
Source: Wmo 2015 2.3.2, 5.3.3; GDPR 5(1)(f).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from exchange.domain import stream_of
from exchange.domain.case import CASE, JoinProfessional, LeaveCase, has_relation
from exchange.domain.intake import receive_report as intake
from exchange.domain.intake import works_on_case_afterwards
from exchange.domain.plan import ReceiveReport, ReceiveSignal
from exchange.domain.relations import colleges_on
from exchange.domain.values import LifeDomain as Domain
from exchange.errors import RequestInvalid, RuleBroken
from exchange.pipeline.elements import of_origin
from exchange.pipeline.facts import open_case
from exchange.pipeline.walk import Steps
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import enum_names, required_day, set_time, stored_words
from exchange.server.interceptor import Unary
from exchange.server.walks import author_of, command, given_paths, read, receipt
from exchange.v1 import case_service_pb2 as pb
from exchange.v1.common_pb2 import LifeDomain, Purpose
from exchange.v1.plan_pb2 import SignalPartner

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain import Command
    from exchange.domain.relations import CaseState
    from exchange.pipeline.walk import View
    from exchange.server.house import Call

_LABELS: Final = labels_of(pb.FindCaseResponse.DESCRIPTOR)


async def receive_report(call: Call, request: pb.ReceiveReportRequest) -> pb.ReceiveReportResponse:
    """Record a report; opens case and plan where there is none."""

    def told(facts: dict[str, Any]) -> ReceiveReport:
        domains = stored_words(LifeDomain.DESCRIPTOR, request.life_domains)
        return ReceiveReport(**facts, life_domains=domains)

    return pb.ReceiveReportResponse(**await _reported(call, request, told))


async def receive_signal(call: Call, request: pb.ReceiveSignalRequest) -> pb.ReceiveSignalResponse:
    """Record a signal of arrears as a report on finance."""
    if request.claim.purpose != Purpose.PURPOSE_WGS_VROEGSIGNALERING:
        raise RequestInvalid(
            "a signal has a purpose of its own", fields={"claim.purpose": "must be that of early signals"}
        )

    def told(facts: dict[str, Any]) -> ReceiveSignal:
        return ReceiveSignal(
            **facts,
            life_domains=(Domain.FINANCE.value,),
            signal_id=call.house.parts.fresh_uuid(),
            partner=enum_names(SignalPartner.DESCRIPTOR).stored(request.partner),
            arrears_cents=request.arrears_cents,
            since_date=required_day(request.since_date),
        )

    return pb.ReceiveSignalResponse(**await _reported(call, request, told))


async def _reported(
    call: Call,
    request: Any,  # noqa: ANN401 -- a report or a signal
    told: Callable[[dict[str, Any]], ReceiveReport],
) -> dict[str, Any]:
    """Walk a report; return the fields of its answer."""
    caller, fresh = call.caller, call.house.parts.fresh_uuid
    # A new ref where nobody is known: whether somebody is must not show in how a report is answered.
    resident, bind = await call.house.residents.for_command(caller.organisation, request.resident)
    ids = {name: fresh() for name in ("case_id", "plan_id", "report_id")}
    said = {"resident": resident, "own_words": request.own_words, "desk": request.desk}
    order = told({"now": call.now, "author": author_of(caller), **ids, **said})

    def process(view: View) -> Steps:
        stream = open_case(view, resident)
        case = view.state(stream) if stream else None
        plan = view.state(stream_of("plan", case.plan_id)) if case is not None else None
        landed = {
            "case_id": order.case_id if case is None else case.case_id,
            "plan_id": order.plan_id if case is None else case.plan_id,
            "report_id": order.report_id,
            "opened": "yes" if case is None else "",
        }
        appends = intake(order, case, plan, _ended(view, case))
        landed["related"] = "yes" if works_on_case_afterwards(order, case, appends) else ""
        bind()
        return Steps(appends, landed)

    outcome = await command(
        call, request, anchor=stream_of("resident", resident), process=process, relation=False
    )
    if not outcome.ids["related"]:
        # Nothing of how the report landed: the event of the report is the last of its walk, here as there.
        return {"receipt": receipt(replace(outcome, leaves=1)), "report_id": outcome.ids["report_id"]}
    return {
        "receipt": receipt(outcome),
        "report_id": outcome.ids["report_id"],
        "case_id": outcome.ids["case_id"],
        "plan_id": outcome.ids["plan_id"],
        "opened": bool(outcome.ids["opened"]),
        "version": outcome.versions["plan"],
    }


def _ended(view: View, case: CaseState | None) -> frozenset[tuple[str, str]]:
    """Return the colleges on a case whose task has ended, by leaving too: they lead nothing any more."""
    on_it = frozenset() if case is None else colleges_on(case)
    return frozenset((oin, task) for oin, task in on_it if not _holds(view, oin, task))


def _holds(view: View, oin: str, task: str) -> bool:
    state = view.state(stream_of("organisation", oin))
    return state is not None and not state.left and task in state.tasks


async def join_professional(call: Call, request: pb.JoinProfessionalRequest) -> pb.JoinProfessionalResponse:
    """Let a professional join."""
    order = JoinProfessional(
        now=call.now,
        author=author_of(call.caller),
        oin=request.oin,
        task=request.task,
        professional=request.professional,
        role=request.role,
    )
    employer = stream_of("organisation", request.oin)

    def granted(view: View) -> None:
        if not _holds(view, request.oin, request.task):
            raise RuleBroken("that organisation was not granted that task", rule="TASK_NOT_GRANTED")

    version, told = await _on_case(call, request, order, also=granted, streams=(employer,))
    return pb.JoinProfessionalResponse(receipt=told, version=version)


async def leave_case(call: Call, request: pb.LeaveCaseRequest) -> pb.LeaveCaseResponse:
    """End a relation at once."""
    order = LeaveCase(
        now=call.now,
        author=author_of(call.caller),
        oin=request.oin,
        task=request.task,
        professional=request.professional,
    )
    version, told = await _on_case(call, request, order, fence=True)
    return pb.LeaveCaseResponse(receipt=told, version=version)


async def find_case(call: Call, request: pb.FindCaseRequest) -> pb.FindCaseResponse:
    """Find the resident's case, for those who work on it."""
    caller = call.caller
    resident = await call.house.residents.find(caller.organisation, request.resident)

    def capture(view: View) -> Any:  # noqa: ANN401 -- CaseState, or None
        stream = open_case(view, resident)
        state = view.state(stream) if stream else None
        # Permitted at all with a broken glass: whoever must act finds the plan, and is reviewed for it.
        if (caller.resident and caller.resident == resident) or request.claim.HasField("break_glass"):
            return state
        related = has_relation(state, caller.organisation, caller.task, caller.professional, call.now)
        return state if related else None

    outcome = await read(
        call,
        request,
        anchor=stream_of("resident", resident),
        labels=_LABELS,
        groups=of_origin(_LABELS, caller.task),
        capture=capture,
    )
    answer = pb.FindCaseResponse(decision_id=outcome.decision_id)
    if outcome.valid_until is not None:
        set_time(answer.expire_time, outcome.valid_until)
    if outcome.captured is not None:
        copies = copies_of(pb.FindCaseResponse.DESCRIPTOR)
        for path in given_paths(outcome):
            copies[path](outcome.captured, answer)
    return answer


async def _on_case(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message that names a case
    order: Command,
    *,
    also: Any = None,  # noqa: ANN401 -- a check over the view, or None
    streams: tuple[str, ...] = (),
    fence: bool = False,
) -> tuple[int, Any]:
    stream = stream_of("case", request.case_id)

    def process(view: View) -> Steps:
        if also is not None:
            also(view)
        return Steps(((stream, CASE.decide(order, view.state(stream))),))

    outcome = await command(call, request, anchor=stream, process=process, streams=streams, fence=fence)
    return outcome.versions[CASE.name], receipt(outcome)


RPCS: Final[Mapping[str, Unary]] = {
    "ReceiveReport": Unary(pb.ReceiveReportRequest, receive_report),
    "ReceiveSignal": Unary(pb.ReceiveSignalRequest, receive_signal),
    "JoinProfessional": Unary(pb.JoinProfessionalRequest, join_professional),
    "LeaveCase": Unary(pb.LeaveCaseRequest, leave_case),
    "FindCase": Unary(pb.FindCaseRequest, find_case),
}
