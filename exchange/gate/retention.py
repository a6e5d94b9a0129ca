"""How long data recorded under a law are kept: terms as data, each with its article and the wording read.

Promises: pure; a term runs from the moment something was recorded and its last moment is not included; a law
without a term of its own borrows the plan's (Wmo 2015). A term binds an erasure (GDPR 17(3)(b)) unless its
own law lets the resident end it, or what was recorded was never lawful.
Source: GDPR 5(1)(e), 17(1) and (3)(b); the articles in the table; Wmo 2015 5.3.5, Jeugdwet 7.3.9.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Term:
    """Years, and where they come from."""

    years: int
    citation: str


WMO: Final = Term(15, "Wmo 2015 art. 5.3.4 lid 1")
TERMS: Final[Mapping[str, Term]] = MappingProxyType(
    {
        "wmo": WMO,
        # Fifteen years in the text of 2015; twenty since the medical file of BW 7:454(3) got that term.
        "jw": Term(20, "Jeugdwet art. 7.3.8 lid 3"),
        "wgbo": Term(20, "BW art. 7:454 lid 3"),
        "zvw": Term(20, "BW art. 7:454 lid 3"),
        # These laws set no term: that of the municipal selection list (Archiefwet 1995 art. 5), as the
        # register's entries say; counted from the record, for the end of the benefit is not known here.
        "pw": Term(10, "Participatiewet; selectielijst gemeenten (Archiefwet 1995 art. 5)"),
        "wgs": Term(5, "Wgs; selectielijst gemeenten (Archiefwet 1995 art. 5)"),
        "suwi": Term(5, "Besluit SUWI"),
    }
)

# An ISO 8601 duration of whole years with which a rule of an entry begins.
_YEARS: Final = re.compile(r"P([0-9]{1,3})Y(?![0-9A-Z])")
# Which terms yield to which article of an erasure. What residents said was told for the plan of either law.
ALL_LAWS: Final = frozenset({"*"})
YIELD_TO: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "avg_17_1_d": ALL_LAWS,
        "avg_17_1_e": ALL_LAWS,
        "wmo_5_3_5": frozenset({"wmo", "avg"}),
        "jeugdwet_7_3_9": frozenset({"jw", "avg"}),
    }
)


def term_of(law: str | None) -> Term:
    """Return the term of a law by its word in the register; what residents say is told for the plan."""
    return WMO if law is None else TERMS.get(law, WMO)


def retention_end(recorded: datetime, law: str | None) -> datetime:
    """Return the first moment at which what was recorded then is kept no more."""
    return _after(recorded, term_of(law).years)


def _after(recorded: datetime, years: int) -> datetime:
    year = recorded.year + years
    try:
        return recorded.replace(year=year)
    except ValueError:
        # Of 29 February: the first day after the term, as a year of that day ends.
        return recorded.replace(year=year, month=3, day=1)


def rule_years(rule: str) -> int:
    """Return the years an entry's own `retention_rule` asks from the record, 0 where it asks none.

    A rule that counts from something else ("P5Y after the answer") asks at least as long from the record.
    """
    found = _YEARS.match(rule)
    return int(found.group(1)) if found else 0


def record_end(recorded: datetime, law: str | None, rule: str) -> datetime:
    """Return when what was recorded under an entry is kept no more: by the law, or longer by the entry."""
    return max(retention_end(recorded, law), _after(recorded, rule_years(rule)))


def binding_terms(article: str, ends: Mapping[str, datetime], now: datetime) -> tuple[str, ...]:
    """Return the terms that forbid an erasure now: "<law> <last day>", in order; none where it may be.

    `ends` is when the last term of what was recorded under each law ends.
    """
    yielding = YIELD_TO.get(article, frozenset())
    if yielding == ALL_LAWS:
        return ()
    bound = sorted((law, end) for law, end in ends.items() if law not in yielding)
    return tuple(f"{law} {end.date().isoformat()}" for law, end in bound if now < end)
