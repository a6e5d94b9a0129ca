"""HouseholdService: who is a member, who directs, which goals are of the household; by one member's part.

Promises: every command is anchored at one member's plan or membership and judged for that member alone;
another member is named by a membership the caller is shown, and is refused alike where there is none; who
says yes or no for a member is who decides about his membership.
Source: protos/exchange/v1/household_service.proto; Jeugdwet 1.1, 4.1.2; Wmo 2015 2.3.2, 5.3.3; ADR 76, 77.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.household import (
    HOUSEHOLD,
    MEMBERSHIP,
    AnswerDirector,
    AnswerGoal,
    BeginMembership,
    Director,
    LeaveHousehold,
    NameDirector,
    NameInGoal,
    begin_membership,
    carries,
)
from exchange.domain.household import name_director as decide_director
from exchange.domain.plan.goals import refuse_unpursued
from exchange.domain.values import ROLES_THAT_LEAD
from exchange.errors import RequestInvalid, RuleBroken
from exchange.pipeline.households import (
    member_shown,
    membership_in,
    memberships_of,
    named_with_unseen,
    names_member,
    whole_of,
    works_on,
)
from exchange.pipeline.speakers import binds, refuse_not_to_end, refuse_undecided
from exchange.pipeline.walk import Steps
from exchange.server.contract.names import enum_names
from exchange.server.interceptor import Unary
from exchange.server.services.household_reading import get_household
from exchange.server.walks import author_of, command, receipt
from exchange.v1 import household_service_pb2 as pb

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.domain import Command
    from exchange.domain.household import MembershipState
    from exchange.pipeline.walk import CommandOutcome, View
    from exchange.server.house import Call

MEMBERSHIP_ID: Final = "membership_id"


async def open_household(call: Call, request: pb.OpenHouseholdRequest) -> pb.OpenHouseholdResponse:
    """Open a household with its first member."""
    outcome = await _begin(call, request, lambda _view: call.house.parts.fresh_uuid(), opens=True)
    return pb.OpenHouseholdResponse(receipt=receipt(outcome), membership_id=outcome.ids[MEMBERSHIP_ID])


async def join_household(call: Call, request: pb.JoinHouseholdRequest) -> pb.JoinHouseholdResponse:
    """Let a resident be a member beside somebody the caller is shown."""
    beside = stream_of(MEMBERSHIP.name, request.beside_membership_id)

    def found(view: View) -> str:
        # One's own, whose consent has lapsed, says where to renew it; sealed it is not in this view.
        own, plan = view.state(beside), view.state(stream_of("plan", request.plan_id))
        if own is not None and not own.ended and own.plan_id == plan.plan_id:
            household_id: str = own.household_id
            return household_id
        return _shown(call, whole_of(view), request.beside_membership_id).household_id

    outcome = await _begin(call, request, found, opens=False)
    return pb.JoinHouseholdResponse(receipt=receipt(outcome), membership_id=outcome.ids[MEMBERSHIP_ID])


async def _begin(
    call: Call,
    request: pb.OpenHouseholdRequest | pb.JoinHouseholdRequest,
    household_of: Callable[[View], str],
    *,
    opens: bool,
) -> CommandOutcome:
    anchor, consent_stream = stream_of("plan", request.plan_id), stream_of("consent", request.consent_id)
    membership_id = call.house.parts.fresh_uuid()
    role = enum_names(pb.MemberRole.DESCRIPTOR).stored(request.role)
    caller, now = call.caller, call.now

    def process(view: View) -> Steps:
        plan = view.state(anchor)
        if plan is None:
            raise RuleBroken("there is no such plan", rule="NO_PLAN")
        resident, consent = view.state(stream_of("resident", plan.resident)), view.state(consent_stream)
        order = BeginMembership(
            now=now,
            author=author_of(caller),
            membership_id=membership_id,
            household_id=household_of(view),
            resident=plan.resident,
            case_id=plan.case_id,
            plan_id=plan.plan_id,
            role=role,
            consent_id=request.consent_id,
            opens=opens,
        )
        household = whole_of(view).state(stream_of(HOUSEHOLD.name, order.household_id))
        known = membership_in(view, plan.resident, order.household_id)
        others = memberships_of(view, plan.resident, caller, now)
        carried = carries(consent, plan.resident, caller.recipient_id, now)
        appends = begin_membership(
            order,
            household,
            consented=resident is not None and carried and binds(resident, consent, day_of(now)),
            known=known,
            others=[one for one in others if one.household_id != order.household_id],
        )
        return Steps(appends, {MEMBERSHIP_ID: membership_id if known is None else known.membership_id})

    return await command(call, request, anchor=anchor, process=process, streams=(consent_stream,))


async def leave_household(call: Call, request: pb.LeaveHouseholdRequest) -> pb.LeaveHouseholdResponse:
    """End a membership; it asks no more than joining did, and when it answers nothing is shown by it."""
    stream, author = _stream(request), author_of(call.caller)
    order = LeaveHousehold(
        now=call.now,
        author=author,
        reason=enum_names(pb.LeaveReason.DESCRIPTOR).stored(request.reason),
    )

    def process(view: View) -> Steps:
        member, whole = view.state(stream), whole_of(view)
        if member is not None:
            resident = whole.state(stream_of("resident", member.resident))
            consent = whole.state(stream_of("consent", member.consent_id))
            if resident is not None and consent is not None:
                refuse_not_to_end(resident, consent, author, day_of(call.now))
        return Steps(((stream, MEMBERSHIP.decide(order, member)),))

    outcome = await command(call, request, anchor=stream, process=process, fence=True, takes_back=True)
    return pb.LeaveHouseholdResponse(receipt=receipt(outcome))


async def name_director(call: Call, request: pb.NameDirectorRequest) -> pb.NameDirectorResponse:
    """Name the one director of the household of a member."""
    appointment_id = call.house.parts.fresh_uuid()
    named = _director(request)

    def process(view: View) -> Steps:
        whole = whole_of(view)
        member = _shown(call, whole, request.membership_id)
        relation = works_on(view, member, named, call.now)
        order = NameDirector(
            now=call.now,
            author=author_of(call.caller),
            appointment_id=appointment_id,
            oin=named.oin,
            task=named.task,
            professional=named.professional,
            leads=relation is not None and relation.role in ROLES_THAT_LEAD,
        )
        household = whole.state(stream_of(HOUSEHOLD.name, member.household_id))
        return Steps(decide_director(order, member, household))

    outcome = await command(call, request, anchor=_stream(request), process=process, fence=True)
    return pb.NameDirectorResponse(receipt=receipt(outcome))


async def answer_director(call: Call, request: pb.AnswerDirectorRequest) -> pb.AnswerDirectorResponse:
    """Record a member's word about the director."""
    named = _director(request)

    def decided(view: View, member: MembershipState) -> Command:
        household = whole_of(view).state(stream_of(HOUSEHOLD.name, member.household_id))
        now = None if household is None else household.director
        is_it = now is not None and (now.oin, now.task, now.professional) == (
            named.oin,
            named.task,
            named.professional,
        )
        return AnswerDirector(
            now=call.now,
            author=author_of(call.caller),
            appointment_id=now.appointment_id if now is not None and is_it else "",
            oin=named.oin,
            task=named.task,
            professional=named.professional,
            accepted=request.accepted,
            on_case=works_on(view, member, named, call.now) is not None,
        )

    outcome = await _of_member(call, request, decided)
    return pb.AnswerDirectorResponse(receipt=receipt(outcome))


