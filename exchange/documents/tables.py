"""CSV that a spreadsheet opens and does not run: UTF-8, one header row, every cell text.

Promises: a cell that a spreadsheet would read as a formula begins with an apostrophe, and so does what would
become a cell within one where cells end at a semicolon, as in a spreadsheet that speaks Dutch; an apostrophe
that stands there gets one more, so that nothing is lost: `unguarded` gives back every cell as it was.
Source: RFC 4180; OWASP, CSV injection (cells that begin with = + - @, a tab or a line's end).
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SIGNS: Final = "=+-@\uff1d\uff0b\uff0d\uff20"
FORMULA: Final = frozenset(f"{SIGNS}\t\r\n")
GUARD: Final = "'"
LIST_SEPARATOR: Final = " | "
# Behind what ends a cell or a line somewhere: what would be run there, or an apostrophe of the cell itself.
# Spaces before it do not stop every spreadsheet.
_AT: Final = rf"(?=[ \u00a0]*[{re.escape(SIGNS)}{GUARD}])"
_within = re.compile(rf"([;\t\r\n]){_AT}")
_guarded_within = re.compile(rf"([;\t\r\n]){GUARD}{_AT}")


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return the file: lines end in CR LF, a cell with a comma, quote or line's end stands in quotes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        assert len(row) == len(columns)
        writer.writerow([guarded(cell) for cell in row])
    return text.getvalue().encode("utf-8", errors="replace")


def guarded(cell: str) -> str:
    """Return a cell that no spreadsheet reads as a formula."""
    cell = _within.sub(rf"\1{GUARD}", cell)
    first = cell.lstrip(" \u00a0")[:1]
    return GUARD + cell if first in FORMULA or cell.startswith(GUARD) else cell


def unguarded(cell: str) -> str:
    """Return the cell as it was before it was guarded."""
    return _guarded_within.sub(r"\1", cell.removeprefix(GUARD))
