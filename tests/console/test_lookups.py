"""Review of lookups as people do it: counts, names by two persons, a sample that anybody redoes."""

from __future__ import annotations

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from adapters.sdk.tokens import Person
from exchange.console.lookup_words import APPROVE_WITHIN, EXPLAINS, SAYS, STANDS_OUT
from exchange.console.pages.lookup_sample import FINDINGS, SIZE_MAX, bounds_of
from exchange.console.templating import HERE
from exchange.domain.lookups import decide
from exchange.projections.facets import Wanted
from exchange.projections.lookups import rules
from exchange.wiring.decision_list import decisions_of
from tests.console.house import APPROVER, KEEPER, OFFICER, OFFICER_2, House, Visitor
from tests.server.conftest import opened
from tests.server.story import Story
from tests.server.town import CARE, CITY, INVESTIGATE, Town

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import httpx2

TASK = "college:WMO"
HIDDEN = re.compile(r'type="hidden" name="([a-z_]+)" value="([^"]*)"')
PROGRAM = re.compile(r"<pre data-program>(.*?)</pre>", re.DOTALL)


class Month:
    """A month that is over: one looked twice for no reason on record, another looked and worked."""

    def __init__(self, house: House, town: Town) -> None:
        self.house, self.town = house, town
        self.name = f"{town.now().astimezone(HERE):%Y-%m}"
        looked, worked = (Story(town, next(town.bsns)) for _ in range(2))
        self.professional = f"w-{looked.bsn[-5:]}"
        for story in (looked, looked, worked):
            story.wmo.plan.get_plan(claim=INVESTIGATE, plan_id=story.plan_id, fields=["version"])
        worked.goal()
        town.join(CARE, "wmo-aanbieder", "fg")
        town.skew = timedelta(days=32)
        house.provider.clock = lambda: town.now().timestamp()
        # The first decision of another month.
        assert house.as_(OFFICER).get("/toezicht").status_code == 200

    @property
    def policy(self) -> Person:
        return Person("beleid-1", "beleid", "beleid")

    def at(self, page: str, **more: str) -> str:
        return f"/toezicht/{page}?{urlencode({'maand': self.name, 'organisatie': CITY} | more)}"


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Month]:
    for town in opened(tmp_path_factory.mktemp("month")):
        house = House(town, tmp_path_factory.mktemp("console"), next(town.bsns))
        try:
            yield Month(house, town)
        finally:
            house.close()


@pytest.fixture(scope="module")
def officer(month: Month) -> Visitor:
    return month.house.as_(OFFICER)


def cell(month: Month, **more: str) -> dict[str, str]:
    return {"maand": month.name, "organisatie": CITY, "taak": TASK} | more


def sent(visitor: Visitor, place: str, form: Mapping[str, str]) -> httpx2.Response:
    return visitor.post(place, dict(form) | {"csrf": visitor.csrf("/nergens")})


def request_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def asked_for(month: Month, visitor: Visitor, number: int, **more: str) -> str:
    """Ask for names; return the form with which a second person agrees, as the keeper sees it."""
    form = cell(month, request_id=request_id(number), waarom=f"Reden {number}.") | more
    answer = sent(visitor, "/toezicht/namen", form)
    assert answer.status_code == 200, answer.text
    return f"Reden {number}."


def waiting(visitor: Visitor, month: Month, reason: str) -> dict[str, str]:
    text = visitor.get(month.at("verzoeken")).text
    row = next(one for one in text.split("<tr>") if reason in one)
    return dict(HIDDEN.findall(row))


def test_the_words_are_those_of_the_rules() -> None:
    assert [one.name for one in EXPLAINS] == [one.name for one in rules.EXPLANATIONS]
    assert [one.name for one in STANDS_OUT] == [one.name for one in rules.INDICATORS]
    # Who changes a window or a threshold changes what people read of it.
    assert rules.RULES_VERSION == 1
    assert decide.APPROVE_WITHIN == APPROVE_WITHIN
    assert decide.SAMPLE_MAX == SIZE_MAX
    for name in ("SAME_PERSON", "NAMES_APPROVED_ALREADY", "NAMES_REQUEST_EXPIRED", "SAMPLE_DRAWN_ALREADY"):
        assert name in SAYS


