"""Which members of a household are there to a caller: found on each member's own streams, one by one.

Promises: a member who left, was erased, whose consent does not carry the membership any more, whose
membership is sealed to the caller, on whose case he does not work, or whose consent does not name him is not
there, each like one who never was; of nobody is anything taken from another member's streams or hidden by
another's seal.
Source: GDPR 5(1)(c), 7(3), 32; Wmo 2015 5.1.1(4), 5.3.3;
exchange/decisions/0076-a-household-is-its-members.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import stream_of
from exchange.domain.days import day_of
from exchange.domain.household import HOUSEHOLD, MEMBERSHIP, carries
from exchange.domain.household.words import NAMED_MAX
from exchange.domain.limits.compartments import MEMBERSHIP as SEALED_MEMBERSHIP
from exchange.domain.relations import has_conflict, relation_of
from exchange.domain.unlinked import case_without
from exchange.pipeline.facts import OWN_WORDS
from exchange.pipeline.sealed import MEMBERSHIP_PREFIX, kept_from
from exchange.pipeline.speakers import binds

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.domain.household import Director, HouseholdState, MembershipState, NamedGoal
    from exchange.pipeline.walk import Caller, View

NOBODY_RECIPIENT: Final = ""
# To whom this leaf is sealed there is no goal.
GOAL_LEAF: Final = "goals.goal_id"


@dataclass(frozen=True, slots=True)
class ShownMember:
    """A member as he is there to a caller: flat, as the contract tells it."""

    membership_id: str
    plan_id: str
    case_id: str
    role: str
    start_time: datetime
    director_oin: str
    director_task: str
    director_professional: str
    household_id: str
    origin: str
    named_goals: tuple[NamedGoal, ...]
    agreed: frozenset[tuple[str, str]]


def whole_of(view: View) -> View:
    """Return the view in which nothing is sealed: whose seals count is looked up for each member anew."""
    whole: View = getattr(view, "whole", view)
    return whole


def member_shown(view: View, membership_id: str, caller: Caller, now: datetime) -> MembershipState | None:
    """Return a membership that is there to the caller; `view` is one in which nothing is sealed."""
    member: MembershipState | None = view.state(stream_of(MEMBERSHIP.name, membership_id))
    if member is None or member.ended or not _stands(view, member, caller, now):
        return None
    return member if _is_told(view, member, caller, now) else None


def memberships_of(view: View, resident: str, caller: Caller, now: datetime) -> tuple[MembershipState, ...]:
    """Return the memberships of one resident that are there to the caller, oldest first."""
    whole = whole_of(view)
    found = (
        member_shown(whole, stream.removeprefix(MEMBERSHIP_PREFIX), caller, now)
        for stream in whole.scope(resident)
        if stream.startswith(MEMBERSHIP_PREFIX)
    )
    standing = [one for one in found if one is not None]
    return tuple(sorted(standing, key=lambda one: (one.start_time, one.membership_id)))


def membership_in(view: View, resident: str, household_id: str) -> MembershipState | None:
    """Return the membership of a resident in a household, lapsed or not, unless `view` leaves it out."""
    states = (view.state(one) for one in whole_of(view).scope(resident) if one.startswith(MEMBERSHIP_PREFIX))
    return next(
        (one for one in states if one is not None and not one.ended and one.household_id == household_id),
        None,
    )


def as_shown(view: View, member: MembershipState, caller: Caller, now: datetime) -> ShownMember:
    """Return what is told of a member who is there: his director where he said yes to who is it now."""
    director = _director(view, member, caller, now)
    return ShownMember(
        membership_id=member.membership_id,
        plan_id=member.plan_id,
        case_id=member.case_id,
        role=member.role,
        start_time=member.start_time,
        director_oin="" if director is None else director.oin,
        director_task="" if director is None else director.task,
        director_professional="" if director is None else director.professional,
        household_id=member.household_id,
        origin=member.origin,
        named_goals=member.named_goals,
        agreed=member.agreed,
    )


def named_with_unseen(
    view: View, before: NamedGoal | None, named: tuple[str, ...], caller: Caller, now: datetime
) -> tuple[str, ...]:
    """Return whom a goal names once the caller names it: who is not shown to him stays named beside them.

    `before` is how it stood. He neither takes away whom he cannot see, nor finds by a receipt that there is
    somebody.
    """
    if before is None:
        return named
    unseen = tuple(
        one
        for one in before.membership_ids
        if one not in named and member_shown(view, one, caller, now) is None
    )
    # So many at most, and who is asked for first: a limit that counted who is unseen would tell of him.
    whole = (*named, *unseen)[: max(NAMED_MAX, len(named))]
    # In another order it is the same goal: an order in which somebody unseen stands tells of him.
    return before.membership_ids if frozenset(whole) == frozenset(before.membership_ids) else whole


def works_on(view: View, member: MembershipState, director: Director, now: datetime) -> Any:  # noqa: ANN401 -- Professional, or None
    """Return the part somebody has in a member's case now; `view` may be one that leaves links out."""
    case = view.state(stream_of("case", member.case_id))
    return relation_of(case, director.oin, director.task, director.professional, now)


