"""How far a mandate goes: a body decides about itself and in its own law, the municipality about all."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.case import CASE
from exchange.domain.consent import CONSENT
from exchange.domain.mandate import LAW_OF_PURPOSE, decides_about, decides_in
from exchange.domain.representation.events import AuthorityDisputed
from exchange.domain.resident import RESIDENT
from exchange.domain.rights.request import RIGHTS_REQUEST
from exchange.domain.values import LAW_OF_TASK, Author, Purpose
from tests.domain import test_erasure as erasing
from tests.domain import test_rights as asking
from tests.domain.builders import (
    CASE_OPENED,
    CONSENT_REQUESTED,
    CONSULENT,
    CONSULENT_JOINED,
    GIVE,
    LATER,
    MUNICIPALITY,
    NOON,
    PLANNER_JOINED,
    PLANNER_LEAVES,
    PROVIDER,
    REFUSE,
    RESIDENT_REF,
    RESIDENT_REGISTERED,
    WITHDRAW,
    given,
)
from tests.domain.people import DECIDE, END, FATHER_ID, JUDGE, MOTHER_ID, RECORD, RECORDED
from tests.domain.test_limits import (
    ANNOUNCE,
    ANNOUNCED,
    CARE,
    CONFIRM,
    LIFT,
    LIFT_IT,
    OBJECT,
    OBJECTED,
    PROPOSED,
    REJECT,
    REJECTED,
    RESTRICT,
    RESTRICTED,
    RESTRICTION_LIFTED,
    SEAL,
    SEALED,
    UPHELD,
    UPHOLD,
    WEIGH,
    WEIGHED,
)

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

BODY = "00000001007777777000"
OF_BODY = f"{BODY}/college:PW"
OF_WMO = f"{MUNICIPALITY}/college:WMO"
MANDATED_BODY = Author(BODY, "college:PW", "m-1")
THIRD_BODY = Author("00000001008888888000", "college:PW", "d-1")
FOR_WMO = replace(MANDATED_BODY, task="college:WMO")
REINTEGRATION = f"{PROVIDER}/reintegratiebedrijf"

# Who, about which purpose and recipient (empty is every one), and whether he decides about that.
SCOPES = [
    (CONSULENT, "", "", True),
    (CONSULENT, "", OF_BODY, True),
    (CONSULENT, "pw-arbeidsinschakeling", OF_BODY, True),
    (replace(CONSULENT, operator=False), "", "", False),
    (replace(CONSULENT, task="beheer"), "", "", False),
    # Itself, in this task.
    (MANDATED_BODY, "", OF_BODY, True),
    (MANDATED_BODY, "integrale-aanpak", OF_BODY, True),
    (FOR_WMO, "", OF_BODY, False),
    (THIRD_BODY, "", OF_BODY, False),
    (MANDATED_BODY, "", OF_WMO, False),
    (MANDATED_BODY, "pw-arbeidsinschakeling", OF_WMO, False),
    # More than one body, or the municipality.
    (MANDATED_BODY, "", "", False),
    (MANDATED_BODY, "pw-arbeidsinschakeling", "", False),
    # A provider of its own law, in the purposes of that law.
    (FOR_WMO, "", CARE, True),
    (FOR_WMO, "wmo-levering", CARE, True),
    (FOR_WMO, "integrale-aanpak", CARE, False),
    (FOR_WMO, "jeugdhulp-verlenen", CARE, False),
    (MANDATED_BODY, "", CARE, False),
    (MANDATED_BODY, "", REINTEGRATION, True),
    (FOR_WMO, "", f"{PROVIDER}/veilig-thuis", False),
    (FOR_WMO, "", f"{PROVIDER}/fg", False),
    (replace(MANDATED_BODY, task="college:IETS"), "", f"{PROVIDER}/iets", False),
    (MANDATED_BODY, "", f"{BODY}/college-andere-gemeente:PW", False),
]


@pytest.mark.parametrize(("author", "purpose", "recipient", "decides"), SCOPES)
def test_about_what_somebody_decides(author: Author, purpose: str, recipient: str, *, decides: bool) -> None:
    assert decides_about(author, purpose, recipient) is decides


@pytest.mark.parametrize("purpose", Purpose)
def test_in_which_purposes_a_body_decides(purpose: str) -> None:
    """Those of several laws, and those of none, are nobody's own."""
    for task in ("college:WMO", "college:JW", "college:PW", "college:WGS", "college:IETS", "wmo-aanbieder"):
        body = replace(MANDATED_BODY, task=task)
        own = task.startswith("college:") and LAW_OF_PURPOSE.get(purpose) == LAW_OF_TASK.get(task, "?")
        assert decides_in(body, purpose) is own
        assert decides_in(replace(body, operator=True), purpose) is task.startswith("college:")
    assert (purpose in LAW_OF_PURPOSE) is purpose.startswith(("wmo-", "jeugd", "pw-", "wgs-"))


