"""The rules of the standard inside one message (control level 2), read from `data/rules.tsv`.

Promises: every rule runs and every break is found; a finding names rule, place and code, never a value.
Level 2 findings carry 0001; TR135 (the date of the message lies in the future) carries 8848.
Source: conditions, constraints and technical rules of iWmo 3.2 and iJw 3.2, control level "bericht inhoud".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.provider import declaration_checks
from adapters.provider.codes import DateUse, Unit
from adapters.provider.errors import Finding
from adapters.provider.schema import Law, is_of, table
from adapters.provider.values import as_date
from adapters.sdk.bsn import passes_eleven_proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from adapters.provider.xml import Message, Node

TECHNICAL: Final = "0001"
IN_FUTURE: Final = "8848"
AGE_YEARS_MAX: Final = 120
UNKNOWN_BIRTH_DATE: Final = "1900-01-01"
# The old work forms without a product code ended with 2020 (CD080, CS338).
LAST_DAY_OLD_RULES: Final = date(2020, 12, 31)
_DUTCH_POSTCODE: Final = re.compile("[1-9][0-9]{3}[A-Za-z]{2}")
# Who has a code of the register of care: three kinds of doctors, and a certified institution.
_CARE_REFERRERS: Final = frozenset({"02", "03", "04", "05"})
# Of aids and adaptations a resident may have several at once (TR302, TR386, TR410); the Jeugdwet has none.
_MAY_OVERLAP: Final = frozenset({"11", "12", "13", "14"})


# First and last day, a number, category and code of a product; None stands for any.
Line = tuple[tuple[date, date], int, str | None, str | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table; a test such as `=1,3`, `!6`, `*` (present), `-` (absent) stands in `_is`."""

    rule: str
    check: str
    when: str
    left: str
    left_is: str
    right: str
    right_is: str


@dataclass(frozen=True, slots=True)
class Dates:
    """What a rule may compare with: the date of the message and the day of today."""

    of_message: date
    today: date


def in_message_findings(message: Message, today: date) -> tuple[Finding, ...]:
    """Return every rule the message breaks, in the order of the message; of answers only a 325 has rules."""
    dates = Dates(_date(message.root.find("Header/BerichtIdentificatie"), "Dagtekening") or today, today)
    findings: list[Finding] = []
    rules = _RULES.get((message.law, message.number), {})
    for path, node in message.root.walk():
        for rule in rules.get(node.name, ()):
            if rule.when and not _WHEN[rule.when](node):
                continue
            code = IN_FUTURE if rule.check == "not_in_future" else TECHNICAL
            findings.extend(Finding(rule.rule, path + where, code) for where in _broken(rule, node, dates))
    return tuple(findings)


def _broken(rule: Rule, node: Node, dates: Dates) -> Iterator[str]:
    dated = _DATED_CHECKS.get(rule.check)
    return _CHECKS[rule.check](rule, node) if dated is None else dated(rule, node, dates)


def _read_rules() -> Mapping[tuple[Law, str], Mapping[str, tuple[Rule, ...]]]:
    """Read the rules of each class of each message; both laws share nearly all."""
    found: dict[tuple[Law, str], dict[str, tuple[Rule, ...]]] = {}
    for row in table("rules"):
        rule = Rule(**{name: text for name, text in row.items() if name not in {"messages", "class"}})
        for law in Law:
            for number in row["messages"].split(","):
                if is_of(law, number.rpartition(":")[2], number):
                    classes = found.setdefault((law, number.rpartition(":")[2]), {})
                    classes[row["class"]] = (*classes.get(row["class"], ()), rule)
    return MappingProxyType(found)


_RULES: Final = _read_rules()

# --- when a rule counts -------------------------------------------------------------------------------


def _ends_after_2020(node: Node) -> bool:
    end = _date(node, "Einddatum")
    return end is None or end > LAST_DAY_OLD_RULES


def _asked_after_2020(node: Node) -> bool:
    end = _date(node, "ToewijzingEinddatum")
    return end is None or end > LAST_DAY_OLD_RULES


_WHEN: Final[Mapping[str, Callable[[Node], bool]]] = MappingProxyType(
    {
        "ends_after_2020": _ends_after_2020,
        "asked_after_2020": _asked_after_2020,
        "referred_by_care": lambda node: node.value("Type") in _CARE_REFERRERS,
        "in_euros": lambda node: node.value("Eenheid") == Unit.EURO.code,
        "removed": lambda node: node.value("RedenWijziging") == "13",
        # A missing postcode is CD005's to tell, once.
        "dutch_with_postcode": lambda node: node.find("Postcode") is not None,
    }
)

# --- the checks: each gives the places, relative to the class, where the rule breaks ----------------------


def _holds(node: Node, path: str, test: str) -> bool:
    found = node.find(path)
    if test == "*":
        return found is not None
    if test == "-":
        return found is None
    text = None if found is None else found.text
    if test == "~postcode":
        return text is not None and _DUTCH_POSTCODE.fullmatch(text) is not None
    listed = text in test[1:].split(",")
    return listed if test[0] == "=" else not listed


def _date(node: Node | None, path: str) -> date | None:
    text = None if node is None else node.value(path)
    return None if text is None else as_date(text)


def _implies(rule: Rule, node: Node) -> Iterator[str]:
    if _holds(node, rule.left, rule.left_is) and not _holds(node, rule.right, rule.right_is):
        yield f"/{rule.right}"


def _same(rule: Rule, node: Node) -> Iterator[str]:
    if _holds(node, rule.left, rule.left_is) != _holds(node, rule.right, rule.right_is):
        yield f"/{rule.left}"


