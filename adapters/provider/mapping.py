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
    Delivery,
    Frequency,
    Unit,
    stop_reason,
)
from adapters.provider.errors import MappingImpossible
from adapters.provider.parts import (
    body_of,
    day_at,
    day_or_none,
    read_envelope,
    read_product,
    read_resident,
    some,
    whole_number,
    write_client,
    write_person,
    write_product,
    write_short_name,
    write_size,
    write_surname,
)
from adapters.provider.records import (
    Assignment,
    AssignmentNotice,
    CareStart,
    CareStop,
    Contact,
    StartNotice,
    StopNotice,
)
from adapters.provider.values import as_time
from adapters.provider.xml import Node, element, leaf

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.provider.records import PersonName
    from adapters.provider.xml import Message

ASSIGNMENT: Final = "301"
START: Final = "305"
STOP: Final = "307"

# --- from messages --------------------------------------------------------------------------------------


def read_assignments(message: Message) -> AssignmentNotice:
    """Read a 301 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, ASSIGNMENT)
    contacts = body.find("Contactgegevens") or element("Contactgegevens")
    products = body.find("ToegewezenProducten") or element("ToegewezenProducten")
    return AssignmentNotice(
        envelope=read_envelope(message),
        resident=read_resident(body),
        contacts=tuple(_contact(contact) for contact in contacts.children),
        assignments=tuple(_assignment(product) for product in products.children),
    )


def assigned_products(message: Message) -> Iterator[tuple[str, Node]]:
    """Give the products of a 301, each with its place in the message."""
    body = message.root.children[1]
    products = body.find("ToegewezenProducten") or element("ToegewezenProducten")
    return products.numbered(f"/{message.root.name}/{body.name}/{products.name}")


def read_starts(message: Message) -> StartNotice:
    """Read a 305 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, START)
    lines = body.find("StartProducten") or element("StartProducten")
    starts = tuple(
        CareStart(
            starts_on=day_at(line, "Begindatum"),
            assignment_number=whole_number(line, "ToewijzingNummer"),
            product=read_product(line),
            assignment_starts_on=day_or_none(line, "ToewijzingIngangsdatum"),
            delivery=_delivery(line),
        )
        for line in lines.children
    )
    return StartNotice(read_envelope(message), read_resident(body), starts)


def read_stops(message: Message) -> StopNotice:
    """Read a 307 that passed its rules. Raises MappingImpossible for what is none, or breaks them."""
    body = body_of(message, STOP)
    lines = body.find("StopProducten") or element("StopProducten")
    stops = tuple(
        CareStop(
            starts_on=day_at(line, "Begindatum"),
            ends_on=day_at(line, "Einddatum"),
            reason=stop_reason(message.law, line.required("RedenBeeindiging")),
            assignment_number=whole_number(line, "ToewijzingNummer"),
            product=read_product(line),
            assignment_starts_on=day_or_none(line, "ToewijzingIngangsdatum"),
            delivery=_delivery(line),
        )
        for line in lines.children
    )
    return StopNotice(read_envelope(message), read_resident(body), stops)


def _contact(node: Node) -> Contact:
    return Contact(
        kind=AddressKind.of(node.required("Soort")),
        house_number=whole_number(node, "Adres/Huis/Huisnummer"),
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
        product=read_product(node),
        assigned_on=day_at(node, "Toewijzingsdatum"),
        assigned_at=assigned_at,
        starts_on=day_at(node, "Ingangsdatum"),
        ends_on=day_or_none(node, "Einddatum"),
        provider_reference=node.value("ReferentieAanbieder"),
        change_reason=_change_reason(reason),
        volume=whole_number(node, "Omvang/Volume"),
        unit=None if unit is None else Unit.of(unit),
        frequency=None if frequency is None else Frequency.of(frequency),
        budget_cents=whole_number(node, "Budget"),
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


# --- to messages ------------------------------------------------------------------------------------------


def write_assignments(notice: AssignmentNotice) -> Message:
    """Make a 301. `emit` controls it against the schema; the rules are the caller's to run."""
    resident = notice.resident
    return write_client(
        ASSIGNMENT,
        notice.envelope,
        *write_person(resident, _full_name(resident.name)),
        element("Contactgegevens", *(_write_contact(contact) for contact in notice.contacts)),
        element("ToegewezenProducten", *(_write_assignment(one) for one in notice.assignments)),
    )


def write_starts(notice: StartNotice) -> Message:
    """Make a 305."""
    resident = notice.resident
    lines = (_write_line("StartProduct", start) for start in notice.starts)
    return write_client(
        START,
        notice.envelope,
        *write_person(resident, write_short_name(resident.name)),
        element("StartProducten", *lines),
    )


def write_stops(notice: StopNotice) -> Message:
    """Make a 307."""
    resident = notice.resident
    lines = (_write_line("StopProduct", stop) for stop in notice.stops)
    return write_client(
        STOP,
        notice.envelope,
        *write_person(resident, write_short_name(resident.name)),
        element("StopProducten", *lines),
    )


def _full_name(name: PersonName) -> Node:
    partner = name.partner_surname
    return element(
        "Naam",
        write_surname("Geslachtsnaam", name.surname, name.prefix),
        None if partner is None else write_surname("Partnernaam", partner, name.partner_prefix),
        leaf("Voornamen", name.given_names),
        leaf("Voorletters", name.initials),
        leaf("NaamGebruik", name.use.code),
    )


def _write_contact(contact: Contact) -> Node:
    house = some(
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
        some(
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


def _write_assignment(one: Assignment) -> Node:
    return element(
        "ToegewezenProduct",
        leaf("ToewijzingNummer", one.number),
        leaf("ReferentieAanbieder", one.provider_reference),
        write_product(one.product),
        leaf("Toewijzingsdatum", one.assigned_on.isoformat()),
        leaf("Toewijzingstijd", one.assigned_at.isoformat()),
        leaf("Ingangsdatum", one.starts_on.isoformat()),
        leaf("Einddatum", None if one.ends_on is None else one.ends_on.isoformat()),
        leaf("RedenWijziging", None if one.change_reason is None else one.change_reason.code),
        write_size(one.volume, one.unit, one.frequency),
        leaf("Budget", one.budget_cents),
        leaf("Commentaar", one.comment),
    )


def _write_line(tag: str, line: CareStart | CareStop) -> Node:
    stop = line if isinstance(line, CareStop) else None
    began = line.assignment_starts_on
    return element(
        tag,
        leaf("ToewijzingNummer", line.assignment_number),
        write_product(line.product),
        leaf("ToewijzingIngangsdatum", None if began is None else began.isoformat()),
        leaf("Begindatum", line.starts_on.isoformat()),
        None if stop is None else leaf("RedenBeeindiging", stop.reason.code),
        None if stop is None else leaf("Einddatum", stop.ends_on.isoformat()),
        leaf("StatusAanlevering", line.delivery.code),
    )
