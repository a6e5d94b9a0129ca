"""What recipients are told of one restriction and of its lifting, and what they say they did: `restriction`.

Promises: who got something the restriction reaches is told once of each plan, and who was told of it is told
that it ended; of which plan and for which of his own purposes, never why, by whom or against whom else. The
first answer to each of the two counts, until he is told of something more.
Source: GDPR 4(3), 18, 19.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, AuthoredCommand, Events, ResidentEvent, aggregate
from exchange.domain.shape import member_fault, refuse_faults
from exchange.errors import RuleBroken

# Without undue delay (GDPR 19). Who is told to stop answers sooner than who is told what to correct.
CONFIRM_WITHIN: Final = timedelta(days=7)
# For which purposes somebody was told tells how far the restriction reaches, which is sealed where it stands.
_SEALED: Final[Mapping[str, str]] = MappingProxyType({"purposes": "LOG"})


class RestrictionChange(StrEnum):
    """What a recipient is told."""

    RESTRICTED = "restricted"
    LIFTED = "lifted"


class RestrictionOutcome(StrEnum):
    """What a recipient says of it."""

    APPLIED = "applied"
    NOTHING_KEPT = "nothing_kept"
    NOT_APPLIED = "not_applied"


@dataclass(frozen=True, slots=True)
class Reached:
    """A recipient of something a restriction reaches: of which plans, and for which purposes he got it.

    `apart` tells that the resident's side may not know of it: he got it for an investigation alone.
    """

    organisation: str
    task: str
    plan_ids: tuple[str, ...]
    purposes: tuple[str, ...]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class ToldOfRestriction:
    """A recipient that was told, and what it answered; empty while it did not."""

    who: Reached
    change: str
    outcome: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TellRestricted(AuthoredCommand):
    """Tell recipients that processing is restricted; who was told of the same plans is not told again."""

    restriction_id: str
    resident: str
    recipients: tuple[Reached, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TellLifted(AuthoredCommand):
    """Tell everybody who was told of the restriction that it was lifted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmRestriction(AuthoredCommand):
    """A recipient says what it did; the author's organisation and task are the recipient."""

    change: str
    outcome: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionRecipientTold(ResidentEvent):
    """A recipient is told that what it got is restricted, or is so no more."""

    TOPIC: ClassVar[str] = "restriction.recipient_told.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED
    restriction_id: str
    organisation: str
    task: str
    plan_ids: tuple[str, ...]
    purposes: tuple[str, ...]
    change: str
    apart: bool
    due_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionConfirmed(ResidentEvent):
    """The recipient says what it did."""

    TOPIC: ClassVar[str] = "restriction.confirmed.v1"
    restriction_id: str
    organisation: str
    task: str
    professional: str
    change: str
    outcome: str
    apart: bool
    at: datetime


@dataclass(frozen=True, slots=True)
class RestrictionTold:
    """Who was told of one restriction."""

    resident: str
    restriction_id: str
    told: tuple[ToldOfRestriction, ...] = ()

    def known(self, organisation: str, task: str, change: str) -> ToldOfRestriction | None:
        """Return what this recipient was told of this change, all of it together."""
        wanted = (organisation, task, change)
        return next(
            (one for one in self.told if (one.who.organisation, one.who.task, one.change) == wanted), None
        )


# --- decide -----------------------------------------------------------------------------------------


def _tell_restricted(command: TellRestricted, state: RestrictionTold | None) -> Events:
    found = RestrictionTold(command.resident, command.restriction_id) if state is None else state
    told = []
    for one in command.recipients:
        before = found.known(one.organisation, one.task, RestrictionChange.RESTRICTED)
        seen = () if before is None else before.who.plan_ids
        plan_ids = tuple(plan for plan in one.plan_ids if plan not in seen)
        if before is None or plan_ids:
            told.append(_told(command, found, replace(one, plan_ids=plan_ids), RestrictionChange.RESTRICTED))
    return tuple(told)


def _tell_lifted(command: TellLifted, state: RestrictionTold | None) -> Events:
    told = () if state is None else state.told
    return tuple(
        _told(command, state, one.who, RestrictionChange.LIFTED)
        for one in told
        if state is not None
        and one.change == RestrictionChange.RESTRICTED
        and state.known(one.who.organisation, one.who.task, RestrictionChange.LIFTED) is None
    )


def _told(
    command: AuthoredCommand, state: RestrictionTold, who: Reached, change: RestrictionChange
) -> RestrictionRecipientTold:
    return RestrictionRecipientTold(
        resident=state.resident,
        restriction_id=state.restriction_id,
        organisation=who.organisation,
        task=who.task,
        plan_ids=who.plan_ids,
        purposes=who.purposes,
        change=change,
        apart=who.apart,
        due_at=command.now + CONFIRM_WITHIN,
        at=command.now,
    )


def _confirm(command: ConfirmRestriction, state: RestrictionTold | None) -> Events:
    refuse_faults(
        {
            "change": member_fault(RestrictionChange, command.change),
            "outcome": member_fault(RestrictionOutcome, command.outcome),
        }
    )
    author = command.author
    found = None if state is None else state.known(author.oin, author.task, command.change)
    if state is None or found is None:
        # Alike for one that never was, and one that others were told of.
        raise RuleBroken("this recipient was not told of such a restriction", rule="NO_SUCH_RESTRICTION")
    if found.outcome:
        return ()
    confirmed = RestrictionConfirmed(
        resident=state.resident,
        restriction_id=state.restriction_id,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        change=command.change,
        outcome=command.outcome,
        apart=found.who.apart,
        at=command.now,
    )
    return (confirmed,)


# --- evolve -----------------------------------------------------------------------------------------


def _recipient_told(state: RestrictionTold | None, event: RestrictionRecipientTold) -> RestrictionTold:
    """Fold `RestrictionRecipientTold`: who is told of something more has not answered to that yet."""
    known = RestrictionTold(event.resident, event.restriction_id) if state is None else state
    before = known.known(event.organisation, event.task, event.change)
    earlier = ((), ()) if before is None else (before.who.plan_ids, before.who.purposes)
    who = Reached(
        event.organisation,
        event.task,
        tuple(dict.fromkeys((*earlier[0], *event.plan_ids))),
        tuple(dict.fromkeys((*earlier[1], *event.purposes))),
        event.apart,
    )
    others = (one for one in known.told if one is not before)
    return replace(known, told=(*others, ToldOfRestriction(who, event.change)))


def _confirmed(state: RestrictionTold, event: RestrictionConfirmed) -> RestrictionTold:
    found = state.known(event.organisation, event.task, event.change)
    told = tuple(replace(one, outcome=event.outcome) if one is found else one for one in state.told)
    return replace(state, told=told)


RESTRICTION: Final[Aggregate] = aggregate(
    "restriction",
    deciders={TellRestricted: _tell_restricted, TellLifted: _tell_lifted, ConfirmRestriction: _confirm},
    founders={RestrictionRecipientTold: _recipient_told},
    evolvers={RestrictionConfirmed: _confirmed},
)
