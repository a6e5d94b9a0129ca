"""Faults in the shape of a command's fields: each check returns why a value does not do, or nothing.

Promises: every fault of a command is named at once, under its field's path; no fault repeats a value, so
none holds personal data.
Source: protos/exchange/v1/options.proto (the same limits at the door), ISO 8601 (days).
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date
from enum import StrEnum
from functools import cache
from typing import Final

from exchange.domain.values import OIN_DIGITS
from exchange.errors import RequestInvalid

TEXT_CHARS_MAX: Final = 4000
TOKEN_CHARS_MAX: Final = 60
YEAR_MIN: Final = 1900
YEAR_MAX: Final = 2100
FINE: Final = ""

_FORMAT: Final = "Cf"  # Unicode's category of marks without a shape of their own
_TOKEN: Final = re.compile(rf"[!-~]{{1,{TOKEN_CHARS_MAX}}}")
_OIN: Final = re.compile(rf"[0-9]{{{OIN_DIGITS}}}")
_HEX_OF_32_BYTES: Final = re.compile(r"[0-9a-f]{64}")


def refuse_faults(faults: Mapping[str, str]) -> None:
    """Raise RequestInvalid naming every field that has a fault."""
    found = {path: why for path, why in faults.items() if why}
    if found:
        raise RequestInvalid("fields of the command do not have the shape they need", fields=found)


def text_fault(text: str, *, required: bool = True) -> str:
    """Check words of a person: something beside blanks, at most 4000 characters."""
    if required and not text.strip():
        return "must say something"
    return FINE if len(text) <= TEXT_CHARS_MAX else f"must be at most {TEXT_CHARS_MAX} characters"


def token_fault(token: str) -> str:
    """Check a name for machines: 1 to 60 visible ASCII characters."""
    return FINE if _TOKEN.fullmatch(token) else f"must be 1 to {TOKEN_CHARS_MAX} visible ASCII characters"


def tokens_fault(tokens: tuple[str, ...], count_max: int) -> str:
    """Check a set of names: 1 to `count_max`, each once."""
    if not 1 <= len(tokens) <= count_max:
        return f"must name 1 to {count_max}"
    if len(set(tokens)) != len(tokens):
        return "must name each once"
    return next((fault for fault in map(token_fault, tokens) if fault), FINE)


def oin_fault(oin: str) -> str:
    """Check an organisation's identification number."""
    return FINE if _OIN.fullmatch(oin) else f"must be {OIN_DIGITS} digits"


def hash_fault(hexadecimal: str) -> str:
    """Check 32 bytes (a SHA-256 or an Ed25519 key) in lower-case hexadecimal."""
    return FINE if _HEX_OF_32_BYTES.fullmatch(hexadecimal) else "must be 32 bytes in lower-case hexadecimal"


@cache
def _words(kind: type[StrEnum]) -> frozenset[str]:
    return frozenset(kind)


def member_fault(kind: type[StrEnum], value: str) -> str:
    """Check one of the words of an enumeration; unspecified and unknown are refused."""
    return FINE if value in _words(kind) else "must be one of the words the contract names"


def members_fault(kind: type[StrEnum], values: tuple[str, ...]) -> str:
    """Check a non-empty set of words of an enumeration, each once."""
    if not values:
        return "must name at least one"
    if len(set(values)) != len(values):
        return "must name each once"
    return next((fault for fault in (member_fault(kind, value) for value in values) if fault), FINE)


def day_fault(day: date | None, *, required: bool = True) -> str:
    """Check a day in the years 1900 to 2100; None is an absent day."""
    if day is None:
        return "must be a day" if required else FINE
    return FINE if YEAR_MIN <= day.year <= YEAR_MAX else f"must lie in the years {YEAR_MIN} to {YEAR_MAX}"


def range_fault(number: int, least: int, most: int) -> str:
    """Check a number, both ends included."""
    return FINE if least <= number <= most else f"must be {least} to {most}"


def two_persons_fault(persons: Collection[str]) -> str:
    """Check four eyes: exactly two different persons."""
    named = {person.strip() for person in persons}
    return FINE if len(persons) == len(named) == 2 and "" not in named else "must name two different persons"  # noqa: PLR2004 -- two persons


def person_key(name: str) -> str:
    """Return what two spellings of one person's name have in common, to compare and never to show.

    Letters that Unicode holds compatible, capitals and small ones, and marks that nobody sees are one.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    seen = "".join(letter for letter in folded if unicodedata.category(letter) != _FORMAT)
    return " ".join(unicodedata.normalize("NFKC", seen).split())
