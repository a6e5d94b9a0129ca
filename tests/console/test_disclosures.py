"""Disclosures as an officer finds them: a filter in the address, counts, pages, files; each look is one."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from datetime import UTC, date, datetime
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from exchange.cli.__main__ import app
from exchange.console import decision_rows
from exchange.console.decision_filter import Asked, asked_of
from exchange.documents.tables import unguarded
from exchange.v1 import audit_service_pb2 as pb
from tests.console.house import APPROVER, INSIGHT, OFFICER, House
from tests.server.story import denied_read
from tests.server.town import ACCESS, CARE, CITY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.console.house import Visitor
    from tests.server.story import Story

NUMBER = re.compile(r'<th scope="row"><a href="/beslissing/([^"]+)"')
OLDER = re.compile(r'href="([^"]+)">Oudere<')
COMMAND = re.compile(r"<pre data-command>([^<]+)</pre>")
PRE = re.compile(r"<pre tabindex[^>]*>(.*?)</pre>", re.DOTALL)


@pytest.fixture(scope="module")
def denied(story: Story) -> str:
    """Return the decision by which a stranger was refused."""
    story.goal()
    return str(denied_read(story.town, story).decision_id)


@pytest.fixture(scope="module")
def officer(house: House, denied: str) -> Visitor:
    assert denied
    officer = house.as_(OFFICER)
    # Whatever test comes first, an officer looked before it: of that there is a decision to find.
    assert officer.get("/raadplegingen").status_code == 200
    return officer


def shown(officer: Visitor, address: str) -> list[dict[str, Any]]:
    """Return the decisions that a page shows as JSON."""
    page = officer.get(f"{address}{'&' if '?' in address else '?'}beeld=json")
    assert page.status_code == 200, page.text
    found = PRE.search(page.text)
    return json.loads(unescape(found[1])) if found else []


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ("uitkomst=DENY", lambda row: row["outcome"] == "DENY"),
        ("regel=R03,R08", lambda row: {"R03", "R08"} & set(row["rules"])),
        ("taak=college:WMO,fg", lambda row: row["task"] in {"college:WMO", "fg"}),
        ("doel=audit", lambda row: row["purpose"] == "audit"),
        (f"organisatie={CITY}&grondslag=FG-AUDIT-39", lambda row: row["legal_basis"] == "FG-AUDIT-39@1"),
        ("categorie=WMO-PLAN&uitkomst=DENY", lambda row: row["task"] == "college:WMO"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_filter_in_the_address_finds_what_it_names(officer: Visitor, query: str, holds: Any) -> None:  # noqa: ANN401 -- a question of a row
    rows = shown(officer, f"/raadplegingen?{query}")
    assert rows
    assert all(holds(row) for row in rows)
    page = officer.get(f"/raadplegingen?{query}").text
    assert 'aria-current="true"><span>' in page, "what is chosen can be taken away"
    assert "er staat een filter aan" in page
    assert NUMBER.findall(page)


def test_the_page_counts_and_leads_on(officer: Visitor, denied: str) -> None:
    page = officer.get("/raadplegingen?uitkomst=DENY").text
    assert denied in NUMBER.findall(page)
    assert "geweigerd" in page
    assert 'href="/raadplegingen?uitkomst=DENY,PERMIT' not in page
    assert 'href="/raadplegingen"' in page, "without the outcome that was chosen"
    assert 'href="/raadplegingen?uitkomst=DENY&amp;regel=R03"' in page
    assert '<a href="/raadplegingen?uitkomst=DENY" aria-current="true">Geweigerd</a>' in page
    nothing = officer.get("/raadplegingen?categorie=STRAFRECHT").text
    assert "Geen beslissing past bij dit filter." in nothing
    assert "<table" not in nothing
    line = officer.get("/raadplegingen?beeld=tijdlijn").text
    assert line.count("<rect") >= 2, "a day with a refusal has two"
    assert "Dezelfde dagen als tabel, nieuwste eerst" in line


def test_a_look_is_itself_in_the_next_listing(officer: Visitor) -> None:
    address = "/raadplegingen?taak=fg&grondslag=FG-AUDIT-39"
    before = {row["decision_id"] for row in shown(officer, address)}
    rows = shown(officer, address)
    own = [row for row in rows if row["decision_id"] not in before]
    # The counts and the list of the look before; this one is in the next.
    assert [(row["professional"], row["organisation"], row["outcome"]) for row in own] == [
        (OFFICER, CITY, "PERMIT")
    ] * 2
    assert {row["action"] for row in own} == {"LOG"} or all(row["action"] for row in own)


def test_pages_follow_by_key(officer: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_rows, "PAGE_ROWS", 3)
    address, found = "/raadplegingen?taak=fg", []
    for _ in range(3):
        officer.get(address)  # each is two decisions of this very filter
    for _ in range(50):
        page = officer.get(address)
        assert page.status_code == 200
        found += NUMBER.findall(page.text)
        older = OLDER.search(page.text)
        if older is None:
            break
        address = unescape(older[1])
    assert len(found) == len(set(found)) > 3
    assert "Nieuwste</a>" in officer.get(address).text
    wrong = officer.get(f"{address}&regel=R03")
    assert wrong.status_code == 400
    assert "Deze bladzijde hoort niet bij dit filter." in wrong.text


def test_files_and_the_command_line_hold_the_same_decisions(
    house: House, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "/raadplegingen{}?taak=college:WMO&doel=wmo-onderzoek&van=2020-01-01"
    page = officer.get(address.format("")).text
    as_json = officer.get(address.format("/bestand") + "&vorm=json")
    assert as_json.headers["content-disposition"] == 'attachment; filename="raadplegingen.json"'
    numbers = [row["decision_id"] for row in as_json.json()]
    assert numbers
    as_csv = officer.get(address.format("/bestand") + "&vorm=csv")
    assert as_csv.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(as_csv.text)))
    assert [row["decision_id"] for row in rows] == numbers
    assert [unguarded(row["purpose"]) for row in rows] == ["wmo-onderzoek"] * len(numbers)
    (line,) = COMMAND.findall(page)
    words = shlex.split(unescape(line))
    assert words[:3] == ["exchange", "audit", "decisions"]
    # Midnight of that day in the Netherlands.
    assert words[words.index("--from") + 1] == "2019-12-31T23:00:00"
    told = CliRunner().invoke(app, [*words[1:], "--data", str(house.settings.data), "-o", "json"])
    assert told.exit_code == 0, told.output
    assert [row["decision_id"] for row in json.loads(told.stdout)] == numbers[::-1]
    monkeypatch.setattr(decision_rows, "FILE_ROWS_PER_ASK", 1)
    monkeypatch.setattr(decision_rows, "FILE_ROWS_MAX", len(numbers))
    assert officer.get(address.format("/bestand") + "&vorm=json").json() == as_json.json()
    monkeypatch.setattr(decision_rows, "FILE_ROWS_MAX", len(numbers) - 1)
    large = officer.get(address.format("/bestand") + "&vorm=csv")
    assert large.status_code == 413
    assert "meer dan 10.000 beslissingen" in large.text
    assert officer.get("/raadplegingen/bestand?vorm=exe").status_code == 400


BAD = [
    ("uitkomst=MAYBE", "uitkomst"),
    ("categorie=NONE", "categorie"),
    ("doel=spionage", "doel"),
    ("doel=unspecified", "doel"),
    ("organisatie=1", "organisatie"),
    ("taak=" + "a" * 81, "taak"),
    ("taak=" + ",".join(f"t{number}" for number in range(21)), "taak"),
    ("taak=<script>alert(1)</script>", "taak"),
    ("regel=R03'%20OR%201=1--", "regel"),
    ("regel=%2525%00", "regel"),
    ("grondslag=../../etc/passwd%00", "grondslag"),
    ("taak=999990019", "taak"),
    ("van=gisteren", "van"),
    ("van=2026-02-30", "van"),
    ("van=0001-01-01", "van"),
    ("tot=9999-12-31", "tot"),
    ("van=2026-11-26&tot=2026-11-25", "tot"),
    ("nood=misschien", "nood"),
    ("beslissing=a b", "beslissing"),
    ("inwoner=999990019", "inwoner"),
    ("beeld=taart", ""),
    ("volgende=zomaar", ""),
    ("organisaties=x", ""),
]


@pytest.mark.parametrize(("query", "field"), BAD, ids=[query[:25] for query, _ in BAD])
def test_a_filter_that_is_not_right_says_where(officer: Visitor, query: str, field: str) -> None:
    for place in ("/raadplegingen?", "/raadplegingen/bestand?vorm=csv&"):
        page = officer.get(place + query)
        assert page.status_code == (400 if "volgende" not in query or "bestand" not in place else 200)
    page = officer.get(f"/raadplegingen?{query}")
    assert "Dit filter klopt niet. Er is niets opgevraagd." in page.text
    assert "<table" not in page.text
    if field:
        assert f'href="#veld-{field}"' in page.text
        assert f'id="veld-{field}"' in page.text
    if field and field != "inwoner":
        assert f'aria-invalid="true" aria-describedby="fout-{field}"' in page.text
        assert f'id="fout-{field}"' in page.text
    value = query.partition("&")[0].partition("=")[2]
    # In one letter, or in the first of two days, nothing is repeated.
    assert len(value) == 1 or "&" in query or value not in re.sub(r"/taal/[^\"]+", "", page.text)
    assert "<script>alert" not in page.text


def test_what_is_too_long_is_refused_before_it_is_read(officer: Visitor) -> None:
    for path in ("/raadplegingen?taak=", "/raadplegingen/bestand?vorm=csv&regel="):
        page = officer.get(path + "a" * 10_000)
        assert page.status_code == 414
        assert "Het adres is te lang." in page.text


def test_only_an_officer_comes_here(house: House) -> None:
    for who in (INSIGHT, APPROVER):
        visitor = house.as_(who)
        for path in (
            "/raadplegingen",
            "/raadplegingen/bestand?vorm=csv",
            "/raadplegingen/inwoner",
            "/beslissing/a",
        ):
            assert visitor.get(path).status_code == 403


@pytest.fixture(scope="module")
def carer(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visitor]:
    """Return the officer of another organisation, at his own console."""
    folder: Path = tmp_path_factory.mktemp("carers")
    house.town.join(CARE, "wmo-aanbieder", "fg")
    other = House(house.town, folder, house.bsn, console_credentials=house.town.settings.data / f"of-{CARE}")
    yield other.as_(OFFICER)
    other.close()


def test_an_officer_of_another_organisation_finds_his_own_alone(
    carer: Visitor, denied: str, house: House, officer: Visitor
) -> None:
    assert {row["organisation"] for row in shown(carer, "/raadplegingen")} <= {CARE}
    for answer in (carer.get(f"/beslissing/{denied}"), carer.get("/beslissing/" + "0" * 32)):
        assert answer.status_code == 404
        assert "Er is geen beslissing met dit nummer" in answer.text
    refused = carer.post(
        "/raadplegingen/inwoner",
        {"csrf": carer.csrf("/raadplegingen/inwoner"), "reden": "2026-114", "bsn": house.bsn},
    )
    assert refused.status_code == 403, refused.text
    assert "kan alleen de functionaris van de gemeente" in refused.text
    assert officer.get(f"/beslissing/{denied}").status_code == 200


def test_a_resident_is_found_without_his_number_staying(house: House, story: Story) -> None:
    visitor = house.as_(OFFICER)
    place = "/raadplegingen/inwoner"
    form = {"csrf": visitor.csrf(place), "reden": "Verzoek 2026-114", "bsn": house.bsn}
    answer = visitor.post(place, form)
    assert answer.status_code == 303, answer.text
    pseudonym = house.town.core.log_pseudonym(house.town.resident_of(story.pseudonym))
    where = answer.headers["location"]
    assert re.fullmatch(
        rf"/raadplegingen\?van=\d{{4}}-\d\d-01&tot=\d{{4}}-\d\d-\d\d&inwoner={pseudonym}", where
    )
    rows = shown(visitor, where)
    assert {row["resident_pseudonym"] for row in rows} == {pseudonym}
    assert (rows[0]["professional"], rows[0]["task"]) == (OFFICER, "fg")
    # The resident reads that he was looked up, and by whom he was recognised.
    own = story.resident().disclosure.list_disclosures(
        claim=ACCESS, case_id=story.case_id, fields=["disclosures.decision_id"], page_size=5
    )
    assert rows[0]["decision_id"] in [one.decision_id for one in own.disclosures]
    desk = shown(visitor, "/raadplegingen?grondslag=IDENTIFY-12&taak=college:WMO")
    assert OFFICER in {row["professional"] for row in desk}
    # Somebody unknown is answered alike.
    stranger = next(house.town.bsns)
    other = visitor.post(place, form | {"bsn": f"{stranger[:3]}.{stranger[3:6]}-{stranger[6:]}"})
    assert other.status_code == 303
    assert pseudonym not in other.headers["location"]
    for secret in (house.bsn, stranger, "2026-114"):
        assert secret not in house.log()
        assert secret not in repr(house.app.sessions.find(visitor.cookies["__Host-console"]))
        assert secret not in visitor.get(where).text


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"reden": " "}, 400, "Schrijf op waarom u dit opzoekt"),
        ({"reden": "a" * 10_000}, 400, "Gebruik hoogstens 400 tekens."),
        ({"reden": "Over 999990019."}, 400, "Deze reden is niet te gebruiken."),
        ({"reden": "Over 9999.90.021.", "bsn": "999990021"}, 400, "geen geldig burgerservicenummer"),
        ({"reden": "a\x00b"}, 400, "Deze reden is niet te gebruiken."),
        ({"bsn": "999990018"}, 400, "Dit is geen geldig burgerservicenummer."),
        ({"bsn": "9" * 10_000}, 400, "Dit is geen geldig burgerservicenummer."),
        ({"bsn": "<script>"}, 400, "Dit is geen geldig burgerservicenummer."),
        ({"bsn": "٩٩٩٩٩٠٠١٩"}, 400, "Dit is geen geldig burgerservicenummer."),
        ({"csrf": "zomaar"}, 403, "Dit formulier hoort niet bij uw aanmelding."),
    ],
    ids=["none", "long", "bsn", "both", "nul", "proof", "long bsn", "script", "digits", "csrf"],
)
def test_a_question_that_is_not_right_looks_nobody_up(
    house: House, officer: Visitor, change: dict[str, str], status: int, says: str
) -> None:
    place = "/raadplegingen/inwoner"
    form = {"csrf": officer.csrf(place), "reden": "Verzoek 2026-115", "bsn": "999990019"} | change
    answer = officer.post(place, form)
    assert answer.status_code == status
    assert says in answer.text
    for secret in ("999990019", "9999.90.02", "999990021", form["bsn"]):
        assert secret not in answer.text
        assert secret not in house.log()


def test_a_question_is_the_same_to_and_fro() -> None:
    told = Asked(
        chosen={"taak": ("college:WMO", "fg"), "uitkomst": ("DENY",)},
        emergency="ja",
        first_day=date(2026, 3, 29),
        last_day=date(2026, 3, 29),
        resident="0" * 24,
        decision_id="a-1",
        view="json",
        page_token="abc",
    )
    query = told.address().partition("?")[2]
    again = asked_of([(name, value) for name, _, value in (one.partition("=") for one in query.split("&"))])
    assert again.address() == told.address()
    made = told.filter()
    # The day on which the clock goes forward has twenty-three hours.
    assert (made.from_time.ToDatetime(UTC), made.before_time.ToDatetime(UTC)) == (
        datetime(2026, 3, 28, 23, tzinfo=UTC),
        datetime(2026, 3, 29, 22, tzinfo=UTC),
    )
    assert made.emergency == pb.EMERGENCY_CLAIM_CLAIMED
    assert not told.is_empty
    assert Asked(view="json").is_empty
    assert Asked().address() == "/raadplegingen"
    assert told.command() == (
        "exchange audit decisions --outcome DENY --task college:WMO --task fg --emergency "
        "--from 2026-03-28T23:00:00 --before 2026-03-29T22:00:00 "
        f"--resident {'0' * 24} --decision a-1"
    )
