"""Between the tree of a message and the records of `records.py`. Pure: no I/O, no clock.

Promises: 301 to records and back, 305 and 307 to records and back, without loss for what is mapped.
Relations, communication, legal status and representation of a 301 are left where they are: the exchange
does not need them (OP076, GDPR 5(1)(c)). Source: iWmo and iJw 3.2, messages 301, 305 and 307.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.codes import (
    AddressKind,
    ChangeReason,
    DateUse,
    Delivery,
    Frequency,
    Gender,
    NameUse,
    Unit,
    stop_reason,
)
from adapters.provider.errors import MappingImpossible
from adapters.provider.records import (
    Assignment,
    AssignmentNotice,
    CareStart,
    CareStop,
    Contact,
    Envelope,
    PersonName,
    Product,
    Resident,
    StartNotice,
    StopNotice,
)
from adapters.provider.retour import xsd_versions
from adapters.provider.schema import schema_of
from adapters.provider.values import as_date, as_time
from adapters.provider.xml import Message, Node, element, leaf
from adapters.sdk.bsn import Bsn, BsnRefused

if TYPE_CHECKING:
    from datetime import date

ASSIGNMENT: Final = "301"
START: Final = "305"
STOP: Final = "307"

# --- from messages --------------------------------------------------------------------------------------


def read_assignments(message: Message) -> AssignmentNotice:
    """Read a 301 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = _body(message, ASSIGNMENT)
    contacts = body.find("Contactgegevens") or element("Contactgegevens")
    products = body.find("ToegewezenProducten") or element("ToegewezenProducten")
    return AssignmentNotice(
        envelope=read_envelope(message),
        resident=_resident(body),
        contacts=tuple(_contact(contact) for contact in contacts.children),
        assignments=tuple(_assignment(product) for product in products.children),
    )


def read_starts(message: Message) -> StartNotice:
    """Read a 305 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = _body(message, START)
    lines = body.find("StartProducten") or element("StartProducten")
    starts = tuple(
        CareStart(
            starts_on=_day(line, "Begindatum"),
            assignment_number=_whole(line, "ToewijzingNummer"),
            product=_product(line),
            assignment_starts_on=_day_or_none(line, "ToewijzingIngangsdatum"),
            delivery=_delivery(line),
        )
        for line in lines.children
    )
    return StartNotice(read_envelope(message), _resident(body), starts)


def read_stops(message: Message) -> StopNotice:
    """Read a 307 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = _body(message, STOP)
    lines = body.find("StopProducten") or element("StopProducten")
    stops = tuple(
        CareStop(
            starts_on=_day(line, "Begindatum"),
            ends_on=_day(line, "Einddatum"),
            reason=stop_reason(message.law, line.required("RedenBeeindiging")),
            assignment_number=_whole(line, "ToewijzingNummer"),
            product=_product(line),
            assignment_starts_on=_day_or_none(line, "ToewijzingIngangsdatum"),
            delivery=_delivery(line),
        )
        for line in lines.children
    )
    return StopNotice(read_envelope(message), _resident(body), stops)


def read_envelope(message: Message) -> Envelope:
    """Read sender, receiver, identification and date of any message."""
    header = message.root.children[0]
    return Envelope(
        law=message.law,
        sender=header.required("Afzender"),
        receiver=header.required("Ontvanger"),
        identification=header.required("BerichtIdentificatie/Identificatie"),
        dated=_day(header, "BerichtIdentificatie/Dagtekening"),
    )


def _body(message: Message, number: str) -> Node:
    if message.number != number:
        raise MappingImpossible(f"{message.name} is no {number}")
    return message.root.children[1]


