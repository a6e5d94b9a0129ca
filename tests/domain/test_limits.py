"""Limits: seals by two persons, restriction with its notice, objections with a scope, determinations."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.limits.determinations import DeterminationRecorded, RecordDetermination
from exchange.domain.limits.objections import (
    OBJECTIONS_MAX,
    DecideObjection,
    Object,
    ObjectionDecided,
    ResidentObjected,
)
from exchange.domain.limits.restrictions import (
    RESTRICTIONS_MAX,
    AnnounceLifting,
    LiftingAnnounced,
    LiftRestriction,
    ResidentRestricted,
    Restrict,
    RestrictionLifted,
)
from exchange.domain.limits.scope import in_scope
from exchange.domain.limits.seals import (
    PROPOSAL_DAYS_MAX,
    PROPOSALS_OF_ONE_PERSON_MAX,
    SEALS_MAX,
    CompartmentSealed,
    ConfirmSeal,
    LiftSeal,
    SealCompartment,
    SealLifted,
    SealProposed,
)
from exchange.domain.resident import RESIDENT
from exchange.errors import RuleBroken
from tests.domain.builders import (
    A_DAY,
    CONSULENT,
    DAY,
    MUNICIPALITY,
    NOON,
    PLANNER,
    PROVIDER,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    fold,
    given,
)
from tests.domain.builders import RESIDENT as RESIDENT_SIDE

SEAL = SealCompartment(
    now=NOON,
    author=CONSULENT,
    proposal_id="s-1",
    paths=("situations.description",),
    readers=(f"{PROVIDER}/wmo-aanbieder",),
    reason="Adres van de opvang.",
)

if TYPE_CHECKING:
    from exchange.domain.kernel import Command, Event
    from exchange.domain.values import Author

CARE = f"{PROVIDER}/wmo-aanbieder"
SECOND = replace(CONSULENT, professional="p-2")
PROPOSED = SealProposed(
    resident=RESIDENT_REF,
    proposal_id="s-1",
    lifts="",
    paths=("situations.description",),
    readers=(CARE,),
    reason="Adres van de opvang.",
    review_date=None,
    by=f"{MUNICIPALITY}/p-1",
    at=NOON,
)
SEALED = CompartmentSealed(
    resident=RESIDENT_REF,
    compartment="s-1",
    paths=("situations.description",),
    reader_roles=(),
    readers=(f"{PROVIDER}/wmo-aanbieder",),
    approved_by=(f"{MUNICIPALITY}/p-1", f"{MUNICIPALITY}/p-2"),
)
CONFIRM = ConfirmSeal(now=NOON, author=SECOND, proposal_id="s-1")
LIFT = LiftSeal(now=NOON, author=CONSULENT, proposal_id="s-2", compartment="s-1", reason="Niet meer nodig.")
LIFT_PROPOSED = replace(PROPOSED, proposal_id="s-2", lifts="s-1", paths=(), readers=(), reason=LIFT.reason)
LIFTED = SealLifted(resident=RESIDENT_REF, compartment="s-1", approved_by=SEALED.approved_by)

RESTRICT = Restrict(now=NOON, author=CONSULENT, restriction_id="b-1", reason="Juistheid betwist.")
RESTRICTED = ResidentRestricted(
    resident=RESIDENT_REF,
    restriction_id="b-1",
    purpose="",
    recipient="",
    reason="Juistheid betwist.",
    review_date=None,
)
ANNOUNCE = AnnounceLifting(now=NOON, author=CONSULENT, restriction_id="b-1", how="letter")
ANNOUNCED = LiftingAnnounced(resident=RESIDENT_REF, restriction_id="b-1", how="letter")
LIFT_IT = LiftRestriction(now=NOON, author=CONSULENT, restriction_id="b-1", reason="Nagegaan en juist.")
RESTRICTION_LIFTED = RestrictionLifted(
    resident=RESIDENT_REF, restriction_id="b-1", reason="Nagegaan en juist."
)

OBJECT = Object(now=NOON, author=CONSULENT, objection_id="o-1", reason="Dit gaat te ver.")
OBJECTED = ResidentObjected(
    resident=RESIDENT_REF, objection_id="o-1", purpose="", recipient="", reason="Dit gaat te ver."
)
UPHOLD = DecideObjection(now=NOON, author=CONSULENT, objection_id="o-1", outcome="UPHELD")
REJECT = replace(UPHOLD, outcome="REJECTED", reason="Zwaarder belang: zie brief.")
UPHELD = ObjectionDecided(resident=RESIDENT_REF, objection_id="o-1", outcome="UPHELD", reason="")
REJECTED = replace(UPHELD, outcome="REJECTED", reason="Zwaarder belang: zie brief.")

WEIGH = RecordDetermination(
    now=NOON, author=CONSULENT, kind="disproportionate", holds=True, reason="Zie afweging."
)
WEIGHED = DeterminationRecorded(
    resident=RESIDENT_REF,
    kind="disproportionate",
    holds=True,
    purpose="",
    recipient="",
    representative_id="",
    organisation=MUNICIPALITY,
    task="college:WMO",
    professional="p-1",
    reason="Zie afweging.",
    at=NOON,
)


def test_one_person_proposes_and_hides_nothing() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(SEAL).then(PROPOSED)
    state = fold(RESIDENT, RESIDENT_REGISTERED, PROPOSED)
    assert (state.seals, len(state.proposals)) == ((), 1)


def test_another_person_confirms() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(CONFIRM).then(SEALED)
    state = fold(RESIDENT, RESIDENT_REGISTERED, PROPOSED, SEALED)
    assert ([seal.compartment for seal in state.seals], state.proposals) == (["s-1"], ())


@pytest.mark.parametrize("author", [CONSULENT, replace(CONSULENT, task="college:PW")])
def test_the_same_person_does_not_speak_twice_in_whichever_task(author: Author) -> None:
    twice = replace(CONFIRM, author=author)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(twice).refused("SAME_PERSON")


def test_a_namesake_at_another_organisation_is_another_person() -> None:
    other = replace(CONFIRM, author=replace(PLANNER, task="veilig-thuis", professional="p-1"))
    approved = (f"{MUNICIPALITY}/p-1", f"{PROVIDER}/p-1")
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(other).then(replace(SEALED, approved_by=approved))


@pytest.mark.parametrize(("late", "waits"), [(timedelta(microseconds=-1), True), (timedelta(0), False)])
def test_a_proposal_waits_for_a_week(late: timedelta, *, waits: bool) -> None:
    confirm = replace(CONFIRM, now=NOON + timedelta(days=PROPOSAL_DAYS_MAX) + late)
    asked = given(RESIDENT, RESIDENT_REGISTERED, PROPOSED).when(confirm)
    if waits:
        asked.then(SEALED)
    else:
        asked.refused("NO_SUCH_PROPOSAL")


def test_a_proposal_is_confirmed_once() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, SEALED).when(CONFIRM).refused("NO_SUCH_PROPOSAL")


def test_sealing_the_same_again_tells_nothing_of_the_first() -> None:
    again = replace(SEAL, proposal_id="s-9", author=SECOND)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, SEALED).when(again).then(
        replace(PROPOSED, proposal_id="s-9", by=f"{MUNICIPALITY}/p-2")
    )


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"proposal_id": " "}, "proposal_id"),
        ({"paths": ()}, "paths"),
        ({"readers": ()}, "readers"),
        ({"readers": (CARE, CARE)}, "readers"),
        ({"readers": ("sealed-reader",)}, "readers"),
        ({"readers": (f"{CARE}/",)}, "readers"),
        ({"reason": " "}, "reason"),
        ({"review_date": DAY}, "review_date"),
    ],
)
def test_a_seal_with_a_fault_names_the_field(changes: dict[str, Any], path: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(SEAL, **changes)).invalid(path)


def test_a_reader_is_a_recipient_or_one_person_of_it_and_a_review_lies_ahead() -> None:
    command = replace(SEAL, readers=(f"{CARE}/z-1/a",), review_date=DAY + A_DAY)
    told = replace(PROPOSED, readers=command.readers, review_date=DAY + A_DAY)
    given(RESIDENT, RESIDENT_REGISTERED).when(command).then(told)


def test_the_most_seals_and_proposals() -> None:
    seals = tuple(replace(SEALED, compartment=f"c-{n}") for n in range(SEALS_MAX))
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, *seals[:-1]).when(CONFIRM).then(SEALED)
    given(RESIDENT, RESIDENT_REGISTERED, PROPOSED, *seals).when(CONFIRM).refused("SEALS_FULL")
    waiting = tuple(replace(PROPOSED, proposal_id=f"w-{n}") for n in range(PROPOSALS_OF_ONE_PERSON_MAX))
    given(RESIDENT, RESIDENT_REGISTERED, *waiting[:-1]).when(SEAL).then(PROPOSED)
    given(RESIDENT, RESIDENT_REGISTERED, *waiting).when(SEAL).refused("PROPOSALS_FULL")
    others = replace(SEAL, author=SECOND)
    given(RESIDENT, RESIDENT_REGISTERED, *waiting).when(others).then(
        replace(PROPOSED, by=f"{MUNICIPALITY}/p-2")
    )


def test_lifting_a_seal_takes_two_persons_too() -> None:
    sealed = (RESIDENT_REGISTERED, PROPOSED, SEALED)
    given(RESIDENT, *sealed).when(LIFT).then(LIFT_PROPOSED)
    assert fold(RESIDENT, *sealed, LIFT_PROPOSED).seals
    confirm = replace(CONFIRM, proposal_id="s-2")
    given(RESIDENT, *sealed, LIFT_PROPOSED).when(confirm).then(LIFTED)
    alone = replace(confirm, author=CONSULENT)
    given(RESIDENT, *sealed, LIFT_PROPOSED).when(alone).refused("SAME_PERSON")
    given(RESIDENT, *sealed, LIFT_PROPOSED, LIFTED).when(LIFT).refused("NO_SUCH_SEAL")


def test_lifting_one_seal_keeps_the_others() -> None:
    state = fold(RESIDENT, RESIDENT_REGISTERED, SEALED, replace(SEALED, compartment="s-7"), LIFTED)
    assert [seal.compartment for seal in state.seals] == ["s-7"]


OTHERS = {
    RESIDENT_SIDE: (SEAL, LIFT, CONFIRM, ANNOUNCE, LIFT_IT, UPHOLD, WEIGH),
    PLANNER: (SEAL, LIFT, CONFIRM, RESTRICT, ANNOUNCE, LIFT_IT, OBJECT, UPHOLD, WEIGH),
}


@pytest.mark.parametrize(
    ("author", "command"), [(author, command) for author, commands in OTHERS.items() for command in commands]
)
def test_whatever_basis_is_claimed_each_says_only_what_is_his_to_say(
    author: Author, command: Command
) -> None:
    spoken = replace(command, author=author)
    with pytest.raises(RuleBroken) as refused:
        RESIDENT.decide(spoken, fold(RESIDENT, RESIDENT_REGISTERED, PROPOSED, SEALED, RESTRICTED, OBJECTED))
    assert refused.value.metadata["rule"] in {"NOT_THE_COLLEGE", "NOT_TO_SAY", "NOT_TO_SEAL"}


def test_the_resident_restricts_and_objects_and_veilig_thuis_seals() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(RESTRICT, author=RESIDENT_SIDE)).then(RESTRICTED)
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(OBJECT, author=RESIDENT_SIDE)).then(OBJECTED)
    safe = replace(CONSULENT, task="veilig-thuis")
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(SEAL, author=safe)).then(PROPOSED)


def test_no_restriction_is_lifted_before_the_resident_was_told() -> None:
    history: tuple[Event, ...] = (RESIDENT_REGISTERED,)
    given(RESIDENT, *history).when(RESTRICT).then(RESTRICTED)
    history = (*history, RESTRICTED)
    given(RESIDENT, *history).when(LIFT_IT).refused("RESIDENT_NOT_TOLD")
    given(RESIDENT, *history).when(ANNOUNCE).then(ANNOUNCED)
    history = (*history, ANNOUNCED)
    given(RESIDENT, *history).when(ANNOUNCE).then()
    given(RESIDENT, *history).when(LIFT_IT).then(RESTRICTION_LIFTED)
    given(RESIDENT, *history, RESTRICTION_LIFTED).when(LIFT_IT).refused("NO_SUCH_RESTRICTION")
    given(RESIDENT, *history, RESTRICTION_LIFTED).when(ANNOUNCE).refused("NO_SUCH_RESTRICTION")


def test_the_same_scope_is_restricted_once_and_another_beside_it() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, RESTRICTED).when(replace(RESTRICT, restriction_id="b-2")).then()
    narrow = replace(RESTRICT, restriction_id="b-2", purpose="wmo-levering", recipient=CARE)
    told = replace(RESTRICTED, restriction_id="b-2", purpose="wmo-levering", recipient=CARE)
    given(RESIDENT, RESIDENT_REGISTERED, RESTRICTED).when(narrow).then(told)
    state = fold(RESIDENT, RESIDENT_REGISTERED, RESTRICTED, told, ANNOUNCED, RESTRICTION_LIFTED)
    assert [one.restriction_id for one in state.restrictions] == ["b-2"]


def test_the_most_restrictions() -> None:
    many = tuple(
        replace(RESTRICTED, restriction_id=f"b-{n}", recipient=f"{n:020}/svb")
        for n in range(RESTRICTIONS_MAX)
    )
    given(RESIDENT, RESIDENT_REGISTERED, *many[:-1]).when(RESTRICT).then(RESTRICTED)
    given(RESIDENT, RESIDENT_REGISTERED, *many).when(RESTRICT).refused("RESTRICTIONS_FULL")


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(RESTRICT, purpose="wandelen"), "restricted_purpose"),
        (replace(RESTRICT, recipient="svb"), "recipient"),
        (replace(RESTRICT, recipient=f"{MUNICIPALITY}/"), "recipient"),
        (replace(RESTRICT, reason=""), "reason"),
        (replace(RESTRICT, review_date=DAY), "review_date"),
        (replace(OBJECT, purpose="wandelen"), "objected_purpose"),
        (replace(OBJECT, recipient="svb/1"), "recipient"),
        (replace(OBJECT, reason="x" * 4001), "reason"),
        (replace(WEIGH, kind="zwaar"), "kind"),
        (replace(WEIGH, purpose="wandelen"), "determined_purpose"),
        (replace(WEIGH, reason=" "), "reason"),
    ],
)
def test_a_limit_with_a_fault_names_the_field(command: Command, path: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(command).invalid(path)


@pytest.mark.parametrize("how", ["", "smoke"])
def test_the_resident_is_told_in_a_way_there_is(how: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, RESTRICTED).when(replace(ANNOUNCE, how=how)).invalid("how")


def test_objecting_once_is_enough() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(OBJECT).then(OBJECTED)
    again = replace(OBJECT, objection_id="o-2")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(again).then()
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, UPHELD).when(again).then()


def test_an_objection_to_something_else_stands_beside_it() -> None:
    narrow = replace(OBJECT, objection_id="o-2", purpose="wmo-levering")
    told = replace(OBJECTED, objection_id="o-2", purpose="wmo-levering")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(narrow).then(told)
    state = fold(RESIDENT, RESIDENT_REGISTERED, OBJECTED, told, UPHELD)
    assert [(one.objection_id, one.status) for one in state.objections] == [
        ("o-1", "UPHELD"),
        ("o-2", "PENDING"),
    ]


def test_after_a_rejection_the_resident_may_object_anew() -> None:
    again, told = replace(OBJECT, objection_id="o-2"), replace(OBJECTED, objection_id="o-2")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(again).then(told)
    state = fold(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED, told)
    assert [(one.objection_id, one.status) for one in state.objections] == [("o-2", "PENDING")]


def test_deciding_an_objection() -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(UPHOLD).then(UPHELD)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(REJECT).then(REJECTED)
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(REJECT).then()
    given(RESIDENT, RESIDENT_REGISTERED).when(UPHOLD).refused("NO_OBJECTION_PENDING")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED, REJECTED).when(UPHOLD).refused("NO_OBJECTION_PENDING")
    other = replace(UPHOLD, objection_id="o-9")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(other).refused("NO_OBJECTION_PENDING")


@pytest.mark.parametrize("outcome", ["", "PENDING", "upheld"])
def test_an_objection_is_upheld_or_rejected_with_a_reason(outcome: str) -> None:
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(replace(UPHOLD, outcome=outcome)).invalid("outcome")
    given(RESIDENT, RESIDENT_REGISTERED, OBJECTED).when(replace(REJECT, reason=" ")).invalid("reason")


def test_the_most_objections_counts_those_that_stand() -> None:
    many = tuple(
        replace(OBJECTED, objection_id=f"o-{n + 5}", recipient=f"{n:020}/svb") for n in range(OBJECTIONS_MAX)
    )
    given(RESIDENT, RESIDENT_REGISTERED, *many).when(OBJECT).refused("OBJECTIONS_FULL")
    rejected = replace(REJECTED, objection_id="o-5")
    given(RESIDENT, RESIDENT_REGISTERED, *many, rejected).when(OBJECT).then(OBJECTED)


@pytest.mark.parametrize(
    ("scope", "reaches"),
    [
        (("", ""), True),
        (("wmo-levering", ""), True),
        (("", CARE), True),
        (("wmo-levering", CARE), True),
        (("wgs-plan", ""), False),
        (("", f"{MUNICIPALITY}/svb"), False),
        (("wmo-levering", f"{MUNICIPALITY}/svb"), False),
        (("wgs-plan", CARE), False),
    ],
)
def test_a_scope_reaches_what_it_names(scope: tuple[str, str], *, reaches: bool) -> None:
    assert in_scope(*scope, "wmo-levering", CARE) is reaches


@pytest.mark.parametrize("command", [SEAL, LIFT, CONFIRM, RESTRICT, ANNOUNCE, LIFT_IT, OBJECT, UPHOLD, WEIGH])
def test_nothing_happens_to_who_is_not_registered(command: Command) -> None:
    given(RESIDENT).when(command).refused("NOT_REGISTERED")
