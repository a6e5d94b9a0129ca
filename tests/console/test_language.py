"""Every word of every page has an English one, and no file translates what no page says."""

from __future__ import annotations

import ast
import re
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from exchange.console.language import DUTCH, ENGLISH, LOCALE, entries, load_words
from exchange.console.templating import TEMPLATES, open_templates
from exchange.errors import SettingsInvalid
from tests.house.tree import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = REPOSITORY / "exchange" / "console"


def said() -> set[str]:
    """Return every word that a template or a room says, in Dutch."""
    found: set[str] = set()
    templates = open_templates()
    for file in TEMPLATES.rglob("*.html"):
        for _, _, message in templates.extract_translations(file.read_text(encoding="utf-8")):  # type: ignore[attr-defined] # of the extension
            first = message if isinstance(message, str) else message and message[0]
            found |= {first} if first else set()
    for file in ROOMS.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"later", "ngettext"}:
                found.add(ast.literal_eval(node.args[0]))
    return found


def test_every_word_is_translated_and_nothing_else() -> None:
    words = load_words()[ENGLISH]
    known = words.single.keys() | words.plural.keys()
    assert sorted(said() - known) == []
    assert sorted(known - said()) == []


def test_what_stands_in_a_word_stands_in_its_translation() -> None:
    """A name that is filled in, misspelt in one language, is a page that breaks in that language alone."""

    def filled_in(text: str) -> set[str]:
        return set(re.findall(r"%(?:\([a-z_]+\))?[sd]", text))

    words = load_words()[ENGLISH]
    assert {dutch: told for dutch, told in words.single.items() if filled_in(dutch) != filled_in(told)} == {}
    assert any(filled_in(dutch) for dutch in words.single)


def test_one_or_many_is_asked_of_the_number_that_is_counted() -> None:
    """The first name in a sentence decides between its two forms, where `pluralize` names none."""
    begins = re.compile(
        r"{% trans ([a-z_]+)=[^%]*%}((?:(?!endtrans).)*?){% pluralize ?([a-z_]*) ?%}", re.DOTALL
    )
    found = [
        named or first
        for file in TEMPLATES.rglob("*.html")
        for first, _, named in begins.findall(file.read_text())
    ]
    assert len(found) > 20
    assert set(found) == {"count"}


def test_a_heading_begins_with_a_capital_and_keeps_the_others() -> None:
    shown = open_templates().from_string("{{ words|heading }}").render
    assert shown(words="toestemming (AVG)") == "Toestemming (AVG)"
    assert shown(words="") == ""
    assert [file.name for file in TEMPLATES.rglob("*.html") if "|capitalize" in file.read_text()] == []


def test_until_midnight_is_the_end_of_a_day_and_utc_tells_its_day_where_that_is_another() -> None:
    def shown(told: str, by: str) -> str:
        page = open_templates().from_string(f"{{{{ told|{by} }}}}").render(told=datetime.fromisoformat(told))
        return re.sub(r"<[^>]+>", "", page)

    assert shown("2026-11-27T23:00:00Z", "due") == "27-11-2026 24:00 (23:00 UTC)"
    assert shown("2026-07-31T22:00:00Z", "due") == "31-07-2026 24:00 (22:00 UTC)"
    assert shown("2026-11-27T22:59:59Z", "due") == "27-11-2026 23:59 (22:59 UTC)"
    assert shown("2026-11-27T23:00:01Z", "due") == "28-11-2026 00:00 (27-11 23:00 UTC)"
    # A moment is no end: at midnight the next day began.
    assert shown("2026-11-27T23:00:00Z", "moment") == "28-11-2026 00:00 (27-11 23:00 UTC)"
    assert shown("2026-11-28T00:00:00Z", "moment") == "28-11-2026 01:00 (00:00 UTC)"


def test_dutch_is_what_the_pages_say() -> None:
    words = load_words()[DUTCH]
    assert words.gettext("Vandaag") == "Vandaag"
    assert words.ngettext("nog %d dag", "nog %d dagen", 1) == "nog %d dag"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('msgid "a"\nmsgstr "b"\n', [("a", "", ("b", ""))]),
        ('msgid ""\n"a "\n"b"\nmsgstr "c"', [("a b", "", ("c", ""))]),
        ('msgid "a"\nmsgid_plural "as"\nmsgstr[0] "b"\nmsgstr[1] "bs"', [("a", "as", ("b", "bs"))]),
        ('# said\nmsgid "a"\nmsgstr ""', []),
        ('msgid ""\nmsgstr "Content-Type: text/plain"', []),
    ],
)
def test_a_file_of_translations(text: str, expected: list[object]) -> None:
    assert list(entries(text, "sample.po")) == expected


def test_a_file_that_cannot_be_read_is_named() -> None:
    with pytest.raises(SettingsInvalid, match=r"sample\.po"):
        list(entries("msgid a\nmsgstr b", "sample.po"))


def test_a_word_in_two_ways_is_refused(tmp_path: Path) -> None:
    (tmp_path / ENGLISH).mkdir()
    for number, told in enumerate(("day", "today")):
        (tmp_path / ENGLISH / f"{number}.po").write_text(f'msgid "dag"\nmsgstr "{told}"\n')
    with pytest.raises(SettingsInvalid, match="two ways"):
        load_words(tmp_path)
    assert any(LOCALE.rglob("*.po"))
