"""Residents: facts that stay, seals by two persons, restriction and objection."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from exchange.domain.resident import (
    RESIDENT,
    SEALS_MAX,
    CompartmentSealed,
    DecideObjection,
    LiftRestriction,
    LiftSeal,
    Object,
    ObjectionDecided,
    RegisterResident,
    ResidentObjected,
    ResidentRestricted,
    ResidentState,
    Restrict,
    RestrictionLifted,
    SealCompartment,
    SealLifted,
    age_at,
)
from tests.domain.builders import (
    A_DAY,
    DAY,
    NOON,
    REGISTER,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    SEAL,
    fold,
    given,
)

SEALED = CompartmentSealed(
    resident=RESIDENT_REF,
    compartment="opvang",
    paths=("situations.description",),
    reader_roles=("sealed-reader",),
    readers=(),
    approved_by=("p-1", "p-2"),
)
LIFT = LiftSeal(now=NOON, compartment="opvang", approved_by=("p-1", "p-3"))
LIFTED = SealLifted(resident=RESIDENT_REF, compartment="opvang", approved_by=("p-1", "p-3"))
OBJECTED = ResidentObjected(resident=RESIDENT_REF, reason="Dit gaat te ver.")
OBJECT = Object(now=NOON, reason="Dit gaat te ver.")
UPHOLD = DecideObjection(now=NOON, outcome="UPHELD")
REJECT = DecideObjection(now=NOON, outcome="REJECTED", reason="Zwaarder belang: zie brief.")
UPHELD = ObjectionDecided(resident=RESIDENT_REF, outcome="UPHELD", reason="")
REJECTED = ObjectionDecided(resident=RESIDENT_REF, outcome="REJECTED", reason="Zwaarder belang: zie brief.")


def test_registering() -> None:
    given(RESIDENT).when(REGISTER).then(RESIDENT_REGISTERED)


@pytest.mark.parametrize("birth_date", [REGISTER.birth_date, REGISTER.birth_date + A_DAY])
@pytest.mark.parametrize("capable", [True, False])
def test_registering_somebody_known_changes_and_tells_nothing(birth_date: date, *, capable: bool) -> None:
    again = replace(REGISTER, birth_date=birth_date, capable=capable)
    given(RESIDENT, RESIDENT_REGISTERED).when(again).then(RESIDENT_REGISTERED)
    assert fold(RESIDENT, RESIDENT_REGISTERED, RESIDENT_REGISTERED) == fold(RESIDENT, RESIDENT_REGISTERED)


def test_capacity_judged_anew_keeps_seals_and_limits() -> None:
    restricted = ResidentRestricted(resident=RESIDENT_REF, reason="")
    history = (RESIDENT_REGISTERED, SEALED, restricted, replace(RESIDENT_REGISTERED, capable=False))
    state = fold(RESIDENT, *history)
    assert (len(state.seals), state.restricted, state.capable) == (1, True, False)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REGISTER, birth_date=DAY + A_DAY), "birth_date"),
        (replace(REGISTER, birth_date=date(1899, 12, 31)), "birth_date"),
        (replace(REGISTER, resident=""), "resident"),
    ],
)
def test_registering_with_a_fault_names_the_field(command: RegisterResident, path: str) -> None:
    given(RESIDENT).when(command).invalid(path)


@pytest.mark.parametrize("birth_date", [DAY, date(1900, 1, 1)])
def test_the_first_and_last_birth_dates_there_are(birth_date: date) -> None:
    registered = replace(RESIDENT_REGISTERED, birth_date=birth_date)
    given(RESIDENT).when(replace(REGISTER, birth_date=birth_date)).then(registered)


@pytest.mark.parametrize(
    ("born", "day", "age"),
    [
        (date(2010, 3, 2), date(2026, 3, 1), 15),
        (date(2010, 3, 2), date(2026, 3, 2), 16),
        (date(2010, 3, 2), date(2026, 3, 3), 16),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
        (date(2008, 2, 29), date(2028, 2, 29), 20),
        (date(2010, 12, 31), date(2026, 1, 1), 15),
        (date(2026, 3, 2), date(2026, 3, 2), 0),
    ],
)
def test_age_changes_on_the_birthday(born: date, day: date, age: int) -> None:
    assert age_at(ResidentState(RESIDENT_REF, born, capable=True), day) == age


def test_sealing_a_compartment() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(SEAL).then(SEALED)


def test_named_readers_are_enough() -> None:
    command = replace(SEAL, reader_roles=(), readers=("z-9",))
    given(RESIDENT, RESIDENT_REGISTERED).when(command).then(
        replace(SEALED, reader_roles=(), readers=("z-9",))
    )


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(SEAL, compartment=" "), "compartment"),
        (replace(SEAL, paths=()), "paths"),
        (replace(SEAL, reader_roles=(), readers=()), "reader_roles"),
        (replace(SEAL, reader_roles=("a b",)), "reader_roles"),
        (replace(SEAL, reader_roles=("regisseur", "begeleider")), "reader_roles"),
        (replace(SEAL, readers=("a", "a")), "readers"),
        (replace(SEAL, approved_by=("p-1",)), "approved_by"),
        (replace(SEAL, approved_by=("p-1", "p-1")), "approved_by"),
        (replace(SEAL, approved_by=("p-1", " p-1 ")), "approved_by"),
        (replace(SEAL, approved_by=("p-1", "")), "approved_by"),
        (replace(SEAL, approved_by=("p-1", "p-2", "p-3")), "approved_by"),
    ],
)
def test_sealing_with_a_fault_names_the_field(command: SealCompartment, path: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(command).invalid(path)


def test_sealing_twice_is_refused() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, SEALED).when(SEAL).refused("ALREADY_SEALED")


def test_the_most_seals() -> None:
    seals = tuple(replace(SEALED, compartment=f"c-{n}") for n in range(SEALS_MAX))
    given(RESIDENT, RESIDENT_REGISTERED, *seals[:-1]).when(SEAL).then(SEALED)
    given(RESIDENT, RESIDENT_REGISTERED, *seals).when(SEAL).refused("SEALS_FULL")


def test_lifting_a_seal_takes_two_persons() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, SEALED).when(LIFT).then(LIFTED)
    alone = replace(LIFT, approved_by=("p-1",))
    given(RESIDENT, RESIDENT_REGISTERED, SEALED).when(alone).invalid("approved_by")


def test_lifting_what_is_not_sealed_changes_nothing() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, SEALED, LIFTED).when(LIFT).then()


def test_lifting_one_seal_keeps_the_others() -> None:
    state = fold(RESIDENT, RESIDENT_REGISTERED, SEALED, replace(SEALED, compartment="getuige"), LIFTED)
    assert [seal.compartment for seal in state.seals] == ["getuige"]


def test_restricting_and_lifting() -> None:
    restricted = ResidentRestricted(resident=RESIDENT_REF, reason="juistheid betwist")
    lifted = RestrictionLifted(resident=RESIDENT_REF, reason="")
    restrict = Restrict(now=NOON, reason="juistheid betwist")
    lift = LiftRestriction(now=NOON)
    given(RESIDENT, RESIDENT_REGISTERED).when(restrict).then(restricted)
    given(RESIDENT, RESIDENT_REGISTERED, restricted).when(restrict).then()
    given(RESIDENT, RESIDENT_REGISTERED, restricted).when(lift).then(lifted)
    given(RESIDENT, RESIDENT_REGISTERED, restricted, lifted).when(lift).then()


def test_objecting_once_is_enough() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(OBJECT).then(OBJECTED)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(OBJECT).then()
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, UPHELD).when(OBJECT).then()


def test_after_a_rejection_the_resident_may_object_anew() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(OBJECT).then(OBJECTED)


def test_deciding_an_objection() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(UPHOLD).then(UPHELD)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(REJECT).then(REJECTED)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(REJECT).then()


def test_a_rejection_has_a_reason() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(replace(REJECT, reason=" ")).invalid("reason")


@pytest.mark.parametrize("outcome", ["", "PENDING", "upheld"])
def test_an_objection_is_upheld_or_rejected(outcome: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(replace(UPHOLD, outcome=outcome)).invalid("outcome")


def test_deciding_what_does_not_wait_is_refused() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(UPHOLD).refused("NO_OBJECTION_PENDING")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(UPHOLD).refused("NO_OBJECTION_PENDING")


def test_a_reason_has_an_end() -> None:
    for command in (Restrict(now=NOON, reason="x" * 4001), Object(now=NOON, reason="x" * 4001)):
        given(RESIDENT, RESIDENT_REGISTERED).when(command).invalid("reason")
    exactly = Object(now=NOON, reason="x" * 4000)
    given(RESIDENT, RESIDENT_REGISTERED).when(exactly).then(replace(OBJECTED, reason="x" * 4000))


@pytest.mark.parametrize(
    "command", [SEAL, LIFT, Restrict(now=NOON), LiftRestriction(now=NOON), OBJECT, UPHOLD]
)
def test_nothing_happens_to_who_is_not_registered(
    command: SealCompartment | LiftSeal | Restrict | LiftRestriction | Object | DecideObjection,
) -> None:
    given(RESIDENT).when(command).refused("NOT_REGISTERED")
