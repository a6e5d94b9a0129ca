"""What happens in the review of lookups. Topics and shapes are permanent; nothing here names who looked.

Promises: ids of decisions, counts and words of closed lists; the reason is for everybody who reads the log.
Source: GDPR 5(2), 39(1)(b); exchange/decisions/0134-names-take-two-persons.md.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from exchange.domain.kernel import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesRequested(Event):
    """An officer wants the names behind the unexplained accesses of one cell; it opens nothing yet.

    A cell is the accesses of one organisation, in one task, in one month. `organisation` of the event is of
    who asks, `of_organisation` and `of_task` are the cell's.
    """

    TOPIC: ClassVar[str] = "lookups.names_requested.v1"
    names_request_id: str
    of_organisation: str
    of_task: str
    month: str
    reason: str
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NamesApproved(Event):
    """A second person agreed: whoever asked may read them until then, end excluded."""

    TOPIC: ClassVar[str] = "lookups.names_approved.v1"
    names_request_id: str
    of_organisation: str
    of_task: str
    month: str
    end_time: datetime
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleDrawn(Event):
    """Accesses of one organisation's month were drawn, to be looked at by hand.

    `root` is the hexadecimal root of log `origin` at `size` leaves: with it anybody draws the same again, out
    of the `population` accesses of that month.
    """

    TOPIC: ClassVar[str] = "lookups.sample_drawn.v1"
    of_organisation: str
    month: str
    origin: str
    size: int
    root: str
    population: int
    decision_ids: tuple[str, ...]
    organisation: str
    task: str
    professional: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LookupReviewed(Event):
    """A person looked at one access that was drawn; a later look counts over an earlier one."""

    TOPIC: ClassVar[str] = "lookups.reviewed.v1"
    of_organisation: str
    month: str
    decision_id: str
    outcome: str
    organisation: str
    task: str
    professional: str
    at: datetime
