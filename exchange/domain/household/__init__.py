"""Households: two aggregates, the household and the membership of each member, and how they begin together.

Promises: a household holds no resident: it lists memberships by ids that say nothing, and who directs. All
that is of a member is on the member's own stream, under his own keys, and rests on a consent of his own: it
goes with him, and nobody else's goes along. Nothing of a plan stands here.
Source: protos/exchange/v1/household_service.proto; the domain's design section 2 (P17); Jeugdwet 1.1 and
4.1.2 (familiegroepsplan); exchange/decisions/0076-a-household-is-its-members.md.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from exchange.domain.household import decide
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
    DirectorProposed,
    GoalAnswered,
    GoalNamed,
    HouseholdOpened,
    MemberAdded,
    MembershipBegun,
    MembershipEnded,
    MembershipRenewed,
)
from exchange.domain.household.state import (
    Director,
    HouseholdState,
    MembershipState,
    NamedGoal,
    begun,
    director_answered,
    director_named,
    director_proposed,
    ended,
    goal_answered,
    goal_named,
    member_added,
    opened,
    renewed,
)
from exchange.domain.household.words import MEMBERSHIPS_MAX, LeaveReason, MemberRole
from exchange.domain.kernel import Aggregate, Events, aggregate, stream_of
from exchange.domain.values import ConsentKind, ConsentStatus, DataCategory, Purpose
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.domain.consent import ConsentState

StreamsOfEvents = tuple[tuple[str, Events], ...]
# For bringing help in line, and for nothing else, somebody's help is looked at beside that of others at home.
PURPOSES: Final[frozenset[str]] = frozenset({Purpose.WMO_AFSTEMMING, Purpose.JEUGD_AFSTEMMING})

HOUSEHOLD: Final[Aggregate] = aggregate(
    "household",
    deciders={BeginMembership: decide.add_member, NameDirector: decide.name_director},
    founders={HouseholdOpened: opened},
    evolvers={MemberAdded: member_added, DirectorNamed: director_named},
)
MEMBERSHIP: Final[Aggregate] = aggregate(
    "membership",
    deciders={
        BeginMembership: decide.begin,
        LeaveHousehold: decide.leave,
        AnswerDirector: decide.answer_director,
        NameInGoal: decide.name_in_goal,
        AnswerGoal: decide.answer_goal,
    },
    founders={MembershipBegun: begun},
    evolvers={
        MembershipRenewed: renewed,
        MembershipEnded: ended,
        DirectorProposed: director_proposed,
        DirectorAnswered: director_answered,
        GoalNamed: goal_named,
        GoalAnswered: goal_answered,
    },
)


def carries(consent: "ConsentState | None", resident: str, recipient: str, now: "datetime") -> bool:
    """Tell whether this consent lets a resident be a member to a recipient (`<oin>/<task>`; empty: any) now.

    Whether who said yes decides it still hangs on age, capacity and records: that is asked elsewhere.
    """
    return (
        consent is not None
        and consent.state == ConsentStatus.GIVEN
        and consent.resident == resident
        and consent.kind == ConsentKind.STATUTORY
        and consent.purpose in PURPOSES
        and DataCategory.NETWERK in consent.categories
        and (not recipient or recipient in consent.recipients)
        and consent.start_time <= now < consent.end_time
    )


def begin_membership(
    order: BeginMembership,
    household: HouseholdState | None,
    *,
    consented: bool,
    known: MembershipState | None = None,
    others: Iterable[MembershipState] = (),
) -> StreamsOfEvents:
    """Decide on a membership over both streams; `known` is that of this resident here, standing or lapsed.

    `consented` says that a consent carries it that binds now; `others` are those in other households.
    """
    events = MEMBERSHIP.decide(order, known)
    if not consented:
        raise RuleBroken(
            "this resident's own consent to be a member is not given: ask it, with category NETWERK, for "
            "bringing help in line, and name who works on the case",
            rule="NOT_CONSENTED",
        )
    if known is not None:
        return ((stream_of(MEMBERSHIP.name, known.membership_id), events),)
    if len(tuple(others)) >= MEMBERSHIPS_MAX:
        raise RuleBroken("this resident is in the most households there can be", rule="MEMBERSHIPS_FULL")
    added = HOUSEHOLD.decide(order, household)
    # The member's own event comes first: by it the record of the command is about him.
    return (
        (stream_of(MEMBERSHIP.name, order.membership_id), events),
        (stream_of(HOUSEHOLD.name, order.household_id), added),
    )


def name_director(
    order: NameDirector, member: MembershipState, household: HouseholdState | None
) -> StreamsOfEvents:
    """Decide on the director over both streams: from whose case he was named is on that member's record."""
    named = HOUSEHOLD.decide(order, household)
    proposed = DirectorProposed(
        resident=member.resident,
        membership_id=member.membership_id,
        oin=order.oin,
        task=order.task,
        professional=order.professional,
        at=order.now,
    )
    return (
        (stream_of(MEMBERSHIP.name, member.membership_id), (proposed,)),
        (stream_of(HOUSEHOLD.name, member.household_id), named),
    )


__all__ = [
    "HOUSEHOLD",
    "MEMBERSHIP",
    "AnswerDirector",
    "AnswerGoal",
    "BeginMembership",
    "Director",
    "HouseholdState",
    "LeaveHousehold",
    "LeaveReason",
    "MemberRole",
    "MembershipState",
    "NameDirector",
    "NameInGoal",
    "NamedGoal",
    "begin_membership",
    "carries",
    "name_director",
]
