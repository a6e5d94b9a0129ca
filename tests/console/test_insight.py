"""Insight as a policy officer has it: what a year spent, what a table costs, and the table."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import pytest

from exchange.console.pages.insight import ROWS_OFFERED, bars_of
from exchange.console.table_words import COSTS, DOMAINS, KINDS, SAYS
from exchange.domain.insight.cells import residents_error, shown_from
from exchange.domain.insight.question import DOMAINS as COUNTED
from exchange.domain.insight.question import Question, Row, question_faults
from exchange.domain.shape import FINE
from exchange.domain.values import SupportKind
from exchange.v1 import common_pb2 as common
from exchange.v1 import insight_service_pb2 as pb
from tests.console.house import INSIGHT, OFFICER
from tests.server.test_insight import publish

if TYPE_CHECKING:
    import httpx2

    from tests.console.house import House, Visitor

Form = dict[str, str | list[str]]
YEAR = "2021"
ASKED: Form = {
    "jaar": YEAR,
    "rij": ["own_network", "custom/01"],
    "andere": "45",
    "leefgebied": ["housing", "social_network"],
    "prijs": "400",
    "waarom": "Voor het beleidsplan.",
}


@pytest.fixture(scope="module")
def policy(house: House) -> Visitor:
    return house.as_(INSIGHT)


def sent(visitor: Visitor, place: str, form: Form) -> httpx2.Response:
    return visitor.post(place, form | {"csrf": visitor.csrf("/nergens")})


def hidden(text: str) -> Form:
    """Return what the last form of a page carries unseen."""
    found: Form = {}
    for name, value in re.findall(
        r'type="hidden" name="([a-z_]+)" value="([^"]*)"', text.rpartition("<form")[2]
    ):
        found[name] = [*found.get(name, []), html.unescape(value)]
    return found


def test_what_can_be_asked_here_is_what_can_be_asked() -> None:
    for cost in COSTS:
        told = (shown_from(cost.thousandths), residents_error(cost.thousandths))
        assert (cost.shown_from, cost.error) == told
    assert {common.LifeDomain.Name(one).removeprefix("LIFE_DOMAIN_").lower() for one in DOMAINS} == set(
        COUNTED
    )
    assert set(KINDS) == {one.value for one in SupportKind}
    question = Question.asked(2020, map(Row.named, ROWS_OFFERED), COUNTED)
    assert set(question_faults(question, 2026).values()) == {FINE}


def test_a_price_is_told_before_it_is_spent_and_the_same_question_costs_nothing(
    house: House, policy: Visitor
) -> None:
    empty = policy.get(f"/inzicht?jaar={YEAR}").text
    assert "0,00 van 1,00 is besteed, 1,00 is over." in empty
    assert "nog geen tabel gepubliceerd" in empty
    priced = sent(policy, "/inzicht/prijs", ASKED)
    assert "Deze tabel kost 0,40 van de 1,00 die 2021 nog heeft. Daarna is er 0,60 over." in priced.text
    assert "0,00 van 1,00 is besteed" in policy.get(f"/inzicht?jaar={YEAR}").text, (
        "looking at a price spends nothing"
    )
    form = hidden(priced.text)
    first, again = (sent(policy, "/inzicht/publiceren", form) for _ in range(2))
    assert first.status_code == 303, first.text
    assert again.headers["location"] == first.headers["location"]
    year = policy.get(f"/inzicht?jaar={YEAR}").text
    assert "0,40 van 1,00 is besteed, 0,60 is over." in year
    table = policy.get(first.headers["location"]).text
    assert table.count("te weinig inwoners</td>") == 12, "six cells, each without its two numbers"
    assert "<svg" not in table, "nothing is drawn of what is not shown"
    assert "Maatwerk 45" in table
    known = sent(policy, "/inzicht/prijs", ASKED | {"prijs": "1000"})
    assert "Deze tabel is al gepubliceerd. Bekijken kost niets." in known.text
    assert 'action="/inzicht/publiceren"' not in known.text
    other = ASKED | {"leefgebied": "finance", "prijs": "1000"}
    dear = sent(policy, "/inzicht/prijs", other)
    assert "Kies een lagere prijs" in dear.text
    assert 'action="/inzicht/publiceren"' not in dear.text
    spent = sent(
        policy, "/inzicht/publiceren", other | {"request_id": "00000000-0000-4000-8000-000000000001"}
    )
    assert (spent.status_code, SAYS["BUDGET_EXHAUSTED"] in spent.text) == (409, True)
    assert house.town.state("insight", YEAR).spent_thousandths == 400


def test_a_year_is_shown_beside_those_before_it(house: House, policy: Visitor) -> None:
    client = house.town.worker("beleid", "beleid-1")
    publish(client, year=2015)
    table = publish(client, year=2017).table
    text = policy.get(f"/inzicht/tabel/{table.table_id}?jaar=2017").text
    assert "In 2015</th>" in text
    assert "In 2016</th>" not in text


def test_a_chart_says_what_its_table_says() -> None:
    cells = [
        pb.TableCell(row="custom/01", life_domain=common.LIFE_DOMAIN_HOUSING, residents=40, mean_change=mean)
        for mean in (-2.0, -0.5, 0.0, 2.0)
    ]
    cells.append(pb.TableCell(row="own_network", life_domain=common.LIFE_DOMAIN_HOUSING, suppressed=True))
    bars = bars_of(cells, str, str, "{:+.1f}".format)
    assert [(bar.start, bar.width, bar.better) for bar in bars] == [
        (20, 160, False),
        (140, 40, False),
        (180, 1, True),
        (180, 160, True),
    ]
    assert [bar.mean for bar in bars] == ["-2.0", "-0.5", "+0.0", "+2.0"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"andere": ["4", "<b>"]}, "twee cijfers"),
        ({"rij": [], "andere": ""}, "ten minste één voorziening"),
        ({"rij": ["custom"]}, "ten minste één voorziening"),
        ({"rij": ["<script>"]}, "ten minste één voorziening"),
        ({"andere": " ".join(f"{n:02}" for n in range(19, 60))}, "hooguit veertig"),
        ({"andere": "4"}, "twee cijfers"),
        ({"andere": "٤٥"}, "twee cijfers"),
        ({"leefgebied": []}, "ten minste één leefgebied"),
        ({"leefgebied": ["justice"]}, "ten minste één leefgebied"),
        ({"prijs": "4000"}, "Kies wat de tabel mag kosten."),
        ({"prijs": "-1"}, "Kies wat de tabel mag kosten."),
        ({"waarom": " "}, "waarvoor de tabel nodig is"),
        ({"waarom": "a" * 10_000}, "waarvoor de tabel nodig is"),
        ({"jaar": "2100"}, "Kies een jaar"),
        ({"jaar": "0000"}, "Kies een jaar"),
        ({"jaar": "' OR 1=1"}, "Kies een jaar"),
    ],
)
def test_what_is_no_table_is_told_and_spends_nothing(
    house: House, policy: Visitor, change: Form, says: str
) -> None:
    head = house.town.core.reader.head()
    for place in ("/inzicht/prijs", "/inzicht/publiceren"):
        answer = sent(policy, place, ASKED | {"jaar": "2018"} | change)
        assert answer.status_code == 400, place
        assert says in html.unescape(answer.text)
        assert "<script>" not in answer.text
        assert "<b>" not in answer.text
    # Looking at the year is recorded, and no more than that.
    assert (house.town.core.reader.head() == head) == ("jaar" in change)
    assert house.town.state("insight", "2018") is None


def test_an_error_stands_at_its_field_and_what_was_filled_in_stays(policy: Visitor) -> None:
    wrong: Form = {"rij": [], "andere": "", "leefgebied": [], "prijs": "", "waarom": ""}
    text = sent(policy, "/inzicht/prijs", ASKED | wrong).text
    summary = text.partition('role="alert" tabindex="-1" autofocus>')[2].partition("</div>")[0]
    assert re.findall('href="#([a-z]+)"', summary) == ["rij", "leefgebied", "prijs", "waarom"]
    for name in ("rij", "leefgebied", "prijs", "waarom"):
        assert len(re.findall(f' id="{name}"', text)) == 1, "the summary leads to it"
        assert f'<p class="fault" id="{name}-fout">' in text
        assert re.search(f'aria-describedby="[^"]*{name}-fout"', text), name
    assert (
        '<textarea id="waarom" name="waarom" maxlength="1000" aria-describedby="waarom-hint waarom-fout"'
        in text
    )
    assert 'aria-describedby="prijs-fout" aria-invalid="true"' in text
    other = sent(policy, "/inzicht/prijs", ASKED | {"andere": "4", "waarom": "Voor <b>."}).text
    assert re.search(
        r'name="andere"[^>]* value="4" aria-describedby="andere-hint andere-fout" aria-inv', other
    )
    assert other.count('aria-invalid="true"') == 1
    assert "Voor &lt;b&gt;.</textarea>" in other
    for kept in ('value="own_network" checked', 'value="housing" checked', 'value="400" checked'):
        assert kept in other
    assert 'value="finance" checked' not in other
    english = policy.get("/taal/en")
    assert english.status_code == 303
    assert "Choose at least one" in sent(policy, "/inzicht/prijs", ASKED | wrong).text
    policy.get("/taal/nl")


@pytest.mark.parametrize("told", ["x", "..%2f..%2fetc", "%00", "<script>", "a" * 3_000])
def test_a_table_that_is_not_there_is_told(policy: Visitor, told: str) -> None:
    answer = policy.get(f"/inzicht/tabel/{told}?jaar={YEAR}")
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_it_is_of_policy_alone(house: House) -> None:
    visitor = house.as_(OFFICER)
    assert visitor.get("/inzicht").status_code == 403
    assert sent(visitor, "/inzicht/publiceren", ASKED).status_code == 403
