"""What a field may hold, and the look at what was sent: by the lengths, dates and words of the standard.

Promises: what is not of its shape is refused by the field's name and never repeated; what is not known is
left out, as a serialiser leaves it out; what this simulator does not hold is refused, never kept unseen.
Source: ZGW `ValidatieFout` and the fields of Zaken API 1.5.1, Besluiten API 1.1.0, Documenten API 1.4.2.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import UUID

from adapters.simulators.open_zaak.answers import Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from adapters.simulators.open_zaak.shelf import Resource

    Look = Callable[[object], bool]

URL_MAX: Final = 1_000
RSIN_DIGITS: Final = 9
CONFIDENTIALITY: Final = (
    "openbaar",
    "beperkt_openbaar",
    "intern",
    "zaakvertrouwelijk",
    "vertrouwelijk",
    "confidentieel",
    "geheim",
    "zeer_geheim",
)
_day = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII).fullmatch
# RFC 3339: with an offset, always.
_moment = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII).fullmatch
_scheme = re.compile("[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_not_in_url = re.compile(r'[^!-~]|["<>\\^`{|}]').search


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `look` tells whether a value is of its shape, `code` is the word when it is not."""

    look: Look
    code: str = "invalid"
    nullable: bool = False

    @property
    def or_null(self) -> Field:
        """Return the same field, that may also be null."""
        return Field(self.look, self.code, nullable=True)


Shape = dict[str, Field]


def text(most: int = 10_000, least: int = 0, pattern: str = "") -> Field:
    """Return a field of so many characters."""

    def look(value: object) -> bool:
        if not isinstance(value, str) or "\0" in value or not least <= len(value) <= most:
            return False
        return not pattern or re.search(pattern, value) is not None

    return Field(look)


def url(most: int = URL_MAX) -> Field:
    """Return a field that holds an absolute url."""
    return Field(lambda value: _is_url(value, most), "bad-url")


def choice(*words: str) -> Field:
    """Return a field that holds one of these words."""
    return Field(lambda value: isinstance(value, str) and value in words, "invalid_choice")


def number(least: int = 0) -> Field:
    """Return a field that holds a whole number."""
    return Field(lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= least)


def many(item: Field) -> Field:
    """Return a field that holds a list."""
    return Field(lambda value: isinstance(value, list) and all(item.look(one) for one in value))


def table(fields: Shape, *required: str) -> Field:
    """Return a field that holds an object."""

    def look(value: object) -> bool:
        return isinstance(value, dict) and not faults(value, fields, required)

    return Field(look)


def _is_url(value: object, most: int) -> bool:
    if not isinstance(value, str) or len(value) > most or _not_in_url(value):
        return False
    try:
        where = urlsplit(value)
    except ValueError:
        return False
    return bool(_scheme(where.scheme) and (where.netloc or where.path))


def _is_day(value: object) -> bool:
    return isinstance(value, str) and _day(value) is not None and _can_be(date.fromisoformat, value)


def _is_moment(value: object) -> bool:
    if not isinstance(value, str) or _moment(value) is None:
        return False
    # Of a fraction only so many digits are known here; more of them mean no other moment.
    return _can_be(datetime.fromisoformat, re.sub(r"\.\d+", "", value).upper())


def _can_be(read: Callable[[str], object], value: str) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True


def _is_base64(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def is_uuid(value: str) -> bool:
    """Tell whether a text is a uuid, as it stands in a path."""
    return _can_be(UUID, value) and len(value) == len(str(UUID(int=0)))


DAY: Final = Field(_is_day)
MOMENT: Final = Field(_is_moment)
FLAG: Final = Field(lambda value: isinstance(value, bool))
RSIN: Final = text(RSIN_DIGITS, RSIN_DIGITS)
CONTENT: Final = Field(_is_base64)
# Of the standard, and not held here: refused, so that nobody takes it for kept.
NOT_HELD: Final = Field(lambda _: False, "not-held-by-this-simulator")


def faults(told: Mapping[str, Any], fields: Shape, required: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """Return (name, code, reason) of each field that is missing or not of its shape."""
    missing = [(name, "required", "This field is required.") for name in required if name not in told]
    wrong = [
        (name, "null" if told[name] is None else field.code, "This value is not accepted.")
        for name, field in fields.items()
        if name in told and not (field.nullable if told[name] is None else field.look(told[name]))
    ]
    return [*missing, *wrong]


def known(told: Mapping[str, Any], fields: Shape, *required: str) -> Resource:
    """Return what was sent as far as it is known here. Raises Problem, by the field."""
    found = faults(told, fields, required)
    if found:
        raise Problem(400, "invalid", found)
    return {name: value for name, value in told.items() if name in fields}
