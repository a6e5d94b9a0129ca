"""A legal basis as it stands: its versions, who answered for them, and how events change that.

Promises: takes every event in any state and refuses none; what once ended a version is never undone.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime

from exchange.domain.legal_basis.events import (
    LegalBasisAdopted,
    LegalBasisApproved,
    LegalBasisDisabled,
    LegalBasisProposed,
)


@dataclass(frozen=True, slots=True)
class BasisVersion:
    """One version. `valid_to` is its own; `ended_by` the day on which a successor began, if one came."""

    number: int
    text: str
    sha256: str
    valid_from: date
    valid_to: date | None
    succeeds: int
    proposer: str
    approvers: tuple[str, ...]
    proposed_at: datetime
    adopted: bool = False
    enabled_at: datetime | None = None
    disabled_at: datetime | None = None
    disabled_by: str = ""
    reason: str = ""
    ended_by: date | None = None

    @property
    def stands(self) -> bool:
        """Tell whether it was approved, or adopted, and not disabled."""
        return self.enabled_at is not None and self.disabled_at is None

    @property
    def end(self) -> date | None:
        """The day from which it is valid no more, None where there is none."""
        ends = [day for day in (self.valid_to, self.ended_by) if day is not None]
        return min(ends, default=None)


@dataclass(frozen=True, slots=True)
class LegalBasisState:
    """One basis. Versions are in the order they came."""

    basis_id: str
    versions: tuple[BasisVersion, ...] = ()

    def version(self, number: int) -> BasisVersion | None:
        """Return the version with this number."""
        return next((known for known in self.versions if known.number == number), None)


# --- evolve -----------------------------------------------------------------------------------------


def proposed(state: LegalBasisState | None, event: LegalBasisProposed) -> LegalBasisState:
    """Add a version that opens nothing."""
    added = BasisVersion(
        event.version,
        event.text,
        event.sha256,
        event.valid_from,
        event.valid_to,
        event.succeeds,
        event.professional,
        (),
        event.at,
    )
    return _with_version(state, event.basis_id, added)


def adopted(state: LegalBasisState | None, event: LegalBasisAdopted) -> LegalBasisState:
    """Add a version that stands."""
    added = BasisVersion(
        event.version,
        event.text,
        event.sha256,
        event.valid_from,
        event.valid_to,
        event.succeeds,
        "",
        event.approved_by,
        event.at,
        adopted=True,
        enabled_at=event.at,
    )
    return _with_end(_with_version(state, event.basis_id, added), added)


def approved(state: LegalBasisState, event: LegalBasisApproved) -> LegalBasisState:
    """Add a person who answers for it; the event says whether it stands by that."""
    found = state.version(event.version)
    if found is None:
        return state
    changed = replace(
        found,
        approvers=(*found.approvers, event.professional),
        enabled_at=event.at if event.enables else found.enabled_at,
    )
    state = _with_version(state, state.basis_id, changed)
    return _with_end(state, changed) if event.enables else state


def disabled(state: LegalBasisState, event: LegalBasisDisabled) -> LegalBasisState:
    """End it."""
    found = state.version(event.version)
    if found is None:
        return state
    changed = replace(found, disabled_at=event.at, disabled_by=event.professional, reason=event.reason)
    return _with_version(state, state.basis_id, changed)


def _with_version(state: LegalBasisState | None, basis_id: str, version: BasisVersion) -> LegalBasisState:
    versions = () if state is None else state.versions
    if any(known.number == version.number for known in versions):
        put = tuple(version if known.number == version.number else known for known in versions)
    else:
        put = (*versions, version)
    return LegalBasisState(basis_id if state is None else state.basis_id, put)


def _with_end(state: LegalBasisState, successor: BasisVersion) -> LegalBasisState:
    """End the version this one succeeds on the day it begins, for good: disabling brings nothing back."""
    ended = state.version(successor.succeeds)
    if ended is None or ended is successor:
        return state
    earliest = min(day for day in (ended.ended_by, successor.valid_from) if day is not None)
    return _with_version(state, state.basis_id, replace(ended, ended_by=earliest))
