"""Case to report and plan to case, and persons of the BRP: pure, on both sides of each line."""

from __future__ import annotations

import json
import re
from datetime import date
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.kit.outward import Unexpected
from adapters.municipal.case_shapes import read_case
from adapters.municipal.errors import ForAPerson, NotificationRefused, PersonUnreadable
from adapters.municipal.exchange_port import read_plan
from adapters.municipal.mapping import (
    LIFE_DOMAINS,
    decision_identification,
    identification_of,
    object_uuid,
    plan_of,
    report_of,
    statuses_due,
    wanted,
    with_plan,
)
from adapters.municipal.persons import TYPE, latest_day, read_authority, read_resident, years_between
from adapters.municipal.records import (
    Goal,
    PlanSeen,
    Result,
    Stage,
    Support,
    SupportState,
    Zaak,
)
from adapters.municipal.webhook import read_notification
from exchange.v1 import plan_pb2 as pb
from exchange.v1.common_pb2 import LifeDomain
from tests.municipal.around import schema

if TYPE_CHECKING:
    from collections.abc import Callable

PLAN = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001"
OTHER = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0002"
TODAY = date(2026, 11, 26)
STATES = SupportState
NINE = re.compile("[0-9]{9}")
WORDS = (
    "type",
    "datum",
    "jaar",
    "maand",
    "ouder",
    "ouders",
    "derde",
    "derden",
    "burgerservicenummer",
    "kenmerk",
    "bron",
    "url",
    "geboorte",
    "kanaal",
)


def zaak(**changes: Any) -> Zaak:  # noqa: ANN401 -- any part of a case
    told: dict[str, Any] = {
        "url": "u",
        "uuid": "u",
        "zaaktype": "t",
        "closed": False,
        "has_result": False,
        "omschrijving": "Melding",
        "toelichting": "Hulp gevraagd.",
    }
    return Zaak(**(told | changes))


def support(state: SupportState, *, custom: bool = True) -> Support:
    return Support(PLAN, custom, state, "0" * 20, "02", "02A03", "2027-01-01", "")


def plan(*states: SupportState, custom: bool = True, **changes: Any) -> PlanSeen:  # noqa: ANN401 -- any part of a plan
    told: dict[str, Any] = {
        "plan_id": PLAN,
        "version": 3,
        "investigated": False,
        "solved": False,
        "agreed": False,
        "supports": tuple(support(one, custom=custom) for one in states),
    }
    return PlanSeen(**(told | changes))


def test_every_life_domain_has_a_word_and_no_word_has_none() -> None:
    known = {name.removeprefix("LIFE_DOMAIN_") for name in LifeDomain.keys()} - {"UNSPECIFIED"}  # noqa: SIM118 -- an enum wrapper
    assert set(LIFE_DOMAINS.values()) == known
    assert set(schema()["properties"]["doelen"]["items"]["properties"]["leefgebied"]["enum"]) == known


def test_a_case_is_reported_in_its_own_words() -> None:
    assert report_of(zaak(), "", "huisvesting").domains == ("HOUSING",)
    told = report_of(zaak(toelichting=" "), "Financiën, huisvesting,financien", "justitie")
    assert (told.own_words, told.domains) == ("Melding", ("FINANCE", "HOUSING"))
    with pytest.raises(ForAPerson, match="life_domain_unknown"):
        report_of(zaak(), "tuin", "huisvesting")
    with pytest.raises(ForAPerson, match="case_without_words"):
        report_of(zaak(omschrijving="", toelichting=""), "", "huisvesting")


def test_a_case_names_one_plan_and_keeps_what_others_wrote() -> None:
    named = zaak(kenmerken=(("7", "archief"), (PLAN, "exchange")))
    assert plan_of(named) == PLAN
    assert plan_of(zaak(kenmerken=(("7", "archief"),))) == ""
    assert [one["bron"] for one in with_plan(zaak(kenmerken=(("7", "archief"),)), PLAN)] == [
        "archief",
        "exchange",
    ]
    with pytest.raises(ForAPerson, match="two_plans_on_one_case"):
        plan_of(zaak(kenmerken=((PLAN, "exchange"), (OTHER, "exchange"))))


