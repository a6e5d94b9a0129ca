"""Residents: who there is, the limits on what may be done with their data, who decides for them, and erasing.

Promises: registering somebody known changes nothing and tells nothing, whatever is said; facts about a person
are stored sealed. What each limit promises stands in `limits/`, the rest in `representation/` and `erasure/`.
Source: GDPR 18, 21 and 32; protos/exchange/v1/identity_service.proto; the gate's design sections 2, 5 and 6.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from types import MappingProxyType
from typing import Any, ClassVar, Final

from exchange.domain.days import day_of
from exchange.domain.erasure import decision as erasure
from exchange.domain.erasure.decision import (
    ApproveErasure,
    ErasureApproved,
    ErasureProposal,
    ErasureProposed,
    ErasureRefused,
    KeysDestroyed,
    ProposeErasure,
    RefuseErasure,
)
from exchange.domain.kernel import Aggregate, Command, Decider, Events, Evolver, ResidentEvent, aggregate
from exchange.domain.limits import determinations, holds, objections, restrictions, seals
from exchange.domain.limits.compartments import NO_SEALS, Compartments
from exchange.domain.limits.determinations import Determination, DeterminationRecorded, RecordDetermination
from exchange.domain.limits.holds import Hold, HoldLifted, HoldPlaced, LiftHold, PlaceHold
from exchange.domain.limits.objections import (
    DecideObjection,
    Object,
    ObjectionDecided,
    ObjectionWithdrawn,
    ResidentObjected,
    ResidentsObjection,
    WithdrawObjection,
)
from exchange.domain.limits.restrictions import (
    AnnounceLifting,
    LiftingAnnounced,
    LiftRestriction,
    ResidentRestricted,
    Restrict,
    Restriction,
    RestrictionLifted,
)
from exchange.domain.limits.seals import (
    CompartmentSealed,
    ConfirmSeal,
    LiftSeal,
    Seal,
    SealCompartment,
    SealLifted,
    SealProposal,
    SealProposed,
)
from exchange.domain.representation import (
    DECISIONS,
    FOLDS,
    NOBODY_RECORDED,
    Representation,
    capable_in,
)
from exchange.domain.representation.voices import CHILD_AGE, YOUTH_AGE
from exchange.domain.representation.words import Matter
from exchange.domain.shape import day_fault, refuse_faults, token_fault
from exchange.domain.values import Purpose
from exchange.errors import RuleBroken

# In which matters a judgement of capacity bears on an objection.
_OBJECTING: Final = frozenset({Matter.CONSENT, Purpose.KLACHT_BEZWAAR})
_SEALED_FACTS: Final[Mapping[str, str]] = MappingProxyType({"birth_date": "CONTACT", "capable": "CONTACT"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterResident(Command):
    """Register a resident under a random reference; for who is registered it changes nothing."""

    resident: str
    birth_date: date
    capable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidentRegistered(ResidentEvent):
    """The facts that decide who may consent."""

    TOPIC: ClassVar[str] = "resident.registered.v1"
    SEALED: ClassVar[Mapping[str, str]] = _SEALED_FACTS
    birth_date: date
    capable: bool


@dataclass(frozen=True, slots=True)
class ResidentState:
    """What the exchange knows of a resident beside the plan."""

    resident: str
    birth_date: date
    capable: bool
    seals: tuple[Seal, ...] = ()
    compartments: Compartments = field(default=NO_SEALS, compare=False)  # what these seals keep from whom
    proposals: tuple[SealProposal, ...] = ()
    restrictions: tuple[Restriction, ...] = ()
    objections: tuple[ResidentsObjection, ...] = ()
    determinations: tuple[Determination, ...] = ()
    representation: Representation = NOBODY_RECORDED
    erasures: tuple[ErasureProposal, ...] = ()
    erased: tuple[str, ...] = ()  # erasures of some categories that were carried out
    holds: tuple[Hold, ...] = ()


def age_at(state: ResidentState, day: date) -> int:
    """Return full years on `day`; who was born on 29 February is a year older on 1 March."""
    born = state.birth_date
    had_no_birthday_yet = (day.month, day.day) < (born.month, born.day)
    return day.year - born.year - had_no_birthday_yet


def _register(command: RegisterResident, state: ResidentState | None) -> Events:
    future = command.birth_date > day_of(command.now)
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


def _of_known(decide: Callable[[Any, ResidentState], Events]) -> Decider:
    def decider(command: Command, state: ResidentState | None) -> Events:
        if state is None:
            raise RuleBroken("this resident is not registered", rule="NOT_REGISTERED")
        return decide(command, state)

    return decider


def _withdraw_objection(command: WithdrawObjection, state: ResidentState) -> Events:
    by_himself = objects_himself(state, day_of(command.now))
    return objections.withdraw_objection(command, state, by_himself=by_himself)


def objects_himself(state: ResidentState, day: date) -> bool:
    """Tell whether an objection is the resident's own to take back, and nobody's for him."""
    # What was judged too long ago takes nobody's own word away.
    capable = capable_in(state.representation, _OBJECTING, day, registered=state.capable) is not False
    return capable and age_at(state, day) >= CHILD_AGE


def agrees_himself(state: ResidentState, day: date) -> bool:
    """Tell whether the resident's own yes to a plan counts: of a child of twelve or more who can decide it.

    What was judged too long ago takes nobody's own word away (Jeugdwet 7.3.4, 7.3.15(1)).
    """
    capable = capable_in(state.representation, {Matter.CARE}, day, registered=state.capable) is not False
    return capable and age_at(state, day) >= CHILD_AGE


def agrees_with_parents(state: ResidentState, day: date) -> bool:
    """Tell whether both the resident and who has authority over him agree: from twelve until sixteen.

    Who cannot decide is represented, and speaks not beside it (Jeugdwet 7.3.4(2), 7.3.15(2)).
    """
    return agrees_himself(state, day) and age_at(state, day) < YOUTH_AGE


def _registered(state: ResidentState | None, event: ResidentRegistered) -> ResidentState:
    if state is None:
        return ResidentState(event.resident, event.birth_date, event.capable)
    return replace(state, birth_date=event.birth_date, capable=event.capable)


def _of_representation(decide: Callable[[Any, str, Representation], Events]) -> Decider:
    return _of_known(lambda command, known: decide(command, known.resident, known.representation))


def _in_representation(fold: Callable[[Representation, Any], Representation]) -> Evolver:
    def evolved(state: ResidentState, event: ResidentEvent) -> ResidentState:
        return replace(state, representation=fold(state.representation, event))

    return evolved


RESIDENT: Final[Aggregate] = aggregate(
    "resident",
    deciders={
        RegisterResident: _register,
        SealCompartment: _of_known(seals.seal_compartment),
        LiftSeal: _of_known(seals.lift_seal),
        ConfirmSeal: _of_known(seals.confirm_seal),
        Restrict: _of_known(restrictions.restrict),
        AnnounceLifting: _of_known(restrictions.announce_lifting),
        LiftRestriction: _of_known(restrictions.lift_restriction),
        Object: _of_known(objections.object_to),
        DecideObjection: _of_known(objections.decide_objection),
        WithdrawObjection: _of_known(_withdraw_objection),
        RecordDetermination: _of_known(determinations.record_determination),
        PlaceHold: _of_known(holds.place_hold),
        LiftHold: _of_known(holds.lift_hold),
        ProposeErasure: _of_known(erasure.propose),
        ApproveErasure: _of_known(erasure.approve),
        RefuseErasure: _of_known(erasure.refuse),
        **{command: _of_representation(decide) for command, decide in DECISIONS.items()},
    },
    founders={ResidentRegistered: _registered},
    evolvers={
        SealProposed: seals.proposed,
        CompartmentSealed: seals.sealed,
        SealLifted: seals.lifted,
        ResidentRestricted: restrictions.restricted,
        LiftingAnnounced: restrictions.announced,
        RestrictionLifted: restrictions.lifted,
        ResidentObjected: objections.objected,
        ObjectionDecided: objections.decided,
        ObjectionWithdrawn: objections.withdrawn,
        DeterminationRecorded: determinations.recorded,
        HoldPlaced: holds.placed,
        HoldLifted: holds.lifted,
        ErasureProposed: erasure.proposed,
        ErasureApproved: erasure.approved,
        ErasureRefused: erasure.ended,
        KeysDestroyed: erasure.ended,
        **{event: _in_representation(fold) for event, fold in FOLDS.items()},
    },
    stamp=objections.stamped,
)
