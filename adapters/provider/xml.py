"""Bytes to a message and back: hardened parsing, schema control, canonical writing.

Promises: no DTD, no entity, no network; at most 25 MiB, 32 levels, 600,000 elements and 32 attributes to an
element; comments and processing instructions vanish. What `emit` writes, `read` reads, and writing that again
gives the same bytes. No repr and no error shows a value.
Source: XML 1.0; namespaces and prefixes of iWmo and iJw 3.2; OP179.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from lxml import etree

from adapters.provider.errors import (
    Finding,
    MessageInvalid,
    MessageUnknown,
)
from adapters.provider.parsing import Raw, parse
from adapters.provider.schema import PATTERNS, ElementRule, Law, MessageSchema, all_schemas, schema_of
from adapters.provider.values import broken_facet, canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

FINDINGS_MAX: Final = 100
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
        node = self
        for step in path.split("/"):
            for child in node.children:
                if child.name == step:
                    node = child
                    break
            else:
                return None
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
        if len({child.name for child in self.children}) == len(self.children):
            # As most are: nothing to count.
            for child in self.children:
                yield f"{path}/{child.name}", child
            return
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
        # A list of what is open, for a generator within a generator hands each element up by every level.
        opened = [self.numbered(here)]
        while opened:
            for below, child in opened[-1]:
                yield below, child
                if child.children:
                    opened.append(child.numbered(below))
                    break
            else:
                opened.pop()


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
    prefixes = {schema.law.standard: schema.law.basis_namespace, schema.prefix: schema.namespace}
    root = etree.Element(schema.tag_of(_ROOT), nsmap=prefixes)
    _fill(root, message.root, _ROOT, schema)
    etree.indent(root, space="\t")
    body: bytes = etree.tostring(root, encoding="UTF-8", xml_declaration=False)
    data = b'<?xml version="1.0" encoding="UTF-8"?>\n' + body + b"\n"
    # Reading back is the control: what leaves here is what another adapter would accept.
    if read(data) != message:
        raise MessageInvalid(f"{message.name} is not written in canonical form", ())
    return data


# --- parsing ----------------------------------------------------------------------------------------


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
        rules, tags = self._schema.classes[rule.kind], self._schema.tags[rule.kind]
        for index, expected in enumerate(rules):
            if place < len(found) and found[place].tag != tags[index]:
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
        self._skip(found, place, (), path)

    def _skip(self, found: list[Raw], place: int, may_follow: tuple[str, ...], path: str) -> int:
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


def _fill(xml: etree._Element, node: Node, rule: ElementRule, schema: MessageSchema) -> None:
    if rule.kind in schema.simple:
        _set_text(xml, node, schema, rule)
        return
    tags = schema.tags[rule.kind]
    expected = {child.name: (child, tag) for child, tag in zip(schema.classes[rule.kind], tags, strict=True)}
    for child in node.children:
        if child.name not in expected:
            raise MessageInvalid(
                "an element does not belong here", (Finding("XSD-unexpected", f"…/{node.name}"),)
            )
        below, tag = expected[child.name]
        _fill(etree.SubElement(xml, tag), child, below, schema)


def _set_text(xml: etree._Element, node: Node, schema: MessageSchema, rule: ElementRule) -> None:
    text = node.text or ""
    facet = broken_facet(schema.simple[rule.kind], text)
    if facet is None and not _narrowed(rule, text):
        facet = "pattern"
    if facet is not None:
        raise MessageInvalid("a text breaks its schema", (Finding(f"XSD-{facet}", f"…/{node.name}"),))
    xml.text = text