@pytest.mark.parametrize(
    ("seen", "stage", "result"),
    [
        (plan(), Stage.RECEIVED, None),
        (plan(investigated=True), Stage.INVESTIGATED, None),
        (plan(STATES.REQUESTED), Stage.RECEIVED, None),
        (plan(agreed=True), Stage.AGREED, None),
        (plan(STATES.REQUESTED, agreed=True), Stage.AGREED, None),
        (plan(STATES.ASSIGNED, STATES.REQUESTED, agreed=True), Stage.AGREED, None),
        (plan(STATES.ASSIGNED, agreed=True), Stage.CLOSED, Result.GRANTED),
        (plan(STATES.STOPPED, STATES.REFUSED, agreed=True), Stage.CLOSED, Result.GRANTED),
        (plan(STATES.REFUSED), Stage.CLOSED, Result.REFUSED),
        (plan(solved=True, investigated=True), Stage.CLOSED, Result.SOLVED),
        (plan(STATES.STARTED, custom=False, agreed=True), Stage.AGREED, None),
        (plan(STATES.STARTED, custom=False, solved=True), Stage.CLOSED, Result.SOLVED),
    ],
)
def test_a_plan_says_how_far_its_case_is(seen: PlanSeen, stage: Stage, result: Result | None) -> None:
    aim = wanted(seen)
    assert (aim.stage, aim.result) == (stage, result)


def test_a_decision_is_of_a_custom_support_that_was_given() -> None:
    every = plan(*STATES)
    assert len(wanted(every).decisions) == 3
    assert wanted(plan(*STATES, custom=False)).decisions == ()


@given(
    states=st.lists(st.sampled_from(list(STATES)), max_size=4),
    words=st.lists(st.sampled_from(["", "Weer zelf koken."]), max_size=3),
    agreed=st.booleans(),
)
def test_whatever_is_withheld_the_object_is_of_its_type(
    states: list[SupportState], words: list[str], *, agreed: bool
) -> None:
    goals = tuple(Goal(PLAN, one, one, "HOUSING" if one else "", "", "ACTIVE") for one in words)
    data = dict(wanted(plan(*states, goals=goals, agreed=agreed)).data)
    assert CHECK(data) == data


CHECK = fastjsonschema.compile(schema())


def test_what_makes_a_write_one_is_of_the_plan_alone_and_fits() -> None:
    assert len(identification_of(PLAN)) <= 40
    assert len(decision_identification(PLAN)) <= 50
    assert identification_of(PLAN) != identification_of(OTHER)
    assert object_uuid(PLAN) == object_uuid(PLAN) != object_uuid(OTHER)


def test_a_status_is_never_behind_where_the_case_is() -> None:
    numbers = [(stage, stage.value * 10) for stage in Stage]
    assert statuses_due(0, numbers, Stage.AGREED) == (Stage.RECEIVED, Stage.INVESTIGATED, Stage.AGREED)
    assert statuses_due(19, numbers, Stage.AGREED) == (Stage.INVESTIGATED, Stage.AGREED)
    assert statuses_due(20, numbers, Stage.AGREED) == (Stage.AGREED,)
    assert statuses_due(30, numbers, Stage.AGREED) == ()
    assert statuses_due(40, numbers, Stage.RECEIVED) == ()


