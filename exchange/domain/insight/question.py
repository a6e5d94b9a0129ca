"""What a table is about: a year, kinds of support as rows, life domains as columns.

Promises: the cells of a table follow from the question alone and never from what is stored, so that an empty
cell looks like any other; two spellings of one question are one question; no table holds criminal data.
Source: GDPR 10, 89(1); Gemeentelijk Gegevensmodel (life domains); iWmo (product categories).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from exchange.domain.shape import FINE, YEAR_MIN
from exchange.domain.values import DataCategory, LifeDomain, SupportKind, category_of

ROWS_MAX: Final = 40
_CATEGORY: Final = re.compile(r"[0-9]{2}")
# What is known of crime is in no table (GDPR 10): the gate would have no exception to open it on.
DOMAINS: Final = tuple(one for one in LifeDomain if category_of(one) != DataCategory.STRAFRECHT)


class Row(NamedTuple):
    """One kind of support; `product_category` is empty where it is not told apart by product."""

    kind: str
    product_category: str = ""

    @property
    def name(self) -> str:
        """The row in one word, such as "custom/01" or "own_network"."""
        return f"{self.kind}/{self.product_category}" if self.product_category else self.kind

    @classmethod
    def named(cls, name: str) -> "Row":
        """Return the row of a word; what is no row is refused when the question is asked."""
        kind, slash, category = name.partition("/")
        return cls(kind, category or slash)


@dataclass(frozen=True, slots=True)
class Question:
    """A table that is asked for; rows and life domains in order, each once: see `asked`."""

    year: int
    rows: tuple[Row, ...]
    life_domains: tuple[str, ...]

    @classmethod
    def asked(cls, year: int, rows: Iterable[Row], life_domains: Iterable[str]) -> "Question":
        """Return the question in its one spelling."""
        return cls(year, tuple(sorted(set(rows))), tuple(sorted(set(life_domains))))

    @property
    def name(self) -> str:
        """What a published table is known by in its year."""
        return f"{','.join(row.name for row in self.rows)};{','.join(self.life_domains)}"

    def cells(self) -> tuple[tuple[Row, str], ...]:
        """Return every cell, in the order they are published."""
        return tuple((row, domain) for row in self.rows for domain in self.life_domains)


def question_faults(question: Question, this_year: int) -> dict[str, str]:
    """Return what does not do, by the contract's field."""
    in_range = YEAR_MIN <= question.year <= this_year
    return {
        "year": FINE if in_range else f"must lie in the years {YEAR_MIN} to {this_year}",
        "rows": _rows_fault(question.rows),
        "life_domains": _domains_fault(question.life_domains),
    }


def _rows_fault(rows: tuple[Row, ...]) -> str:
    if not 1 <= len(rows) <= ROWS_MAX:
        return f"must name 1 to {ROWS_MAX}"
    for row in rows:
        if row.kind not in frozenset(SupportKind):
            return "must be one of the words the contract names"
        # Custom support always has a product category, so a row of it without one would always be empty.
        if not _CATEGORY.fullmatch(row.product_category) and (
            row.product_category or row.kind == SupportKind.CUSTOM
        ):
            return "must have a product category of two digits for custom support"
    return FINE


def _domains_fault(life_domains: tuple[str, ...]) -> str:
    if not life_domains:
        return "must name at least one"
    if DataCategory.STRAFRECHT in map(category_of, life_domains):
        return "must not name the life domain of justice: it holds criminal data"
    return FINE if frozenset(DOMAINS).issuperset(life_domains) else "must be life domains of the contract"
