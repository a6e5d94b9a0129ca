"""Plain words for what a plan holds in codes and numbers: scores, steps, amounts of help, products.

Promises: a page calls a thing as the documents call it: every word is of their list, and there is no other.
Source: exchange/documents/words.toml, with iWmo 3.2 code lists WMO020, WJ756 and WMO757.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from exchange.documents.words import ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exchange.documents.words import Words

INSTANT: Final = timedelta(microseconds=1)
EUROS: Final = "83"


class Plain:
    """What a template of a resident asks: words of the documents, in one language."""

    def __init__(self, words: Words) -> None:
        self.words = words

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
        return self.words.coded("scores", stored)

    def reached(self, stored: int) -> str:
        """Return how far a goal is."""
        return self.words.coded("reached", stored)

    def step(self, stored: int) -> str:
        """Return what somebody does, on the ladder of participation."""
        return self.words.coded("steps", stored)

    def scores(self, situation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
        """Yield the scores over time, newest first: day and words."""
        rows = [
            *zip(situation.get("earlier_judge_dates", ()), situation.get("earlier_scores", ()), strict=False),
            (situation.get("judge_date", ""), situation.get("score", 0)),
        ]
        yield from ((self.day(on), self.score(one)) for on, one in reversed(rows) if self.score(one))

    def product(self, support: Mapping[str, Any]) -> str:
        """Return which help: its product, or its kind where it has none."""
        product = self.words.coded("products", support.get("product_category", ""))
        return product or self.value(support.get("kind", ""))

    def served(self, support: Mapping[str, Any], goals: Mapping[str, str]) -> str:
        """Return the goals a support is for, as their resident said them."""
        return "; ".join(filter(None, (goals.get(one, "") for one in support.get("goal_ids", ()))))

    def amount(self, support: Mapping[str, Any]) -> str:
        """Return how much: "3 uur per week"; nothing where it was not said."""
        volume, unit = int(support.get("volume", 0)), support.get("unit", "")
        of_what = self.words.coded("units", unit)
        if not volume or not (of_what or unit == EUROS):
            return ""
        much = self.words.euros(volume) if unit == EUROS else f"{volume} {of_what}"
        return f"{much} {self.words.coded('frequencies', support.get('frequency', ''))}".strip()


def is_day(told: str) -> bool:
    """Tell whether somebody filled in a day."""
    try:
        date.fromisoformat(told)
    except ValueError:
        return False
    return True
