"""Each page, each form, each choice in one and each check in the browser is tried, and in both languages.

A test is held to what it declares where it runs, once in each language; here what all of them declare is laid
beside what the console has.
"""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from exchange.console import pages
from exchange.console.app import find_pages
from exchange.console.language import DUTCH, ENGLISH, LANGUAGES
from tests.console.house import OFFICER, RESIDENT
from tests.console.in_both_languages.actions import CHECK, CHOICES, FILES, chosen, every, forms, routes, tried
from tests.console.in_both_languages.reader import DECLARED, Tried, foreign_to, sent_by, told_as

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.console.house import House

HERE: Final = Path(__file__).parent
# What a page asks of a form or an address and nobody chooses an action by: words, days, numbers, ids, places,
# what a form carries on, and what a list is narrowed to.
FREE: Final = frozenset(
    re.findall(
        r"\w+",
        """
        aantal andere anders beslissing bezwaar blad bsn decision_id duty entry geen_nadeel gezien
        grondslag jaar kenmerk klaar leaf leefgebied maand naam nummer onder plan prijs reden remark
        request_id rij sha256 sinds staat taak tekst terug token tot totaal van vanaf versie verzoek
        volgende vraag waarom waarvoor wissing zoek
        """,
    )
)
# There it says what a correction is about, and whose use somebody is against.
FREE_IN: Final = {"my_rights": {"deel", "wie"}, "my_looks": {"wie"}}
# Rooms that read the address for a room that has the place.
READS_FOR: Final = {"logs": "exports", "papers": "exports"}
ASKS: Final = re.compile(r"(?:look\.field|look\.query\.get|\.getlist)\(\s*\"(\w+)\"")
SHOWN: Final = (("officer", OFFICER, "/vandaag"), ("resident", RESIDENT, "/mijn/5"))


def declaring() -> Iterator[tuple[str, frozenset[str], Any]]:
    """Yield each test that declares what it tries."""
    for file in sorted(HERE.glob("test_as_*.py")):
        room = import_module(f"{__name__.rpartition('.')[0]}.{file.stem}")
        for name, test in vars(room).items():
            if name.startswith("test_"):
                yield f"{file.stem}.{name}", getattr(test, DECLARED, frozenset()), test


def test_nothing_is_left_untried() -> None:
    declared = frozenset().union(*(keys for _, keys, _ in declaring()))
    assert [f"{one} is tried by nobody" for one in sorted(every() - declared)] == []


def test_each_test_here_runs_in_each_language_and_is_held_to_what_it_declares() -> None:
    found = list(declaring())
    assert len(found) > 10
    for name, keys, test in found:
        assert keys, f"{name} declares nothing"
        marks = {mark.name: mark.args for mark in test.pytestmark}
        assert marks["parametrize"] == ("language", tuple(LANGUAGES)), name
        assert "slow" in marks, name


def test_what_there_is_to_try_is_the_consoles_own(house: House) -> None:
    app = house.app._app
    served = {
        (method, route.path)
        for route in app.routes
        for method in route.methods - {"HEAD"}
        if route.path != FILES
    }
    assert served == set(routes())
    assert {page.path for page in find_pages()} <= {place for _, place in routes()}
    # A form of a template and a choice of a form belong to a place that there is.
    assert CHOICES.keys() <= set(routes())
    posted = {place for form in forms() if form.method == "POST" for place in form.places}
    assert {place for method, place in routes() if method == "POST"} == posted
    assert {one for one in every() if one.startswith(CHECK)} == {
        "CHECK consistency_panel.html",
        "CHECK proof_panel.html",
    }


def test_a_field_by_which_an_action_could_be_chosen_is_known() -> None:
    chosen_by: dict[str, set[str]] = {}
    for page in find_pages():
        room = page.show.__module__.rpartition(".")[2]
        for method in page.methods:
            chosen_by.setdefault(room, set()).update(CHOICES.get((method, page.path), ()))
    read = set()
    for file in Path(pages.__file__).parent.rglob("*.py"):
        room = READS_FOR.get(file.stem, file.stem)
        asked = set(ASKS.findall(file.read_text()))
        known = FREE | FREE_IN.get(room, set()) | chosen_by.get(room, set())
        assert sorted(asked - known) == [], f"{file.name}: is it free, or a choice for actions.py?"
        read |= asked
    assert sorted(FREE - read) == []


