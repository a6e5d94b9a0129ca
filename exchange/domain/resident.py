"""Residents: registration, seals, restriction (GDPR 18) and objection (GDPR 21).

Promises: registering somebody known changes nothing and tells nothing, whatever is said; a seal is set and
lifted by two different persons; facts about a person are stored sealed.
Source: GDPR 18 and 21; protos/exchange/v1/identity_service.proto; the gate's design sections 2, 5 and 6.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, Command, Events, ResidentEvent, aggregate
from exchange.domain.shape import (
    FINE,
    day_fault,
    refuse_faults,
    text_fault,
    token_fault,
    tokens_fault,
    two_persons_fault,
)
from exchange.domain.values import ROLES_OF_SEALS, Objection
from exchange.errors import RuleBroken

SEALS_MAX: Final = 50
SEAL_PATHS_MAX: Final = 100
SEAL_READERS_MAX: Final = 50
_SEALED_FACTS: Final[Mapping[str, str]] = MappingProxyType({"birth_date": "CONTACT", "capable": "CONTACT"})
# That a seal exists, and who reads behind it, is itself sealed.
_SEALED_SEAL: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("compartment", "paths", "reader_roles", "readers", "approved_by"), "CONTACT")
)
_SEALED_LIFTING: Final[Mapping[str, str]] = MappingProxyType(
    dict.fromkeys(("compartment", "approved_by"), "CONTACT")
)
_SEALED_REASON: Final[Mapping[str, str]] = MappingProxyType({"reason": "LOG"})


# --- commands ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterResident(Command):
    """Register a resident under a random reference; for who is registered it changes nothing."""

    resident: str
    birth_date: date
    capable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SealCompartment(Command):
    """Hide leaf paths from everybody but the named reader roles and readers."""

    compartment: str
    paths: tuple[str, ...]
    reader_roles: tuple[str, ...] = ()
    readers: tuple[str, ...] = ()
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftSeal(Command):
    """Lift a seal."""

    compartment: str
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restrict(Command):
    """Restrict processing."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiftRestriction(Command):
    """Lift the restriction."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object(Command):
    """Record the resident's objection; until decided it stands."""

    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecideObjection(Command):
    """Decide a pending objection: UPHELD, or REJECTED with a reason."""

    outcome: str
    reason: str = ""


