"""What may happen to one household and to one membership, each on its own stream.

Promises: who ended is a member no more, and nothing else is refused for it; a repeated order that changes
nothing gives no events; who is no director, and which goal does not name somebody, are refused like what
never was.
Source: protos/exchange/v1/household_service.proto; Jeugdwet 1.1 and 4.1.2-4.1.3 (familiegroepsplan); Wmo
2015 2.3.2.
"""

from exchange.domain.household.commands import (
    AnswerDirector,
    AnswerGoal,
    BeginMembership,
    LeaveHousehold,
    NameDirector,
    NameInGoal,
)
from exchange.domain.household.events import (
    DirectorAnswered,
    DirectorNamed,
    GoalAnswered,
    GoalNamed,
    HouseholdOpened,
    MemberAdded,
    MembershipBegun,
    MembershipEnded,
    MembershipRenewed,
)
from exchange.domain.household.state import Director, HouseholdState, MembershipState, NamedGoal
from exchange.domain.household.words import (
    MEMBERS_EVER_MAX,
    NAMED_GOALS_MAX,
    NAMED_MAX,
    LeaveReason,
    MemberRole,
)
from exchange.domain.kernel import AuthoredCommand, Events
from exchange.domain.mandate import refuse_but_college, refuse_but_operators_college
from exchange.domain.shape import member_fault, oin_fault, refuse_faults, token_fault, tokens_fault
from exchange.errors import RuleBroken


def standing(state: MembershipState | None) -> MembershipState:
    """Return a membership that was not ended. Raises RuleBroken."""
    if state is None or state.ended:
        raise RuleBroken("there is no such membership", rule="NO_MEMBERSHIP")
    return state


def add_member(command: BeginMembership, state: HouseholdState | None) -> Events:
    """Decide on a membership, on the household's side: open one, or find room in it."""
    added = MemberAdded(
        household_id=command.household_id, membership_id=command.membership_id, at=command.now
    )
    if command.opens:
        new = HouseholdOpened(
            household_id=command.household_id,
            organisation=command.author.oin,
            task=command.author.task,
            at=command.now,
        )
        return (new, added)
    if state is None:
        raise RuleBroken("there is no such membership", rule="NO_MEMBERSHIP")
    if len(state.membership_ids) >= MEMBERS_EVER_MAX:
        raise RuleBroken("this household had the most members it can have", rule="HOUSEHOLD_FULL")
    return (added,)


def begin(command: BeginMembership, state: MembershipState | None) -> Events:
    """Decide on a membership, on the member's own side; of who is a member already: on another consent."""
    refuse_but_college(command.author)
    refuse_faults({"role": member_fault(MemberRole, command.role)})
    if state is not None and not state.ended:
        if state.consent_id == command.consent_id:
            raise RuleBroken("this resident is a member already, on this very consent", rule="ALREADY_MEMBER")
        renewed = MembershipRenewed(
            resident=state.resident,
            membership_id=state.membership_id,
            role=command.role,
            consent_id=command.consent_id,
            at=command.now,
        )
        return (renewed,)
    begun = MembershipBegun(
        resident=command.resident,
        membership_id=command.membership_id,
        household_id=command.household_id,
        case_id=command.case_id,
        plan_id=command.plan_id,
        role=command.role,
        consent_id=command.consent_id,
        organisation=command.author.oin,
        task=command.author.task,
        at=command.now,
    )
    return (begun,)


def leave(command: LeaveHousehold, state: MembershipState | None) -> Events:
    """End it: the resident's side, or a college. Who left has left."""
    if state is None:
        raise RuleBroken("there is no such membership", rule="NO_MEMBERSHIP")
    refuse_faults({"reason": member_fault(LeaveReason, command.reason)})
    if not (command.author.is_residents_side or command.author.is_college):
        raise RuleBroken("the resident's side says this, or a college that heard it", rule="NOT_TO_SAY")
    if state.ended:
        return ()
    ended = MembershipEnded(
        resident=state.resident,
        membership_id=state.membership_id,
        reason=command.reason,
        at=command.now,
    )
    return (ended,)


