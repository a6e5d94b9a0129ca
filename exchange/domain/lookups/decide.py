"""What may happen in the review of one organisation's month of lookups.

Promises: names open for a reason and by two persons, to who asked, for one cell and a stated time; a month
has one sample, drawn after it ended; what was found is said of what was drawn. The operator's officer
watches every organisation, another's only his own.
Source: GDPR 24, 32(1)(b), 38(6), 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from exchange.domain.kernel import AuthoredCommand, Events
from exchange.domain.lookups.events import LookupReviewed, NamesApproved, NamesRequested, SampleDrawn
from exchange.domain.lookups.state import LookupsState
from exchange.domain.lookups.words import APPROVING_TASKS, OFFICER, ReviewOutcome, month_fault
from exchange.domain.shape import (
    member_fault,
    oin_fault,
    person_key,
    range_fault,
    refuse_faults,
    text_fault,
    token_fault,
)
from exchange.domain.values import Author
from exchange.errors import RuleBroken

# Long enough to ask the people themselves and their lead, short enough that nobody keeps a list at hand.
NAMES_OPEN_FOR: Final = timedelta(days=14)
APPROVE_WITHIN: Final = timedelta(days=7)
REQUESTS_MAX: Final = 50
SAMPLE_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestNames(AuthoredCommand):
    """Ask for the names behind the unexplained accesses of one cell."""

    names_request_id: str
    of_organisation: str
    of_task: str
    month: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproveNames(AuthoredCommand):
    """Agree to a request that waits; `of_task` is the cell that was read."""

    names_request_id: str
    of_organisation: str
    of_task: str
    month: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawSample(AuthoredCommand):
    """Keep what was drawn; `size` is 0 while nothing was decided after the month's end."""

    of_organisation: str
    month: str
    origin: str
    size: int
    root: str
    population: int
    decision_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReview(AuthoredCommand):
    """Say what was found of one access that was drawn."""

    of_organisation: str
    month: str
    decision_id: str
    outcome: str


def request_names(command: RequestNames, state: LookupsState | None) -> Events:
    """Decide on the first person's question."""
    _refuse_others(command.author, command.of_organisation, frozenset({OFFICER}))
    refuse_faults(
        {
            **_cell_faults(command.of_organisation, command.month),
            "names_request_id": token_fault(command.names_request_id),
            "of_task": token_fault(command.of_task),
            "reason": text_fault(command.reason),
        }
    )
    if state is not None and len(state.requests) >= REQUESTS_MAX:
        raise RuleBroken("of this month names were asked as often as can be", rule="NAMES_REQUESTS_FULL")
    requested = NamesRequested(
        names_request_id=command.names_request_id,
        of_organisation=command.of_organisation,
        of_task=command.of_task,
        month=command.month,
        reason=command.reason,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (requested,)


def approve_names(command: ApproveNames, state: LookupsState | None) -> Events:
    """Decide on the second person's yes: once, and soon enough that the reason still holds."""
    author = command.author
    _refuse_others(author, command.of_organisation, APPROVING_TASKS)
    waits = None if state is None else state.request(command.names_request_id)
    if waits is None or waits.of_task != command.of_task:
        raise RuleBroken("no such request for names waits of this cell", rule="NO_SUCH_NAMES_REQUEST")
    # In another organisation too: a name is one person's wherever he signs in.
    if person_key(waits.professional) == person_key(author.professional):
        raise RuleBroken("who asked for names does not approve it: somebody else does", rule="SAME_PERSON")
    if waits.end_time is not None:
        raise RuleBroken("these names were approved before", rule="NAMES_APPROVED_ALREADY")
    if command.now >= waits.at + APPROVE_WITHIN:
        raise RuleBroken("this request waited too long: ask again", rule="NAMES_REQUEST_EXPIRED")
    approved = NamesApproved(
        names_request_id=command.names_request_id,
        of_organisation=command.of_organisation,
        of_task=command.of_task,
        month=command.month,
        end_time=command.now + NAMES_OPEN_FOR,
        organisation=author.oin,
        task=author.task,
        professional=author.professional,
        at=command.now,
    )
    return (approved,)


def draw_sample(command: DrawSample, state: LookupsState | None) -> Events:
    """Decide on a sample: one a month, so that nobody draws until he likes it."""
    _refuse_others(command.author, command.of_organisation, frozenset({OFFICER}))
    refuse_faults(_cell_faults(command.of_organisation, command.month))
    if state is not None and state.sample is not None:
        raise RuleBroken("the sample of this month was drawn: read it", rule="SAMPLE_DRAWN_ALREADY")
    if command.size == 0:
        raise RuleBroken("this month is not over, or nothing was decided after it", rule="MONTH_NOT_OVER")
    refuse_faults({"sample_size": range_fault(len(command.decision_ids), 0, SAMPLE_MAX)})
    assert len(command.decision_ids) <= command.population, "drawn without putting back"
    drawn = SampleDrawn(
        of_organisation=command.of_organisation,
        month=command.month,
        origin=command.origin,
        size=command.size,
        root=command.root,
        population=command.population,
        decision_ids=command.decision_ids,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (drawn,)


def record_review(command: RecordReview, state: LookupsState | None) -> Events:
    """Decide on what was found; the same again changes nothing."""
    _refuse_others(command.author, command.of_organisation, frozenset({OFFICER}))
    refuse_faults({"outcome": member_fault(ReviewOutcome, command.outcome)})
    drawn = () if state is None or state.sample is None else state.sample.decision_ids
    if state is None or command.decision_id not in drawn:
        raise RuleBroken("this access was not drawn", rule="NOT_DRAWN")
    if state.outcomes.get(command.decision_id) == command.outcome:
        return ()
    found = LookupReviewed(
        of_organisation=command.of_organisation,
        month=command.month,
        decision_id=command.decision_id,
        outcome=command.outcome,
        organisation=command.author.oin,
        task=command.author.task,
        professional=command.author.professional,
        at=command.now,
    )
    return (found,)


def _cell_faults(of_organisation: str, month: str) -> dict[str, str]:
    return {"of_organisation": oin_fault(of_organisation), "month": month_fault(month)}


def _refuse_others(author: Author, of_organisation: str, tasks: frozenset[str]) -> None:
    if author.task not in tasks:
        raise RuleBroken("this task does not review lookups", rule="NOT_TO_REVIEW")
    if not author.operator and author.oin != of_organisation:
        raise RuleBroken("an officer reviews the lookups of his own organisation", rule="OTHER_ORGANISATION")
