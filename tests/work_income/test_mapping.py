"""From answers to facts and from facts to a plan: what is needed, as far as it is known, and from where."""

from __future__ import annotations

import pytest

from adapters.simulators.suwinet import people
from adapters.work_income.drafts import Told, unpack
from adapters.work_income.mapping import (
    DESCRIPTION_CHARACTERS_MAX,
    LEFT_OUT,
    MORE,
    clean,
    findings,
    partial_day,
)
from adapters.work_income.records import Benefit, Bottleneck, Category, Domain, Earning, Facility
from adapters.work_income.services import ASSISTANCE, INCOME, REINTEGRATION, WORK_COMPANY, Service
from adapters.work_income.xml import read_node
from tests.work_income.papers import BSN, OTHER_BSN


def told(service: Service, *known: people.Told) -> Told:
    return Told.of([found(service, *known)])


def found(service: Service, *known: people.Told):  # type: ignore[no-untyped-def] # noqa: ANN201 -- Findings
    return findings(
        service, read_node(people.answer(service.name, BSN, known or people.ANSWERS[service.name]))
    )


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20260317", "2026-03-17"),
        ("20260300", "2026-03"),
        ("20260000", "2026"),
        ("20260017", "2026"),
        ("00000000", ""),
        ("00000317", ""),
        ("99991231", ""),
        ("", ""),
    ],
)
def test_a_day_is_told_as_far_as_it_is_known(text: str, day: str) -> None:
    assert partial_day(text) == day


@pytest.mark.parametrize("written", ["111222333", "111 222 333", "111.222.333", "111-222-333"])
def test_a_number_that_is_a_bsn_goes_into_no_text(written: str) -> None:
    assert clean(f"Partner {written} \n werkt") == f"Partner {LEFT_OUT} werkt"


def test_other_numbers_stay() -> None:
    assert clean("Dossier 123456789 en 0000000400321434500") == "Dossier 123456789 en 0000000400321434500"


def test_each_service_gives_its_facts_with_category_and_source() -> None:
    (bottleneck,) = found(WORK_COMPANY).facts
    assert isinstance(bottleneck, Bottleneck)
    assert (bottleneck.kind, bottleneck.since, bottleneck.until) == ("3", "2026-03", "")
    assert (bottleneck.category, bottleneck.source.told()) == (Category.WORK, "suwinet:uwv-wb/1.0002")
    (action,) = bottleneck.actions
    assert (action.actor, action.status, action.day) == ("1", "2", "2026-04-15")
    (facility,) = found(REINTEGRATION).facts
    assert isinstance(facility, Facility)
    assert (facility.number, facility.kind, facility.until) == ("RV-2026-17", "07", "2026-12")
    assert facility.source.told() == "suwinet:gsd-re-integratie/2.0003.0363"
    (benefit,) = found(ASSISTANCE).facts
    assert isinstance(benefit, Benefit)
    assert (benefit.law, benefit.cents, benefit.category) == ("PW", 134_500, Category.INCOME)
    (earning,) = found(INCOME).facts
    assert isinstance(earning, Earning)
    assert (earning.kind, earning.cents, earning.month) == ("15", 62_500, "2026-09")
    # This service gives no Bron: the service itself is the source then.
    assert earning.source.told() == "suwinet:uwv-inkomsten"


def test_partners_claims_and_sanctions_stay_behind() -> None:
    claim: people.Told = (
        "Vordering",
        [
            ("IdentificatienrVordering", "77"),
            ("SzWet", [("CdSzWet", "PW")]),
            ("PartnerVordering", [("Burgerservicenr", OTHER_BSN)]),
            people.GSD,
        ],
    )
    packed = told(ASSISTANCE, claim, *people.ANSWERS[ASSISTANCE.name]).packed().decode()
    assert OTHER_BSN not in packed
    assert BSN not in packed
    assert packed == told(ASSISTANCE).packed().decode()


def test_a_bottleneck_that_is_over_is_no_goal_any_more() -> None:
    over: people.Told = (
        "AtlRelatie",
        [
            (
                "DienstverleningUwvWb",
                [
                    ("ReferentienrDvlUwvWb", "00000004711"),
                    (
                        "KnelpuntKlantsituatie",
                        [("DatEKnelpuntKlant", "20260101"), ("OmsKnelpuntKlant", "Geen diploma")],
                    ),
                ],
            )
        ],
    )
    assert told(WORK_COMPANY, people.UWV, over).goals == ()
    (goal,) = told(WORK_COMPANY).goals
    assert goal.domain is Domain.WORK_AND_EDUCATION
    assert goal.desired_effect == "Opgelost: Geen vervoer naar werk buiten de gemeente"


def test_negative_and_absent_amounts() -> None:
    def paid(*amount: people.Told) -> str:
        period: people.Told = (
            "Uitkeringsperiode",
            [
                ("DatBUitkeringsperiode", "20260101"),
                ("InkomstenBijstandUitkering", [("BedrBetaalbaarGesteldeUitkering", amount)]),
            ],
        )
        relation: people.Told = (
            "Uitkeringsverhouding",
            [("DatBUitkeringsverhouding", "20250701"), ("SzWet", [("CdSzWet", "PW")]), period, people.GSD],
        )
        return told(ASSISTANCE, relation).prefills[0].description

    assert ", -€ 12,05 " in paid(("CdPositiefNegatief", "-"), ("WaardeBedr", "1205"))
    assert "€" not in paid(("CdPositiefNegatief", "+"))


def test_more_than_a_plan_takes_is_cut_at_a_whole_line() -> None:
    (one,) = people.ANSWERS[INCOME.name]
    (prefill,) = told(INCOME, *[one] * 200).prefills
    assert len(prefill.description) <= DESCRIPTION_CHARACTERS_MAX
    *lines, last = prefill.description.splitlines()
    assert last == MORE
    assert len(set(lines)) == 1


def test_what_was_told_is_packed_and_unpacked_alike() -> None:
    whole = Told.of([found(WORK_COMPANY), found(REINTEGRATION)])
    assert unpack(whole.packed()) == whole


def test_no_repr_shows_a_fact() -> None:
    whole = Told.of([found(one) for one in (WORK_COMPANY, REINTEGRATION, ASSISTANCE, INCOME)])
    facts = [found(one) for one in (WORK_COMPANY, REINTEGRATION, ASSISTANCE, INCOME)]
    for secret in ("De Brug", "vervoer", "134500", "1345", "groenvoorziening", "2025-07-01"):
        assert secret not in repr(facts)
        assert secret not in repr(whole)
