"""How long data recorded under a law are kept: terms as data, each with its article and the wording read.

Promises: pure; a term runs from the moment something was recorded and its last moment is not included; a law
without a term of its own borrows the plan's (Wmo 2015).
Source: GDPR 5(1)(e); the articles in the table.
"""

from __future__ import annotations

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


def term_of(law: str | None) -> Term:
    """Return the term of a law by its word in the register; what residents say is told for the plan."""
    return WMO if law is None else TERMS.get(law, WMO)


def retention_end(recorded: datetime, law: str | None) -> datetime:
    """Return the first moment at which what was recorded then is kept no more."""
    year = recorded.year + term_of(law).years
    try:
        return recorded.replace(year=year)
    except ValueError:
        # Of 29 February: the first day after the term, as a year of that day ends.
        return recorded.replace(year=year, month=3, day=1)