def _person_faults(command: NameDirector | AnswerDirector) -> dict[str, str]:
    return {
        "director_oin": oin_fault(command.oin),
        "director_task": token_fault(command.task),
        "director_professional": token_fault(command.professional),
    }


def name_director(command: NameDirector, state: HouseholdState | None) -> Events:
    """Name the one director. It is about a family, whatever law a part of its help is of."""
    if state is None:
        raise RuleBroken("there is no such membership", rule="NO_MEMBERSHIP")
    refuse_faults(_person_faults(command))
    refuse_but_operators_college(command.author)
    if not command.leads:
        raise RuleBroken(
            "who directs a household leads the case of one of its members: let him have that lead first",
            rule="NOT_LEADING",
        )
    # Who is it already stays it, by the same appointment; recorded all the same, so that no receipt tells who
    # was named from the case of somebody the caller is not shown.
    now = state.director
    stays = now is not None and (now.oin, now.task, now.professional) == _who(command)
    named = DirectorNamed(
        household_id=state.household_id,
        appointment_id=now.appointment_id if now is not None and stays else command.appointment_id,
        oin=command.oin,
        task=command.task,
        professional=command.professional,
        at=command.now,
    )
    return (named,)


def _who(command: NameDirector) -> tuple[str, str, str]:
    return (command.oin, command.task, command.professional)


def _of_residents_side(command: AuthoredCommand, state: MembershipState | None) -> MembershipState:
    member = standing(state)
    if not command.author.is_residents_side:
        raise RuleBroken("only the resident's side says yes or no to this", rule="NOT_RESIDENTS_SIDE")
    return member


def answer_director(command: AnswerDirector, state: MembershipState | None) -> Events:
    """Record a member's word about the director."""
    member = _of_residents_side(command, state)
    refuse_faults(_person_faults(command))
    if not command.appointment_id:
        raise RuleBroken("this is not the director of the household", rule="NO_SUCH_DIRECTOR")
    if command.accepted and not command.on_case:
        raise RuleBroken(
            "who directs a member works on that member's case: let him join it first",
            rule="DIRECTOR_NOT_ON_CASE",
        )
    said = Director(command.appointment_id, command.oin, command.task, command.professional)
    if member.director == (said if command.accepted else None):
        return ()
    answered = DirectorAnswered(
        resident=member.resident,
        membership_id=member.membership_id,
        appointment_id=command.appointment_id,
        oin=command.oin,
        task=command.task,
        professional=command.professional,
        accepted=command.accepted,
        at=command.now,
    )
    return (answered,)


def name_in_goal(command: NameInGoal, state: MembershipState | None) -> Events:
    """Let a goal be one of the household; that the goal and the members are there, was found before."""
    member = standing(state)
    refuse_but_college(command.author)
    refuse_faults({"membership_ids": tokens_fault(command.membership_ids, NAMED_MAX)})
    before = member.named_in(command.goal_id)
    if before == NamedGoal(command.goal_id, command.membership_ids):
        return ()
    if before is None and len(member.named_goals) >= NAMED_GOALS_MAX:
        raise RuleBroken("this member names others in the most goals there can be", rule="GOALS_FULL")
    named = GoalNamed(
        resident=member.resident,
        membership_id=member.membership_id,
        goal_id=command.goal_id,
        membership_ids=command.membership_ids,
        at=command.now,
    )
    return (named,)


def answer_goal(command: AnswerGoal, state: MembershipState | None) -> Events:
    """Record a member's word about a goal that names him."""
    member = _of_residents_side(command, state)
    if not command.named:
        raise RuleBroken("there is no such goal that names this member", rule="NO_SUCH_GOAL")
    agreed = (command.beside_membership_id, command.goal_id) in member.agreed
    if agreed == command.accepted:
        return ()
    answered = GoalAnswered(
        resident=member.resident,
        membership_id=member.membership_id,
        beside_membership_id=command.beside_membership_id,
        goal_id=command.goal_id,
        accepted=command.accepted,
        at=command.now,
    )
    return (answered,)
