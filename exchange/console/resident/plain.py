"""Plain words for what a plan holds in codes and numbers: scores, steps, amounts of help, products.

Source: iWmo 3.2 code lists WMO020, WJ756 and WMO757; the scores of the self-reliance matrix, by meaning.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from exchange.console.language import later
from exchange.documents.words import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from exchange.console.page import Look
    from exchange.documents.words import Words

SCORES: Final = {
    1: later("er is nu een groot probleem"),
    2: later("het gaat niet goed"),
    3: later("het gaat, met hulp"),
    4: later("het gaat goed"),
    5: later("het gaat heel goed, u redt het zelf"),
}
REACHED: Final = {
    1: later("nog niet"),
    2: later("een klein beetje"),
    3: later("voor de helft"),
    4: later("bijna"),
    5: later("gehaald"),
}
STEPS: Final = {
    1: later("vooral thuis"),
    2: later("contact met anderen"),
    3: later("meedoen met activiteiten"),
    4: later("werk zonder loon"),
    5: later("betaald werk met hulp"),
    6: later("betaald werk"),
}
PRODUCTS: Final = {
    "01": later("hulp in het huishouden"),
    "02": later("begeleiding"),
    "03": later("hulp bij wassen en aankleden"),
    "04": later("korte tijd logeren"),
    "05": later("hulp bij wonen"),
    "06": later("andere hulp voor u of uw gezin"),
    "07": later("iets te doen overdag"),
    "08": later("vervoer"),
    "09": later("hulp in een groep"),
    "10": later("hulp op maat"),
    "11": later("een rolstoel"),
    "12": later("een hulpmiddel om te reizen"),
    "13": later("een aanpassing van uw huis"),
    "14": later("een hulpmiddel"),
    "15": later("beschermd wonen"),
    "16": later("opvang"),
    "17": later("opvang met spoed"),
    "18": later("wonen of opvang met hulp"),
}
UNITS: Final = {
    "01": later("minuten"),
    "04": later("uur"),
    "14": later("etmalen"),
    "16": later("dagdelen van 4 uur"),
    "82": later("keer"),
    "83": later("euro"),
    "84": later("keer"),
}
FREQUENCIES: Final = {
    "1": later("per dag"),
    "2": later("per week"),
    "4": later("per maand"),
    "6": later("in de hele tijd"),
}
INSTANT: Final = timedelta(microseconds=1)
CENTS: Final = "83"
HUNDRED: Final = 100


class Plain:
    """What a template of a resident asks: words of the documents, and those above, in one language."""

    def __init__(self, look: Look, words: Words) -> None:
        self.words = words
        self._say: Callable[[str], str] = look.words.gettext

    def value(self, stored: str) -> str:
        """Return what a stored word means; nothing where it is of no known kind: never the word itself."""
        found = self.words.value(stored)
        return "" if found == stored else found

    def each(self, stored: list[str]) -> str:
        """Return several of them."""
        return ", ".join(filter(None, map(self.value, stored)))

    def purpose(self, stored: str) -> str:
        """Return what a purpose is for; nothing where it is not known."""
        found = self.words.purpose(stored)
        return "" if found == stored.removeprefix("PURPOSE_").replace("_", "-").lower() else found

    def category(self, stored: str) -> str:
        """Return what a category holds."""
        found = self.words.category(stored)
        return "" if found == stored else found

    def day(self, stored: str) -> str:
        """Return a day or moment of the contract as people write it."""
        return self.words.told(stored) if stored else ""

    def last_day(self, stored: str) -> str:
        """Return the last day before a moment: a term that ends at midnight ends on the day before it."""
        if not stored:
            return ""
        before = datetime.fromisoformat(stored) - INSTANT
        return self.words.day(before.astimezone(ZONE).date())

    def score(self, stored: int) -> str:
        """Return how it goes."""
        return self._say(SCORES[stored]) if stored in SCORES else ""

    def reached(self, stored: int) -> str:
        """Return how far a goal is."""
        return self._say(REACHED[stored]) if stored in REACHED else ""

    def step(self, stored: int) -> str:
        """Return what somebody does, on the ladder of participation."""
        return self._say(STEPS[stored]) if stored in STEPS else ""

    def scores(self, situation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the scores over time, newest first: day and words."""
        rows = [
            *zip(situation.get("earlier_judge_dates", ()), situation.get("earlier_scores", ()), strict=False),
            (situation.get("judge_date", ""), situation.get("score", 0)),
        ]
        yield from ((self.day(on), self.score(one)) for on, one in reversed(rows) if one in SCORES)

    def product(self, support: Mapping[str, Any]) -> str:
        """Return which help: its product, or its kind where it has none."""
        product = PRODUCTS.get(support.get("product_category", ""))
        return self._say(product) if product else self.value(support.get("kind", ""))

    def served(self, support: Mapping[str, Any], goals: Mapping[str, str]) -> str:
        """Return the goals a support is for, as their resident said them."""
        return "; ".join(filter(None, (goals.get(one, "") for one in support.get("goal_ids", ()))))

    def amount(self, support: Mapping[str, Any]) -> str:
        """Return how much: "3 uur per week"; nothing where it was not said."""
        volume, unit = support.get("volume", 0), support.get("unit", "")
        if not volume or unit not in UNITS:
            return ""
        much = f"{volume / HUNDRED:.2f}" if unit == CENTS else str(volume)
        often = FREQUENCIES.get(support.get("frequency", ""))
        return " ".join(filter(None, (much, self._say(UNITS[unit]), self._say(often) if often else "")))


def is_day(told: str) -> bool:
    """Tell whether somebody filled in a day."""
    try:
        date.fromisoformat(told)
    except ValueError:
        return False
    return True