async def name_in_goal(call: Call, request: pb.NameInGoalRequest) -> pb.NameInGoalResponse:
    """Let a goal of a member's plan be one of the household."""
    stream, asked = _stream(request), tuple(request.membership_ids)

    def process(view: View) -> Steps:
        whole = whole_of(view)
        member = _shown(call, whole, request.membership_id)
        _refuse_outsiders(call, whole, member, asked)
        order = NameInGoal(
            now=call.now,
            author=author_of(call.caller),
            goal_id=request.goal_id,
            membership_ids=named_with_unseen(
                whole, member.named_in(request.goal_id), asked, call.caller, call.now
            ),
        )
        refuse_unpursued(view.state(stream_of("plan", member.plan_id)), (order.goal_id,))
        return Steps(((stream, MEMBERSHIP.decide(order, member)),))

    outcome = await command(call, request, anchor=stream, process=process)
    return pb.NameInGoalResponse(receipt=receipt(outcome))


def _refuse_outsiders(call: Call, whole: View, member: MembershipState, named: tuple[str, ...]) -> None:
    """Refuse who is not there to the caller in this household, whatever the reason, by place in the list."""
    faults = {}
    for index, membership_id in enumerate(named):
        other = member_shown(whole, membership_id, call.caller, call.now)
        if other is None or other.household_id != member.household_id or other.resident == member.resident:
            faults[f"membership_ids[{index}]"] = "is no other member of this household"
    if faults:
        raise RequestInvalid("a goal is named for a resident outside the household", fields=faults)


