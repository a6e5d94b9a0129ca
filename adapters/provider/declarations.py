"""Declarations and the answers to them, as records and as messages: 323 and 325. Pure.

Promises: what is read is written back the same; amounts are whole cents; no repr shows a BSN.
Source: iWmo and iJw 3.2, messages 323 and 325; TR342 (an answer names the refused lines alone).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Unit
from adapters.provider.declaration_checks import CREDIT
from adapters.provider.parts import (
    body_of,
    day_at,
    read_bsn,
    read_envelope,
    whole_number,
    write_day,
    write_message,
)
from adapters.provider.records import Product
from adapters.provider.retour import NO_REMARK, return_codes, xsd_versions
from adapters.provider.rules import TECHNICAL
from adapters.provider.schema import schema_of
from adapters.provider.xml import Message, Node, element, leaf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from adapters.provider.errors import Finding
    from adapters.provider.records import Envelope
    from adapters.provider.retour import RetourIdentity
    from adapters.sdk.bsn import Bsn

DECLARATION: Final = "323"
ANSWERED: Final = "325"
GRANTED_WHOLE: Final = "8001"
BODY: Final = "/Bericht/Declaratie"
_DEBIT: Final = "D"


@dataclass(frozen=True, slots=True)
class Performance:
    """One line: what was delivered under an assignment in a month. A credit takes an earlier line back."""

    reference: str = field(repr=False)
    number: int
    product: Product
    first: date
    last: date
    volume: int
    unit: Unit
    rate_cents: int | None
    cents: int
    credits_reference: str | None = field(default=None, repr=False)

    @property
    def signed_cents(self) -> int:
        """Return what the line asks; a credit counts below zero."""
        return self.cents if self.credits_reference is None else -self.cents

    @property
    def delivered(self) -> tuple[object, ...]:
        """Return what makes two lines one delivery (TR389, TR416)."""
        return self.number, self.product, self.first, self.last


@dataclass(frozen=True, slots=True)
class Declaration:
    """A 323: the lines of each client, in the order of the message."""

    envelope: Envelope
    number: str
    first: date
    last: date
    signed_on: date
    clients: tuple[tuple[Bsn, tuple[Performance, ...]], ...]

    @property
    def signed_cents(self) -> int:
        """Return the sum of all lines."""
        return sum(line.signed_cents for _, lines in self.clients for line in lines)


@dataclass(frozen=True, slots=True)
class DeclarationAnswer:
    """A 325: which 323 it answers, what was granted in cents, and the refused lines with their codes.

    `refused_whole` holds the codes of a declaration that was refused as such.
    """

    envelope: Envelope
    answers: str
    answers_dated: date
    number: str | None
    asked_cents: int
    granted_cents: int
    refused_whole: tuple[str, ...]
    refused: tuple[tuple[Bsn, Performance, tuple[str, ...]], ...]


# --- 323 --------------------------------------------------------------------------------------------------


def read_declaration(message: Message) -> Declaration:
    """Read a 323 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, DECLARATION)
    clients = body.find("Clienten")
    return Declaration(
        envelope=read_envelope(message),
        number=body.required("DeclaratieNummer"),
        first=day_at(body, "DeclaratiePeriode/Begindatum"),
        last=day_at(body, "DeclaratiePeriode/Einddatum"),
        signed_on=day_at(body, "DeclaratieDagtekening"),
        clients=tuple(
            (read_bsn(client), tuple(map(read_line, _lines(client))))
            for client in (() if clients is None else clients.children)
        ),
    )


def _lines(client: Node) -> tuple[Node, ...]:
    found = client.find("Prestaties")
    return () if found is None else found.children


def read_line(line: Node) -> Performance:
    """Read one Prestatie."""
    return Performance(
        reference=line.required("ProductReferentie/ReferentieNummer"),
        number=int(line.required("ToewijzingNummer")),
        product=Product(line.required("ProductCategorie"), line.required("ProductCode")),
        first=day_at(line, "ProductPeriode/Begindatum"),
        last=day_at(line, "ProductPeriode/Einddatum"),
        volume=int(line.required("GeleverdVolume")),
        unit=Unit.of(line.required("Eenheid")),
        rate_cents=whole_number(line, "ProductTarief"),
        cents=int(line.required("IngediendBedrag/Bedrag")),
        credits_reference=line.value("ProductReferentie/VorigReferentieNummer"),
    )


def write_declaration(declared: Declaration) -> Message:
    """Make a 323. `emit` controls it against the schema; the rules are the caller's to run."""
    clients = [
        element("Client", leaf("Bsn", bsn.reveal()), element("Prestaties", *map(_write_line, lines)))
        for bsn, lines in declared.clients
    ]
    return write_message(
        DECLARATION,
        declared.envelope,
        element(
            "Declaratie",
            leaf("DeclaratieNummer", declared.number),
            _period("DeclaratiePeriode", declared.first, declared.last),
            write_day("DeclaratieDagtekening", declared.signed_on),
            _total("TotaalIngediendBedrag", declared.signed_cents),
            element("Clienten", *clients),
        ),
    )


def _write_line(line: Performance) -> Node:
    return element("Prestatie", *_line_parts(line))


