"""PlanService: commands on a plan by one table, and the read that releases permitted leaf fields only.

Promises: a command carries the version its caller saw, or those of the parts he saw; a plan that is not
there is refused like one of others.
Source: protos/exchange/v1/plan_service.proto; Wmo 2015 2.3.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.case import CASE, JoinProfessional
from exchange.domain.days import day_of
from exchange.domain.plan import PLAN, InviteProvider, PracticeCheck, practice_check
from exchange.domain.values import CaseRole
from exchange.errors import RuleBroken
from exchange.pipeline.elements import Asker
from exchange.pipeline.walk import Steps
from exchange.server.contract.copies import copies_of
from exchange.server.contract.labels import labels_of
from exchange.server.contract.names import set_time
from exchange.server.contract.part_versions import Reader, versions_given
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.server.interceptor import Unary
from exchange.server.services.plan_orders import ORDERS, Order, Who, is_minor
from exchange.server.services.plan_parts import commanded
from exchange.server.walks import author_of, given_paths, read, receipt
from exchange.v1 import plan_pb2
from exchange.v1 import plan_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

    from exchange.domain.values import Author
    from exchange.pipeline.walk import View
    from exchange.server.house import Call


_CHECK_LABELS: Final = labels_of(plan_pb2.PracticeCheck.DESCRIPTOR)


def commanding(order: Order) -> Unary:
    """Return the handler of a command on a plan."""

    async def handle(call: Call, request: Any) -> Message:  # noqa: ANN401 -- the order's own message
        stream = stream_of("plan", request.plan_id)
        fresh_id = call.house.parts.fresh_uuid()
        author: Author = author_of(call.caller)
        told = order.told(request, Who({"now": call.now, "author": author}, fresh_id))
        ids = {order.new_id: fresh_id} if order.new_id else {}

        def process(view: View) -> Steps:
            plan, asked = view.state(stream), told
            if order.knowing is not None:
                asked = order.knowing(told, plan and view.state(stream_of("resident", plan.resident)))
            return Steps(((stream, PLAN.decide(asked, plan)),), ids)

        outcome, versions = await commanded(call, request, process, fence=order.fence)
        return order.response(receipt=receipt(outcome), **versions, **outcome.ids)

    return Unary(order.request, handle)


async def invite_provider(call: Call, request: pb.InviteProviderRequest) -> pb.InviteProviderResponse:
    """Ask a preferred provider to the case: the plan says so and the provider joins, in one commit."""
    stream, employer = stream_of("plan", request.plan_id), stream_of("organisation", request.provider_oin)
    author = author_of(call.caller)
    named = {"provider_oin": request.provider_oin, "provider_task": request.provider_task}
    asking = InviteProvider(now=call.now, author=author, preference_id=request.preference_id, **named)
    joining = JoinProfessional(
        now=call.now,
        author=author,
        oin=request.provider_oin,
        task=request.provider_task,
        professional=request.professional,
        role=CaseRole.BEGELEIDER,
    )

    def process(view: View) -> Steps:
        plan = view.state(stream)
        events = PLAN.decide(asking, plan)
        organisation = view.state(employer)
        if organisation is None or organisation.left or request.provider_task not in organisation.tasks:
            raise RuleBroken("that organisation was not granted that task", rule="TASK_NOT_GRANTED")
        case = stream_of("case", plan.case_id)
        return Steps(((stream, events), (case, CASE.decide(joining, view.state(case)))))

    outcome, versions = await commanded(call, request, process, streams=(employer,))
    return pb.InviteProviderResponse(receipt=receipt(outcome), **versions)


async def get_plan(call: Call, request: pb.GetPlanRequest) -> pb.GetPlanResponse:
    """Read listed fields of a plan."""
    stream = stream_of("plan", request.plan_id)
    asker = Asker(call.caller, request.claim.legal_basis, call.now)
    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=PLAN_LABELS,
        groups=call.house.plan_groups.of_plan(stream, asker),
        capture=lambda view: call.house.plan_groups.within_term(stream, view.state(stream), call.now),
        collections=call.house.plan_groups.collections,
    )
    answer = pb.GetPlanResponse(
        decision_id=outcome.decision_id,
        withheld_fields=outcome.withheld_paths,
        rules=outcome.rules,
        obligations=outcome.obligations,
    )
    # Where it is sent from: one that is put in there is copied whole.
    answer.plan.SetInParent()
    build_plan(outcome.captured, outcome.groups, outcome.released, answer.plan)
    if outcome.valid_until is not None:
        set_time(answer.expire_time, outcome.valid_until)
    if request.with_part_versions:
        reader = Reader(call.house.pages, call.caller, request.plan_id, request.claim)
        answer.part_versions.extend(
            versions_given(reader, request.fields, outcome.captured, outcome.groups, outcome.released)
        )
    return answer


async def get_practice_check(call: Call, request: pb.GetPracticeCheckRequest) -> pb.GetPracticeCheckResponse:
    """Compute the practice check on the plan as the caller sees it."""
    stream = stream_of("plan", request.plan_id)
    asker = Asker(call.caller, request.claim.legal_basis, call.now)

    def capture(view: View) -> PracticeCheck | None:
        plan = call.house.plan_groups.within_term(stream, view.state(stream), call.now)
        if plan is None:
            return None
        resident = view.state(stream_of("resident", plan.resident))
        return practice_check(plan, minor=is_minor(resident, call.now), today=day_of(call.now))

    outcome = await read(
        call,
        request,
        anchor=stream,
        labels=_CHECK_LABELS,
        groups=call.house.plan_groups.of_whole(stream, _CHECK_LABELS, asker),
        capture=capture,
        collections=call.house.plan_groups.collections,
        computed=True,
    )
    answer = pb.GetPracticeCheckResponse(decision_id=outcome.decision_id)
    if outcome.captured is not None:
        copies = copies_of(plan_pb2.PracticeCheck.DESCRIPTOR)
        for path in given_paths(outcome):
            copies[path](outcome.captured, answer.check)
    if outcome.valid_until is not None:
        set_time(answer.expire_time, outcome.valid_until)
    return answer


RPCS: Final[Mapping[str, Unary]] = {
    **{name: commanding(order) for name, order in ORDERS.items()},
    "InviteProvider": Unary(pb.InviteProviderRequest, invite_provider),
    "GetPlan": Unary(pb.GetPlanRequest, get_plan),
    "GetPracticeCheck": Unary(pb.GetPracticeCheckRequest, get_practice_check),
}