# --- persons ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("told", "day"),
    [
        ({"type": "Datum", "datum": "2008-02-29"}, date(2008, 2, 29)),
        ({"type": "JaarMaandDatum", "jaar": 2008, "maand": 2}, date(2008, 2, 29)),
        ({"type": "JaarMaandDatum", "jaar": 2009, "maand": 2}, date(2009, 2, 28)),
        ({"type": "JaarDatum", "jaar": 2008}, date(2008, 12, 31)),
    ],
)
def test_a_date_that_is_not_whole_is_the_latest_it_can_be(told: dict[str, Any], day: date) -> None:
    assert latest_day(told) == day


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ({"type": "DatumOnbekend", "onbekend": True}, ForAPerson),
        (None, ForAPerson),
        ({"type": "Datum"}, PersonUnreadable),
        ({"type": "Datum", "datum": "2008-02-30"}, PersonUnreadable),
        ({"type": "JaarMaandDatum", "jaar": 2008, "maand": 13}, PersonUnreadable),
        ({"type": "JaarDatum", "jaar": 10**12}, PersonUnreadable),
        ({"type": "Maandag"}, PersonUnreadable),
    ],
)
def test_a_date_that_says_nothing_is_not_guessed(told: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        latest_day(told)


def test_age_turns_on_the_day() -> None:
    assert years_between(date(2008, 11, 26), TODAY) == 18
    assert years_between(date(2008, 11, 27), TODAY) == 17
    assert years_between(date(2008, 2, 29), date(2026, 2, 28)) == 17
    assert years_between(date(2008, 2, 29), date(2026, 3, 1)) == 18


def answer(*persons: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RaadpleegMetBurgerservicenummer", "personen": list(persons)}


def born(year: int, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any part of a person
    return {"geboorte": {"datum": {"type": "JaarDatum", "jaar": year}}, **more}


def test_a_resident_is_read_as_far_as_needed() -> None:
    adult = read_resident(answer(born(1980, geheimhoudingPersoonsgegevens=True)), TODAY)
    assert (adult.minor, adult.secret, adult.in_curatele) == (False, True, False)
    assert read_resident(answer(born(2008)), TODAY).minor
    assert read_resident(answer(born(1980, indicatieCurateleRegister=True)), TODAY).in_curatele
    # What is doubted of somebody's place of birth is nothing here, nor that he lives abroad.
    elsewhere = {**born(1980)["geboorte"], "inOnderzoek": {"plaats": True, "datum": False}}
    abroad = {"reden": {"code": "E"}}
    assert not read_resident(answer({"geboorte": elsewhere, "opschortingBijhouding": abroad}), TODAY).minor
    # Of this year, with month and day unknown: not born tomorrow.
    assert read_resident(answer(born(2026)), TODAY).born == TODAY


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (answer(), "person_not_in_brp"),
        (answer(born(1980), born(1981)), "person_twice_in_brp"),
        (answer(born(1980, opschortingBijhouding={"reden": {"code": "O"}})), "person_deceased"),
        (answer(born(1980, opschortingBijhouding={"reden": {"code": "F"}})), "person_record_void"),
        (answer(born(1980, opschortingBijhouding={"reden": {"code": "W"}})), "person_record_void"),
        (answer(born(1980, inOnderzoek={"burgerservicenummer": True})), "number_under_investigation"),
        (answer(born(1980, inOnderzoek={"indicatieCurateleRegister": True})), "curatele_under_investigation"),
        (
            answer({"geboorte": {**born(1980)["geboorte"], "inOnderzoek": {"datum": True}}}),
            "birth_date_under_investigation",
        ),
        ({"type": "ZoekMetPostcodeEnHuisnummer", "personen": []}, "type"),
        ({"type": "RaadpleegMetBurgerservicenummer", "personen": ["x"]}, "personen"),
        ([], "type"),
    ],
)
def test_an_answer_that_is_not_one_living_person_is_not_read(told: object, error: str) -> None:
    with pytest.raises((ForAPerson, PersonUnreadable), match=error):
        read_resident(told, TODAY)


ONE, TWO = {"burgerservicenummer": "900000004"}, {"burgerservicenummer": "900000016"}


def authority(kind: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 -- any part of a relation
    return answer({"gezag": [{"type": kind, "minderjarige": {}, **more}]})


@pytest.mark.parametrize(
    ("told", "holders"),
    [
        (
            authority("GezamenlijkOuderlijkGezag", ouders=[ONE, TWO]),
            [("PARENT", "GEZAMENLIJK_OUDERLIJK"), ("PARENT", "GEZAMENLIJK_OUDERLIJK")],
        ),
        (authority("EenhoofdigOuderlijkGezag", ouder=ONE), [("PARENT", "EENHOOFDIG_OUDERLIJK")]),
        (
            authority("GezamenlijkGezag", ouder=ONE, derde={"type": "BekendeDerde", **TWO}),
            [("PARENT", "GEZAMENLIJK"), ("GUARDIAN", "GEZAMENLIJK")],
        ),
        (authority("Voogdij", derden=[{"type": "BekendeDerde", **ONE}]), [("GUARDIAN", "VOOGDIJ")]),
    ],
)
def test_authority_is_read_as_the_register_says(told: object, holders: list[tuple[str, str]]) -> None:
    assert [(one.relation, one.gezag) for one in read_authority(told)] == holders


@pytest.mark.parametrize(
    ("told", "error"),
    [
        (authority("TijdelijkGeenGezag", toelichting="x"), "authority_with_nobody"),
        (authority("GezagNietTeBepalen", toelichting="x"), "authority_with_nobody"),
        (authority("Voogdij", derden=[]), "guardian_not_told"),
        (authority("EenhoofdigOuderlijkGezag", ouder=ONE, inOnderzoek=True), "under_investigation"),
        (authority("EenhoofdigOuderlijkGezag", ouder={"naam": {}}), "holder_without_bsn"),
        (authority("GezamenlijkGezag", ouder=ONE, derde={"type": "OnbekendeDerde"}), "holder_without_bsn"),
        (authority("Grootouderlijk"), "gezag.type"),
        (answer({"gezag": []}), "authority_not_plain"),
        (answer({}), "authority_not_told"),
    ],
)
def test_authority_that_is_not_plain_is_for_a_person(told: object, error: str) -> None:
    with pytest.raises((ForAPerson, PersonUnreadable), match=error):
        read_authority(told)


# --- what nobody should answer ------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=12,
)
CASE = {
    "url": "u",
    "uuid": "u",
    "zaaktype": "t",
    "kenmerken": [{"kenmerk": PLAN, "bron": "exchange"}],
    "rollen": ["r"],
}


def said_of(read: Callable[[Any], object], told: object) -> str:
    try:
        read(told)
    except (Unexpected, ForAPerson, PersonUnreadable, NotificationRefused) as refused:
        return str(refused)
    return ""


@given(name=st.sampled_from(sorted(CASE)), value=JSON, other=JSON)
def test_whatever_is_answered_it_is_read_or_refused_by_name(name: str, value: object, other: object) -> None:
    answers: list[tuple[Callable[[Any], object], object]] = [
        (read_case, CASE | {name: value}),
        (read_case, other),
        (lambda one: read_resident(one, TODAY), answer({"geboorte": value})),
        (lambda one: read_resident(one, TODAY), {"type": TYPE, "personen": value}),
        (read_authority, answer({"gezag": value})),
        (read_authority, answer({"gezag": [value]})),
        (read_authority, other),
        (read_notification, json.dumps(other).encode()),
    ]
    said = " ".join(said_of(read, told) for read, told in answers)
    assert NINE.search(said) is None


def test_a_plan_is_agreed_by_a_yes_to_it_that_waits_for_nobody() -> None:
    yes = pb.Agreement(outcome=pb.AGREEMENT_OUTCOME_AGREED, plan_version=4)
    waits = pb.Agreement(outcome=pb.AGREEMENT_OUTCOME_AGREED, plan_version=4, waits=True)
    elsewhere = pb.Agreement(outcome=pb.AGREEMENT_OUTCOME_AGREED)
    for said, agreed in (([yes], True), ([waits], False), ([waits, yes], True), ([yes, elsewhere], False)):
        assert read_plan("plan-1", pb.Plan(agreements=said)).agreed is agreed
