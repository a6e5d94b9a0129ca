"""Bytes to a message and back: hardened parsing, schema control, canonical writing.

Promises: no DTD, no entity, no network; at most 25 MiB, 32 levels, 600,000 elements and 32 attributes to an
element; comments and processing instructions vanish. What `emit` writes, `read` reads, and writing that again
gives the same bytes. No repr and no error shows a value.
Source: XML 1.0; namespaces and prefixes of iWmo and iJw 3.2; OP179.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from mmap import MADV_DONTNEED, mmap
from typing import TYPE_CHECKING, Final

from lxml import etree

from adapters.provider.errors import (
    Finding,
    MessageInvalid,
    MessageNotReadable,
    MessageRefused,
    MessageUnknown,
    MessageUnsafe,
)
from adapters.provider.schema import PATTERNS, ElementRule, Law, MessageSchema, all_schemas, schema_of
from adapters.provider.values import broken_facet, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGE_BYTES_MAX: Final = 25 * 1024 * 1024
DEPTH_MAX: Final = 32
ELEMENTS_MAX: Final = 600_000
ATTRIBUTES_MAX: Final = 32
FINDINGS_MAX: Final = 100
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
_ROOT: Final = ElementRule("Bericht", "Bericht", 1, 1, in_basis=False)


@dataclass(frozen=True, slots=True)
class Node:
    """One element: a name of the standard with either a text or children. Its repr hides the text."""

    name: str
    text: str | None = field(default=None, repr=False)
    children: tuple[Node, ...] = field(default=(), repr=False)

    def find(self, path: str) -> Node | None:
        """Return the first element at `A/B/C` below this one, or None."""
        node: Node | None = self
        for step in path.split("/"):
            if node is None:
                return None
            node = next((child for child in node.children if child.name == step), None)
        return node

    def value(self, path: str) -> str | None:
        """Return the text of the element at `path`, or None where it is absent."""
        node = self.find(path)
        return None if node is None else node.text

    def required(self, path: str) -> str:
        """Return the text at `path`, which the schema promises. Raises KeyError where it is absent."""
        text = self.value(path)
        if text is None:
            raise KeyError(path)
        return text

    def numbered(self, path: str) -> Iterator[tuple[str, Node]]:
        """Give each child with its path below `path`; those that share a name are numbered from 1."""
        total = Counter(child.name for child in self.children)
        seen: Counter[str] = Counter()
        for child in self.children:
            seen[child.name] += 1
            number = f"[{seen[child.name]}]" if total[child.name] > 1 else ""
            yield f"{path}/{child.name}{number}", child

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """Give this element and all below it, each with its path."""
        here = path or f"/{self.name}"
        yield here, self
        for below, child in self.numbered(here):
            yield from child.walk(below)


@dataclass(frozen=True, slots=True)
class Message:
    """A message that passed control level 1 (or is about to, in `emit`)."""

    law: Law
    number: str
    root: Node

    @property
    def schema(self) -> MessageSchema:
        """Return the description this message obeys."""
        return schema_of(self.law, self.number)

    @property
    def name(self) -> str:
        """Return the name people use, such as WMO301."""
        return f"{self.law.value.upper()}{self.number}"


def element(name: str, *children: Node | None) -> Node:
    """Make an element with children; those that are None are left out."""
    return Node(name, None, tuple(child for child in children if child is not None))


def leaf(name: str, value: str | int | None) -> Node | None:
    """Make an element with a text, or None for no value."""
    return None if value is None else Node(name, str(value))


def read(data: bytes) -> Message:
    """Read one message of the standard and control it against its schema (level 1).

    Raises MessageNotReadable, MessageUnsafe, MessageUnknown or MessageInvalid; never with a value in it.
    """
    return control(parse(data))


def control(tree: Raw) -> Message:
    """Control parsed XML against its schema. Raises MessageUnknown or MessageInvalid."""
    namespace, name = _split(tree.tag)
    schema = all_schemas().get(namespace)
    if schema is None or name != "Bericht":
        raise MessageUnknown("the root element belongs to no message this adapter speaks")
    controlling = _Control(schema)
    root = controlling.element(tree, _ROOT, "/Bericht")
    if controlling.findings:
        raise MessageInvalid(f"{schema.prefix.upper()} breaks its schema", tuple(controlling.findings))
    return Message(schema.law, schema.number, root)


def emit(message: Message) -> bytes:
    """Write a message as UTF-8, prefixes as usual. Raises MessageInvalid if it breaks its schema."""
    schema = message.schema
    root = _to_xml(message.root, _ROOT, schema, None)
    etree.indent(root, space="\t")
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
    data = b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"
    # Reading back is the control: what leaves here is what another adapter would accept.
    if read(data) != message:
        raise MessageInvalid(f"{message.name} is not written in canonical form", ())
    return data


# --- parsing ----------------------------------------------------------------------------------------


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


def _split(tag: str) -> tuple[str, str]:
    namespace, _, name = tag.rpartition("}")
    return namespace.removeprefix("{"), name


# --- schema control (level 1) -----------------------------------------------------------------------


class _Control:
    """Walks the raw tree along the schema, collecting what is wrong and building the typed tree."""

    def __init__(self, schema: MessageSchema) -> None:
        self._schema = schema
        self.findings: list[Finding] = []

    def _broken(self, what: str, path: str) -> None:
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(Finding(f"XSD-{what}", path))

    def element(self, raw: Raw, rule: ElementRule, path: str) -> Node:
        if raw.attributed:
            self._broken("attribute", path)
        simple = self._schema.simple.get(rule.kind)
        if simple is None:
            if raw.whole().strip(_BLANKS):
                self._broken("text", path)
            return Node(rule.name, None, tuple(self._children(raw, rule, path)))
        if raw.children:
            self._broken("child", path)
        text = canonical(simple, raw.whole())
        facet = broken_facet(simple, text)
        if facet is None and not _narrowed(rule, text):
            facet = "pattern"
        if facet is not None:
            self._broken(facet, path)
        return Node(rule.name, text)

    def _children(self, raw: Raw, rule: ElementRule, path: str) -> Iterator[Node]:
        # Taken away here, so that the tree as read goes while the tree of the message grows.
        found, raw.children = list(raw.children), ()
        place = 0
        rules = self._schema.classes[rule.kind]
        tags = [f"{{{self._schema.namespace_of(expected)}}}{expected.name}" for expected in rules]
        for index, expected in enumerate(rules):
            place = self._skip(found, place, tags[index:], path)
            count = 0
            for raw_child in found[place : place + expected.most]:
                if raw_child.tag != tags[index]:
                    break
                count += 1
            for nth in range(count):
                number = f"[{nth + 1}]" if count > 1 else ""
                yield self.element(found[place + nth], expected, f"{path}/{expected.name}{number}")
            place += count
            if count < expected.least:
                self._broken("missing", f"{path}/{expected.name}")
        self._skip(found, place, [], path)

    def _skip(self, found: list[Raw], place: int, may_follow: list[str], path: str) -> int:
        """Return the place of the next element that may still follow, telling of those that may not."""
        while place < len(found) and found[place].tag not in may_follow:
            # The name of an element we do not know may be anything, so it is counted, not repeated.
            place += 1
            self._broken("unexpected", f"{path}/*[{place}]")
        return place


def _narrowed(rule: ElementRule, text: str) -> bool:
    """Tell whether a text is what this element, more narrowly than its kind, may hold."""
    if rule.fixed:
        return text == rule.fixed
    return not rule.pattern or PATTERNS[rule.pattern].expression.fullmatch(text) is not None


# --- writing ----------------------------------------------------------------------------------------


def _to_xml(
    node: Node, rule: ElementRule, schema: MessageSchema, parent: etree._Element | None
) -> etree._Element:
    tag = f"{{{schema.namespace_of(rule)}}}{node.name}"
    if parent is None:
        prefixes = {schema.law.standard: schema.law.basis_namespace, schema.prefix: schema.namespace}
        xml = etree.Element(tag, nsmap=prefixes)
    else:
        xml = etree.SubElement(parent, tag)
    if rule.kind in schema.simple:
        _set_text(xml, node, schema, rule)
        return xml
    expected = {child.name: child for child in schema.classes[rule.kind]}
    for child in node.children:
        if child.name not in expected:
            raise MessageInvalid(
                "an element does not belong here", (Finding("XSD-unexpected", f"…/{node.name}"),)
            )
        _to_xml(child, expected[child.name], schema, xml)
    return xml


def _set_text(xml: etree._Element, node: Node, schema: MessageSchema, rule: ElementRule) -> None:
    text = node.text or ""
    facet = broken_facet(schema.simple[rule.kind], text)
    if facet is None and not _narrowed(rule, text):
        facet = "pattern"
    if facet is not None:
        raise MessageInvalid("a text breaks its schema", (Finding(f"XSD-{facet}", f"…/{node.name}"),))
    xml.text = text
