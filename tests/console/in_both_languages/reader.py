"""Who reads the console in one language, what he tried there, and what he is told.

Promises: what is declared to be tried was asked by a browser, was not refused, and came back in that
language, as the answer's own header says; what a test sends beyond its declaration fails it. Every page that
is come to is in that language and has one heading, and axe finds nothing against it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from email.message import EmailMessage
from email.parser import BytesParser
from functools import wraps
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from exchange.console.language import DUTCH, ENGLISH, LANGUAGES, load_words
from tests.console.browser import Window, chromium
from tests.console.in_both_languages.actions import CHECK, chosen, tried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.console.house import House

    SignIn = Callable[[str, str], "Reader"]

WORDS: Final = load_words()
DECLARED: Final = "tries"
# A machine that is busy takes long over a PDF.
SAVED_MS_MAX: Final = 100_000
LETTERS_MIN: Final = 15
REDIRECTS: Final = range(HTTPStatus.MULTIPLE_CHOICES, HTTPStatus.BAD_REQUEST)
_FILLED: Final = re.compile(r"%\(\w+\)s|%d")
# And let the page see that what it shows became larger, which it is told before it is painted.
_UNFOLD: Final = """() => {
    for (const one of document.querySelectorAll("details")) one.open = true;
    return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())));
}"""
_READ: Final = """() => {
    const told = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.replace(/\\s+/g, " ").trim();
        const around = walker.currentNode.parentElement;
        if (text && around.closest("[lang]") === document.documentElement) told.push(text);
    }
    for (const one of document.querySelectorAll("main [aria-label], main [data-head]"))
        told.push(one.getAttribute("aria-label") ?? one.dataset.head);
    return [...told, document.title];
}"""


class Tried:
    """What browsers tried, by language, since it was begun."""

    def __init__(self) -> None:
        self._tried: dict[str, set[str]] = {}
        self.begin()

    def begin(self) -> None:
        """Forget what came before."""
        self._tried = {language: set() for language in LANGUAGES}

    def note(self, language: str, keys: frozenset[str]) -> bool:
        """Note what was tried in a language; tell whether any of it is new."""
        fresh = bool(keys - self._tried[language])
        self._tried[language] |= keys
        return fresh

    def lacking(self, language: str, declared: frozenset[str]) -> list[str]:
        """Return what was declared and not tried, and what was sent and not declared."""
        seen = self._tried[language]
        sent = {one for one in seen if one.startswith(("POST ", CHECK))}
        return [
            *(f"{one} was not tried in {language}" for one in sorted(declared - seen)),
            *(f"{one} was tried in {language} and is not declared" for one in sorted(sent - declared)),
        ]


TRIED: Final = Tried()


def tries(*patterns: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Mark a test that tries these actions, once in each language, and hold it to them."""
    declared = chosen(*patterns)

    def marked(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def trying(**given: Any) -> None:  # noqa: ANN401 -- fixtures
            TRIED.begin()
            test(**given)
            refuse(TRIED.lacking(given["language"], declared), "what is declared")

        setattr(trying, DECLARED, declared)
        in_each: Callable[..., None] = pytest.mark.parametrize("language", tuple(LANGUAGES))(trying)
        slow: Callable[..., None] = pytest.mark.slow(in_each)
        return slow

    return marked


class Reader:
    """Somebody who reads one language alone: what he looks for is given in Dutch, and looked for in his."""

    def __init__(self, window: Window, language: str, noted: Tried = TRIED) -> None:
        self.window, self.page, self.language = window, window.page, language
        self._noted, self._last = noted, DUTCH
        self._asked: frozenset[str] = frozenset()
        self._fresh, self._status = True, int(HTTPStatus.OK)
        self._told = WORDS[language].gettext
        self._foreign = foreign_to(language)
        self._is_foreign = told_as(self._foreign)
        self.page.on("response", self._answered)
        self.open("/")

    # --- what he does ---------------------------------------------------------------------------------

    def sign_in(self, name: str) -> None:
        """Sign in as one of the people of the provider."""
        self.page.get_by_role("link", name=self.says("Inloggen")).click()
        with self.page.expect_navigation(url=f"{self.window.url}/**"):
            self.page.get_by_role("link", name=name).click()
        self.look()

    def open(self, path: str) -> None:
        """Open a page by its address."""
        self.window.open(f"/taal/{self.language}?naar={quote(path, safe='')}")
        assert self._status < HTTPStatus.BAD_REQUEST, self.page.locator("h1").inner_text()
        self.look()

    def follow(self, dutch: str, **filled: object) -> None:
        """Follow a link, to a page."""
        self.go(self.page.get_by_role("link", name=self.says(dutch, **filled)).first)

    def press(self, dutch: str, within: str = "body", **filled: object) -> None:
        """Press a button, and come to a page."""
        self.go(self.page.locator(within).get_by_role("button", name=self.says(dutch, **filled)).first)

    def go(self, to: Any, *, refused: bool = False) -> None:  # noqa: ANN401 -- a Locator
        """Click something, and look at the page it leads to; one that refuses only where that is told."""
        with self.page.expect_navigation():
            to.click()
        assert (self._status >= HTTPStatus.BAD_REQUEST) == refused, self.page.locator("h1").inner_text()
        self.look()

    def save(self, way: Any) -> Path:  # noqa: ANN401 -- a Locator
        """Click something that gives a file."""
        with self.page.expect_download(timeout=SAVED_MS_MAX) as coming:
            way.click()
        found: Path = coming.value.path()
        assert found.stat().st_size > 0
        return found

    def link(self, dutch: str, **filled: object) -> Any:  # noqa: ANN401 -- a Locator
        """Return the link of a name."""
        return self.page.get_by_role("link", name=self.says(dutch, **filled)).first

    def button(self, dutch: str, within: str = "body") -> Any:  # noqa: ANN401 -- a Locator
        """Return the button of a name."""
        return self.page.locator(within).get_by_role("button", name=self.says(dutch), exact=True).first

    def fill(self, dutch: str, words: str, **filled: object) -> None:
        """Fill in a field that can be seen."""
        self.field(dutch, **filled).fill(words)

    def field(self, dutch: str, **filled: object) -> Any:  # noqa: ANN401 -- a Locator
        """Return the first field of a label that can be seen."""
        return self.page.get_by_label(self.says(dutch, **filled)).locator("visible=true").first

    def check_in_this_browser(self, panel: str, template: str, key: str) -> None:
        """Let the browser itself check what a panel shows, and read that it is right."""
        part = self.page.locator(panel)
        part.locator("[data-part=key]").fill(key)
        part.get_by_role("button", name=self.says("Controleer in deze browser")).click()
        part.locator(".said.good").wait_for()
        self._fresh |= self._noted.note(self.language, frozenset({f"{CHECK} {template}"}))
        self.look()

    # --- what he is told ------------------------------------------------------------------------------

    def says(self, dutch: str, **filled: object) -> str:
        """Return how something is said in his language."""
        told = self._told(dutch)
        assert self.language != ENGLISH or told != dutch or dutch not in self._foreign
        return told % filled if filled else told

    def sees(self, dutch: str, **filled: object) -> None:
        """Require that the page says something."""
        self.page.get_by_text(self.says(dutch, **filled)).locator("visible=true").first.wait_for()

    def reads(self, heading: str, **filled: object) -> None:
        """Require a heading."""
        assert self.page.locator("h1").inner_text() == self.says(heading, **filled)

    def look(self) -> None:
        """Require that a page is in his language, and for everybody."""
        page = self.page
        assert page.locator("html").get_attribute("lang") == self.language
        assert page.locator("h1").count() == 1, page.url
        page.evaluate(_UNFOLD)
        refuse(self.strange(), page.url)
        if self._fresh:
            # Once for each action of a test: of a page that was come to in this way nothing is new.
            self._fresh = False
            refuse(self.window.faults(), page.url)

    def strange(self) -> list[str]:
        """Return what the page says of the console's own words in the other language."""
        return [one for one in self.page.evaluate(_READ) if self._is_foreign(one)]

    def _answered(self, answer: Any) -> None:  # noqa: ANN401 -- a Response of Playwright
        """Note what was asked and not refused, in the language of the page that it led to."""
        asked = answer.request
        if not asked.is_navigation_request():
            return
        if asked.url.startswith(f"{self.window.url}/") and answer.status < HTTPStatus.BAD_REQUEST:
            url = urlsplit(asked.url)
            told = sent_by(asked) if asked.method == "POST" else parse_qs(url.query, keep_blank_values=True)
            self._asked |= tried(asked.method, url.path, told)
        if answer.status in REDIRECTS:
            return
        # A file, and a page of somebody else, say nothing: he was reading this language when he asked.
        self._status, self._last = answer.status, answer.headers.get("content-language", self._last)
        self._fresh |= self._noted.note(self._last, self._asked)
        self._asked = frozenset()


@contextmanager
def entering(house: House) -> Iterator[Callable[[str], Reader]]:
    """Yield what opens a window on a console, for who reads a language."""
    opened: list[Window] = []
    with chromium() as browser:
        url = house.open_door()

        def entered(language: str) -> Reader:
            window = Window(browser, url)
            opened.append(window)
            return Reader(window, language)

        yield entered
        for window in opened:
            window.close()


def refuse(found: list[str], where: str) -> None:
    """Require that nothing was found."""
    assert not found, "\n".join([where, *found])


def sent_by(asked: Any) -> dict[str, list[str]]:  # noqa: ANN401 -- a Request of Playwright
    """Return the fields of a form as a browser sent it, whichever of the two kinds it is."""
    kind, body = asked.headers.get("content-type", ""), asked.post_data_buffer or b""
    if not kind.startswith("multipart/form-data"):
        return parse_qs(body.decode(), keep_blank_values=True)
    whole: EmailMessage = BytesParser(_class=EmailMessage).parsebytes(
        f"Content-Type: {kind}\r\n\r\n".encode() + body
    )
    found: dict[str, list[str]] = {}
    for part in whole.iter_parts():
        name = part.get_param("name", header="content-disposition")
        found.setdefault(str(name), []).append(str(part.get_payload()))
    return found


def foreign_to(language: str) -> frozenset[str]:
    """Return what the console says in the other language and not in this one."""
    single = WORDS[ENGLISH].single
    of = {DUTCH: set(single), ENGLISH: set(single.values())}
    return frozenset(of[ENGLISH if language == DUTCH else DUTCH] - of[language])


def told_as(said: frozenset[str]) -> Callable[[str], re.Match[str] | None]:
    """Return what finds one of these, whatever is filled in; one of few letters would find anything."""
    parts = (_FILLED.split(one) for one in said)
    long = (one for one in parts if len(one) == 1 or sum(map(len, one)) >= LETTERS_MIN)
    return re.compile("|".join(".+".join(map(re.escape, one)) for one in sorted(long))).fullmatch
