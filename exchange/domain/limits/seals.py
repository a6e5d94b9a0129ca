"""Seals: a compartment only named readers see, set and lifted by two different persons.

Promises: what one person proposes hides nothing and opens nothing; the second is another person of flesh and
blood, whichever tasks both have; a proposal nobody confirmed in a week is over. Neither proposing nor
confirming tells whether anything else is sealed: a seal is known by an id only those who set it were given.
Source: GDPR 32; the gate's design section 5 (four eyes, uniform absence).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Events, ResidentEvent, with_changes
from exchange.domain.limits.compartments import Compartments
from exchange.domain.limits.links import is_link, link_fault
from exchange.domain.limits.scope import refuse_but_protectors, review_fault
from exchange.domain.shape import FINE, refuse_faults, text_fault, token_fault, tokens_fault
from exchange.errors import RuleBroken

if TYPE_CHECKING:
    from exchange.domain.resident import ResidentState
    from exchange.domain.values import Author

SEALS_MAX: Final = 50
SEAL_PATHS_MAX: Final = 200
SEAL_READERS_MAX: Final = 50
PROPOSALS_OF_ONE_PERSON_MAX: Final = 10
PROPOSAL_DAYS_MAX: Final = 7
# That a seal exists, and who reads behind it, is itself sealed.
_SEALED_SEAL: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("compartment", "paths", "reader_roles", "readers", "approved_by"), "CONTACT")
)
_SEALED_LIFTING: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("compartment", "approved_by"), "CONTACT")
)
_SEALED_PROPOSAL: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("proposal_id", "lifts", "paths", "readers", "reason", "review_date", "by"), "CONTACT")
)


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCompartment(AuthoredCommand):
    """Propose to hide leaf paths, and links by the word `link:<oin>/<task>`, from all but the named readers.

    A reader is a recipient (`<oin>/<task>`) or one person of it (`<oin>/<task>/<professional>`).
    `names_operator` tells whether one of the links is a part of the municipality itself.
    """

    proposal_id: str
    paths: tuple[str, ...]
    readers: tuple[str, ...]
    reason: str
    review_date: date | None = None
    names_operator: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftSeal(AuthoredCommand):
    """Propose to lift the seal that was set by an earlier proposal."""

    proposal_id: str
    compartment: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmSeal(AuthoredCommand):
    """Confirm what another person proposed: then the seal stands, or is lifted."""

    proposal_id: str


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SealProposed(ResidentEvent):
    """One person proposes a seal; where `lifts` names one, to lift it."""

    TOPIC: ClassVar[str] = "resident.seal_proposed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_PROPOSAL
    proposal_id: str
    lifts: str
    paths: tuple[str, ...]
    readers: tuple[str, ...]
    reason: str
    review_date: date | None
    by: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CompartmentSealed(ResidentEvent):
    """A compartment is hidden; it is named by the proposal that set it."""

    TOPIC: ClassVar[str] = "resident.sealed.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_SEAL
    compartment: str
    paths: tuple[str, ...]
    reader_roles: tuple[str, ...]
    readers: tuple[str, ...]
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SealLifted(ResidentEvent):
    """A compartment is hidden no more."""

    TOPIC: ClassVar[str] = "resident.seal_lifted.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_LIFTING
    compartment: str
    approved_by: tuple[str, ...]


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seal:
    """A compartment and who still reads it. No command names roles any more: one person gives a role."""

    compartment: str
    paths: tuple[str, ...]
    reader_roles: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SealProposal:
    """What one person proposed and nobody confirmed yet; `lifts` is empty where a seal is proposed."""

    proposal_id: str
    lifts: str
    paths: tuple[str, ...]
    readers: tuple[str, ...]
    by: str
    at: datetime

    def open_at(self, now: datetime) -> bool:
        """Tell whether it can still be confirmed."""
        return now < self.at + timedelta(days=PROPOSAL_DAYS_MAX)


def person_of(author: "Author") -> str:
    """Return who this is, whichever task he has: two tasks of one person are not four eyes."""
    return f"{author.oin}/{author.professional}"


# --- decide -----------------------------------------------------------------------------------------


def seal_compartment(command: SealCompartment, state: "ResidentState") -> Events:
    """Propose a seal."""
    refuse_but_protectors(command.author)
    refuse_faults(
        {
            "proposal_id": token_fault(command.proposal_id),
            "paths": _paths_fault(command.paths),
            "readers": _readers_fault(command.readers),
            "reason": text_fault(command.reason),
            "review_date": review_fault(command.review_date, command.now.date()),
        }
    )
    if command.names_operator and not command.author.is_operators_college:
        raise RuleBroken("the municipality alone hides a part of its own", rule="NOT_TO_SEAL")
    return _proposed(command, state, lifts="", paths=command.paths, readers=command.readers)


def lift_seal(command: LiftSeal, state: "ResidentState") -> Events:
    """Propose to lift a seal."""
    refuse_but_protectors(command.author)
    refuse_faults({"proposal_id": token_fault(command.proposal_id), "reason": text_fault(command.reason)})
    if all(seal.compartment != command.compartment for seal in state.seals):
        raise RuleBroken("no seal of this name stands", rule="NO_SUCH_SEAL")
    return _proposed(command, state, lifts=command.compartment, paths=(), readers=())


def confirm_seal(command: ConfirmSeal, state: "ResidentState") -> Events:
    """Let the second person speak."""
    refuse_but_protectors(command.author)
    found = next((one for one in state.proposals if one.proposal_id == command.proposal_id), None)
    if found is None or not found.open_at(command.now):
        raise RuleBroken("nothing of this name waits for a second person", rule="NO_SUCH_PROPOSAL")
    second = person_of(command.author)
    if second == found.by:
        raise RuleBroken("the second person is another than the first", rule="SAME_PERSON")
    both = (found.by, second)
    if found.lifts:
        return (SealLifted(resident=state.resident, compartment=found.lifts, approved_by=both),)
    if len(state.seals) >= SEALS_MAX:
        raise RuleBroken("this resident has the most seals there can be", rule="SEALS_FULL")
    sealed = CompartmentSealed(
        resident=state.resident,
        compartment=found.proposal_id,
        paths=found.paths,
        reader_roles=(),
        readers=found.readers,
        approved_by=both,
    )
    return (sealed,)


def _paths_fault(paths: tuple[str, ...]) -> str:
    links = (link_fault(path) for path in paths if is_link(path))
    return tokens_fault(paths, SEAL_PATHS_MAX) or next((fault for fault in links if fault), FINE)


def _readers_fault(readers: tuple[str, ...]) -> str:
    if not 1 <= len(readers) <= SEAL_READERS_MAX or len(set(readers)) != len(readers):
        return f"must name 1 to {SEAL_READERS_MAX} readers, each once"
    # An organisation, its task, and perhaps one person of it: 20, 40 and 60 characters.
    if all("/" in one and not any(map(token_fault, one.split("/", 2))) for one in readers):
        return FINE
    return "must each be an OIN, a slash, a task, and perhaps a slash and one person"


def _proposed(
    command: SealCompartment | LiftSeal,
    state: "ResidentState",
    *,
    lifts: str,
    paths: tuple[str, ...],
    readers: tuple[str, ...],
) -> Events:
    by = person_of(command.author)
    # Counted of this person only: a full list must not tell of what others sealed.
    mine = sum(one.by == by and one.open_at(command.now) for one in state.proposals)
    if mine >= PROPOSALS_OF_ONE_PERSON_MAX:
        raise RuleBroken("this person's proposals wait already: let them be confirmed", rule="PROPOSALS_FULL")
    proposed = SealProposed(
        resident=state.resident,
        proposal_id=command.proposal_id,
        lifts=lifts,
        paths=paths,
        readers=readers,
        reason=command.reason,
        review_date=getattr(command, "review_date", None),
        by=by,
        at=command.now,
    )
    return (proposed,)


# --- evolve -----------------------------------------------------------------------------------------


def proposed(state: "ResidentState", event: SealProposed) -> "ResidentState":
    """Keep a proposal; those that were over by then are forgotten."""
    waiting = tuple(one for one in state.proposals if one.open_at(event.at))
    new = SealProposal(event.proposal_id, event.lifts, event.paths, event.readers, event.by, event.at)
    return with_changes(state, proposals=(*waiting, new))


def sealed(state: "ResidentState", event: CompartmentSealed) -> "ResidentState":
    """Let a seal stand."""
    seal = Seal(event.compartment, event.paths, event.reader_roles, event.readers)
    waiting = tuple(one for one in state.proposals if one.proposal_id != event.compartment)
    return _with_seals(state, (*state.seals, seal), waiting)


def lifted(state: "ResidentState", event: SealLifted) -> "ResidentState":
    """Let a seal stand no more."""
    seals = tuple(seal for seal in state.seals if seal.compartment != event.compartment)
    waiting = tuple(one for one in state.proposals if one.lifts != event.compartment)
    return _with_seals(state, seals, waiting)


def _with_seals(
    state: "ResidentState", seals: tuple[Seal, ...], proposals: tuple[SealProposal, ...]
) -> "ResidentState":
    return with_changes(state, seals=seals, proposals=proposals, compartments=Compartments.of(seals))
