"""A document as tagged PDF/UA-1, set by typst in a process of its own.

Promises: the same document gives the same bytes; no file but the template is read, no font of the machine, no
network; words of a person are shown as they are, whatever they look like: they come to the template as data.
A character that no font here has is shown as its number, and the document says so at its end. What it takes
has a bound and ends with it; a fault in it ends nothing else.
Source: ISO 14289-1 (PDF/UA-1), ISO 32000-1 (PDF 1.7); typst.app/docs (sys.inputs, json, pdf.standards).
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import unicodedata
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final

from exchange.documents import typesetter
from exchange.documents.blocks import Block, Bullets, Document, Facts, Heading, Listing, Quote, Text
from exchange.documents.words import words_of
from exchange.errors import DocumentNotSet, SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable

TEMPLATE: Final = "templates/document.typ"
# A machine that is busy with other things may take long over what takes seconds of its processor.
SET_S_MAX: Final = 300
# A word that is longer than this may be broken anywhere: it would run off the page, or out of its cell.
WORD_CHARS_MAX: Final = 48
CELL_WORD_CHARS_MAX: Final = 20
# Each round knows more characters that no font has; typst names all of them at once.
ROUNDS_MAX: Final = 4
BREAK_HERE: Final = "\u200b"
# Of these a reader sees nothing, or sees other words than were written (Unicode TR36, 2.9; TR9).
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Line and column; joiners and marks of direction, without which some scripts are misspelled.
_KEPT: Final = frozenset("\n\t\u200c\u200d\u200e\u200f")
_RIGHT_TO_LEFT: Final = frozenset({"R", "AL"})
_KINDS: Final[dict[type, str]] = {
    Heading: "heading",
    Text: "text",
    Quote: "quote",
    Facts: "facts",
    Bullets: "bullets",
    Listing: "table",
}


def pdf_of(document: Document) -> bytes:
    """Return the file. Raises SettingsInvalid where typst is not installed, DocumentNotSet where it fails."""
    missing: frozenset[str] = frozenset()
    for _ in range(ROUNDS_MAX):
        code, told = _set(document, missing)
        if code == 0:
            return told
        if code == typesetter.NOT_INSTALLED:
            raise SettingsInvalid("a PDF needs the extra `pdf`: pip install 'exchange[pdf]'", name="form")
        found = frozenset(json.loads(told)) if code == typesetter.MISSING else frozenset()
        if not found - missing:
            break
        missing |= found
    raise DocumentNotSet("this document could not be set as a PDF")


def _set(document: Document, missing: frozenset[str]) -> tuple[int, bytes]:
    """Have it set by a process of its own; return how it ended, and what it said."""
    asked = {
        "template": _template(),
        "content": content_of(document, missing),
        "moment": int(document.made.timestamp()),
    }
    try:
        done = subprocess.run(  # noqa: S603 -- our own program; the content goes in as data
            [sys.executable, "-I", typesetter.__file__],
            input=json.dumps(asked).encode(),
            capture_output=True,
            cwd="/",
            env={"LC_ALL": "C.UTF-8"},
            timeout=SET_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return typesetter.FAILED, b""
    return done.returncode, done.stdout


@cache
def _template() -> str:
    return files("exchange.documents").joinpath(TEMPLATE).read_text("utf-8")


def content_of(document: Document, missing: frozenset[str] = frozenset()) -> str:
    """Return what the template shows, as JSON; `missing` are characters no font has."""
    lost = list[str]()

    def shown(text: str, longest: int = WORD_CHARS_MAX) -> str:
        return _breakable(_visible(text, missing, lost), longest)

    blocks = [_told(block, shown) for block in document.blocks]
    title, about, author = (shown(one) for one in (document.title, document.about, document.author))
    if lost:
        blocks.append(_told(Text(words_of(document.language).text("lost_characters")), shown))
    told = {
        "title": title,
        "about": about,
        "author": author,
        "language": document.language,
        "blocks": blocks,
    }
    return json.dumps(told, ensure_ascii=False)


def _told(block: Block, shown: Callable[..., str]) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": _KINDS[type(block)]}
    if isinstance(block, Heading):
        return told | {"level": block.level, "text": shown(block.text)}
    if isinstance(block, Text | Quote):
        return told | {"text": _turned(shown(block.text))}
    if isinstance(block, Bullets):
        return told | {"items": [_turned(shown(one)) for one in block.items]}
    if isinstance(block, Facts):
        return told | {"rows": [[shown(name), _turned(shown(said))] for name, said in block.rows]}
    cells = [[_turned(shown(cell, CELL_WORD_CHARS_MAX)) for cell in row] for row in block.rows]
    return told | asdict(block) | {"rows": cells}


def _visible(text: str, missing: frozenset[str], lost: list[str]) -> str:
    """Return the text with the number of each character that cannot be shown, or would show others."""
    found = []
    for letter in text.replace("\r\n", "\n"):
        unseen = unicodedata.category(letter) in _UNSEEN and letter not in _KEPT
        if unseen or letter in missing:
            lost.append(letter)
            found.append(f"[U+{ord(letter):04X}]")
        else:
            found.append(letter)
    return "".join(found)


def _breakable(text: str, longest: int) -> str:
    """Return the text with places to break within words that are too long, of no width."""

    def broken(found: re.Match[str]) -> str:
        word = found.group()
        return BREAK_HERE.join(word[at : at + longest] for at in range(0, len(word), longest))

    return re.sub(rf"\S{{{longest + 1},}}", broken, text)


def _turned(text: str) -> str | dict[str, str]:
    """Return the text, marked where its first letter is of a script that is read from right to left."""
    for letter in text:
        way = unicodedata.bidirectional(letter)
        if way in _RIGHT_TO_LEFT:
            return {"rtl": text}
        if way == "L":
            return text
    return text
