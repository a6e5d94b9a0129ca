"""Whatever is asked of the console's own addresses, by whom: a page, and never a fault.

The console's surface is described here as an OpenAPI document, made from its routes and the fields of its own
templates; schemathesis asks by it as each role, signed in, with the word of a form right and wrong.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from exchange.console.app import find_pages
from exchange.console.login import BACK, BEGIN, LEAVE
from exchange.console.templating import TEMPLATES
from tests.console.house import APPROVER, AUTHOR, INSIGHT, KEEPER, OFFICER, RESIDENT
from tests.server.story import denied_read
from tests.server.town import CITY

if TYPE_CHECKING:
    import httpx2

    from tests.console.house import House, Visitor
    from tests.server.story import Story

pytestmark = pytest.mark.slow

TRIES = 250
ROLES = (OFFICER, AUTHOR, APPROVER, INSIGHT, KEEPER, RESIDENT, "")
FIELD = re.compile(r'\bname="([A-Za-z_]+)"')
FORM = re.compile(r'<form method="post" action="([^"]+)".*?</form>', re.DOTALL)
FILLED = re.compile(r'\bname="([A-Za-z_]+)" value="([^"]*)"')
TEXT = re.compile(r'<textarea [^>]*\bname="([a-z_]+)"')
PLACE = re.compile(r"\{([a-z_]+)(?::[a-z]+)?\}")
# Where the exchange says "later", which is no fault; and nothing else of what begins with a five.
LATER = 503
UUID = "00000000-0000-4000-8000-000000000001"
# What a field may hold that gets past its first look.
KNOWN = [
    *(
        "2026-10",
        "2021",
        "2021-01-01",
        CITY,
        "00000003271543200000",
        "college:WMO",
        "fg",
        UUID,
        "1",
        "0",
        "200",
    ),
    *(
        "nl",
        "en",
        "custom/01",
        "own_network",
        "housing",
        "400",
        "verklaard",
        "DENY",
        "WMO-2.3.2",
        "R03",
        "true",
    ),
    *("DUTY_OUTCOME_JUSTIFIED", "REVIEW-1-WORKDAY", "Waarom.", "d-1", "9" * 15, "2026-11-26T00:00:00Z"),
]
NASTY = [
    *(
        "<script>alert(1)</script>",
        "'",
        '"',
        "%",
        "%00",
        "\0",
        "' OR 1=1 --",
        "../../etc/passwd",
        "..%2f",
        "\r\nA: b",
    ),
    *(
        "a" * 1_000,
        "9" * 400,
        "-1",
        "1e9",
        "٣",
        "é" * 200,
        "{{7*7}}",
        "\ufffe",
        "2026-13",
        "0000-01",
        "9999-12",
    ),
    *("999990019", "\U0001f512", "null", "[]", "{", "NaN", " ", "A" * 10_000),
]


def fields() -> list[str]:
    """Return the name of every field that any template has."""
    found = {name for file in TEMPLATES.rglob("*.html") for name in FIELD.findall(file.read_text("utf-8"))}
    return sorted(found - {"csrf", "viewport"} | {"vanaf", "kenmerk", "taak", "naar"})


def document() -> dict[str, Any]:
    """Describe the console: every page with the fields it may be asked with."""
    text = {"type": "string", "maxLength": 200}
    asked = [{"name": name, "in": "query", "required": False, "schema": text} for name in fields()]
    form = {"type": "object", "properties": dict.fromkeys(("csrf", *fields()), text)}
    body = {"content": {"application/x-www-form-urlencoded": {"schema": form}}}
    surface = [(page.path, page.methods) for page in find_pages()]
    surface += [("/", ("GET",)), (BEGIN, ("GET",)), (BACK, ("GET",)), (LEAVE, ("POST",))]
    surface += [("/taal/{language}", ("GET",)), ("/static/{name}", ("GET",))]
    paths: dict[str, Any] = {}
    for path, methods in surface:
        places = [
            {"name": name, "in": "path", "required": True, "schema": text} for name in PLACE.findall(path)
        ]
        told = paths.setdefault(PLACE.sub(r"{\1}", path), {})
        for method in methods:
            told[method.lower()] = {
                "parameters": [*places, *asked],
                "responses": {"200": {"description": "a page"}},
            } | ({"requestBody": body} if method == "POST" else {})
    return {"openapi": "3.0.3", "info": {"title": "console", "version": "1"}, "paths": paths}


def values() -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(KNOWN), st.sampled_from(NASTY), st.text(max_size=40))


@pytest.fixture(scope="module")
def visitors(house: House, story: Story) -> dict[str, Visitor]:
    """Return somebody of each role, signed in, and somebody who is not; there is something on their pages."""
    story.goal()
    denied_read(house.town, story)
    found = {who: house.as_(who) if who else house.visitor() for who in ROLES}
    asked = {"organisatie": CITY, "taak": "college:WMO", "waarom": "Vaak in de nacht.", "request_id": UUID}
    asked |= {"maand": f"{house.town.now():%Y-%m}", "csrf": found[OFFICER].csrf("/nergens")}
    assert found[OFFICER].post("/toezicht/namen", asked).status_code == 200
    return found


def answered(house: House, visitor: Visitor, case: Any, csrf: str) -> httpx2.Response:  # noqa: ANN401 -- a schemathesis case
    """Ask what a case asks; a form is of this session where its word is to be right."""
    told = {name: quote(str(value), safe="") for name, value in (case.path_parameters or {}).items()}
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (case.query or {}).items())
    path = case.path.format(**told) + (f"?{query}" if query else "")
    if case.method == "GET":
        return visitor.get(path)
    body = case.body if isinstance(case.body, dict) else {}
    form = {name: str(value).encode("utf-8", "replace").decode() for name, value in body.items()}
    return visitor.post(path, form | ({"csrf": csrf} if csrf else {}))


@pytest.mark.parametrize("who", ROLES)
def test_whatever_is_asked_is_answered_with_a_page_and_never_a_fault(
    house: House, visitors: dict[str, Visitor], who: str
) -> None:
    schema = schemathesis.openapi.from_dict(document())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) >= len(find_pages())
    # Out of the way of who comes next: to sign out and the language change what is asked by the rest.
    own = [one for one in operations if one.path != LEAVE]
    asked = st.sampled_from(own).flatmap(lambda one: one.as_strategy())
    seen: set[int] = set()
    visitor = visitors[who]
    csrf = visitor.csrf("/nergens") if who else "none"

    @given(
        case=asked,
        query=st.dictionaries(st.sampled_from(fields()), values(), max_size=6),
        form=st.dictionaries(st.sampled_from(fields()), values(), max_size=12),
        place=values(),
        right=st.sampled_from([True, True, True, False]),
    )
    @settings(
        max_examples=TRIES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asks(case: Any, query: dict[str, str], form: dict[str, str], place: str, *, right: bool) -> None:  # noqa: ANN401 -- a schemathesis case
        case.query = {**(case.query or {}), **query}
        case.path_parameters = dict.fromkeys(case.path_parameters or {}, place)
        if case.method == "POST":
            case.body = {**(case.body if isinstance(case.body, dict) else {}), **form}
        answer = answered(house, visitor, case, csrf if right else "")
        seen.add(answer.status_code)
        assert answer.status_code < 500 or answer.status_code == LATER, (case.method, case.path, answer.text)
        assert "<script>alert" not in answer.text
        assert "content-security-policy" in answer.headers

    asks()
    # It came as far as the pages: shown, or another role's; who is nobody is sent to sign in.
    assert seen & ({200, 403} if who else {303}), seen


def forms_of(visitor: Visitor, role: str) -> list[tuple[str, dict[str, str]]]:
    """Return the forms of every page a role can open, filled in with what stands in them."""
    found = []
    for page in find_pages():
        if "GET" in page.methods and "{" not in page.path and role in {one.name for one in page.roles}:
            for form in FORM.finditer(visitor.get(page.path).text):
                told = {name: html.unescape(value) for name, value in FILLED.findall(form[0])}
                told |= dict.fromkeys(TEXT.findall(form[0]), "Omdat het moet.")
                found.append((form[1], told))
    return [(action, told) for action, told in found if action != LEAVE]


@pytest.mark.parametrize("who", [OFFICER, INSIGHT, KEEPER])
def test_a_form_that_is_nearly_right_is_answered_with_a_page_and_never_a_fault(
    house: House, visitors: dict[str, Visitor], who: str
) -> None:
    visitor = visitors[who]
    role = next(person.role for person in house.people if person.subject == who)
    offered = forms_of(visitor, role)
    assert offered, "there is something to fill in"
    seen: set[int] = set()

    @given(
        form=st.sampled_from(offered),
        wrong=st.dictionaries(st.sampled_from(fields()), values(), max_size=8),
        headers=st.dictionaries(
            st.sampled_from(["Accept-Language", "Content-Type", "Sec-Fetch-Site", "Content-Length"]),
            st.sampled_from(
                ["", "x", "1", "-1", "same-origin", "multipart/form-data", "text/plain; charset=x"]
            ),
            max_size=1,
        ),
    )
    @settings(
        max_examples=TRIES // 2,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asks(form: tuple[str, dict[str, str]], wrong: dict[str, str], headers: dict[str, str]) -> None:
        action, told = form
        known = {name: value for name, value in wrong.items() if name not in told or len(wrong) < 3}
        given_in = {name: value.encode("utf-8", "replace").decode() for name, value in (told | known).items()}
        answer = visitor.post(action, given_in, headers)
        seen.add(answer.status_code)
        assert answer.status_code < 500 or answer.status_code == LATER, (action, given_in, answer.text)
        assert "<script>alert" not in answer.text

    asks()
    assert seen & {200, 303, 409}, "some got past the first look"