def _resident(body: Node) -> Resident:
    birth_date_use = body.value("Geboortedatum/DatumGebruik")
    try:
        bsn = Bsn(body.required("Bsn"))
    except BsnRefused:
        # CS002 says the same; whoever maps without running the rules first still gets no number out.
        raise MappingImpossible("Bsn fails the 11-proof (CS002)") from None
    return Resident(
        bsn=bsn,
        birth_date=_day(body, "Geboortedatum/Datum"),
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


def _contact(node: Node) -> Contact:
    return Contact(
        kind=AddressKind.of(node.required("Soort")),
        house_number=_whole(node, "Adres/Huis/Huisnummer"),
        house_letter=node.value("Adres/Huis/Huisletter"),
        house_addition=node.value("Adres/Huis/HuisnummerToevoeging"),
        postcode=node.value("Adres/Postcode"),
        street=node.value("Adres/Straatnaam"),
        place=node.value("Adres/Plaatsnaam"),
        country=node.value("Adres/LandCode"),
        telephone=node.value("Telefoon/Telefoon01/Telefoonnummer"),
        telephone_country=node.value("Telefoon/Telefoon01/Landnummer") or "0031",
        email=node.value("Emailadres"),
    )


def _assignment(node: Node) -> Assignment:
    assigned_at = as_time(node.required("Toewijzingstijd"))
    if assigned_at is None:
        raise MappingImpossible("Toewijzingstijd is no time")
    reason = node.value("RedenWijziging")
    unit, frequency = node.value("Omvang/Eenheid"), node.value("Omvang/Frequentie")
    return Assignment(
        number=int(node.required("ToewijzingNummer")),
        product=_product(node),
        assigned_on=_day(node, "Toewijzingsdatum"),
        assigned_at=assigned_at,
        starts_on=_day(node, "Ingangsdatum"),
        ends_on=_day_or_none(node, "Einddatum"),
        provider_reference=node.value("ReferentieAanbieder"),
        change_reason=_change_reason(reason),
        volume=_whole(node, "Omvang/Volume"),
        unit=None if unit is None else Unit.of(unit),
        frequency=None if frequency is None else Frequency.of(frequency),
        budget_cents=_whole(node, "Budget"),
        comment=node.value("Commentaar"),
    )


def _change_reason(code: str | None) -> ChangeReason | None:
    try:
        return None if code is None else ChangeReason.of(code)
    except ValueError:
        raise MappingImpossible("RedenWijziging 01 lapsed (CS336)") from None


def _delivery(line: Node) -> Delivery:
    try:
        return Delivery.of(line.required("StatusAanlevering"))
    except ValueError:
        raise MappingImpossible("StatusAanlevering is neither 1 nor 3 (CS058)") from None


def _product(node: Node) -> Product | None:
    category = node.value("Product/Categorie")
    return None if category is None else Product(category, node.value("Product/Code"))


def _whole(node: Node, path: str) -> int | None:
    text = node.value(path)
    return None if text is None else int(text)


def _day(node: Node, path: str) -> date:
    day = _day_or_none(node, path)
    if day is None:
        raise MappingImpossible(f"{path} is no date")
    return day


def _day_or_none(node: Node, path: str) -> date | None:
    text = node.value(path)
    return None if text is None else as_date(text)


# --- to messages ------------------------------------------------------------------------------------------


def write_assignments(notice: AssignmentNotice) -> Message:
    """Make a 301. `emit` controls it against the schema; the rules are the caller's to run."""
    resident = notice.resident
    return _message(
        ASSIGNMENT,
        notice.envelope,
        *_person(resident, _full_name(resident.name)),
        element("Contactgegevens", *(_write_contact(contact) for contact in notice.contacts)),
        element("ToegewezenProducten", *(_write_assignment(one) for one in notice.assignments)),
    )


def write_starts(notice: StartNotice) -> Message:
    """Make a 305."""
    resident = notice.resident
    lines = (_write_line("StartProduct", start) for start in notice.starts)
    return _message(
        START,
        notice.envelope,
        *_person(resident, _short_name(resident.name)),
        element("StartProducten", *lines),
    )


def write_stops(notice: StopNotice) -> Message:
    """Make a 307."""
    resident = notice.resident
    lines = (_write_line("StopProduct", stop) for stop in notice.stops)
    return _message(
        STOP,
        notice.envelope,
        *_person(resident, _short_name(resident.name)),
        element("StopProducten", *lines),
    )


def _message(number: str, envelope: Envelope, *body: Node | None) -> Message:
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
    return Message(envelope.law, number, element("Bericht", header, element("Client", *body)))


def _person(resident: Resident, name: Node) -> tuple[Node | None, ...]:
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


def _surname(tag: str, surname: str, prefix: str | None) -> Node:
    return element(tag, leaf("Achternaam", surname), leaf("Voorvoegsel", prefix))


def _full_name(name: PersonName) -> Node:
    partner = name.partner_surname
    return element(
        "Naam",
        _surname("Geslachtsnaam", name.surname, name.prefix),
        None if partner is None else _surname("Partnernaam", partner, name.partner_prefix),
        leaf("Voornamen", name.given_names),
        leaf("Voorletters", name.initials),
        leaf("NaamGebruik", name.use.code),
    )


def _short_name(name: PersonName) -> Node:
    return element(
        "Naam",
        _surname("Geslachtsnaam", name.surname, name.prefix),
        leaf("Voornamen", name.given_names),
        leaf("Voorletters", name.initials),
    )


def _some(name: str, *children: Node | None) -> Node | None:
    """Make an element, or None when it would be empty."""
    made = element(name, *children)
    return made if made.children else None


def _write_contact(contact: Contact) -> Node:
    house = _some(
        "Huis",
        leaf("Huisnummer", contact.house_number),
        leaf("Huisletter", contact.house_letter),
        leaf("HuisnummerToevoeging", contact.house_addition),
    )
    telephone = None
    if contact.telephone is not None:
        number = (leaf("Telefoonnummer", contact.telephone), leaf("Landnummer", contact.telephone_country))
        telephone = element("Telefoon", element("Telefoon01", *number))
    return element(
        "Contact",
        leaf("Soort", contact.kind.code),
        _some(
            "Adres",
            house,
            leaf("Postcode", contact.postcode),
            leaf("Straatnaam", contact.street),
            leaf("Plaatsnaam", contact.place),
            leaf("LandCode", contact.country),
        ),
        telephone,
        leaf("Emailadres", contact.email),
    )


def _write_product(product: Product | None) -> Node | None:
    if product is None:
        return None
    return element("Product", leaf("Categorie", product.category), leaf("Code", product.code))


def _write_assignment(one: Assignment) -> Node:
    size = _some(
        "Omvang",
        leaf("Volume", one.volume),
        leaf("Eenheid", None if one.unit is None else one.unit.code),
        leaf("Frequentie", None if one.frequency is None else one.frequency.code),
    )
    return element(
        "ToegewezenProduct",
        leaf("ToewijzingNummer", one.number),
        leaf("ReferentieAanbieder", one.provider_reference),
        _write_product(one.product),
        leaf("Toewijzingsdatum", one.assigned_on.isoformat()),
        leaf("Toewijzingstijd", one.assigned_at.isoformat()),
        leaf("Ingangsdatum", one.starts_on.isoformat()),
        leaf("Einddatum", None if one.ends_on is None else one.ends_on.isoformat()),
        leaf("RedenWijziging", None if one.change_reason is None else one.change_reason.code),
        size,
        leaf("Budget", one.budget_cents),
        leaf("Commentaar", one.comment),
    )


def _write_line(tag: str, line: CareStart | CareStop) -> Node:
    stop = line if isinstance(line, CareStop) else None
    began = line.assignment_starts_on
    return element(
        tag,
        leaf("ToewijzingNummer", line.assignment_number),
        _write_product(line.product),
        leaf("ToewijzingIngangsdatum", None if began is None else began.isoformat()),
        leaf("Begindatum", line.starts_on.isoformat()),
        None if stop is None else leaf("RedenBeeindiging", stop.reason.code),
        None if stop is None else leaf("Einddatum", stop.ends_on.isoformat()),
        leaf("StatusAanlevering", line.delivery.code),
    )