async def answer_goal(call: Call, request: pb.AnswerGoalRequest) -> pb.AnswerGoalResponse:
    """Record a member's word about a goal that names him."""

    def decided(view: View, member: MembershipState) -> Command:
        beside, goal_id, whole = request.beside_membership_id, request.goal_id, whole_of(view)
        # Who said yes takes it back, whatever became of the goal: he learns nothing by it.
        takes_back = not request.accepted and (beside, goal_id) in member.agreed
        named = names_member(whole, (beside, goal_id), member, call.caller, call.now)
        return AnswerGoal(
            now=call.now,
            author=author_of(call.caller),
            beside_membership_id=beside,
            goal_id=goal_id,
            accepted=request.accepted,
            named=named or takes_back,
        )

    outcome = await _of_member(call, request, decided)
    return pb.AnswerGoalResponse(receipt=receipt(outcome))


async def _of_member(
    call: Call,
    request: Any,  # noqa: ANN401 -- a message by which a member says yes or no
    decided: Callable[[View, MembershipState], Command],
) -> CommandOutcome:
    """Walk a member's own word: of the resident's side, by who decides about the membership."""
    stream, author = _stream(request), author_of(call.caller)

    def process(view: View) -> Steps:
        whole = whole_of(view)
        member = _shown(call, whole, request.membership_id)
        if author.is_residents_side:
            resident = whole.state(stream_of("resident", member.resident))
            consent = whole.state(stream_of("consent", member.consent_id))
            refuse_undecided(resident, consent, author, day_of(call.now))
        return Steps(((stream, MEMBERSHIP.decide(decided(view, member), member)),))

    return await command(call, request, anchor=stream, process=process, fence=not request.accepted)


def _shown(call: Call, whole: View, membership_id: str) -> MembershipState:
    member = member_shown(whole, membership_id, call.caller, call.now)
    if member is None:
        raise RuleBroken("there is no such membership", rule="NO_MEMBERSHIP")
    return member


def _director(request: pb.NameDirectorRequest | pb.AnswerDirectorRequest) -> Director:
    return Director("", request.director_oin, request.director_task, request.director_professional)


def _stream(request: Any) -> str:  # noqa: ANN401 -- a message that names a membership
    return stream_of(MEMBERSHIP.name, request.membership_id)


RPCS: Final[Mapping[str, Unary]] = {
    "OpenHousehold": Unary(pb.OpenHouseholdRequest, open_household),
    "JoinHousehold": Unary(pb.JoinHouseholdRequest, join_household),
    "LeaveHousehold": Unary(pb.LeaveHouseholdRequest, leave_household),
    "NameDirector": Unary(pb.NameDirectorRequest, name_director),
    "AnswerDirector": Unary(pb.AnswerDirectorRequest, answer_director),
    "NameInGoal": Unary(pb.NameInGoalRequest, name_in_goal),
    "AnswerGoal": Unary(pb.AnswerGoalRequest, answer_goal),
    "GetHousehold": Unary(pb.GetHouseholdRequest, get_household),
}
