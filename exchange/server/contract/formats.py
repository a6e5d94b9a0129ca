"""Shape of one value: each check returns why it does not do, or nothing.

Promises: a fault never repeats the value; text with a BSN in it is told apart, so that it can be refused
as such.
Source: RFC 9562 (UUID), ISO 8601 (days), Digikoppeling (OIN), the 11-proof of the BSN (Logisch Ontwerp BSN).
"""

from __future__ import annotations

import re
from datetime import date
from operator import mul
from typing import TYPE_CHECKING, Final
from unicodedata import digit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

FINE: Final = ""
BSN_FOUND: Final = "must not hold a burgerservicenummer"
BSN_DIGITS: Final = 9
SEPARATORS_MAX: Final = 3
_BSN_WEIGHTS: Final = (9, 8, 7, 6, 5, 4, 3, 2, -1)
_BSN_MODULUS: Final = 11

_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)
_OIN: Final = re.compile(r"[0-9]{20}", re.ASCII)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_TOKEN: Final = re.compile(r"[A-Za-z0-9:._/@+-]+", re.ASCII)
# Head with hashes, checkpoint, signatures: nowhere a place for words.
_PROOF: Final = re.compile(
    r"c2sp\.org/tlog-proof@v1\n(?:extra [A-Za-z0-9+/=]+\n)?"
    r"index [0-9]{1,19}\n(?:[A-Za-z0-9+/]{43}=\n){0,63}\n"
    r"\S{1,200}\n[0-9]{1,19}\n[A-Za-z0-9+/]{43}=\n\n(?:\u2014 \S{1,200} [A-Za-z0-9+/=]+\n)+",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[0-9]+", re.ASCII)
_NEIGHBOURHOOD: Final = re.compile(r"BU[0-9]{8}", re.ASCII)
_PSEUDONYM: Final = re.compile(r"[0-9a-f]{24}", re.ASCII)
_PATH: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*){0,4}", re.ASCII)
# Line breaks, tabs and the no-break spaces that come along with copied text.
_ALSO_PRINTABLE: Final = str.maketrans("", "", "\n\r\t\u00a0\u202f")
# Digits that are set high, low, in a circle or before a stop: to who reads them they are those digits.
_SET_APART: Final = {
    code: str(digit(chr(code)))
    for first, last in (
        (0xB2, 0xB9),
        (0x2070, 0x2089),
        (0x2460, 0x24FF),
        (0x2776, 0x2792),
        (0x1F100, 0x1F10A),
    )
    for code in range(first, last + 1)
    if chr(code).isdigit()
}
_DIGIT: Final = re.compile(r"\d")
_DIGITS: Final = re.compile(r"\d+")
_BETWEEN: Final = re.compile(rf"[\W_]{{1,{SEPARATORS_MAX}}}")
# What is plainly something else, so that its digits are not read on into those beside it.
_SOMETHING_ELSE: Final = re.compile(
    r"(?<![^\W_])(?:"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|[0-9a-f]{32}"
    r"|(?:0?[1-9]|[12][0-9]|3[01])([-./])(?:0?[1-9]|1[0-2])\1(?:19|20)[0-9]{2}"
    r"|(?:19|20)[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r")(?![^\W_])",
    re.ASCII | re.IGNORECASE,
)


def uuid_fault(value: str) -> str:
    """Check the canonical form: lower case, with hyphens."""
    return FINE if _UUID.fullmatch(value) else "must be a UUID in lower case"


def oin_fault(value: str) -> str:
    """Check an organisation's identification number."""
    return FINE if _OIN.fullmatch(value) else "must be 20 digits"


def date_fault(value: str) -> str:
    """Check a day that is in the calendar."""
    try:
        if _DATE.fullmatch(value) and date.fromisoformat(value):
            return FINE
    except ValueError:
        pass
    return "must be a day, YYYY-MM-DD"


def token_fault(value: str) -> str:
    """Check a name for machines: it is stored in the clear, so it holds no BSN either."""
    if not _TOKEN.fullmatch(value):
        return "must be letters, digits and :._/@+- only"
    return BSN_FOUND if holds_bsn(value) else FINE


