"""The words of the documents in Dutch and in English: texts, names of fields, and what stored words mean.

Promises: every text is there in both languages; a stored word that is not listed is shown as it is stored,
readable: nothing is left out because nobody named it. Moments are told in the time of the Netherlands.
Source: GDPR 12(1) (plain language; Dutch at B1 for residents); words.toml beside this room.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from exchange.errors import RequestInvalid

if TYPE_CHECKING:
    from collections.abc import Mapping

LANGUAGES: Final = ("nl", "en")
ZONE: Final = ZoneInfo("Europe/Amsterdam")
# A bare term of a law, as an ISO 8601 duration.
_YEARS: Final = re.compile(r"P([0-9]{1,3})Y", re.ASCII)
_PURPOSE: Final = "PURPOSE_"
_UNSPECIFIED: Final = "_UNSPECIFIED"
_DUTCH: Final = str.maketrans(",.", ".,")


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language. Safe between threads."""

    language: str
    _all: Mapping[str, Mapping[str, Any]]

    def text(self, name: str, **values: object) -> str:
        """Return a text of ours."""
        return str(self._all["texts"][name][self.language]).format(**values)

    def field(self, name: str) -> str:
        """Return the name of a field or a collection."""
        found = self._named("fields", name)
        return _readable(name) if found is None else found

    def value(self, stored: str) -> str:
        """Return what a stored word means: of an enumeration, a right, a duty or an outcome."""
        if stored.endswith(_UNSPECIFIED):
            return ""
        found = self._named("values", stored)
        if found is not None:
            return found
        prefixes: list[str] = self._all["prefixes"]["of_values"]
        prefix = next((one for one in prefixes if stored.startswith(one)), "")
        return _readable(stored.removeprefix(prefix).lower()) if prefix else stored

    def outcome(self, stored: str) -> str:
        """Return what came of a question; as it is stored where it is not known."""
        found = self._all["outcomes"].get(stored)
        return stored if found is None else str(found[self.language])

    def right(self, article: str) -> str:
        """Return what a right is for; the article itself where it is not known."""
        found = self._all["rights"].get(article)
        return article if found is None else f"{found[self.language]} ({article})"

    def purpose(self, stored: str) -> str:
        """Return what a purpose is for: "wmo-plan", or as the contract writes it."""
        name = stored.removeprefix(_PURPOSE).replace("_", "-").lower()
        found = self._named("purposes", name)
        return name if found is None else found

    def task(self, name: str) -> str:
        """Return who somebody is, by the task he asked in."""
        found = self._named("tasks", name)
        return name if found is None else found

    def retention(self, rule: str) -> str:
        """Return how long something is kept, by a rule of the register; as written where it is not known."""
        years = _YEARS.fullmatch(rule)
        if years:
            return self.text("years", count=int(years.group(1)))
        found = self._named("retention", rule)
        return rule if found is None else found

    def category(self, name: str) -> str:
        """Return what a category of data holds."""
        found = self._named("categories", name)
        return name if found is None else found

    def one(self, collection: str) -> str:
        """Return what a single element of a collection is called: "goals" gives "Doel"."""
        return self._named("singular", collection) or self.field(collection)

    def coded(self, table: str, code: object) -> str:
        """Return what a code or score means, by its table; empty where it is not known."""
        return self._named(table, str(code)) or ""

    def euros(self, cents: int) -> str:
        """Return an amount as it is written: "€ 5.200,00", in English "€5,200.00"."""
        sign, amount = "-" if cents < 0 else "", f"{abs(cents) // 100:,}.{abs(cents) % 100:02}"
        if self.language == "nl":
            return f"€ {sign}{amount.translate(_DUTCH)}"
        return f"{sign}€{amount}"

    def day(self, one: date) -> str:
        """Return a day as people write it: "26 november 2026"."""
        month = self._all["months"][self.language][one.month - 1]
        return f"{one.day} {month} {one.year}"

    def month(self, year: int, number: int) -> str:
        """Return a month: "november 2026"."""
        return f"{self._all['months'][self.language][number - 1]} {year}"

    def moment(self, one: datetime) -> str:
        """Return a moment as it was in the Netherlands: "26 november 2026, 14:05"."""
        local = one.astimezone(ZONE)
        return f"{self.day(local.date())}, {local:%H:%M}"

    def _named(self, table: str, name: str) -> str | None:
        """Return a word of one of the tables of names; None where this language has none of its own."""
        tables = self._all if self.language == "nl" else self._all["english"]
        found: str | None = tables.get(table, {}).get(name)
        return found

    def told(self, stored: str) -> str:
        """Return a stored text as people read it: a moment, a day or a word; all else as it is."""
        return read_moment(stored, self) or self.value(stored)


@cache
def words_of(language: str) -> Words:
    """Return the words of a language. Raises RequestInvalid for one there is not."""
    if language not in LANGUAGES:
        raise RequestInvalid("there are no documents in this language", {"language": "must be nl or en"})
    text = files("exchange.documents").joinpath("words.toml").read_text("utf-8")
    return Words(language, tomllib.loads(text))


def read_moment(stored: str, words: Words) -> str:
    """Return a moment or day of the contract as people write it; empty where it is none."""
    shaped = stored[4:5] == "-" and stored[7:8] == "-" and stored[:4].isdigit()
    if not shaped:
        return ""
    try:
        if "T" in stored:
            return words.moment(datetime.fromisoformat(stored))
        return words.day(date.fromisoformat(stored))
    except ValueError:
        return ""


def _readable(name: str) -> str:
    return name.replace("_", " ").capitalize()
