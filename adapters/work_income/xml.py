"""Bytes to a tree and a tree to records: parsing that no sender can hurt.

Promises: no DTD, no entity, no network, UTF-8 only; at most 4 MiB, 32 levels and 60,000 elements. A comment
vanishes before anybody sees it, so that a text around one reads alike to the signature and to us; a
processing instruction is refused. No repr and no error shows a value.
Source: XML 1.0; OWASP on XML external entities.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lxml import etree

from adapters.work_income.errors import MessageUnsafe
from adapters.work_income.services import FWI_NS

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024
DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 60_000
_PIECE_BYTES: Final = 64 * 1024
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff", b"\x00<", b"<\x00")
_ENCODING: Final = re.compile(rb"""^\s*<\?xml[^>]*?encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")


@dataclass(frozen=True, slots=True)
class Node:
    """One element: a name of the standard, its own text and its children. Its repr hides the text.

    `fault_word` tells the elements of the FWI namespace from those of a service.
    """

    name: str
    text: str = field(default="", repr=False)
    children: tuple[Node, ...] = field(default=(), repr=False)
    fault_word: bool = False

    def all(self, path: str) -> Iterator[Node]:
        """Give every element at `A/B/C` below this one, in order."""
        first, _, rest = path.partition("/")
        for child in self.children:
            if child.name == first:
                if rest:
                    yield from child.all(rest)
                else:
                    yield child

    def find(self, path: str) -> Node | None:
        """Return the first element at `path`, or None."""
        return next(self.all(path), None)

    def value(self, path: str) -> str:
        """Return the text of the first element at `path`; empty where it is absent."""
        found = self.find(path)
        return "" if found is None else found.text


def parse(data: bytes) -> etree._Element:
    """Return the root of a message. Raises MessageUnsafe."""
    if len(data) > MESSAGE_BYTES_MAX:
        raise MessageUnsafe("SIZE", "/")
    encoding = _ENCODING.match(data)
    if data.startswith(_UTF16) or (encoding is not None and encoding[1].upper() != b"UTF-8"):
        raise MessageUnsafe("ENCODING", "/")
    # Looked for in the bytes, before a parser that knows what a DTD is sees any of them.
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise MessageUnsafe("DTD", "/")
    parser = etree.XMLPullParser(
        events=("start", "end", "pi"),
        remove_comments=True,
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        huge_tree=False,
    )
    try:
        root = _fed(parser, data)
    except etree.XMLSyntaxError:
        raise MessageUnsafe("NOT_WELL_FORMED", "/") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise MessageUnsafe("DTD", "/")
    return root


def _fed(parser: etree.XMLPullParser, data: bytes) -> etree._Element:
    depth = elements = 0
    for begin in range(0, len(data), _PIECE_BYTES):
        parser.feed(data[begin : begin + _PIECE_BYTES])
        for event, _ in parser.read_events():
            if event == "start":
                depth += 1
                elements += 1
            elif event == "end":
                depth -= 1
            else:
                raise MessageUnsafe("INSTRUCTION", "/")
            if depth > DEPTH_MAX or elements > ELEMENTS_MAX:
                raise MessageUnsafe("DEPTH" if depth > DEPTH_MAX else "ELEMENTS", "/")
    root: etree._Element = parser.close()
    return root


def read_node(element: etree._Element) -> Node:
    """Return an element with everything below it, as records."""
    name = etree.QName(element)
    return Node(
        name=name.localname,
        text="".join([element.text or "", *(child.tail or "" for child in element)]),
        children=tuple(read_node(child) for child in element),
        fault_word=name.namespace == FWI_NS,
    )


def write_node(parent: etree._Element, node: Node) -> etree._Element:
    """Write records below an element: children carry no namespace, but those of FWI."""
    tag = f"{{{FWI_NS}}}{node.name}" if node.fault_word else node.name
    made = etree.SubElement(parent, tag)
    if node.children:
        for child in node.children:
            write_node(made, child)
    elif node.text:
        made.text = node.text
    return made