@pytest.mark.parametrize(
    ("author", "purpose", "recipient", "decides"), [one for one in SCOPES if one[0].is_college]
)
def test_limits_are_set_and_decided_where_the_mandate_reaches(
    author: Author, purpose: str, recipient: str, *, decides: bool
) -> None:
    scope: dict[str, Any] = {"purpose": purpose, "recipient": recipient}
    objected, restricted = replace(OBJECTED, **scope), replace(RESTRICTED, **scope)
    weighed = replace(
        WEIGHED, organisation=author.oin, task=author.task, professional=author.professional, **scope
    )
    for history, command, event in [
        ((objected,), UPHOLD, UPHELD),
        ((objected,), REJECT, REJECTED),
        ((), replace(RESTRICT, **scope), restricted),
        ((restricted,), ANNOUNCE, ANNOUNCED),
        ((restricted, ANNOUNCED), LIFT_IT, RESTRICTION_LIFTED),
        ((), replace(WEIGH, **scope), weighed),
    ]:
        spoken = given(RESIDENT, RESIDENT_REGISTERED, *history).when(replace(command, author=author))
        if decides:
            spoken.then(event)
        else:
            spoken.refused("BEYOND_MANDATE")


def test_whoever_hears_an_objection_writes_it_down() -> None:
    given(RESIDENT, RESIDENT_REGISTERED).when(replace(OBJECT, author=MANDATED_BODY)).then(OBJECTED)
    received = RIGHTS_REQUEST.decide(asking.receive(author=MANDATED_BODY), None)
    assert [event.TOPIC for event in received] == ["rights_request.received.v1"]


