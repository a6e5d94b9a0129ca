"""The privacy budget of a year: what is left, what each table took, and another total by two persons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.console.pages.insight_budget import TOTAL_MAX, TOTAL_MIN, _thousandths
from exchange.console.table_words import SAYS
from exchange.domain.insight.decide import SPENT_THOUSANDTHS_MIN, TOTAL_THOUSANDTHS_MAX
from tests.console.house import INSIGHT, KEEPER, OFFICER, RESIDENT
from tests.console.resident_reads import form_of, words_of
from tests.server.test_insight import publish

if TYPE_CHECKING:
    from tests.console.house import House, Visitor

PLACE = "/inzicht/budget"
WHY = "Voor <b>het</b> beleidsplan van volgend jaar."


@pytest.fixture(scope="module")
def policy(house: House) -> Visitor:
    return house.as_(INSIGHT)


@pytest.fixture(scope="module")
def officer(house: House) -> Visitor:
    return house.as_(OFFICER)


def page(visitor: Visitor, year: int) -> str:
    return words_of(visitor.get(f"{PLACE}?jaar={year}").text)


def proposed(visitor: Visitor, year: int, total: str, why: str = WHY) -> tuple[int, str]:
    form = form_of(visitor, f"{PLACE}?jaar={year}", f"{PLACE}/voorstel") | {"totaal": total, "waarom": why}
    answer = visitor.post(f"{PLACE}/voorstel", form)
    return answer.status_code, answer.headers.get("location") or answer.text


def test_it_tells_what_is_left_and_what_each_table_took(house: House, policy: Visitor) -> None:
    assert "Over 1,00" in page(policy, 2014)
    assert "nog geen tabel gepubliceerd" in page(policy, 2014)
    client = house.town.worker("beleid", "beleid-1")
    publish(client, year=2014)
    publish(client, year=2014, rows=["own_network"])
    told = page(policy, 2014)
    spent = house.town.state("insight", "2014")
    left = 1_000 - spent.spent_thousandths
    for sofar in (spent.tables[0].spent_thousandths, spent.spent_thousandths):
        assert f"{(1_000 - sofar) / 1_000:.2f}".replace(".", ",") in told
    assert f"Over {left / 1_000:.2f}".replace(".", ",") in told
    assert "hoogstens 2,7 keer zo waarschijnlijk" in told


def test_one_proposes_and_another_who_reads_why_approves(
    house: House, policy: Visitor, officer: Visitor
) -> None:
    assert proposed(policy, 2013, "1,5") == (303, f"{PLACE}?jaar=2013&klaar=1")
    told = policy.get(f"{PLACE}?jaar=2013").text
    assert "Voorgesteld: van 1,00 naar 1,50." in words_of(told)
    assert "<b>het</b>" not in told
    own = form_of(policy, f"{PLACE}?jaar=2013", f"{PLACE}/akkoord")
    refused = policy.post(f"{PLACE}/akkoord", own)
    assert (refused.status_code, SAYS["SAME_PERSON"] in refused.text) == (409, True)
    assert "Over 1,00" in page(policy, 2013)
    seen = page(officer, 2013)
    assert "Voor <b>het</b> beleidsplan" in seen
    assert "Stel dit totaal voor" not in seen
    form = form_of(officer, f"{PLACE}?jaar=2013", f"{PLACE}/akkoord")
    # What he did not read he does not agree to.
    other = officer.post(f"{PLACE}/akkoord", form | {"totaal": "1600"})
    assert (other.status_code, SAYS["NO_SUCH_BUDGET"] in other.text) == (409, True)
    for _ in range(2):
        answer = officer.post(f"{PLACE}/akkoord", form)
        assert answer.headers["location"] == f"{PLACE}?jaar=2013&klaar=2"
    assert house.town.state("insight", "2013").total_thousandths == 1_500
    assert "Over 1,50" in page(officer, 2013)
    assert "Er wacht geen voorstel." in page(officer, 2013)


def test_less_than_what_is_spent_is_refused(house: House, policy: Visitor) -> None:
    publish(house.town.worker("beleid", "beleid-1"), year=2012)
    status, text = proposed(policy, 2012, "0,05")
    assert (status, SAYS["BUDGET_SPENT"] in text) == (409, True)


@pytest.mark.parametrize(
    ("total", "why", "says"),
    [
        ("", WHY, "Vul een getal in"),
        ("0,049", WHY, "Vul een getal in"),
        ("4,001", WHY, "Vul een getal in"),
        ("-1", WHY, "Vul een getal in"),
        ("1,5000", WHY, "Vul een getal in"),
        ("1e3", WHY, "Vul een getal in"),
        ("\N{ARABIC-INDIC DIGIT ONE}", WHY, "Vul een getal in"),
        ("<script>", WHY, "Vul een getal in"),
        ("9" * 10_000, WHY, "Vul een getal in"),
        ("1,5", " ", "Schrijf op waarom"),
        ("1,5", "a" * 1_001, "Schrijf op waarom"),
    ],
)
def test_what_is_no_total_or_reason_is_told_at_its_field(
    house: House, policy: Visitor, total: str, why: str, says: str
) -> None:
    status, text = proposed(policy, 2011, total, why)
    assert (status, says in text) == (400, True)
    assert 'aria-invalid="true"' in text
    assert "<script>" not in text
    assert house.town.state("insight", "2011") is None


def test_a_total_is_read_as_it_is_written() -> None:
    assert [_thousandths(one) for one in ("1", "1,5", "0.05", "4,00", " 0,125 ")] == [
        1_000,
        1_500,
        50,
        4_000,
        125,
    ]
    assert (TOTAL_MIN, TOTAL_MAX) == (SPENT_THOUSANDTHS_MIN, TOTAL_THOUSANDTHS_MAX)


def test_it_is_of_policy_and_the_officer(house: House, officer: Visitor) -> None:
    for other in (KEEPER, RESIDENT):
        assert house.as_(other).get(PLACE).status_code == 403
    form = {"csrf": officer.csrf("/nergens"), "jaar": "2011", "totaal": "1,5", "waarom": WHY}
    assert officer.post(f"{PLACE}/voorstel", form).status_code == 403
    assert officer.post(f"{PLACE}/akkoord", {"jaar": "2013", "totaal": "1500"}).status_code == 403
    assert officer.get(f"{PLACE}?jaar=2999").status_code == 400