@pytest.mark.parametrize(
    ("month", "starts", "ends"),
    [
        ("2026-10", "2026-09-30T22:00:00", "2026-10-31T23:00:00"),
        ("2026-12", "2026-11-30T23:00:00", "2026-12-31T23:00:00"),
        ("2026-01", "2025-12-31T23:00:00", "2026-01-31T23:00:00"),
        ("2026-03", "2026-02-28T23:00:00", "2026-03-31T22:00:00"),
    ],
)
def test_a_month_is_one_here(month: str, starts: str, ends: str) -> None:
    assert bounds_of(month) == (starts, ends)


def test_a_month_is_counted_without_people(month: Month, officer: Visitor) -> None:
    page = officer.get(f"/toezicht?maand={month.name}")
    assert page.status_code == 200
    assert TASK in page.text
    assert "alleen totalen" in page.text
    assert month.professional not in page.text
    assert "<strong>2</strong>" in page.text
    assert '<a href="/toezicht">Bekijk de maand die nu loopt</a>' in page.text
    # Without a month it is the one that runs, which says so and leads to the one before; no sample of it is.
    now = officer.get("/toezicht").text
    assert f'value="{month.town.now().astimezone(HERE):%Y-%m}" selected' in now
    assert "Deze maand loopt nog" in now
    assert "de laatste maand die voorbij is" in now
    assert "/toezicht/steekproef" not in now
    one = officer.get(month.at("cel", taak=TASK))
    assert "<strong>3</strong>" in one.text
    assert month.professional not in one.text
    none = officer.get(month.at("cel", taak="college:PW")).text
    assert "geen raadplegingen van deze organisatie" in none
    assert "Vraag de namen aan" not in none
    assert "geen raadplegingen van een inwoner" in officer.get("/toezicht?maand=2019-01").text


def look_on(month: Month, officer: Visitor, keeper: Visitor) -> None:
    """See that the list leads whoever asked on to the names, and tells the others they are not theirs."""
    onward = f'href="{html.escape(month.at("onverklaard", taak=TASK))}"'
    assert onward in officer.get(month.at("verzoeken")).text
    for other in (keeper, month.house.as_(OFFICER_2)):
        text = other.get(month.at("verzoeken")).text
        assert onward not in text
        assert "Gedaan. Alleen wie het vroeg, leest de namen." in text


def test_names_take_a_reason_and_a_second_person(month: Month, officer: Visitor) -> None:
    house = month.house
    shut = officer.get(month.at("onverklaard", taak=TASK))
    assert shut.status_code == 409
    assert SAYS["NAMES_NOT_OPEN"] in html.unescape(shut.text)
    empty = sent(officer, "/toezicht/namen", cell(month, request_id=request_id(1), waarom="  "))
    assert empty.status_code == 400
    # What is wrong stands at its field, in the page that it was asked from.
    assert '"waarom-hint waarom-fout" aria-invalid="true"' in empty.text
    assert f'name="taak" value="{TASK}"' in empty.text
    reason = asked_for(month, officer, 2)
    # Whoever asked is told that somebody else agrees; a keeper and another officer see why, and no name.
    keeper = house.as_(KEEPER)
    assert waiting(officer, month, reason) == {}
    asked = officer.get(month.at("verzoeken")).text
    assert "U vroeg dit zelf. Een collega of de beheerder moet instemmen." in asked
    own = sent(officer, "/toezicht/instemmen", waiting(keeper, month, reason))
    assert own.status_code == 409
    assert SAYS["SAME_PERSON"] in html.unescape(own.text)
    assert "U vroeg dit zelf" not in house.as_(OFFICER_2).get(month.at("verzoeken")).text
    listed = keeper.get("/toezicht/verzoeken")
    assert reason in listed.text
    assert month.professional not in listed.text
    form = waiting(keeper, month, reason)
    for wrong in ({"taak": "college:PW"}, {"verzoek": "none"}):
        answer = sent(keeper, "/toezicht/instemmen", form | wrong)
        assert (answer.status_code, SAYS["NO_SUCH_NAMES_REQUEST"] in html.unescape(answer.text)) == (
            409,
            True,
        )
    for _ in range(2):  # sent twice, recorded once
        agreed = sent(keeper, "/toezicht/instemmen", form)
        assert agreed.status_code == 200, agreed.text
        assert "U stemde in" in agreed.text
    late = sent(house.as_(OFFICER_2), "/toezicht/instemmen", form | {"request_id": request_id(3)})
    assert (late.status_code, SAYS["NAMES_APPROVED_ALREADY"] in late.text) == (409, True)
    look_on(month, officer, keeper)
    names = officer.get(month.at("onverklaard", taak=TASK))
    assert names.text.count(f"<code>{month.professional}</code>") == 2
    assert names.text.count('href="/beslissing/') == 2
    assert "Zonder vervolg" in names.text
    # The number of an organisation stands on a line of its own: no stop comes behind it, and no sentence.
    assert re.search(r'class="oin">[0-9]{20}</span></p>\n<p>Vraag de professional', names.text)
    assert officer.get(month.at("onverklaard", taak=TASK, kenmerk="1")).status_code == 200
    assert "Lees de namen" in officer.get(month.at("cel", taak=TASK)).text
    assert "Lees de namen" not in house.as_(OFFICER_2).get(month.at("cel", taak=TASK)).text
    # To who asked, and to nobody else.
    assert house.as_(OFFICER_2).get(month.at("onverklaard", taak=TASK)).status_code == 409