@pytest.mark.parametrize(
    ("history", "command"),
    [
        ((), SEAL),
        ((PROPOSED,), CONFIRM),
        ((SEALED,), LIFT),
        ((), RECORD),
        ((RECORDED,), END),
        ((), erasing.PROPOSE),
        ((erasing.PROPOSED,), erasing.APPROVE),
        ((erasing.PROPOSED,), erasing.REFUSE),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_touches_every_body_is_the_municipalitys(history: tuple[Event, ...], command: Any) -> None:  # noqa: ANN401 -- any command
    state = given(RESIDENT, RESIDENT_REGISTERED, *history)
    state.when(replace(command, author=MANDATED_BODY)).refused("BEYOND_MANDATE")
    own = replace(command, author=replace(CONSULENT, professional="p-9"))
    assert RESIDENT.decide(own, state.state)


@pytest.mark.parametrize("command", [asking.extend(), asking.GRANT, asking.EXECUTE])
def test_a_right_of_the_resident_is_answered_by_the_municipality(command: Any) -> None:  # noqa: ANN401 -- any command
    asked = asking.after() if command is not asking.EXECUTE else asking.after(asking.GRANT)
    assert asking.broken(replace(command, author=MANDATED_BODY), asked) == "BEYOND_MANDATE"
    assert RIGHTS_REQUEST.decide(command, asked)


@pytest.mark.parametrize(
    ("matter", "judges"),
    [("pw-arbeidsinschakeling", True), ("wmo-onderzoek", False), ("consent", False), ("access", False)],
)
def test_capacity_is_judged_in_a_purpose_of_the_own_law(matter: str, *, judges: bool) -> None:
    judge = replace(JUDGE, author=MANDATED_BODY, matter=matter)
    spoken = given(RESIDENT, RESIDENT_REGISTERED).when(judge)
    if judges:
        assert len(RESIDENT.decide(judge, given(RESIDENT, RESIDENT_REGISTERED).state)) == 1
    else:
        spoken.refused("BEYOND_MANDATE")
    # Who knows the resident by profession and is no college judges as before.
    provider = replace(judge, author=Author(PROVIDER, "wmo-aanbieder", "z-1"))
    assert len(RESIDENT.decide(provider, given(RESIDENT, RESIDENT_REGISTERED).state)) == 1


@pytest.mark.parametrize(("purpose", "decides"), [("pw-arbeidsinschakeling", True), ("wmo-levering", False)])
def test_a_dispute_is_decided_in_a_purpose_of_the_own_law(purpose: str, *, decides: bool) -> None:
    disputed = AuthorityDisputed(
        resident=RESIDENT_REF,
        dispute_id="t-1",
        consent_id="c-1",
        purpose=purpose,
        yes_by=MOTHER_ID,
        no_by=FATHER_ID,
        at=NOON,
    )
    state = given(RESIDENT, RESIDENT_REGISTERED, disputed)
    decide = replace(DECIDE, author=MANDATED_BODY)
    if decides:
        assert len(RESIDENT.decide(decide, state.state)) == 1
    else:
        state.when(decide).refused("BEYOND_MANDATE")


@pytest.mark.parametrize(("purpose", "writes"), [("pw-arbeidsinschakeling", True), ("wmo-afstemming", False)])
def test_a_yes_is_written_down_in_the_own_law_and_a_no_everywhere(purpose: str, *, writes: bool) -> None:
    asked = replace(CONSENT_REQUESTED, purpose=purpose)
    state = given(CONSENT, asked)
    give = replace(GIVE, author=MANDATED_BODY)
    if writes:
        assert len(CONSENT.decide(give, state.state)) == 1
    else:
        state.when(give).refused("BEYOND_MANDATE")
    for no in (REFUSE, WITHDRAW):
        assert len(CONSENT.decide(replace(no, author=MANDATED_BODY), state.state)) == 1


@pytest.mark.parametrize(
    ("author", "ends"),
    [
        (CONSULENT, True),
        (replace(FOR_WMO, professional="p-1"), True),
        (replace(MANDATED_BODY, professional="p-1"), False),
    ],
)
def test_a_body_takes_its_own_providers_off_a_case_and_nobody_elses(author: Author, *, ends: bool) -> None:
    joined = replace(CONSULENT_JOINED, oin=author.oin, task=author.task)
    state = given(CASE, CASE_OPENED, joined, PLANNER_JOINED, replace(CONSULENT_JOINED, professional="p-7"))
    leave = replace(PLANNER_LEAVES, author=author, now=LATER)
    if ends:
        assert len(CASE.decide(leave, state.state)) == 1
    else:
        state.when(leave).refused("NOT_ON_CASE")
    theirs = replace(leave, oin=MUNICIPALITY, task="college:WMO", professional="p-7")
    if author.operator:
        assert len(CASE.decide(theirs, state.state)) == 1
    else:
        state.when(theirs).refused("NOT_ON_CASE")


@pytest.mark.parametrize(
    ("author", "proposes"),
    [
        (CONSULENT, True),
        (Author(PROVIDER, "veilig-thuis", "v-1"), False),
        (Author(PROVIDER, "crisisdienst", "v-1"), False),
    ],
)
def test_nobody_but_the_municipality_hides_a_part_of_its_own(author: Author, *, proposes: bool) -> None:
    seal = replace(SEAL, author=author, paths=(f"link:{MUNICIPALITY}/wmo-aanbieder",))
    state = given(RESIDENT, RESIDENT_REGISTERED)
    assert len(RESIDENT.decide(seal, state.state)) == 1
    own = replace(seal, names_operator=True)
    if proposes:
        assert len(RESIDENT.decide(own, state.state)) == 1
    else:
        state.when(own).refused("NOT_TO_SEAL")