def _not_before(rule: Rule, node: Node) -> Iterator[str]:
    end, begin = _date(node, rule.left), _date(node, rule.right)
    if end is not None and begin is not None and end < begin:
        yield f"/{rule.left}"


def _same_date(rule: Rule, node: Node) -> Iterator[str]:
    if _date(node, rule.left) != _date(node, rule.right):
        yield f"/{rule.right}"


def _eleven_proof(rule: Rule, node: Node) -> Iterator[str]:
    if not passes_eleven_proof(node.value(rule.left) or ""):
        yield f"/{rule.left}"


def _date_use(rule: Rule, node: Node) -> Iterator[str]:
    known, day = node.value(rule.left), node.value(rule.right) or ""
    expected = {
        DateUse.DAY_UNKNOWN.code: day.endswith("-01"),
        DateUse.MONTH_UNKNOWN.code: day.endswith("-01-01"),
        DateUse.DATE_UNKNOWN.code: day == UNKNOWN_BIRTH_DATE,
    }
    if known is not None and not expected[known]:
        yield f"/{rule.right}"


def _age(rule: Rule, node: Node, dates: Dates) -> Iterator[str]:
    born = _date(node, rule.left)
    unknown = node.value("DatumGebruik") == DateUse.DATE_UNKNOWN.code and str(born) == UNKNOWN_BIRTH_DATE
    if born is None or unknown:
        return
    # Compared as numbers of year, month and day, so that 29 February needs no exception.
    limit = (born.year + AGE_YEARS_MAX, born.month, born.day)
    if limit < (dates.of_message.year, dates.of_message.month, dates.of_message.day):
        yield f"/{rule.left}"


def _not_after_message(rule: Rule, node: Node, dates: Dates) -> Iterator[str]:
    day = _date(node, rule.left)
    if day is not None and day > dates.of_message:
        yield f"/{rule.left}"


def _after_message(rule: Rule, node: Node, dates: Dates) -> Iterator[str]:
    day = _date(node, rule.left)
    if day is not None and day <= dates.of_message:
        yield f"/{rule.left}"


def _not_in_future(rule: Rule, node: Node, dates: Dates) -> Iterator[str]:
    day = _date(node, rule.left)
    if day is not None and day > dates.today:
        yield f"/{rule.left}"


def _some_child(rule: Rule, node: Node) -> Iterator[str]:
    if not any(_holds(child, rule.right, rule.right_is) for child in node.children):
        yield f"/{rule.left}"


def _unique(rule: Rule, node: Node) -> Iterator[str]:
    seen: set[tuple[str | None, ...]] = set()
    for number, child in enumerate(node.children, start=1):
        key = tuple(child.value(path) for path in rule.right.split(" "))
        if key in seen:
            yield f"/{rule.left}[{number}]"
        seen.add(key)


def _no_overlap(rule: Rule, node: Node) -> Iterator[str]:
    begin, end = rule.right.split(" ")
    lines = [
        (_span(child, begin, end), number, child.value("Product/Categorie"), child.value("Product/Code"))
        for number, child in enumerate(node.children, start=1)
        if not _was_removed(child)
    ]
    yield from (f"/{rule.left}[{number}]" for number in overlapping(lines))


def overlapping(lines: list[Line]) -> list[int]:
    """Return the numbers of the lines whose span overlaps an earlier one of the same product."""
    # Sorted by first day, a line overlaps exactly those before it that have not ended; per product only the
    # latest end matters, which keeps a long message from taking quadratic time.
    latest: dict[tuple[str | None, str | None], date] = {}
    broken: list[int] = []
    for (first, last), number, category, code in sorted(lines, key=lambda line: line[0]):
        if category in _MAY_OVERLAP:
            continue
        if any(latest.get(product, date.min) >= first for product in _same_products(category, code)):
            broken.append(number)
        for product in _also_counts_as(category, code):
            latest[product] = max(latest.get(product, date.min), last)
    return sorted(broken)


def _span(node: Node, begin: str, end: str) -> tuple[date, date]:
    return _date(node, begin) or date.min, _date(node, end) or date.max


def _was_removed(node: Node) -> bool:
    end = _date(node, "Einddatum")
    return (
        node.value("RedenWijziging") in {"01", "13"}
        and end is not None
        and end == _date(node, "Ingangsdatum")
    )


# A missing code or product stands for any. The latest end is kept per product, per category and for all;
# (None, None) is a line without a product, (category, None) one without a code.
_ANY: Final = "*"


def _also_counts_as(category: str | None, code: str | None) -> tuple[tuple[str | None, str | None], ...]:
    return ((category, code), (category, _ANY), (_ANY, _ANY))


def _same_products(category: str | None, code: str | None) -> tuple[tuple[str | None, str | None], ...]:
    if category is None:
        return ((_ANY, _ANY),)
    if code is None:
        return ((category, _ANY), (None, None))
    return ((category, code), (category, None), (None, None))


_CHECKS: Final[Mapping[str, Callable[[Rule, Node], Iterator[str]]]] = MappingProxyType(
    {
        "implies": _implies,
        "same": _same,
        "not_before": _not_before,
        "same_date": _same_date,
        "eleven_proof": _eleven_proof,
        "date_use": _date_use,
        "some_child": _some_child,
        "unique": _unique,
        "no_overlap": _no_overlap,
        **declaration_checks.CHECKS,
    }
)
_DATED_CHECKS: Final[Mapping[str, Callable[[Rule, Node, Dates], Iterator[str]]]] = MappingProxyType(
    {
        "age": _age,
        "not_after_message": _not_after_message,
        "after_message": _after_message,
        "not_in_future": _not_in_future,
    }
)
