"""What a document is made of: headings, texts, words of a person, facts, lists and tables.

Promises: pure values in the order they are read; a table has as many cells in each row as it has columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

LEVELS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; a level goes down by one at a time (PDF/UA-1 7.4.2)."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph of ours."""

    text: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a person, exactly as they were recorded."""

    text: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Names and what is said under each."""

    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """A table: `widths` are parts of the page's width; `numbers` are the columns that stand to the right."""

    caption: str
    columns: tuple[str, ...]
    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        assert len(self.columns) == len(self.widths)
        assert all(len(row) == len(self.columns) for row in self.rows)


Block = Heading | Text | Quote | Facts | Bullets | Listing


@dataclass(frozen=True, slots=True)
class Document:
    """One document in "nl" or "en". `made` is a moment of its content, UTC: the file says no other."""

    title: str
    about: str
    author: str
    language: str
    made: datetime
    blocks: tuple[Block, ...]
