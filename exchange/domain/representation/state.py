"""Representation as it stands, folded from the resident's stream.

Promises: `evolve` refuses nothing; a renewed source keeps its record; of judgements only the
latest of each matter is kept; hashable, so that a verdict may be remembered beside it.
Source: house style 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final

from exchange.domain.kernel import Event
from exchange.domain.representation.events import (
    AuthorityDisputed,
    CapacityJudged,
    DecisionContradicted,
    DisputeDecided,
    RepresentativeEnded,
    RepresentativeRecorded,
)
from exchange.domain.representation.words import DisputeOutcome
from exchange.domain.values import origin_of


@dataclass(frozen=True, slots=True)
class Representative:
    """One record. Days are those of the Netherlands; `end_date` is excluded, None is open."""

    representative_id: str
    person_oin: str
    person: str
    relation: str
    gezag: str
    evidence_source: str
    source_reference: str
    source_date: date
    start_date: date
    end_date: date | None
    origin: str = ""  # who recorded it last: task and organisation


@dataclass(frozen=True, slots=True)
class Judgement:
    """The latest judgement in one matter."""

    matter: str
    capable: bool
    at: datetime
    until: date


@dataclass(frozen=True, slots=True)
class Dispute:
    """One to decide: which purpose, which consent it arose on, and whose words stand against each other."""

    dispute_id: str
    consent_id: str
    purpose: str
    yes_by: str
    no_by: str


@dataclass(frozen=True, slots=True)
class Representation:
    """All of it; hashable, so that a verdict may be remembered beside it."""

    representatives: tuple[Representative, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    # (purpose, record): whose word a decided dispute put aside.
    overruled: tuple[tuple[str, str], ...] = ()
    # Said against a decision by who was overruled: closes nothing, but it may be decided anew.
    contradictions: tuple[Dispute, ...] = ()
    # Records that were ended: they show who gave something, and that he may take it back; nothing else.
    former: tuple[Representative, ...] = ()

    def find(self, representative_id: str) -> Representative | None:
        """Return a record that was not ended."""
        return next((one for one in self.representatives if one.representative_id == representative_id), None)

    def ever(self, representative_id: str) -> Representative | None:
        """Return a record, ended or not: whose words were written down under it."""
        everybody = (*self.representatives, *self.former)
        return next((one for one in everybody if one.representative_id == representative_id), None)

    def to_decide(self, purpose: str) -> Dispute | None:
        """Return what waits to be decided about a purpose: a dispute, else what contradicts a decision."""
        waiting = (*self.disputes, *self.contradictions)
        return next((one for one in waiting if one.purpose == purpose), None)


NOBODY_RECORDED: Final = Representation()

# --- evolve -----------------------------------------------------------------------------------------


def _recorded(state: Representation, event: RepresentativeRecorded) -> Representation:
    record = Representative(
        representative_id=event.representative_id,
        person_oin=event.person_oin,
        person=event.person,
        relation=event.relation,
        gezag=event.gezag,
        evidence_source=event.evidence_source,
        source_reference=event.source_reference,
        source_date=event.source_date,
        start_date=event.start_date,
        end_date=event.end_date,
        origin=origin_of(event.task, event.organisation),
    )
    others = tuple(one for one in state.representatives if one.representative_id != event.representative_id)
    former = tuple(one for one in state.former if one.representative_id != event.representative_id)
    return replace(state, representatives=(*others, record), former=former)


def _ended(state: Representation, event: RepresentativeEnded) -> Representation:
    # Nothing is judged by an ended one any more; what was given under it is taken back by whom it names.
    ended = tuple(one for one in state.representatives if one.representative_id == event.representative_id)
    left = tuple(one for one in state.representatives if one.representative_id != event.representative_id)
    return replace(state, representatives=left, former=(*state.former, *ended))


def _judged(state: Representation, event: CapacityJudged) -> Representation:
    others = tuple(one for one in state.judgements if one.matter != event.matter)
    judgement = Judgement(event.matter, event.capable, event.at, event.until)
    return replace(state, judgements=(*others, judgement))


def _disputed(state: Representation, event: AuthorityDisputed) -> Representation:
    dispute = Dispute(event.dispute_id, event.consent_id, event.purpose, event.yes_by, event.no_by)
    return replace(state, disputes=(*state.disputes, dispute))


def _settled(state: Representation, event: DisputeDecided) -> Representation:
    waiting = (*state.disputes, *state.contradictions)
    found = next((one for one in waiting if one.dispute_id == event.dispute_id), None)
    if found is None:
        return state
    yes_stands = event.outcome == DisputeOutcome.YES_STANDS
    loser, winner = (found.no_by, found.yes_by) if yes_stands else (found.yes_by, found.no_by)
    # Decided anew it may be the other way around.
    overruled = [one for one in state.overruled if one != (found.purpose, winner)]
    return replace(
        state,
        disputes=tuple(one for one in state.disputes if one != found),
        contradictions=tuple(one for one in state.contradictions if not _between_the_same(one, found)),
        overruled=tuple(dict.fromkeys((*overruled, (found.purpose, loser)))),
    )


def _between_the_same(one: Dispute, other: Dispute) -> bool:
    return (one.purpose, {one.yes_by, one.no_by}) == (other.purpose, {other.yes_by, other.no_by})


def _contradicted(state: Representation, event: DecisionContradicted) -> Representation:
    said = Dispute(event.dispute_id, event.consent_id, event.purpose, event.yes_by, event.no_by)
    return replace(state, contradictions=(*state.contradictions, said))


FOLDS: Final[Mapping[type[Event], Callable[[Representation, Any], Representation]]] = MappingProxyType(
    {
        RepresentativeRecorded: _recorded,
        RepresentativeEnded: _ended,
        CapacityJudged: _judged,
        AuthorityDisputed: _disputed,
        DisputeDecided: _settled,
        DecisionContradicted: _contradicted,
    }
)
