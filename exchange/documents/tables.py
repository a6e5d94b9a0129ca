"""CSV that a spreadsheet opens and does not run: UTF-8, one header row, every cell text.

Promises: a cell that a spreadsheet would read as a formula begins with an apostrophe; a cell that begins with
one gets one more, so that nothing is lost: `unguarded` gives back every cell as it was.
Source: RFC 4180; OWASP, CSV injection (cells that begin with = + - @, a tab or a line's end).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

FORMULA: Final = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
GUARD: Final = "'"
LIST_SEPARATOR: Final = " | "


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
    # Spaces before it do not stop every spreadsheet.
    first = cell.lstrip(" \u00a0")[:1]
    return GUARD + cell if first in FORMULA or cell.startswith(GUARD) else cell


def unguarded(cell: str) -> str:
    """Return the cell as it was before it was guarded."""
    return cell.removeprefix(GUARD)
