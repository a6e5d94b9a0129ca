"""The answer to a message: accepted, refused for its form, or refused line by line; and how to read one.

Promises: one answer for one message; sender and receiver stand as they stood in the message, not swapped; any
error refuses the whole message; nothing but the header goes back unless a rule across messages failed.
Source: iWmo and iJw 3.2, IV028, IV032, IV034, OP065; control levels of FACTS section 1.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.provider.errors import Finding, MappingImpossible
from adapters.provider.rules import TECHNICAL
from adapters.provider.schema import (
    RETURN_CODES,
    MessageSchema,
    answer_number,
    is_container,
    message_classes,
    schema_of,
)
from adapters.provider.xml import Message, Node, element, leaf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

NO_REMARK: Final = "0200"
NOT_JUDGED: Final = "0233"
NOT_UNIQUE: Final = "9056"
_HEADER: Final = "/Bericht/Header"


@dataclass(frozen=True, slots=True)
class RetourIdentity:
    """What the answer is called and when it was made; at most twelve characters, unique for its sender."""

    identification: str
    dated: date


@dataclass(frozen=True, slots=True)
class Answer:
    """A retour as read: to which message, and which codes stand where. No codes means accepted."""

    answers: str
    identification: str
    codes: tuple[tuple[str, str], ...]

    @property
    def accepted(self) -> bool:
        """Tell whether the whole message was accepted."""
        return not self.codes


def build_retour(
    message: Message,
    findings: tuple[Finding, ...],
    identity: RetourIdentity,
    not_judged: frozenset[str] = frozenset(),
) -> Message:
    """Make the answer to `message`.

    Findings with 0001, or in the header, give a header with their codes; others give every class its own
    codes, 0200 where nothing was wrong, and 0233 in the classes named in `not_judged`. Raises
    MappingImpossible for a finding without a code (a schema error has no retour) or outside the message.
    """
    number = answer_number(message.number)
    schema = schema_of(message.law, number)
    codes = _codes_by_path(message, findings)
    in_header = [code for path, found in codes.items() if path.startswith(_HEADER) for code in found]
    if any(TECHNICAL in found for found in codes.values()):
        return Message(
            message.law, number, element("Bericht", _header(message, schema, identity, [TECHNICAL]))
        )
    if in_header or not codes:
        return Message(message.law, number, element("Bericht", _header(message, schema, identity, in_header)))
    body = message.root.children[1]
    classes = frozenset(
        name for name in message_classes(schema.classes) if not is_container(schema.classes[name])
    )
    marking = _Marking(_by_class(codes, classes), classes, not_judged)
    marked = marking.mark(body, f"/Bericht/{body.name}")
    return Message(message.law, number, element("Bericht", _header(message, schema, identity, []), marked))


def read_retour(message: Message) -> Answer:
    """Read a 302, 306 or 308. Raises MappingImpossible for a message that is no answer."""
    if not message.schema.answers:
        raise MappingImpossible(f"{message.name} is no retour")
    found = [
        (path.removesuffix(f"/{RETURN_CODES}"), code.text or "")
        for path, node in message.root.walk()
        if node.name == RETURN_CODES
        for code in node.children
    ]
    return Answer(
        answers=message.root.required("Header/BerichtIdentificatie/Identificatie"),
        identification=message.root.required("Header/IdentificatieRetour"),
        codes=tuple(found),
    )


def _codes_by_path(message: Message, findings: tuple[Finding, ...]) -> dict[str, list[str]]:
    # Most messages are taken as they are, and then no place is looked for.
    known = {path for path, _ in message.root.walk()} if findings else frozenset()
    codes: dict[str, list[str]] = {}
    for finding in findings:
        if not finding.code:
            raise MappingImpossible(f"{finding.rule} has no retour: the sender gets an error")
        # In-message rules may point at an element that is missing; they all end in one code anyway.
        if finding.path not in known and finding.code != TECHNICAL:
            raise MappingImpossible(f"{finding.rule} points outside the message")
        at = codes.setdefault(finding.path, [])
        if finding.code not in at:
            at.append(finding.code)
    return codes


def _header(message: Message, schema: MessageSchema, identity: RetourIdentity, codes: list[str]) -> Node:
    sent = message.root.children[0]
    kept = (leaf("BerichtCode", schema.code), *sent.children[1:])
    return element(
        "Header",
        *kept,
        leaf("IdentificatieRetour", identity.identification),
        leaf("DagtekeningRetour", identity.dated.isoformat()),
        xsd_versions("XsdVersieRetour", schema),
        return_codes(codes) if codes else None,
    )


def xsd_versions(name: str, schema: MessageSchema) -> Node:
    """Make the element that tells with which versions of the schemas a message was made (IV034)."""
    return element(
        name,
        leaf("BasisschemaXsdVersie", schema.basis_xsd),
        leaf("BerichtXsdVersie", schema.message_xsd),
    )


def return_codes(codes: list[str]) -> Node:
    """Make the element that holds return codes, each of them once."""
    return element(RETURN_CODES, *(leaf("RetourCode", code) for code in dict.fromkeys(codes)))


@dataclass(frozen=True, slots=True)
class _Marking:
    """Copies a body, adding to every class its codes; `codes` are by the path of a class."""

    codes: Mapping[str, list[str]]
    classes: frozenset[str]
    not_judged: frozenset[str]

    def mark(self, node: Node, path: str) -> Node:
        children = [self.mark(child, below) for below, child in node.numbered(path)]
        if node.name in self.classes:
            other = NOT_JUDGED if node.name in self.not_judged else NO_REMARK
            children.append(return_codes(self.codes.get(path, [other])))
        return Node(node.name, node.text, tuple(children))


def _by_class(codes: Mapping[str, list[str]], classes: frozenset[str]) -> dict[str, list[str]]:
    """Move every code to the nearest class at or above its element."""
    moved: dict[str, list[str]] = {}
    for path, found in codes.items():
        at = path
        while at and at.rpartition("/")[2].partition("[")[0] not in classes:
            at = at.rpartition("/")[0]
        if not at:
            raise MappingImpossible("a finding lies in no class of the message")
        moved.setdefault(at, []).extend(found)
    return moved
