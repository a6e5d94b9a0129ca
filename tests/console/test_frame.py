"""What stands around every page: headers, sessions, forms, addresses; and what is told of a page in a log."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

import pytest

from adapters.sdk import errors
from adapters.sdk.tokens import Person
from exchange.console.app import QUERY_CHARS_MAX, find_pages
from exchange.console.forms import FORM_BYTES_MAX
from exchange.console.refusals import AnswerRefused
from exchange.console.session import COOKIE
from exchange.console.templating import TEMPLATES
from exchange.v1.case_service_pb2 import FindCaseRequest, FindCaseResponse
from tests.console.house import APPROVER, AUTHOR, INSIGHT, OFFICER, RESIDENT, House, Visitor
from tests.server.town import CARE, DELIVER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from google.protobuf.message import Message

LOOKS_MAX = 50
FORM = {"outcome": "DUTY_OUTCOME_EXECUTED", "duty": "NOTIFY-FG", "decision_id": "d-1", "request_id": "1"}


@pytest.fixture(scope="module")
def officer(house: House) -> Visitor:
    return house.as_(OFFICER)


def test_every_answer_forbids_what_no_page_needs(house: House, officer: Visitor) -> None:
    places = ["/", "/vandaag", "/nergens", "/static/console.css", "/static/nothing", "/inloggen"]
    for answer in [officer.get(place) for place in places]:
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; ")
        assert "unsafe" not in policy
        assert f"form-action 'self' {house.provider.issuer};" in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert "max-age=" in answer.headers["strict-transport-security"]
    assert officer.get("/vandaag").headers["cache-control"] == "no-store"


def test_no_page_holds_a_script_a_style_or_a_place_elsewhere(officer: Visitor) -> None:
    for place in ("/", "/vandaag", "/grootboek", "/grootboek/bewijs?blad=1", "/nergens"):
        text = officer.get(place).text
        assert "<style" not in text
        assert " style=" not in text
        assert " onclick=" not in text
        assert "<script>" not in text
        assert "http://" not in text
        assert "https://" not in text


def test_every_table_says_what_it_holds_and_every_heading_of_what() -> None:
    tables = 0
    for file in TEMPLATES.rglob("*.html"):
        for table in re.findall(r"<table\b.*?</table>", file.read_text(encoding="utf-8"), re.DOTALL):
            tables += 1
            assert "<caption" in table, f"{file.name} has a table without a caption"
            for heading in re.findall(r"<th\b[^>]*>", table):
                assert "scope=" in heading, f"{file.name}: {heading}"
    assert tables > 15


def test_the_navigation_says_where_a_page_behind_another_is(house: House, officer: Visitor) -> None:
    def marked(visitor: Visitor, path: str) -> list[tuple[str, str]]:
        return re.findall(r'<li><a href="([^"]+)" aria-current="([^"]+)"', visitor.get(path).text)

    assert marked(officer, "/grootboek") == [("/grootboek", "page")]
    assert marked(officer, "/grootboek/gewist") == [("/grootboek", "true")]
    assert marked(officer, "/toezicht/verzoeken") == [("/toezicht/verzoeken", "page")]
    assert marked(officer, "/grootboekje") == []
    # A decision is behind the list out of which it was chosen, also where there is none of this number.
    assert marked(officer, "/beslissing/geen") == [("/raadplegingen", "true")]
    assert marked(house.as_(RESIDENT), "/mijn/4/1") == [("/mijn/4", "true")]


def test_every_page_that_is_read_is_behind_one_of_the_navigation() -> None:
    pages = find_pages()
    lost = {
        page.path
        for page in pages
        for role in page.roles
        if "GET" in page.methods
        and not any(
            one.path in {page.path, page.behind} or page.path.startswith(f"{one.path}/")
            for one in pages
            if one.menu and role in one.roles
        )
    }
    # The explanation beside every page of a resident, which has a link of its own that is marked.
    assert lost == {"/mijn/5"}


def test_the_foot_of_a_page_says_what_is_so(house: House, officer: Visitor) -> None:
    """Nobody is recorded who is not signed in; a resident reads no jargon."""
    recorded, in_plain = "met uw rol en het doel", "Dat u hier keek, staat ook bij Wie keek."
    foot = {
        who: visitor.get(path).text.partition("<footer>")[2]
        for who, visitor, path in (
            ("nobody", house.visitor(), "/"),
            ("officer", officer, "/grootboek"),
            ("resident", house.as_(RESIDENT), "/mijn/4"),
        )
    }
    assert {who: (recorded in told, in_plain in told, "UTC" in told) for who, told in foot.items()} == {
        "nobody": (False, False, True),
        "officer": (True, False, True),
        "resident": (False, True, False),
    }


def test_no_two_pages_have_one_address() -> None:
    offered = [(page.path, method) for page in find_pages() for method in page.methods]
    assert len(offered) > 20
    assert len(set(offered)) == len(offered)


@pytest.mark.parametrize("subject", [AUTHOR, APPROVER, INSIGHT, RESIDENT])
def test_a_page_of_another_role_says_whose_it_is(house: House, subject: str) -> None:
    visitor = house.as_(subject)
    role = next(person.role for person in house.people if person.subject == subject)
    pages = [page for page in find_pages() if role not in {one.name for one in page.roles}]
    assert pages
    for page in pages:
        path = page.path.replace("{leaf}", "1")
        if "GET" in page.methods and "{" not in path:
            answer = visitor.get(path)
            assert answer.status_code == 403, path
            assert "Deze pagina hoort niet bij uw rol." in answer.text
            assert "Dit is een pagina voor" in answer.text
    assert visitor.post("/vandaag/plicht", FORM | {"csrf": "x"}).status_code == 403


@pytest.mark.parametrize(
    ("change", "headers", "status"),
    [
        ({"csrf": ""}, {}, 403),
        ({"csrf": "another"}, {}, 403),
        ({"csrf": "é"}, {}, 403),
        ({}, {"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, {"Sec-Fetch-Site": "same-site"}, 403),
        ({}, {"Content-Type": "multipart/form-data; boundary=x"}, 400),
        ({}, {"Content-Type": "application/json"}, 403),
        ({}, {"Content-Length": str(FORM_BYTES_MAX + 1)}, 413),
        ({}, {"Content-Length": "many"}, 413),
        ({str(number): "" for number in range(200)}, {}, 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_form_that_is_not_of_this_session_records_nothing(
    house: House, officer: Visitor, change: dict[str, str], headers: dict[str, str], status: int
) -> None:
    form = FORM | {"csrf": csrf_of(officer)} | change
    # The look at the page that gave the word is recorded; nothing behind it is.
    before = house.town.core.reader.head()[0]
    answer = officer.post("/vandaag/plicht", form, headers)
    assert answer.status_code == status, answer.text
    assert house.town.core.reader.head()[0] == before


def test_a_form_without_a_session_is_told_that_it_is_over(house: House) -> None:
    answer = house.visitor().post("/vandaag/plicht", FORM)
    assert answer.status_code == 401
    assert "U bent niet meer aangemeld." in answer.text


def test_the_word_of_one_session_is_not_that_of_another(house: House, officer: Visitor) -> None:
    other = house.as_(OFFICER)
    assert csrf_of(other) != csrf_of(officer)
    assert other.post("/vandaag/plicht", FORM | {"csrf": csrf_of(officer)}).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/vandaag?" + "a" * QUERY_CHARS_MAX, 200),
        ("/vandaag?" + "a" * (QUERY_CHARS_MAX + 1), 414),
        ("/vandaag?" + "a" * 10_000, 414),
        ("/static/..%2fapp.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/vandaag/../grootboek/x", 404),
        ("/vandaag%00", 404),
        ("/VANDAAG", 404),
        ("/taal/fr", 404),
        ("/taal/..%2f..%2f", 404),
        ("/uitloggen", 405),
    ],
    ids=lambda value: str(value)[:30],
)
def test_an_address_that_is_none(officer: Visitor, path: str, status: int) -> None:
    answer = officer.get(path)
    assert answer.status_code == status
    assert "a" * 100 not in answer.text or status == 200


def test_another_host_name_leads_nowhere(officer: Visitor) -> None:
    answer = officer.get("/vandaag", host="elders.example")
    assert answer.status_code == 421


def test_a_session_that_is_made_up_is_over(house: House) -> None:
    for number in ("", "x", "a" * 43, "a" * 5_000):
        visitor = house.visitor()
        visitor.cookies[COOKIE] = number
        # This console gave no such number: like one of before a restart, it leads to signing in.
        assert visitor.get("/vandaag").headers["location"] == "/inloggen?naar=%2Fvandaag"
    visitor = house.as_(OFFICER)
    mark = visitor.cookies[COOKIE][:8]
    for number in (mark, mark + "a" * 43, visitor.cookies[COOKIE] + "a"):
        visitor.cookies[COOKIE] = number
        assert visitor.get("/vandaag").status_code == 401


def test_the_language_is_remembered_and_leads_back(house: House) -> None:
    visitor = house.visitor()
    assert 'lang="nl"' in visitor.get("/", **{"accept-language": "en"}).text
    answer = visitor.get("/taal/en?naar=%2Fgrootboek%3Fvanaf%3D3")
    assert answer.headers["location"] == "/grootboek?vanaf=3"
    assert "Sign in" in visitor.get("/").text
    assert visitor.get("/taal/en?naar=//elders.example").headers["location"] == "/"


def test_a_line_of_the_log_says_the_page_and_nothing_that_was_asked(house: House, officer: Visitor) -> None:
    officer.get("/grootboek?vanaf=31415926")
    line = json.loads(house.log().strip().splitlines()[-1])
    assert {name: line[name] for name in ("event", "place", "task", "code", "reason")} == {
        "event": "console",
        "place": "/grootboek",
        "task": "fg",
        "code": 400,
        "reason": "REQUEST_INVALID",
    }
    for secret in ("31415926", house.bsn, "Fatima", "fg-1", officer.cookies[COOKIE]):
        assert secret not in house.log()


def test_a_defect_becomes_a_page_with_a_number(
    house: House, officer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise KeyError("999990019")

    monkeypatch.setattr(house.line, "ask", broken)
    answer = officer.get("/grootboek")
    assert answer.status_code == 500
    line = json.loads(house.log().strip().splitlines()[-1])
    assert (line["reason"], line["incident"] in answer.text) == ("KeyError", True)
    assert "999990019" not in answer.text + house.log()


def test_what_the_gate_refuses_is_told_with_its_rules(house: House) -> None:
    """One factor is not enough for an officer: the provider says how he was known, and the gate judges."""
    with pytest.MonkeyPatch.context() as patched:
        right = type(house.provider).claims_of
        patched.setattr(type(house.provider), "claims_of", lambda *given: right(*given) | {"amr": ["pwd"]})
        visitor = house.as_(OFFICER)
    answer = visitor.get("/vandaag")
    assert answer.status_code == 403
    assert "De poort heeft dit geweigerd. Ook deze weigering is vastgelegd." in answer.text
    assert "R02" in answer.text


@pytest.mark.parametrize(
    ("subject", "path", "said"),
    [
        (OFFICER, "/register", ("Een regel houdt dit tegen. Er is niets veranderd.", "is vastgelegd.")),
        (RESIDENT, "/mijn/1", ("Dit mag niet volgens de regels. Er is niets veranderd.", "bij wie er keek.")),
    ],
    ids=["officer", "resident"],
)
def test_what_a_rule_behind_the_gate_stops_is_not_called_recorded(
    house: House, monkeypatch: pytest.MonkeyPatch, subject: str, path: str, said: tuple[str, str]
) -> None:
    async def stopped(request: Message, *_: object) -> Message:
        if isinstance(request, FindCaseRequest):
            return FindCaseResponse(case_id="c-1", plan_id="p-1")
        refused = AnswerRefused(
            "RULE_BROKEN", "Dit kan nu niet.", HTTPStatus.CONFLICT, rules=("VERSION",), decision_id=decision
        )
        raise refused

    visitor, (says, recorded) = house.as_(subject), said
    monkeypatch.setattr(house.line, "ask", stopped)
    decision = ""
    page = visitor.get(path).text.partition("<footer>")[0]
    assert says in page
    assert recorded not in page
    decision = "d-1"
    page = visitor.get(path).text.partition("<footer>")[0]
    assert says not in page
    assert recorded in page


@pytest.fixture(scope="module")
def carers(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Return the console of another organisation on the same exchange."""
    town = house.town
    folder: Path = tmp_path_factory.mktemp("carers")
    town.join(CARE, "wmo-aanbieder", "fg")
    other = House(town, folder, house.bsn, console_credentials=town.settings.data / f"of-{CARE}")
    yield other
    other.close()


def told(console: House) -> str:
    """Return what stands today for an officer, once the list of what was refused is not behind."""
    looks = (console.as_(OFFICER).get("/vandaag").text for _ in range(LOOKS_MAX))
    return next(page for page in looks if CARE in page)


def test_an_officer_of_another_organisation_sees_his_own_alone(house: House, carers: House) -> None:
    town = house.town
    for credentials, who in ((None, "w-stad"), (town.credentials(f"of-{CARE}"), "w-zorg")):
        task = "college:PW" if credentials is None else "wmo-aanbieder"
        client = town.client(Person(who, task, "medewerker"), credentials)
        with pytest.raises(errors.Denied):
            client.plan.get_plan(
                claim=DELIVER, plan_id="00000000-0000-4000-8000-00000000000a", fields=["goals.own_words"]
            )
    operators, others = told(house), told(carers)
    assert "Zorg Voorbeeld" in others
    assert "00000001003214345000" not in others
    assert "00000001003214345000" in operators


def csrf_of(visitor: Visitor) -> str:
    return visitor.csrf("/grootboek")
