"""One organisation's month under review as it stands, and how events change it.

Promises: takes every event in any state and refuses none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from exchange.domain.lookups.events import LookupReviewed, NamesApproved, NamesRequested, SampleDrawn


@dataclass(frozen=True, slots=True)
class NamesRequest:
    """What one officer asked; `end_time` is set once a second person agreed."""

    names_request_id: str
    of_task: str
    reason: str
    organisation: str
    professional: str
    at: datetime
    end_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn; as in the event."""

    origin: str
    size: int
    root: str
    population: int
    decision_ids: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class LookupsState:
    """One month of one organisation."""

    of_organisation: str
    month: str
    requests: tuple[NamesRequest, ...] = ()
    sample: Sample | None = None
    outcomes: Mapping[str, str] = field(default_factory=dict)

    def request(self, names_request_id: str) -> NamesRequest | None:
        """Return a request by its id."""
        return next((one for one in self.requests if one.names_request_id == names_request_id), None)

    def opens(self, of_task: str, organisation: str, professional: str, now: datetime) -> NamesRequest | None:
        """Return what lets this person read the names of a cell now."""
        for one in self.requests:
            asked = (one.of_task, one.organisation, one.professional)
            if asked == (of_task, organisation, professional) and one.end_time and now < one.end_time:
                return one
        return None


def names_requested(state: LookupsState | None, event: NamesRequested) -> LookupsState:
    """Let it wait for a second person."""
    known = state or LookupsState(event.of_organisation, event.month)
    asked = NamesRequest(
        event.names_request_id,
        event.of_task,
        event.reason,
        event.organisation,
        event.professional,
        event.at,
    )
    return replace(known, requests=(*known.requests, asked))


def names_approved(state: LookupsState, event: NamesApproved) -> LookupsState:
    """Open the names for who asked."""
    requests = tuple(
        replace(one, end_time=event.end_time) if one.names_request_id == event.names_request_id else one
        for one in state.requests
    )
    return replace(state, requests=requests)


def sample_drawn(state: LookupsState | None, event: SampleDrawn) -> LookupsState:
    """Keep what was drawn."""
    known = state or LookupsState(event.of_organisation, event.month)
    drawn = Sample(event.origin, event.size, event.root, event.population, event.decision_ids, event.at)
    return replace(known, sample=drawn)


def reviewed(state: LookupsState, event: LookupReviewed) -> LookupsState:
    """Keep what was found last."""
    return replace(state, outcomes={**state.outcomes, event.decision_id: event.outcome})
