"""A household and a membership as they stand, and how each event changes them.

Promises: `evolve` refuses nothing; one director at a time; the newest word of a member about a goal counts,
and about the director his word about the very appointment.
Source: protos/exchange/v1/household_service.proto.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from exchange.domain.household.events import (
    DirectorAnswered,
    DirectorNamed,
    DirectorProposed,
    GoalAnswered,
    GoalNamed,
    HouseholdOpened,
    MemberAdded,
    MembershipBegun,
    MembershipEnded,
    MembershipRenewed,
)
from exchange.domain.kernel import with_changes
from exchange.domain.values import origin_of

NOTHING_AGREED: Final[frozenset[tuple[str, str]]] = frozenset()


@dataclass(frozen=True, slots=True)
class Director:
    """Who directs, by which appointment."""

    appointment_id: str
    oin: str
    task: str
    professional: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdState:
    """A household: every membership there ever was, in the order they came, and the director."""

    household_id: str
    membership_ids: tuple[str, ...] = ()
    director: Director | None = None


@dataclass(frozen=True, slots=True)
class NamedGoal:
    """A goal of the household, and the other memberships it names."""

    goal_id: str
    membership_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipState:
    """The part of one member.

    `director` is whom the member said yes to, whether he still is it or not; `agreed` are goals of others he
    said yes to: (membership, goal).
    """

    membership_id: str
    household_id: str
    resident: str
    case_id: str
    plan_id: str
    role: str
    consent_id: str
    origin: str
    start_time: datetime
    ended: bool = False
    director: Director | None = None
    named_goals: tuple[NamedGoal, ...] = ()
    agreed: frozenset[tuple[str, str]] = NOTHING_AGREED

    def named_in(self, goal_id: str) -> NamedGoal | None:
        """Return whom a goal of this member names, None where it is none of the household."""
        return next((one for one in self.named_goals if one.goal_id == goal_id), None)


def opened(_state: HouseholdState | None, event: HouseholdOpened) -> HouseholdState:
    """Begin."""
    return HouseholdState(household_id=event.household_id)


def member_added(state: HouseholdState, event: MemberAdded) -> HouseholdState:
    """Add a membership, once."""
    if event.membership_id in state.membership_ids:
        return state
    return with_changes(state, membership_ids=(*state.membership_ids, event.membership_id))


def director_named(state: HouseholdState, event: DirectorNamed) -> HouseholdState:
    """Let this be the one director."""
    return with_changes(
        state, director=Director(event.appointment_id, event.oin, event.task, event.professional)
    )


def begun(_state: MembershipState | None, event: MembershipBegun) -> MembershipState:
    """Begin."""
    return MembershipState(
        membership_id=event.membership_id,
        household_id=event.household_id,
        resident=event.resident,
        case_id=event.case_id,
        plan_id=event.plan_id,
        role=event.role,
        consent_id=event.consent_id,
        origin=origin_of(event.task, event.organisation),
        start_time=event.at,
    )


def renewed(state: MembershipState, event: MembershipRenewed) -> MembershipState:
    """Let it rest on another consent: who decides now is asked anew who directs, and about goals."""
    return with_changes(
        state, role=event.role, consent_id=event.consent_id, director=None, agreed=NOTHING_AGREED
    )


def ended(state: MembershipState, _event: MembershipEnded) -> MembershipState:
    """End it, for good."""
    return with_changes(state, ended=True)


def director_proposed(state: MembershipState, _event: DirectorProposed) -> MembershipState:
    """Keep the member as he is: he did not answer yet."""
    return state


def director_answered(state: MembershipState, event: DirectorAnswered) -> MembershipState:
    """Keep a yes; a no takes back the yes to the same appointment, and to an earlier one."""
    said = Director(event.appointment_id, event.oin, event.task, event.professional)
    return with_changes(state, director=said if event.accepted else None)


def goal_named(state: MembershipState, event: GoalNamed) -> MembershipState:
    """Let a goal name these members, in its place where it was named before."""
    new = NamedGoal(event.goal_id, event.membership_ids)
    if state.named_in(event.goal_id) is None:
        return with_changes(state, named_goals=(*state.named_goals, new))
    return with_changes(
        state, named_goals=tuple(new if one.goal_id == event.goal_id else one for one in state.named_goals)
    )


def goal_answered(state: MembershipState, event: GoalAnswered) -> MembershipState:
    """Keep the newest word."""
    goal = (event.beside_membership_id, event.goal_id)
    return with_changes(state, agreed=state.agreed | {goal} if event.accepted else state.agreed - {goal})