@pytest.mark.parametrize(
    ("method", "path", "sent", "expected"),
    [
        ("GET", "/mijn/4/3", {}, {"GET /mijn/4/{number}", "GET /mijn/4/{number} number=3"}),
        ("GET", "/mijn/4/9", {}, {"GET /mijn/4/{number}"}),
        ("GET", "/nergens", {}, set()),
        ("POST", "/mijn/1", {}, set()),
        ("GET", "/static/console.css", {}, set()),
        ("GET", "/naspelen", {"dag": ["1"], "totdag": [""]}, {"GET /naspelen", "GET /naspelen?dag&totdag"}),
        ("GET", "/naspelen", {"dag": ["1"]}, {"GET /naspelen"}),
        ("GET", "/naspelen", {"dag": ["1"], "totdag": [""], "van": [""]}, {"GET /naspelen"}),
        ("POST", "/weergave", {"stand": ["1"], "terug": ["/"]}, {"POST /weergave", "POST /weergave stand=1"}),
        ("POST", "/weergave", {"stand": ["2"], "terug": ["/"]}, {"POST /weergave"}),
        (
            "POST",
            "/voorvertoning",
            {"csrf": ["x"], "tekst": ["x"], "sinds": ["x"]},
            {"POST /voorvertoning", "POST /voorvertoning?sinds&tekst", "POST /voorvertoning geheel="},
        ),
        (
            "POST",
            "/mijn/1/zeg",
            {"csrf": ["x"], "request_id": ["x"], "versie": ["1"], "zeg": ["ja"]},
            {"POST /mijn/1/zeg", "POST /mijn/1/zeg zeg=ja", "POST /mijn/1/zeg?versie&zeg"},
        ),
    ],
)
def test_what_a_browser_asked_is_told_by_place_form_and_choice(
    method: str, path: str, sent: dict[str, list[str]], expected: set[str]
) -> None:
    assert tried(method, path, sent) == expected


def test_a_pattern_means_something() -> None:
    assert chosen("POST /weergave*") == {"POST /weergave", "POST /weergave stand=0", "POST /weergave stand=1"}
    assert chosen("GET /mijn/4") == {"GET /mijn/4"}
    for none in ("GET /nergens", "POST /weergave stand=2", "PUT *"):
        with pytest.raises(AssertionError, match="the console has no"):
            chosen(none)


def test_a_test_is_told_what_it_did_not_try_and_what_it_did_not_declare() -> None:
    noted = Tried()
    declared = frozenset({"GET /mijn/1", "POST /weergave"})
    assert noted.note(DUTCH, frozenset({"GET /mijn/1", "GET /mijn/2", "POST /weergave"}))
    assert noted.lacking(DUTCH, declared) == []
    assert noted.lacking(ENGLISH, declared) == [
        "GET /mijn/1 was not tried in en",
        "POST /weergave was not tried in en",
    ]
    assert not noted.note(DUTCH, frozenset({"GET /mijn/2"}))
    assert noted.note(DUTCH, frozenset({"POST /mijn/4/terug", "CHECK proof_panel.html"}))
    assert noted.lacking(DUTCH, declared) == [
        "CHECK proof_panel.html was tried in nl and is not declared",
        "POST /mijn/4/terug was tried in nl and is not declared",
    ]
    noted.begin()
    assert len(noted.lacking(DUTCH, declared)) == len(declared)


class Asked:
    """A request as a browser tells of it."""

    def __init__(self, kind: str, body: bytes) -> None:
        self.headers, self.post_data_buffer = {"content-type": kind}, body


def test_a_form_is_read_in_both_its_kinds() -> None:
    plain = Asked("application/x-www-form-urlencoded", b"zeg=ja&woorden=&rij=a&rij=b")
    assert sent_by(plain) == {"zeg": ["ja"], "woorden": [""], "rij": ["a", "b"]}
    body = b'--B\r\nContent-Disposition: form-data; name="tekst"\r\n\r\nid = 1\r\n--B\r\n'
    body += b'Content-Disposition: form-data; name="bestand"; filename=""\r\n'
    body += b"Content-Type: application/octet-stream\r\n\r\n\r\n--B--\r\n"
    assert sent_by(Asked("multipart/form-data; boundary=B", body)).keys() == {"tekst", "bestand"}


@pytest.mark.parametrize(("who", "subject", "path"), SHOWN)
def test_a_page_tells_its_language_in_its_answer_too(house: House, who: str, subject: str, path: str) -> None:
    visitor = house.as_(subject)
    for language in LANGUAGES:
        visitor.get(f"/taal/{language}")
        answer = visitor.get(path)
        assert answer.headers["content-language"] == language, who
        assert f'<html lang="{language}">' in answer.text
    assert visitor.get("/nergens").headers["content-language"] == language


def test_words_of_the_other_language_are_known() -> None:
    assert "Vandaag" in foreign_to(ENGLISH)
    assert "Today" in foreign_to(DUTCH)
    assert not foreign_to(DUTCH) & foreign_to(ENGLISH)
    assert "Register" not in foreign_to(DUTCH) | foreign_to(ENGLISH)
    finds = told_as(foreign_to(ENGLISH))
    assert finds("Vandaag")
    assert finds("U doet dit voor Sem.")
    assert not finds("Today")
    assert not finds("Lorem ipsum.")