# --- events -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRegistered(ResidentEvent):
    """The facts that decide who may consent."""

    TOPIC: ClassVar[str] = "resident.registered.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_FACTS
    birth_date: date
    capable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CompartmentSealed(ResidentEvent):
    """A compartment is hidden."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRestricted(ResidentEvent):
    """Processing is restricted."""

    TOPIC: ClassVar[str] = "resident.restricted.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RestrictionLifted(ResidentEvent):
    """Processing is restricted no more."""

    TOPIC: ClassVar[str] = "resident.restriction_lifted.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentObjected(ResidentEvent):
    """The resident objects."""

    TOPIC: ClassVar[str] = "resident.objected.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectionDecided(ResidentEvent):
    """The objection is upheld or rejected."""

    TOPIC: ClassVar[str] = "resident.objection_decided.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_REASON
    outcome: str
    reason: str


# --- state ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Seal:
    """A compartment and who still reads it."""

    compartment: str
    paths: tuple[str, ...]
    reader_roles: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResidentState:
    """What the exchange knows of a resident beside the plan."""

    resident: str
    birth_date: date
    capable: bool
    seals: tuple[Seal, ...] = ()
    restricted: bool = False
    objection: str = Objection.NONE


def age_at(state: ResidentState, day: date) -> int:
    """Return full years on `day`; who was born on 29 February is a year older on 1 March."""
    born = state.birth_date
    had_no_birthday_yet = (day.month, day.day) < (born.month, born.day)
    return day.year - born.year - had_no_birthday_yet


# --- decide -----------------------------------------------------------------------------------------


def _register(command: RegisterResident, state: ResidentState | None) -> Events:
    future = command.birth_date > command.now.date()
    refuse_faults(
        {
            "resident": token_fault(command.resident),
            "birth_date": "must not lie in the future" if future else day_fault(command.birth_date),
        }
    )
    # Answered as a new one, down to the leaf: neither who is known here nor what of him can be asked so.
    # What is recorded of who is known is what was known: nobody replaces it by registering again.
    birth_date = command.birth_date if state is None else state.birth_date
    capable = command.capable if state is None else state.capable
    return (ResidentRegistered(resident=command.resident, birth_date=birth_date, capable=capable),)


def _known(state: ResidentState | None) -> ResidentState:
    if state is None:
        raise RuleBroken("this resident is not registered", rule="NOT_REGISTERED")
    return state


def _seal(command: SealCompartment, state: ResidentState | None) -> Events:
    known = _known(state)
    nobody_reads = not command.reader_roles and not command.readers
    roles_fault = tokens_fault(command.reader_roles, SEAL_READERS_MAX) if command.reader_roles else FINE
    if not ROLES_OF_SEALS.issuperset(command.reader_roles):
        roles_fault = "must be roles that not everybody on a case hands out"
    readers_fault = tokens_fault(command.readers, SEAL_READERS_MAX) if command.readers else FINE
    refuse_faults(
        {
            "compartment": token_fault(command.compartment),
            "paths": tokens_fault(command.paths, SEAL_PATHS_MAX),
            "reader_roles": "must name a role, or name readers" if nobody_reads else roles_fault,
            "readers": readers_fault,
            "approved_by": two_persons_fault(command.approved_by),
        }
    )
    if any(seal.compartment == command.compartment for seal in known.seals):
        raise RuleBroken("this compartment is sealed already: lift it first", rule="ALREADY_SEALED")
    if len(known.seals) >= SEALS_MAX:
        raise RuleBroken("this resident has the most seals there can be", rule="SEALS_FULL")
    sealed = CompartmentSealed(
        resident=known.resident,
        compartment=command.compartment,
        paths=command.paths,
        reader_roles=command.reader_roles,
        readers=command.readers,
        approved_by=command.approved_by,
    )
    return (sealed,)


def _lift_seal(command: LiftSeal, state: ResidentState | None) -> Events:
    known = _known(state)
    refuse_faults({"approved_by": two_persons_fault(command.approved_by)})
    if all(seal.compartment != command.compartment for seal in known.seals):
        return ()
    lifted = SealLifted(
        resident=known.resident, compartment=command.compartment, approved_by=command.approved_by
    )
    return (lifted,)


def _restrict(command: Restrict, state: ResidentState | None) -> Events:
    known = _known(state)
    refuse_faults({"reason": text_fault(command.reason, required=False)})
    return () if known.restricted else (ResidentRestricted(resident=known.resident, reason=command.reason),)


def _lift_restriction(command: LiftRestriction, state: ResidentState | None) -> Events:
    known = _known(state)
    refuse_faults({"reason": text_fault(command.reason, required=False)})
    return (RestrictionLifted(resident=known.resident, reason=command.reason),) if known.restricted else ()


def _object(command: Object, state: ResidentState | None) -> Events:
    known = _known(state)
    refuse_faults({"reason": text_fault(command.reason, required=False)})
    # After a rejection the resident may object anew.
    if known.objection in {Objection.PENDING, Objection.UPHELD}:
        return ()
    return (ResidentObjected(resident=known.resident, reason=command.reason),)


def _decide_objection(command: DecideObjection, state: ResidentState | None) -> Events:
    known = _known(state)
    rejected = command.outcome == Objection.REJECTED
    decided = command.outcome in {Objection.UPHELD, Objection.REJECTED}
    refuse_faults(
        {
            "outcome": FINE if decided else "must be UPHELD or REJECTED",
            "reason": text_fault(command.reason, required=rejected),
        }
    )
    if known.objection == command.outcome:
        return ()
    if known.objection != Objection.PENDING:
        raise RuleBroken("no objection waits for a decision", rule="NO_OBJECTION_PENDING")
    return (ObjectionDecided(resident=known.resident, outcome=command.outcome, reason=command.reason),)


# --- evolve -----------------------------------------------------------------------------------------


def _registered(state: ResidentState | None, event: ResidentRegistered) -> ResidentState:
    if state is None:
        return ResidentState(event.resident, event.birth_date, event.capable)
    return replace(state, birth_date=event.birth_date, capable=event.capable)


def _sealed(state: ResidentState, event: CompartmentSealed) -> ResidentState:
    seal = Seal(event.compartment, event.paths, event.reader_roles, event.readers)
    return replace(state, seals=(*state.seals, seal))


def _seal_lifted(state: ResidentState, event: SealLifted) -> ResidentState:
    return replace(state, seals=tuple(seal for seal in state.seals if seal.compartment != event.compartment))


def _restricted(state: ResidentState, _event: ResidentRestricted) -> ResidentState:
    return replace(state, restricted=True)


def _restriction_lifted(state: ResidentState, _event: RestrictionLifted) -> ResidentState:
    return replace(state, restricted=False)


def _objected(state: ResidentState, _event: ResidentObjected) -> ResidentState:
    return replace(state, objection=Objection.PENDING)


def _objection_decided(state: ResidentState, event: ObjectionDecided) -> ResidentState:
    return replace(state, objection=event.outcome)


RESIDENT: Final[Aggregate] = aggregate(
    "resident",
    deciders={
        RegisterResident: _register,
        SealCompartment: _seal,
        LiftSeal: _lift_seal,
        Restrict: _restrict,
        LiftRestriction: _lift_restriction,
        Object: _object,
        DecideObjection: _decide_objection,
    },
    founders={ResidentRegistered: _registered},
    evolvers={
        CompartmentSealed: _sealed,
        SealLifted: _seal_lifted,
        ResidentRestricted: _restricted,
        RestrictionLifted: _restriction_lifted,
        ResidentObjected: _objected,
        ObjectionDecided: _objection_decided,
    },
)