def _stands(view: View, member: MembershipState, caller: Caller, now: datetime) -> bool:
    """Tell whether the member's consent carries the membership, to this caller, by who decides it now."""
    resident = view.state(stream_of("resident", member.resident))
    consent = view.state(stream_of("consent", member.consent_id))
    # To the resident's own side it is there whomever it names.
    recipient = NOBODY_RECIPIENT if caller.task in OWN_WORDS else caller.recipient_id
    carried = carries(consent, member.resident, recipient, now)
    return resident is not None and carried and binds(resident, consent, day_of(now))


def _is_told(view: View, member: MembershipState, caller: Caller, now: datetime) -> bool:
    """Tell whether the caller has to do with this member, and the member's seals let him know of it."""
    case = view.state(stream_of("case", member.case_id))
    relation = relation_of(case, caller.organisation, caller.task, caller.professional, now)
    role = "" if relation is None else relation.role
    kept = kept_from(view.state(stream_of("resident", member.resident)), caller, role)
    if caller.task in OWN_WORDS:
        related = caller.resident == member.resident
    else:
        related = relation is not None and not has_conflict(case, caller.organisation, caller.professional)
    return related and SEALED_MEMBERSHIP not in kept.collections


def _director(view: View, member: MembershipState, caller: Caller, now: datetime) -> Director | None:
    household: HouseholdState | None = view.state(stream_of(HOUSEHOLD.name, member.household_id))
    said = member.director
    if household is None or said is None or said != household.director:
        return None
    case = view.state(stream_of("case", member.case_id))
    kept = kept_from(view.state(stream_of("resident", member.resident)), caller)
    seen = None if case is None else case_without(case, kept.links)
    return None if relation_of(seen, said.oin, said.task, said.professional, now) is None else said


def names_member(
    view: View, goal: tuple[str, str], member: MembershipState, caller: Caller, now: datetime
) -> bool:
    """Tell whether a goal (membership, goal) of another member of this household names this one.

    Not where that other member, or his goals, are sealed to who answers: then there is no such goal.
    """
    beside_id, goal_id = goal
    other: MembershipState | None = view.state(stream_of(MEMBERSHIP.name, beside_id))
    if other is None or other.ended or other.household_id != member.household_id:
        return False
    resident = view.state(stream_of("resident", other.resident))
    consent = view.state(stream_of("consent", other.consent_id))
    if resident is None or not carries(consent, other.resident, NOBODY_RECIPIENT, now):
        return False
    goal_of_both = other.named_in(goal_id)
    named = goal_of_both is not None and member.membership_id in goal_of_both.membership_ids
    kept = kept_from(resident, caller)
    sealed = SEALED_MEMBERSHIP in kept.collections or GOAL_LEAF in kept.paths
    return named and not sealed and binds(resident, consent, day_of(now))