def _line_parts(line: Performance) -> tuple[Node | None, ...]:
    credit = line.credits_reference is not None
    return (
        element(
            "ProductReferentie",
            leaf("ReferentieNummer", line.reference),
            leaf("VorigReferentieNummer", line.credits_reference),
        ),
        leaf("ToewijzingNummer", line.number),
        leaf("ProductCategorie", line.product.category),
        leaf("ProductCode", line.product.code),
        _period("ProductPeriode", line.first, line.last),
        leaf("GeleverdVolume", line.volume),
        leaf("Eenheid", line.unit.code),
        leaf("ProductTarief", line.rate_cents),
        element(
            "IngediendBedrag", leaf("Bedrag", line.cents), leaf("DebetCredit", CREDIT if credit else _DEBIT)
        ),
    )


def _period(name: str, first: date, last: date) -> Node:
    return element(name, write_day("Begindatum", first), write_day("Einddatum", last))


def _total(name: str, cents: int) -> Node:
    side = CREDIT if cents < 0 else _DEBIT
    return element(name, leaf("TotaalBedrag", abs(cents)), leaf("DebetCredit", side))


# --- 325 --------------------------------------------------------------------------------------------------


def build_declaration_answer(
    message: Message, findings: tuple[Finding, ...], identity: RetourIdentity
) -> Message:
    """Make the answer to a 323: each line stands or falls by itself, unless the whole was refused.

    Findings with 0001, or in the header, give a header alone; one at the declaration refuses all its lines.
    """
    in_header = [
        one.code for one in findings if one.code == TECHNICAL or one.path.startswith("/Bericht/Header")
    ]
    if in_header:
        return _answer(message, identity, [TECHNICAL] if TECHNICAL in in_header else in_header, None)
    declared = message.root.children[1]
    codes: dict[str, list[str]] = {}
    for one in findings:
        codes.setdefault(one.path, []).append(one.code)
    whole = codes.get(BODY)
    asked = read_declaration(message).signed_cents
    clients, refused = (None, asked) if whole else _refused_lines(declared, codes)
    body = element(
        "DeclaratieAntwoord",
        leaf("DeclaratieNummer", declared.required("DeclaratieNummer")),
        _total("TotaalIngediendBedrag", asked),
        _total("TotaalToegekendBedrag", asked - refused),
        clients,
        return_codes(whole or [GRANTED_WHOLE if clients is None else NO_REMARK]),
    )
    return _answer(message, identity, [NO_REMARK], body)


def _refused_lines(declared: Node, codes: Mapping[str, list[str]]) -> tuple[Node | None, int]:
    """Return Clienten with the refused lines alone, or None, and what those lines asked."""
    refused, clients = 0, []
    found = declared.find("Clienten")
    for at, client in () if found is None else found.numbered(f"{BODY}/Clienten"):
        lines = []
        for inner, group in client.numbered(at):
            for path, line in group.numbered(inner) if group.name == "Prestaties" else ():
                if path in codes:
                    refused += read_line(line).signed_cents
                    lines.append(Node(line.name, None, (*line.children, return_codes(codes[path]))))
        if lines:
            kept = (client.children[0], element("Prestaties", *lines), return_codes([NO_REMARK]))
            clients.append(element("Client", *kept))
    return (element("Clienten", *clients) if clients else None), refused


def _answer(message: Message, identity: RetourIdentity, codes: list[str], body: Node | None) -> Message:
    sent, schema = message.root.children[0], schema_of(message.law, ANSWERED)
    header = element(
        "Header",
        leaf("BerichtCode", schema.code),
        leaf("BerichtVersie", 3),
        leaf("BerichtSubversie", 2),
        # The other way round than a retour: a 325 is a message of its own.
        leaf("Afzender", sent.required("Ontvanger")),
        leaf("Ontvanger", sent.required("Afzender")),
        element(
            "BerichtIdentificatie",
            leaf("Identificatie", identity.identification),
            write_day("Dagtekening", identity.dated),
        ),
        xsd_versions("XsdVersie", schema),
        _renamed("DeclaratieIdentificatie", sent, "BerichtIdentificatie"),
        _renamed("XsdVersieDeclaratie", sent, "XsdVersie"),
        return_codes(codes),
    )
    return Message(message.law, ANSWERED, element("Bericht", header, body))


def _renamed(name: str, header: Node, path: str) -> Node:
    found = header.find(path)
    return element(name, *(() if found is None else found.children))


def read_declaration_answer(message: Message) -> DeclarationAnswer:
    """Read a 325. Raises MappingImpossible for a BSN that fails the 11-proof."""
    header = message.root.children[0]
    body = message.root.find("DeclaratieAntwoord")
    clients = () if body is None or (found := body.find("Clienten")) is None else found.children
    refused = tuple(
        (read_bsn(client), read_line(line), _codes(line)) for client in clients for line in _lines(client)
    )
    said = (*_codes(header), *(() if body is None else _codes(body)))
    whole = tuple(one for one in said if one not in {NO_REMARK, GRANTED_WHOLE})
    return DeclarationAnswer(
        envelope=read_envelope(message),
        answers=header.required("DeclaratieIdentificatie/Identificatie"),
        answers_dated=day_at(header, "DeclaratieIdentificatie/Dagtekening"),
        number=None if body is None else body.required("DeclaratieNummer"),
        asked_cents=_cents(body, "TotaalIngediendBedrag"),
        granted_cents=_cents(body, "TotaalToegekendBedrag"),
        refused_whole=whole,
        refused=refused,
    )


def _codes(node: Node) -> tuple[str, ...]:
    found = node.find("RetourCodes")
    return () if found is None else tuple(one.text or "" for one in found.children)


def _cents(body: Node | None, path: str) -> int:
    if body is None:
        return 0
    cents = int(body.required(f"{path}/TotaalBedrag"))
    return -cents if body.value(f"{path}/DebetCredit") == CREDIT else cents
