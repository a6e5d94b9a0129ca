"""Checks one text against one simple type, as XML Schema does.

Promises: the answer names the facet that failed and never the text; the time taken grows with the length of
the text only. Source: W3C XML Schema 1.0 part 2 (blanks collapse for numbers, dates and times, not strings).
"""

from __future__ import annotations

import re
from datetime import date, time
from typing import Final

from adapters.provider.schema import PATTERNS, SimpleType

_BLANKS: Final = " \t\n\r"
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME: Final = re.compile(r"[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?")
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_DIGITS_MAX: Final = 18


def canonical(simple: SimpleType, text: str) -> str:
    """Return the text as it is compared: blanks trimmed and integers without sign or leading zeros.

    Strings come back unchanged, and so does a text that is no number at all.
    """
    if simple.base == "string":
        return text
    trimmed = text.strip(_BLANKS)
    # A pattern is judged on the text as written, so a type with one keeps its zeros.
    if simple.base != "integer" or simple.pattern or _INTEGER.fullmatch(trimmed) is None:
        return trimmed
    sign = "-" if trimmed.startswith("-") else ""
    digits = trimmed.lstrip("+-").lstrip("0") or "0"
    return digits if digits == "0" else sign + digits


def broken_facet(simple: SimpleType, text: str) -> str | None:
    """Return the facet that `text` breaks, or None; `text` is canonical."""
    if _NOT_XML.search(text):
        return "character"
    if simple.values:
        return None if text in simple.values else "enumeration"
    kind = _broken_kind(simple, text)
    if kind is not None:
        return kind
    if simple.pattern and PATTERNS[simple.pattern].expression.fullmatch(text) is None:
        return "pattern"
    return None


def _broken_kind(simple: SimpleType, text: str) -> str | None:
    match simple.base:
        case "string":
            return _out_of(simple, len(text), "minLength", "maxLength")
        case "integer":
            if _INTEGER.fullmatch(text) is None:
                return "integer"
            if len(text) > _DIGITS_MAX:
                return "minInclusive" if text.startswith("-") else "maxInclusive"
            return _out_of(simple, int(text), "minInclusive", "maxInclusive")
        case "date":
            return None if as_date(text) is not None else "date"
        case _:
            return None if as_time(text) is not None else "time"


def _out_of(simple: SimpleType, measure: int, below: str, above: str) -> str | None:
    if simple.low is not None and measure < simple.low:
        return below
    if simple.high is not None and measure > simple.high:
        return above
    return None


def as_date(text: str) -> date | None:
    """Read YYYY-MM-DD; None for anything else, a day that does not exist among them."""
    if _DATE.fullmatch(text) is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def as_time(text: str) -> time | None:
    """Read HH:MM:SS with any fraction, kept to the microsecond; None for anything else."""
    if _TIME.fullmatch(text) is None:
        return None
    try:
        return time.fromisoformat(text[:8] + text[8:15].ljust(7, "0") if "." in text else text)
    except ValueError:
        return None
