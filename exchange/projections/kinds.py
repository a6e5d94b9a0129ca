"""The kinds of decisions, kept in memory beside their file: what many decisions have in common is read once.

Promises: what is returned holds every kind of the moment it is asked for. Kinds are numbered as they first
came, so that a file that is made anew from the same events numbers them alike; they are never changed, and
one too many has no decisions. Safe from any thread.
Source: exchange/decisions/0169-kinds-are-read-once.md.
"""

from __future__ import annotations

from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

# What a decision is filed under that was not judged on an entry of the register: what its caller claimed is
# his own word, and there is no end to those.
NO_BASIS: Final = "-"
_SINCE: Final = """
SELECT kind, organisation, task, basis, version, purpose, outcome, glass, categories, rules FROM kinds
WHERE kind > ? ORDER BY kind"""


class Kind(NamedTuple):
    """What many decisions have in common; `categories` and `rules` are words between spaces."""

    organisation: str
    task: str
    basis: str
    version: str
    purpose: str
    outcome: str
    glass: int
    categories: str
    rules: str


class Facet(StrEnum):
    """By what decisions are counted."""

    ORGANISATION = "organisation"
    TASK = "task"
    LEGAL_BASIS = "legal_basis"
    PURPOSE = "purpose"
    CATEGORY = "category"
    OUTCOME = "outcome"
    RULE = "rule"


class Value(NamedTuple):
    """One value of one facet."""

    facet: Facet
    word: str


class Known(NamedTuple):
    """Every kind by its number, and which values each has, by their places among all values."""

    kinds: dict[int, Kind]
    places: Mapping[int, tuple[int, ...]]
    values: Sequence[Value]


class KnownKinds:
    """Of one file."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._shape = -1  # owned by the holder of _lock, as is all below; what was given out is left as it is
        self._known = Known({}, {}, ())
        self._places: dict[Value, int] = {}

    def read_on(self, c: sqlite3.Connection) -> Known:
        """Return the kinds as this connection sees them, and perhaps some that came since."""
        (shape,) = c.execute("PRAGMA schema_version").fetchone()
        with self._lock:
            if shape != self._shape:
                self._shape, self._known, self._places = shape, Known({}, {}, ()), {}
            last = next(reversed(self._known.kinds), 0)  # they are kept in the order of their numbers
            rows = c.execute(_SINCE, (last,)).fetchall()
            if rows:
                self._add({row[0]: Kind._make(row[1:]) for row in rows})
            return self._known

    def _add(self, new: Mapping[int, Kind]) -> None:
        places = {number: tuple(map(self._place, values_of(kind))) for number, kind in new.items()}
        known = self._known
        self._known = Known({**known.kinds, **new}, {**known.places, **places}, tuple(self._places))

    def _place(self, value: Value) -> int:
        return self._places.setdefault(value, len(self._places))


def values_of(kind: Kind) -> list[Value]:
    """Return the values a kind has; several categories and rules, one of everything else."""
    return [
        Value(Facet.ORGANISATION, kind.organisation),
        Value(Facet.TASK, kind.task),
        Value(Facet.LEGAL_BASIS, basis_of(kind)),
        Value(Facet.PURPOSE, kind.purpose),
        Value(Facet.OUTCOME, kind.outcome),
        *(Value(Facet.CATEGORY, word) for word in kind.categories.split()),
        *(Value(Facet.RULE, word) for word in kind.rules.split()),
    ]


def basis_of(kind: Kind) -> str:
    """Return the legal basis as it is told: with its version, where it was judged on one."""
    return f"{kind.basis}@{kind.version}" if kind.version else NO_BASIS
