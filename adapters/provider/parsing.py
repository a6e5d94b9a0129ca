"""Bytes to a raw tree of elements: the hardened half of reading a message.

Promises: no DTD, no entity, no network; at most 25 MiB, 32 levels, 600,000 elements and 32 attributes to an
element; comments and processing instructions vanish; no error shows a value.
Source: XML 1.0; OP179.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from mmap import MADV_DONTNEED, mmap
from typing import TYPE_CHECKING, Final

from lxml import etree

from adapters.provider.errors import MessageNotReadable, MessageRefused, MessageUnsafe

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE_BYTES_MAX: Final = 25 * 1024 * 1024
DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 600_000
ATTRIBUTES_MAX: Final = 32
_XSI: Final = "{http://www.w3.org/2001/XMLSchema-instance}"
_HARMLESS_ATTRIBUTES: Final = frozenset({f"{_XSI}schemaLocation", f"{_XSI}noNamespaceSchemaLocation"})
_ENCODING: Final = re.compile(rb"""^<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
# One attribute more than is allowed. The parser takes in a whole tag before it shows the first of them.
_CROWDED: Final = re.compile(
    rb"""<[^\s<>/!?="']++(?:\s++[^\s<>="']++\s*+=\s*+(?:"[^"<]*+"|'[^'<]*+')){%d}""" % (ATTRIBUTES_MAX + 1)
)
_PIECE_BYTES: Final = 64 * 1024
_RESOURCE_LIMIT: Final = 114  # XML_ERR_RESOURCE_LIMIT of libxml2
_BLANKS: Final = " \t\n\r"


@dataclass(slots=True)
class Raw:
    """An element as it stood in the file: tag with namespace, attributes or not, texts, children.

    A large message has half a million of these: what most of them lack is not there.
    """

    tag: str
    attributed: bool  # with an attribute that no message has
    said: str | list[str] = ""
    children: list[Raw] | tuple[()] = ()

    def say(self, text: str) -> None:
        """Take in a piece of text; blanks between children mean nothing."""
        if self.children:
            text = text.strip(_BLANKS)
        if isinstance(self.said, list):
            self.said.append(text)
        elif text:
            # A long text in many pieces is joined once, not at each piece.
            self.said = [self.said, text] if self.said else text

    def whole(self) -> str:
        """Return the whole text."""
        return self.said if isinstance(self.said, str) else "".join(self.said)


class _Builder:
    """Receives what the parser sees and stops it at the first thing no message needs."""

    def __init__(self) -> None:
        self._open: list[Raw] = []
        self._root: Raw | None = None
        self._count = 0
        self._tags: dict[str, str] = {}
        self.refusal: MessageRefused | None = None

    # The signatures are those of lxml's target interface; on Python 3 it passes only str.
    def start(self, tag: str | bytes, attrib: dict[str | bytes, str | bytes]) -> None:
        self._count += 1
        if self._count > ELEMENTS_MAX:
            self._stop(f"more than {ELEMENTS_MAX} elements")
        if len(self._open) >= DEPTH_MAX:
            self._stop(f"more than {DEPTH_MAX} levels")
        # One text for each name, not one for each element.
        named = self._tags.setdefault(str(tag), str(tag))
        raw = Raw(named, attributed=bool(attrib) and not _HARMLESS_ATTRIBUTES.issuperset(attrib))
        if self._open:
            parent = self._open[-1]
            if isinstance(parent.children, tuple):
                parent.children = [raw]
                parent.said = parent.whole().strip(_BLANKS)
            else:
                parent.children.append(raw)
        else:
            self._root = raw
        self._open.append(raw)

    def end(self, _tag: str | bytes) -> None:
        self._open.pop()

    def data(self, data: str | bytes) -> None:
        if self._open:
            self._open[-1].say(str(data))

    def comment(self, text: str | bytes) -> None:
        """Leave it out: a comment means nothing in a message."""

    def pi(self, *_parts: object) -> None:
        """Leave it out, as a comment."""

    def doctype(self, *_parts: object) -> None:
        self._stop("a DTD")

    def close(self) -> Raw | None:
        return self._root

    def _stop(self, what: str) -> None:
        self.refusal = MessageUnsafe(f"the XML holds {what}")
        raise self.refusal


def parse(data: bytes | mmap) -> Raw:
    """Parse the XML of a message; a map in memory is given back meanwhile: both are never there whole.

    Raises MessageNotReadable or MessageUnsafe.
    """
    if len(data) > MESSAGE_BYTES_MAX:
        raise MessageUnsafe(f"the message is larger than {MESSAGE_BYTES_MAX} bytes")
    _control_encoding(data)
    if _CROWDED.search(data) is not None:
        raise MessageUnsafe(f"the XML holds an element with more than {ATTRIBUTES_MAX} attributes")
    builder = _Builder()
    parser = etree.XMLParser(
        target=builder,
        encoding="UTF-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
    )
    try:
        # In pieces: in one piece the parser's own limit of 10 MB for a buffer would end larger messages.
        for piece in _pieces(data):
            parser.feed(piece)
        root = parser.close()
    except etree.XMLSyntaxError as error:
        # The parser's own text repeats parts of the message; only the place may be told.
        if builder.refusal is not None:
            raise builder.refusal from None
        if getattr(error, "code", None) == _RESOURCE_LIMIT:
            raise MessageUnsafe("the XML holds a text longer than the parser allows") from None
        line, column = error.position
        raise MessageNotReadable(line, column) from None
    if not isinstance(root, Raw):
        raise MessageNotReadable(1, 1)
    return root


def _pieces(data: bytes | mmap) -> Iterator[bytes]:
    for start in range(0, len(data), _PIECE_BYTES):
        piece = data[start : start + _PIECE_BYTES]
        if isinstance(data, mmap):
            data.madvise(MADV_DONTNEED, start, len(piece))
        yield piece


def _control_encoding(data: bytes | mmap) -> None:
    start = data[:200].removeprefix(b"\xef\xbb\xbf")
    if not start.strip(b"\x00"):
        # Empty, or room that a copying program made before it filled it.
        raise MessageNotReadable(1, 1)
    declared = _ENCODING.match(start)
    # With another encoding the same bytes could mean something else to another reader.
    if declared is not None and declared.group(1).lower() not in {b"utf-8", b"utf8", b"us-ascii", b"ascii"}:
        raise MessageUnsafe("the XML declares another encoding than UTF-8")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in start:
        raise MessageUnsafe("the XML is not written in UTF-8")