def test_of_two_who_agree_at_once_one_does(month: Month, officer: Visitor) -> None:
    reason = asked_for(month, officer, 4, taak="college:PW")
    seconds = [month.house.as_(subject) for subject in (KEEPER, OFFICER_2)]
    forms = [waiting(one, month, reason) | {"csrf": one.csrf("/toezicht/verzoeken")} for one in seconds]

    def agree(number: int) -> int:
        return seconds[number].post("/toezicht/instemmen", forms[number]).status_code

    with ThreadPoolExecutor(2) as at_once:
        assert sorted(at_once.map(agree, range(2))) == [200, 409]


@pytest.fixture(scope="module")
def drawn(month: Month, officer: Visitor) -> str:
    """Return where the sample stands, drawn; what was no sample before was refused."""
    place = month.at("steekproef")
    assert "nog geen steekproef getrokken" in officer.get(place).text
    form = cell(month, request_id=request_id(5), aantal="2")
    for wrong in ("0", "201", "\N{SUPERSCRIPT TWO}", ""):
        assert sent(officer, "/toezicht/trekken", form | {"aantal": wrong}).status_code == 400
    early = sent(officer, "/toezicht/trekken", form | {"maand": f"{month.town.now().astimezone(HERE):%Y-%m}"})
    assert (early.status_code, SAYS["MONTH_NOT_OVER"] in html.unescape(early.text)) == (409, True)
    for _ in range(2):  # sent twice, drawn once
        assert "De steekproef is getrokken" in sent(officer, "/toezicht/trekken", form).text
    return place


