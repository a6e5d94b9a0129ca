"""The parts that messages share: header, person, product, size, and days. Pure: no I/O, no clock.

Promises: what is read is written back the same; no error holds a value of a message.
Source: iWmo and iJw 3.2, the types of the basis schema.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.provider.codes import DateUse, Gender, NameUse
from adapters.provider.errors import MappingImpossible
from adapters.provider.records import Envelope, PersonName, Product, Resident
from adapters.provider.retour import xsd_versions
from adapters.provider.schema import schema_of
from adapters.provider.values import as_date
from adapters.provider.xml import Message, Node, element, leaf
from adapters.sdk.bsn import Bsn, BsnRefused

if TYPE_CHECKING:
    from datetime import date

    from adapters.provider.codes import Frequency, Unit

# --- reading --------------------------------------------------------------------------------------------


def read_envelope(message: Message) -> Envelope:
    """Read sender, receiver, identification and date of any message."""
    header = message.root.children[0]
    return Envelope(
        law=message.law,
        sender=header.required("Afzender"),
        receiver=header.required("Ontvanger"),
        identification=header.required("BerichtIdentificatie/Identificatie"),
        dated=day_at(header, "BerichtIdentificatie/Dagtekening"),
    )


def body_of(message: Message, number: str) -> Node:
    """Return the part below the header. Raises MappingImpossible for another message."""
    if message.number != number:
        raise MappingImpossible(f"{message.name} is no {number}")
    return message.root.children[1]


def read_bsn(body: Node) -> Bsn:
    """Read a BSN. Raises MappingImpossible for one that fails the 11-proof."""
    try:
        return Bsn(body.required("Bsn"))
    except BsnRefused:
        # CS002 says the same; whoever maps without running the rules first still gets no number out.
        raise MappingImpossible("Bsn fails the 11-proof (CS002)") from None


def read_resident(body: Node) -> Resident:
    """Read who a message is about; parts that the message does not have are absent."""
    birth_date_use = body.value("Geboortedatum/DatumGebruik")
    return Resident(
        bsn=read_bsn(body),
        birth_date=day_at(body, "Geboortedatum/Datum"),
        birth_date_use=None if birth_date_use is None else DateUse.of(birth_date_use),
        gender=Gender.of(body.required("Geslacht")),
        name=PersonName(
            surname=body.required("Naam/Geslachtsnaam/Achternaam"),
            prefix=body.value("Naam/Geslachtsnaam/Voorvoegsel"),
            partner_surname=body.value("Naam/Partnernaam/Achternaam"),
            partner_prefix=body.value("Naam/Partnernaam/Voorvoegsel"),
            given_names=body.value("Naam/Voornamen"),
            initials=body.value("Naam/Voorletters"),
            use=NameUse.of(body.value("Naam/NaamGebruik") or NameUse.OWN.code),
        ),
    )


def read_product(node: Node) -> Product | None:
    """Read a Product, or None where there is none."""
    category = node.value("Product/Categorie")
    return None if category is None else Product(category, node.value("Product/Code"))


def whole_number(node: Node, path: str) -> int | None:
    """Read an integer, or None where there is none."""
    text = node.value(path)
    return None if text is None else int(text)


def day_at(node: Node, path: str) -> date:
    """Read a day. Raises MappingImpossible for none."""
    day = day_or_none(node, path)
    if day is None:
        raise MappingImpossible(f"{path} is no date")
    return day


def day_or_none(node: Node, path: str) -> date | None:
    """Read a day, or None where there is none."""
    text = node.value(path)
    return None if text is None else as_date(text)


# --- writing --------------------------------------------------------------------------------------------


def write_message(number: str, envelope: Envelope, body: Node) -> Message:
    """Make a message with its header around a body. `emit` controls it; the rules are the caller's to run."""
    schema = schema_of(envelope.law, number)
    header = element(
        "Header",
        leaf("BerichtCode", schema.code),
        leaf("BerichtVersie", 3),
        leaf("BerichtSubversie", 2),
        leaf("Afzender", envelope.sender),
        leaf("Ontvanger", envelope.receiver),
        element(
            "BerichtIdentificatie",
            leaf("Identificatie", envelope.identification),
            leaf("Dagtekening", envelope.dated.isoformat()),
        ),
        xsd_versions("XsdVersie", schema),
    )
    return Message(envelope.law, number, element("Bericht", header, body))


def write_person(resident: Resident, name: Node) -> tuple[Node | None, ...]:
    """Make what every message with a name says of a person."""
    use = resident.birth_date_use
    return (
        leaf("Bsn", resident.bsn.reveal()),
        element(
            "Geboortedatum",
            leaf("Datum", resident.birth_date.isoformat()),
            leaf("DatumGebruik", None if use is None else use.code),
        ),
        leaf("Geslacht", resident.gender.code),
        name,
    )


def write_surname(tag: str, surname: str, prefix: str | None) -> Node:
    """Make a surname with its prefix."""
    return element(tag, leaf("Achternaam", surname), leaf("Voorvoegsel", prefix))


def write_short_name(name: PersonName) -> Node:
    """Make a name without those of a partner."""
    return element(
        "Naam",
        write_surname("Geslachtsnaam", name.surname, name.prefix),
        leaf("Voornamen", name.given_names),
        leaf("Voorletters", name.initials),
    )


def some(name: str, *children: Node | None) -> Node | None:
    """Make an element, or None when it would be empty."""
    made = element(name, *children)
    return made if made.children else None


def write_product(product: Product | None) -> Node | None:
    """Make a Product, or None for none."""
    if product is None:
        return None
    return element("Product", leaf("Categorie", product.category), leaf("Code", product.code))


def write_size(volume: int | None, unit: Unit | None, frequency: Frequency | None) -> Node | None:
    """Make an Omvang, or None where there is no size."""
    return some(
        "Omvang",
        leaf("Volume", volume),
        leaf("Eenheid", None if unit is None else unit.code),
        leaf("Frequentie", None if frequency is None else frequency.code),
    )


def write_day(name: str, day: date | None) -> Node | None:
    """Make an element with a day, or None for no day."""
    return leaf(name, None if day is None else day.isoformat())


def write_client(number: str, envelope: Envelope, *body: Node | None) -> Message:
    """Make a message about one client."""
    return write_message(number, envelope, element("Client", *body))
