"""What happens to a household and to the part of each of its members; topics are permanent.

Promises: an event of a household is about no resident, and holds ids that say nothing without the member's
own stream, and who the director is; an event of a membership is about that member alone and is sealed under
that member's key. Nothing of one member dies or is opened with another's key.
Source: protos/exchange/v1/household_service.proto; the design of the ledger, section 5.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import ClassVar

from exchange.domain.kernel import Event, ResidentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class HouseholdOpened(Event):
    """A household is there."""

    TOPIC: ClassVar[str] = "household.opened.v1"
    household_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberAdded(Event):
    """A membership is of this household; whose, and whether it stands, its own stream says."""

    TOPIC: ClassVar[str] = "household.member_added.v1"
    household_id: str
    membership_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorNamed(Event):
    """The household has this director; who was it before, is it no more."""

    TOPIC: ClassVar[str] = "household.director_named.v1"
    household_id: str
    appointment_id: str
    oin: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipEvent(ResidentEvent):
    """Something that happened to the part of one member."""

    membership_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipBegun(MembershipEvent):
    """A resident is a member of a household, on a consent of his own."""

    TOPIC: ClassVar[str] = "membership.begun.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"household_id": "NETWERK", "role": "NETWERK"})
    household_id: str
    case_id: str
    plan_id: str
    role: str
    consent_id: str
    organisation: str
    task: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipRenewed(MembershipEvent):
    """It rests on another consent from here on; what the member said before of director and goals is over."""

    TOPIC: ClassVar[str] = "membership.renewed.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"role": "NETWERK"})
    role: str
    consent_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MembershipEnded(MembershipEvent):
    """The resident is a member no more."""

    TOPIC: ClassVar[str] = "membership.ended.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"reason": "NETWERK"})
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorProposed(MembershipEvent):
    """From this member's case somebody was named director; if he directs this member, the member says."""

    TOPIC: ClassVar[str] = "membership.director_proposed.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"professional": "NETWERK"})
    oin: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorAnswered(MembershipEvent):
    """The member said yes or no to the director."""

    TOPIC: ClassVar[str] = "membership.director_answered.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"professional": "NETWERK"})
    appointment_id: str
    oin: str
    task: str
    professional: str
    accepted: bool
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalNamed(MembershipEvent):
    """A goal of this member's plan is one of the household, of these other members too: all that it names."""

    TOPIC: ClassVar[str] = "membership.goal_named.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"membership_ids": "WMO-PLAN"})
    goal_id: str
    membership_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalAnswered(MembershipEvent):
    """This member said yes or no to a goal of another member."""

    TOPIC: ClassVar[str] = "membership.goal_answered.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType({"beside_membership_id": "WMO-PLAN"})
    beside_membership_id: str
    goal_id: str
    accepted: bool
    at: datetime