def test_a_sample_is_drawn_once_and_its_program_draws_the_same(
    month: Month,
    officer: Visitor,
    drawn: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    form = cell(month, request_id=request_id(6), aantal="2")
    again = sent(officer, "/toezicht/trekken", form)
    assert (again.status_code, SAYS["SAMPLE_DRAWN_ALREADY"] in again.text) == (409, True)
    page = officer.get(drawn).text
    assert "Getrokken: 2 van 3 raadplegingen" in page
    assert page.count("67 %") == 3, "one in three, whatever the rate: it is rounded up to one"
    # The program as it stands on the page, on what the command beside it prints.
    found = PROGRAM.search(page)
    assert found is not None
    rows = decisions_of(month.town.settings, Wanted(organisations=(CITY,)))
    (tmp_path / "beslissingen.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with chdir(tmp_path):
        exec(compile(html.unescape(found[1]), "program", "exec"), {})  # noqa: S102 -- what the page tells people to run
    population, *ids = capsys.readouterr().out.split()
    assert population == "3"
    assert ids == re.findall(r'name="beslissing" value="([^"]+)"', page)


def test_what_was_found_is_recorded_and_counted(month: Month, officer: Visitor, drawn: str) -> None:
    page = officer.get(drawn).text
    assert "0 van 2 raadplegingen beoordeeld" in page
    one = re.findall(r'name="beslissing" value="([^"]+)"', page)[0]
    form = cell(month, beslissing=one, bevinding="onrechtmatig", request_id=request_id(7))
    answer = sent(officer, "/toezicht/bevinding", form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"{drawn}#te-doen")
    told = officer.get(drawn).text
    assert "1 van 2 raadplegingen beoordeeld" in told
    assert '<span class="mark bad">Er was geen reden</span>' in told
    none = sent(officer, "/toezicht/bevinding", form | {"bevinding": "misschien"})
    assert (none.status_code, "Kies wat u hebt gevonden." in none.text) == (400, True)
    other = form | {"beslissing": "d-1", "request_id": request_id(8)}
    assert SAYS["NOT_DRAWN"] in sent(officer, "/toezicht/bevinding", other).text
    assert {one.value for one in FINDINGS} == {"verklaard", "onrechtmatig", "onbekend"}


@pytest.mark.parametrize("who", [KEEPER, APPROVER])
def test_who_is_no_officer_reads_no_count_and_draws_nothing(month: Month, who: str) -> None:
    visitor = month.house.as_(who)
    csrf = visitor.csrf("/nergens")
    for page in ("cel", "onverklaard", "steekproef"):
        assert visitor.get(month.at(page, taak=TASK)).status_code == 403
    for page in ("namen", "trekken", "bevinding"):
        assert visitor.post(f"/toezicht/{page}", {"csrf": csrf}).status_code == 403
    assert visitor.get(month.at("verzoeken")).status_code == (200 if who == KEEPER else 403)


@pytest.mark.parametrize(
    "told", ["2026-13", "0000-01", "9999-12", "26-10", "2026-10 ", "../..", "'", "\0", "9" * 3_000]
)
def test_what_is_no_month_is_told(officer: Visitor, told: str) -> None:
    for page in ("", "/cel", "/verzoeken", "/onverklaard", "/steekproef"):
        answer = officer.get(f"/toezicht{page}?{urlencode({'maand': told})}")
        assert (answer.status_code, "Kies een maand" in answer.text) == (400, True), page


@pytest.mark.parametrize(
    "told", ["<script>alert(1)</script>", "%", "' OR 1=1 --", "\0", "../../etc/passwd", "a" * 10_000, "é"]
)
def test_what_is_no_organisation_or_task_opens_nothing(month: Month, officer: Visitor, told: str) -> None:
    for page in ("cel", "onverklaard", "steekproef", "verzoeken"):
        for name in ("organisatie", "taak", "vanaf"):
            answer = officer.get(month.at(page, **{"taak": TASK} | {name: told}))
            assert answer.status_code in {200, 400, 409, 414}, (page, name)
            assert "<script>" not in answer.text
            assert month.professional not in answer.text or (page, name) == ("onverklaard", "vanaf")
    for name in ("organisatie", "taak", "waarom", "request_id"):
        form = cell(month, request_id=request_id(9), waarom="Waarom.") | {name: told}
        answer = sent(officer, "/toezicht/namen", form)
        assert answer.status_code in {200, 400, 409}, name
        assert "<script>" not in answer.text


def test_another_organisations_officer_reviews_his_own_alone(
    month: Month, tmp_path_factory: pytest.TempPathFactory
) -> None:
    town = month.town
    other = House(
        town,
        tmp_path_factory.mktemp("other"),
        month.house.bsn,
        console_credentials=town.settings.data / f"of-{CARE}",
    )
    other.provider.clock = lambda: town.now().timestamp()
    try:
        officer = other.as_(OFFICER)
        assert "geen raadplegingen van een inwoner" in officer.get(f"/toezicht?maand={month.name}").text
        for page in ("onverklaard", "steekproef", "verzoeken", "cel"):
            answer = officer.get(month.at(page, taak=TASK))
            assert answer.status_code == 409, page
            assert SAYS["OTHER_ORGANISATION"] in answer.text
        form = cell(month, request_id=request_id(10), waarom="Waarom.", aantal="1")
        for page in ("namen", "trekken"):
            assert sent(officer, f"/toezicht/{page}", form).status_code == 409
    finally:
        other.close()
