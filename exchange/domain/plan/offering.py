"""What a resident offers others, and what he asks of them: said by himself, taken back whenever he likes.

Promises: nobody but the resident's side offers, asks or takes back; a place is a neighbourhood and never an
address; what is taken back, no match stands on. Nothing follows from an offer for the resident
who makes it: no rule of a plan looks at one.
Source: the domain's design sections 2 (P13) and 3; GDPR 7(3); Participatiewet 9(1)(c) (what an offer is not).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import existing, refuse_full
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.offered import Contribution, Wish
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import OfferKind
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import Author, DataCategory, origin_of
from exchange.errors import RuleBroken

HOURS_MIN: Final = 1
HOURS_MAX: Final = 40
# "buurtcode" of Statistics Netherlands: municipality, district, neighbourhood.
_NEIGHBOURHOOD: Final = re.compile(r"BU[0-9]{8}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms(AuthoredCommand):
    """What is offered or asked, where, for how long. `end_date` is the last day; None has no end."""

    kind: str
    neighbourhood: str
    hours_a_week: int
    start_date: date
    end_date: date | None = None
    own_words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferContribution(Terms):
    """Offer something to others."""

    contribution_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawContribution(AuthoredCommand):
    """Take an offer back."""

    contribution_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWish(Terms):
    """Ask something of others."""

    wish_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseWish(AuthoredCommand):
    """Ask it no longer."""

    wish_id: str


def offered_words(*fields: str) -> Mapping[str, str]:
    """Return these fields as sealed with what the resident offers and asks."""
    return MappingProxyType(dict.fromkeys(fields, DataCategory.AANBOD.value))


_TERMS: Final = ("kind", "neighbourhood", "hours_a_week", "start_date", "end_date", "own_words")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionOffered(PlanEvent):
    """The resident offers something to others."""

    TOPIC: ClassVar[str] = "plan.contribution_offered.v1"
    SEALED: ClassVar[Mapping[str, str]] = offered_words(*_TERMS)
    contribution_id: str
    kind: str
    neighbourhood: str
    hours_a_week: int
    start_date: date
    end_date: date | None
    own_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContributionWithdrawn(PlanEvent):
    """The resident offers it no longer."""

    TOPIC: ClassVar[str] = "plan.contribution_withdrawn.v1"
    contribution_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WishOpened(PlanEvent):
    """The resident asks something of others."""

    TOPIC: ClassVar[str] = "plan.wish_opened.v1"
    SEALED: ClassVar[Mapping[str, str]] = offered_words(*_TERMS)
    wish_id: str
    kind: str
    neighbourhood: str
    hours_a_week: int
    start_date: date
    end_date: date | None
    own_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WishClosed(PlanEvent):
    """The resident asks it no longer."""

    TOPIC: ClassVar[str] = "plan.wish_closed.v1"
    wish_id: str


def refuse_but_residents_side(author: Author) -> None:
    """Refuse who would offer, ask or answer in a resident's place."""
    if not author.is_residents_side:
        raise RuleBroken("only the resident's side offers, asks and answers", rule="NOT_RESIDENTS_SIDE")


def _refuse_terms(said: Terms) -> None:
    ends_early = said.end_date is not None and said.end_date < said.start_date
    placed = _NEIGHBOURHOOD.fullmatch(said.neighbourhood)
    refuse_faults(
        {
            "kind": member_fault(OfferKind, said.kind),
            "neighbourhood": FINE if placed else "must be the code of a neighbourhood: BU and 8 digits",
            "hours_a_week": range_fault(said.hours_a_week, HOURS_MIN, HOURS_MAX),
            "start_date": day_fault(said.start_date),
            "end_date": "must not lie before the start"
            if ends_early
            else day_fault(said.end_date, required=False),
            "own_words": text_fault(said.own_words, required=False),
        }
    )


def offer_contribution(command: OfferContribution, state: PlanState | None) -> Events:
    """Decide on an offer; also where the plan is closed: who is helped enough may help."""
    plan = existing(state)
    refuse_but_residents_side(command.author)
    _refuse_terms(command)
    refuse_faults({"contribution_id": token_fault(command.contribution_id)})
    refuse_full(plan, "contributions")
    event = ContributionOffered(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        contribution_id=command.contribution_id,
        **{name: getattr(command, name) for name in _TERMS},
    )
    return (event,)


def open_wish(command: OpenWish, state: PlanState | None) -> Events:
    """Decide on what is asked of others."""
    plan = existing(state)
    refuse_but_residents_side(command.author)
    _refuse_terms(command)
    refuse_faults({"wish_id": token_fault(command.wish_id)})
    refuse_full(plan, "wishes")
    opened = WishOpened(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        wish_id=command.wish_id,
        **{name: getattr(command, name) for name in _TERMS},
    )
    return (opened,)


def withdraw_contribution(command: WithdrawContribution, state: PlanState | None) -> Events:
    """Decide on an offer that is taken back."""
    plan = existing(state)
    refuse_but_residents_side(command.author)
    found = next((one for one in plan.contributions if one.contribution_id == command.contribution_id), None)
    if found is None or found.ended:
        raise RuleBroken("this plan has no such offer that stands", rule="CONTRIBUTION_UNKNOWN")
    withdrawn = ContributionWithdrawn(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        contribution_id=command.contribution_id,
    )
    return (withdrawn,)


def close_wish(command: CloseWish, state: PlanState | None) -> Events:
    """Decide on what is asked no longer."""
    plan = existing(state)
    refuse_but_residents_side(command.author)
    found = next((one for one in plan.wishes if one.wish_id == command.wish_id), None)
    if found is None or found.ended:
        raise RuleBroken("this plan has no such wish that is open", rule="WISH_UNKNOWN")
    closed = WishClosed(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        wish_id=command.wish_id,
    )
    return (closed,)


def offered(event: ContributionOffered) -> Contribution:
    """Return the offer that an event tells of."""
    return Contribution(
        contribution_id=event.contribution_id,
        origin=origin_of(event.task, event.organisation),
        **{name: getattr(event, name) for name in _TERMS},
    )


def _contribution_offered(state: PlanState, event: ContributionOffered) -> PlanState:
    contributions = (*state.contributions, offered(event))
    return with_changes(state, version=state.version + 1, contributions=contributions)


def _wish_opened(state: PlanState, event: WishOpened) -> PlanState:
    wish = Wish(
        wish_id=event.wish_id,
        origin=origin_of(event.task, event.organisation),
        **{name: getattr(event, name) for name in _TERMS},
    )
    return with_changes(state, version=state.version + 1, wishes=(*state.wishes, wish))


def _contribution_withdrawn(state: PlanState, event: ContributionWithdrawn) -> PlanState:
    contributions = tuple(
        with_changes(one, ended=True) if one.contribution_id == event.contribution_id else one
        for one in state.contributions
    )
    return with_changes(state, version=state.version + 1, contributions=contributions)


def _wish_closed(state: PlanState, event: WishClosed) -> PlanState:
    wishes = tuple(
        with_changes(one, ended=True) if one.wish_id == event.wish_id else one for one in state.wishes
    )
    return with_changes(state, version=state.version + 1, wishes=wishes)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {
        OfferContribution: offer_contribution,
        WithdrawContribution: withdraw_contribution,
        OpenWish: open_wish,
        CloseWish: close_wish,
    }
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {
        ContributionOffered: _contribution_offered,
        ContributionWithdrawn: _contribution_withdrawn,
        WishOpened: _wish_opened,
        WishClosed: _wish_closed,
    }
)
