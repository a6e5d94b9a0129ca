"""What was recorded of a resident, element by element: in words where he reads, in numbers for the appendix.

Promises: every field of every element is told, in words or among the numbers, and nothing is left out because
nobody named it. A number, a code and an exact moment stand among the numbers alone; an element that another
one names is told by what it is called. Amounts are in euros; what ends at midnight ends the day before.
Source: GDPR 12(1), 15(1); iWmo 3.2 (WMO020, WJ756, WMO757); protos/exchange/v1/plan.proto.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.documents.blocks import Block, Facts, Heading, Quote, Text
from exchange.documents.words import ZONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from exchange.documents.words import Words

    Element = Mapping[str, Any]

# What a person said himself, word for word.
OWN_WORDS: Final = frozenset({"own_words", "statement", "remarks"})
# Which of its numbers an element is called by; the first one that ends in "_id" where it is not here.
OWN_NUMBER: Final = {"matches": "match_id", "signals": "signal_id"}
# What an element is about, beside its name.
ABOUT: Final = {"situations": "life_domain", "lens_assessments": "law", "trajectories": "activity"}
# These tell a resident nothing: he needs them to have something checked.
CODES: Final = frozenset({
    "assignment_number", "facility", "person", "plan_version", "product_code", "regime", "sha256", "source",
    "version",
})  # fmt: skip
ENDS: Final = frozenset({"due_time", "end_time", "expire_time"})
# The money of a support in cents stands in its volume where this is its unit (WJ756).
EUROS: Final = "83"
SELF: Final = frozenset({"betrokkene", "wettelijk-vertegenwoordiger"})
_INSTANT: Final = timedelta(microseconds=1)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_OIN: Final = re.compile(r"([0-9]{20})(?:/(.+))?", re.ASCII)
_SCORES_MOST: Final = 5
_STEPS_MOST: Final = 6


class Number(NamedTuple):
    """A row of the appendix: of which element, what it is, and how it is written."""

    of: str
    what: str
    number: str


class Told:
    """The elements of one answer, in the words of one language. Owned by who makes one document."""

    def __init__(self, words: Words, organisations: Mapping[str, str]) -> None:
        self._words = words
        self._organisations = organisations
        self._called: dict[str, str] = {}
        self.numbers: list[Number] = []
        self.met: dict[str, None] = {}  # organisations, in the order they are met

    def who(self, oin: str, task: str = "") -> str:
        """Return an organisation by its name and what it does; by the latter where nobody knows a name."""
        if oin:
            self.met.setdefault(oin)
        said = self._words.task(task) if task else ""
        kind = "" if said == task else said
        name = "" if task in SELF else self._organisations.get(oin, "")
        if name and kind:
            return f"{name}, {kind[:1].lower()}{kind[1:]}"
        return name or kind or self._words.text("organisation")

    def name_all(self, parts: Mapping[str, Sequence[Element]]) -> None:
        """Learn what each element is called, so that others can name it."""
        for name, elements in parts.items():
            for called, element in zip(self._labels(name, elements), elements, strict=True):
                own = OWN_NUMBER.get(name) or next((key for key in element if key.endswith("_id")), "")
                if own in element:
                    said = element.get("own_words")
                    self._called[str(element[own])] = f"{called} (“{said}”)" if said else called

    def each(self, name: str, elements: Sequence[Element], level: int) -> Iterator[Block]:
        """Yield the elements of a collection, each below a heading where there are more."""
        for called, element in zip(self._labels(name, elements), elements, strict=True):
            about = self._words.told(str(element[ABOUT[name]])) if element.get(ABOUT.get(name, "")) else ""
            if about or len(elements) > 1:
                yield Heading(level, f"{called}: {about}" if about else called)
            for own in (key for key in element if key in OWN_WORDS and element[key]):
                yield Text(f"{self._words.field(own)}:")
                yield Quote(str(element[own]))
            rows = dict.fromkeys(self._rows(name, called, element))
            if rows:
                yield Facts(tuple(rows))

    def _labels(self, name: str, elements: Sequence[Element]) -> list[str]:
        one = self._words.one(name)
        return [one] if len(elements) == 1 else [f"{one} {number}" for number in range(1, len(elements) + 1)]

    def _rows(self, name: str, called: str, element: Element) -> Iterator[tuple[str, str]]:
        done = {ABOUT.get(name, ""), *OWN_WORDS}
        for key in element:
            if key in done:
                continue
            together = self._together(key, element)
            if together is not None:
                said, others = together
                done |= others
            else:
                said = self._said(called, key, element[key])
            if said:
                other = self._words.coded("others", key) if said in self._called.values() else ""
                yield other or self._words.field(key), said

    def _said(self, called: str, key: str, value: object) -> str:
        """Return what a value says in words; what it says in numbers is kept for the appendix."""
        if isinstance(value, bool):
            return self._words.text("yes" if value else "no")
        if isinstance(value, list):
            return ", ".join(filter(None, (self._said(called, key, one) for one in value)))
        if isinstance(value, dict):
            parts = ((self._words.field(name), self._said(called, name, one)) for name, one in value.items())
            return ", ".join(f"{name}: {said}" for name, said in parts if said)
        text = str(value)
        moment = _moment(text)
        organisation = _OIN.fullmatch(text)
        if key in CODES or moment or organisation or _UUID.fullmatch(text) or key.endswith(("_id", "_ids")):
            exact = moment.isoformat(timespec="seconds") if moment else text
            self.numbers.append(Number(called, self._words.field(key), exact))
        if moment:
            return self._words.day((moment - _INSTANT if key in ENDS else moment).astimezone(ZONE).date())
        if organisation:
            return self.who(organisation[1], organisation[2] or "")
        return self._worded(called, key, text)

    def _worded(self, called: str, key: str, text: str) -> str:
        if key in CODES or _UUID.fullmatch(text) or key.endswith(("_id", "_ids")):
            other = self._called.get(text, "")
            return "" if other.partition(" (“")[0] == called else other
        if key.endswith("_cents"):
            return self._words.euros(int(text))
        if key in _NAMED:
            return _NAMED[key](self._words, text)
        if key in _CODED:
            return self._coded(called, key, text)
        return self._words.told(text)

    def _coded(self, called: str, key: str, text: str) -> str:
        table, most = _CODED[key]
        said = self._words.coded(table, text)
        if not said or not most:
            self.numbers.append(Number(called, self._words.field(key), text))
            return said
        return self._words.text("out_of", words=said, number=text, most=most)

    def _together(self, key: str, element: Element) -> tuple[str, set[str]] | None:
        """Return several fields told as one, by the first of them, with the others that it tells."""
        telling: dict[str, Callable[[Element], tuple[str, set[str]] | None]] = {
            "volume": self._amount,
            "sources": self._split,
            "goal_ids": self._reached,
            "earlier_scores": partial(self._earlier, "scores", "earlier_scores", "earlier_judge_dates"),
            "earlier_steps": partial(self._earlier, "steps", "earlier_steps", "earlier_dates"),
        }
        made = telling.get(key)
        return made(element) if made else None

    def _amount(self, element: Element) -> tuple[str, set[str]] | None:
        unit, often = str(element.get("unit", "")), str(element.get("frequency", ""))
        each = self._words.coded("frequencies", often)
        if often and not each:
            return None
        if unit == EUROS:
            much = self._words.euros(int(element["volume"]))
        else:
            of_what = self._words.coded("units", unit)
            if not of_what:
                return None
            much = f"{element['volume']} {of_what}"
        return f"{much} {each}".strip(), {"unit", "frequency"}

    def _split(self, element: Element) -> tuple[str, set[str]] | None:
        parts = _pairs(element, "sources", "amounts_cents")
        told = (f"{self._words.value(one)}: {self._words.euros(int(cents))}" for one, cents in parts)
        return ("; ".join(told), {"amounts_cents"}) if parts else None

    def _reached(self, element: Element) -> tuple[str, set[str]] | None:
        parts = _pairs(element, "goal_ids", "scores")
        if not parts or any(one not in self._called for one, _ in parts):
            return None
        told = (f"{self._called[one]}: {self._degree('reached', score)}" for one, score in parts)
        return "; ".join(told), {"scores"}

    def _earlier(self, table: str, what: str, when: str, element: Element) -> tuple[str, set[str]] | None:
        told = [
            self._words.text("on_day", what=self._degree(table, one), day=self._words.told(on))
            for one, on in _pairs(element, what, when)
        ]
        return ("; ".join(told), {when}) if told else None

    def _degree(self, table: str, one: object) -> str:
        said, most = self._words.coded(table, one), _STEPS_MOST if table == "steps" else _SCORES_MOST
        return self._words.text("out_of", words=said, number=one, most=most) if said else str(one)


def _pairs(element: Element, left: str, right: str) -> list[tuple[Any, Any]]:
    """Return what two lists say side by side; nothing where one of them is not whole."""
    some, others = element.get(left, ()), element.get(right, ())
    return list(zip(some, others, strict=True)) if len(some) == len(others) else []


def _moment(text: str) -> datetime | None:
    if text[4:5] != "-" or text[10:11] != "T":
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


_NAMED: Final[dict[str, Callable[[Words, str], str]]] = {
    "purpose": lambda words, text: words.purpose(text),
    "categories": lambda words, text: words.category(text),
    "provider_task": lambda words, text: words.task(text),
}
_CODED: Final = {
    "score": ("scores", _SCORES_MOST),
    "earlier_scores": ("scores", _SCORES_MOST),
    "scores": ("reached", _SCORES_MOST),
    "step": ("steps", _STEPS_MOST),
    "earlier_steps": ("steps", _STEPS_MOST),
    "product_category": ("products", 0),
    "unit": ("units", 0),
    "frequency": ("frequencies", 0),
}
