"""A wish of one resident and an offer of another, brought together without either seeing the other's file.

Promises: each side has a match of its own, under an id of its own, on its own plan; what the other side is,
says or does stands in it nowhere that is shown. A side where nobody was found is a side like any other. Both
said yes, and neither took anything back: then, and as long, the match is made.
Source: the domain's design section 2 (P13); GDPR 5(1)(c), 7(3), 25; exchange/decisions/0078-two-sides.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import ClassVar, Final, NamedTuple

from exchange.domain.days import day_of
from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import existing, refuse_full
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.offered import Contribution, Match, Wish
from exchange.domain.plan.offering import refuse_but_residents_side
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import MatchAnswer
from exchange.domain.shape import FINE, member_fault, refuse_faults, text_fault, token_fault
from exchange.domain.values import DataCategory, origin_of
from exchange.errors import RuleBroken

# Whose desk brings residents together: no college, so that nothing of a benefit is near.
MATCHING_TASK: Final = "vrijwilligersorganisatie"
# So long a side waits for both answers; after it, it is over whatever the other side said.
WAIT_DAYS: Final = 30
WAITS: Final = timedelta(days=WAIT_DAYS)


class Side(NamedTuple):
    """One side of a match, by its plan and its match."""

    plan_id: str
    match_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeForWish(AuthoredCommand):
    """Propose a match to who asks."""

    wish_id: str
    match_id: str
    other: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeForContribution(AuthoredCommand):
    """Propose a match to who offers what fits a wish."""

    contribution_id: str
    wish: Wish
    match_id: str
    other: Side


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerMatch(AuthoredCommand):
    """Say yes, with how the desk reaches this resident; or no."""

    match_id: str
    said: str
    contact: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMatch(AuthoredCommand):
    """End a match, whatever was said before."""

    match_id: str


def _said_words(*fields: str) -> Mapping[str, str]:
    return MappingProxyType(dict.fromkeys(fields, DataCategory.KOPPELING.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchProposed(PlanEvent):
    """A match was proposed to this side; the other side is sealed, as is what of this one it is about."""

    TOPIC: ClassVar[str] = "plan.match_proposed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _said_words("about_id", "other_plan", "other_match")
    match_id: str
    about_id: str
    other_plan: str
    other_match: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchAnswered(PlanEvent):
    """This side said yes or no."""

    TOPIC: ClassVar[str] = "plan.match_answered.v1"
    SEALED: ClassVar[Mapping[str, str]] = _said_words("said", "contact")
    match_id: str
    said: str
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchEnded(PlanEvent):
    """This side ended it."""

    TOPIC: ClassVar[str] = "plan.match_ended.v1"
    match_id: str


def fits(offer: Contribution, wish: Wish, now: datetime) -> bool:
    """Tell whether an offer answers a wish today: the same thing, in the same place, for long enough."""
    day = day_of(now)
    # What is sealed says nothing: of an offer that says nothing nobody knows that it fits.
    told = bool(offer.kind and offer.neighbourhood) and offer.start_date > date.min
    return (
        told
        and not offer.ended
        and not wish.ended
        and (offer.kind, offer.neighbourhood) == (wish.kind, wish.neighbourhood)
        and offer.hours_a_week >= wish.hours_a_week
        and offer.start_date <= day
        and wish.start_date <= day
        and (offer.end_date is None or day <= offer.end_date)
        and (wish.end_date is None or day <= wish.end_date)
    )


def waits(match: Match, now: datetime) -> bool:
    """Tell whether a side may still be answered, as far as this side can tell."""
    return not match.ended and match.said != MatchAnswer.NO and now < match.propose_time + WAITS


def stands_by_wish(plan: PlanState, match: Match) -> bool:
    """Tell whether who asks said yes and stands by it: the wish was not taken back either."""
    return _stands(match) and any(one.wish_id == match.about_id and not one.ended for one in plan.wishes)


def stands_by_offer(plan: PlanState, match: Match) -> bool:
    """Tell the same of who offers: no side is told of as if it were the other."""
    offers = plan.contributions
    return _stands(match) and any(one.contribution_id == match.about_id and not one.ended for one in offers)


def _stands(match: Match) -> bool:
    return match.said == MatchAnswer.YES and not match.ended


def made(mine: Match, theirs: Match) -> bool:
    """Tell whether two sides that stand are of one match."""
    return mine.other_match == theirs.match_id and theirs.other_match == mine.match_id


def match_of(plan: PlanState | None, match_id: str) -> Match | None:
    """Return the side with this id; of no plan there is none."""
    if plan is None:
        return None
    return next((one for one in plan.matches if one.match_id == match_id), None)


def wish_to_match(plan: PlanState | None, wish_id: str, now: datetime) -> Wish:
    """Return the wish; refuse one that is not there, not open today, or about which a match waits."""
    wish = next((one for one in existing(plan).wishes if one.wish_id == wish_id), None)
    day = day_of(now)
    over = wish is not None and (day < wish.start_date or (wish.end_date or day) < day)
    if wish is None or wish.ended or over:
        raise RuleBroken("this plan has no such wish that is open today", rule="WISH_UNKNOWN")
    if any(one.about_id == wish_id and waits(one, now) for one in existing(plan).matches):
        raise RuleBroken("a match about this wish waits for its answers", rule="MATCH_WAITS")
    return wish


def propose_for_wish(command: ProposeForWish, state: PlanState | None) -> Events:
    """Decide on a match that is proposed to who asks; whether anybody offers changes nothing here."""
    plan = existing(state)
    wish = wish_to_match(plan, command.wish_id, command.now)
    return (_proposed(command, plan, wish.wish_id),)


def propose_for_contribution(command: ProposeForContribution, state: PlanState | None) -> Events:
    """Decide on a match that is proposed to who offers: what he said no to is not asked again."""
    plan = existing(state)
    offer = next((one for one in plan.contributions if one.contribution_id == command.contribution_id), None)
    if offer is None or not fits(offer, command.wish, command.now) or plan.plan_id == command.other.plan_id:
        raise RuleBroken("this plan offers nothing that fits", rule="CONTRIBUTION_UNKNOWN")
    about = [one for one in plan.matches if one.about_id == offer.contribution_id]
    if any(waits(one, command.now) or one.other_plan == command.other.plan_id for one in about):
        raise RuleBroken("this offer is asked for, or was by the same side", rule="MATCH_WAITS")
    return (_proposed(command, plan, offer.contribution_id),)


def _proposed(
    command: ProposeForWish | ProposeForContribution, plan: PlanState, about_id: str
) -> MatchProposed:
    author = command.author
    if author.task != MATCHING_TASK:
        raise RuleBroken("this task brings no residents together", rule="NOT_THE_DESK")
    refuse_faults({"match_id": token_fault(command.match_id)})
    refuse_full(plan, "matches")
    return MatchProposed(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        match_id=command.match_id,
        about_id=about_id,
        other_plan=command.other.plan_id,
        other_match=command.other.match_id,
        at=command.now,
    )


def _own_side(command: AnswerMatch | EndMatch, plan: PlanState) -> Match:
    refuse_but_residents_side(command.author)
    match = match_of(plan, command.match_id)
    if match is None or match.ended:
        raise RuleBroken("this plan has no such match that stands", rule="MATCH_UNKNOWN")
    return match


def answer_match(command: AnswerMatch, state: PlanState | None) -> Events:
    """Decide on what a side says; once, and in time."""
    plan = existing(state)
    match = _own_side(command, plan)
    yes = command.said == MatchAnswer.YES
    spoken = bool(command.contact.strip())
    contact = text_fault(command.contact, required=yes)
    refuse_faults(
        {
            "said": member_fault(MatchAnswer, command.said),
            "contact": "must be left out with a no" if spoken and not yes else contact or FINE,
        }
    )
    if match.said or not waits(match, command.now):
        raise RuleBroken("this match was answered, or waits no longer", rule="MATCH_ANSWERED")
    answered = MatchAnswered(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        match_id=match.match_id,
        said=command.said,
        contact=command.contact,
    )
    return (answered,)


def end_match(command: EndMatch, state: PlanState | None) -> Events:
    """Decide on ending it: also after a yes, and whenever."""
    plan = existing(state)
    match = _own_side(command, plan)
    ended = MatchEnded(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        match_id=match.match_id,
    )
    return (ended,)


def _match_proposed(state: PlanState, event: MatchProposed) -> PlanState:
    match = Match(
        match_id=event.match_id,
        about_id=event.about_id,
        propose_time=event.at,
        other_plan=event.other_plan,
        other_match=event.other_match,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, matches=(*state.matches, match))


def _match_answered(state: PlanState, event: MatchAnswered) -> PlanState:
    # Ended by who was not shown that it was answered: it stays ended, and without a contact.
    matches = tuple(
        with_changes(one, said=event.said, contact=event.contact)
        if one.match_id == event.match_id and not one.ended
        else one
        for one in state.matches
    )
    return with_changes(state, version=state.version + 1, matches=matches)


def _match_ended(state: PlanState, event: MatchEnded) -> PlanState:
    matches = tuple(
        with_changes(one, ended=True, contact="") if one.match_id == event.match_id else one
        for one in state.matches
    )
    return with_changes(state, version=state.version + 1, matches=matches)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType(
    {
        ProposeForWish: propose_for_wish,
        ProposeForContribution: propose_for_contribution,
        AnswerMatch: answer_match,
        EndMatch: end_match,
    }
)
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType(
    {MatchProposed: _match_proposed, MatchAnswered: _match_answered, MatchEnded: _match_ended}
)