def number_fault(value: str) -> str:
    """Check a number given out by somebody; one in eleven of nine digits passes the 11-proof by chance."""
    return FINE if _NUMBER.fullmatch(value) else "must be digits only"


def cursor_fault(value: str) -> str:
    """Check what this service gave out and takes back; its digits mean nothing."""
    return FINE if _TOKEN.fullmatch(value) else "must be a page token of this service"


def origin_fault(value: str) -> str:
    """Check the name of a log, which holds the OIN of who keeps it."""
    return FINE if _TOKEN.fullmatch(value) else "must be the name of a log of this service"


def path_fault(value: str) -> str:
    """Check a path of field names."""
    return FINE if _PATH.fullmatch(value) else "must be a path of field names such as goals.own_words"


def proof_fault(value: str) -> str:
    """Check a `.tlog-proof` of another log: its lines hold hashes, sizes and names of keys, and no words."""
    return FINE if _PROOF.fullmatch(value) else "must be a .tlog-proof (c2sp.org/tlog-proof@v1)"


def pseudonym_fault(value: str) -> str:
    """Check a pseudonym of the officers' log: drawn by a key, its digits mean nothing."""
    return FINE if _PSEUDONYM.fullmatch(value) else "must be a pseudonym of this log: 24 hexadecimal digits"


def neighbourhood_fault(value: str) -> str:
    """Check the code of a neighbourhood (buurtcode of Statistics Netherlands): no address is one."""
    return FINE if _NEIGHBOURHOOD.fullmatch(value) else "must be the code of a neighbourhood: BU and 8 digits"


def text_fault(value: str) -> str:
    """Check words for people: printable, and without a BSN."""
    if not value.isprintable() and not value.translate(_ALSO_PRINTABLE).isprintable():
        return "must be printable text"
    return BSN_FOUND if holds_bsn(value) else FINE


FORMATS: Final[Mapping[str, Callable[[str], str]]] = {
    "uuid": uuid_fault,
    "oin": oin_fault,
    "date": date_fault,
    "token": token_fault,
    "number": number_fault,
    "cursor": cursor_fault,
    "origin": origin_fault,
    "path": path_fault,
    "text": text_fault,
    "proof": proof_fault,
    "neighbourhood": neighbourhood_fault,
    "pseudonym": pseudonym_fault,
}


def holds_bsn(text: str) -> bool:
    """Tell whether nine digits that pass the 11-proof stand here, also after one zero.

    Up to three characters that are no letter and no digit may stand between any two of them. Digits that are
    part of a longer number (an OIN, an account) do not count, nor those of a UUID, of a
    decision's id or of a day.
    """
    if not text.isascii():
        text = text.translate(_SET_APART)
    if len(text) < BSN_DIGITS or len(_DIGIT.findall(text)) < BSN_DIGITS:
        return False
    return any(_in_row(row, edges) for row, edges in _rows(_SOMETHING_ELSE.sub("x", text)))


def _rows(text: str) -> Iterator[tuple[list[int], set[int]]]:
    """Yield digits that stand together but for separators, with where a number among them begins or ends."""
    row: list[int] = []
    edges = {0}
    end = -1
    for match in _DIGITS.finditer(text):
        if end >= 0 and _BETWEEN.fullmatch(text, end, match.start()) is None:
            yield row, edges
            row, edges = [], {0}
        # int() reads the digits of every script, as whoever hides a number might use.
        row += map(int, match.group())
        edges.add(len(row))
        end = match.end()
    yield row, edges


def _in_row(row: list[int], edges: set[int]) -> bool:
    for start in edges:
        if start + BSN_DIGITS in edges and _passes(row[start : start + BSN_DIGITS]):
            return True
        padded = start + 1
        if padded + BSN_DIGITS in edges and row[start] == 0 and _passes(row[padded : padded + BSN_DIGITS]):
            return True
    return False


def _passes(digits: list[int]) -> bool:
    return sum(map(mul, _BSN_WEIGHTS, digits)) % _BSN_MODULUS == 0 and any(digits)
