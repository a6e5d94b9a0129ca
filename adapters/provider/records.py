"""What the messages 301, 305 and 307 say, as records without XML.

Promises: immutable; no repr shows a BSN, a name, a birth date, an address or a free text.
Source: iWmo and iJw 3.2, messages 301, 305 and 307.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from adapters.provider.codes import (
    AddressKind,
    ChangeReason,
    DateUse,
    Delivery,
    Frequency,
    Gender,
    NameUse,
    StopReason,
    Unit,
)

if TYPE_CHECKING:
    from datetime import date, time

    from adapters.provider.schema import Law
    from adapters.sdk.bsn import Bsn


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends what to whom: four digits for a municipality, eight (AGB) for a provider."""

    law: Law
    sender: str
    receiver: str
    identification: str
    dated: date


@dataclass(frozen=True, slots=True)
class PersonName:
    """A name in the parts the standard knows."""

    surname: str = field(repr=False)
    prefix: str | None = field(default=None, repr=False)
    partner_surname: str | None = field(default=None, repr=False)
    partner_prefix: str | None = field(default=None, repr=False)
    given_names: str | None = field(default=None, repr=False)
    initials: str | None = field(default=None, repr=False)
    use: NameUse = field(default=NameUse.OWN, repr=False)


@dataclass(frozen=True, slots=True)
class Resident:
    """The person a message is about. `birth_date_use` says what of the date is not known."""

    bsn: Bsn
    birth_date: date = field(repr=False)
    gender: Gender = field(repr=False)
    name: PersonName = field(repr=False)
    birth_date_use: DateUse | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Contact:
    """Where to reach the resident; the country is a two-letter code."""

    kind: AddressKind
    house_number: int | None = field(default=None, repr=False)
    house_letter: str | None = field(default=None, repr=False)
    house_addition: str | None = field(default=None, repr=False)
    postcode: str | None = field(default=None, repr=False)
    street: str | None = field(default=None, repr=False)
    place: str | None = field(default=None, repr=False)
    country: str | None = field(default=None, repr=False)
    telephone: str | None = field(default=None, repr=False)
    telephone_country: str = field(default="0031", repr=False)
    email: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Product:
    """What kind of support: a category of the law and, often, a code of the municipality."""

    category: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Assignment:
    """One support that a municipality assigned to a provider; the last day counts in, budget is in cents."""

    number: int
    product: Product | None
    assigned_on: date
    assigned_at: time
    starts_on: date
    ends_on: date | None = None
    provider_reference: str | None = None
    change_reason: ChangeReason | None = None
    volume: int | None = None
    unit: Unit | None = None
    frequency: Frequency | None = None
    budget_cents: int | None = None
    comment: str | None = field(default=None, repr=False)

    @property
    def decided(self) -> tuple[date, time]:
        """Return what decides which of two versions is the later (IV013)."""
        return self.assigned_on, self.assigned_at

    @property
    def removed(self) -> bool:
        """Tell whether the municipality took the assignment back as if it never was."""
        return self.change_reason is ChangeReason.REMOVED


@dataclass(frozen=True, slots=True)
class AssignmentNotice:
    """A 301: all current and changed assignments of one resident at one provider (OP087)."""

    envelope: Envelope
    resident: Resident
    contacts: tuple[Contact, ...]
    assignments: tuple[Assignment, ...]


@dataclass(frozen=True, slots=True)
class CareStart:
    """Support began on `starts_on`; product and first day of the assignment stand as in the 301."""

    starts_on: date
    assignment_number: int | None = None
    product: Product | None = None
    assignment_starts_on: date | None = None
    delivery: Delivery = Delivery.FIRST


@dataclass(frozen=True, slots=True)
class CareStop:
    """Support ended on `ends_on`, its last day; the start it ends is named by its keys (TR382)."""

    starts_on: date
    ends_on: date
    reason: StopReason
    assignment_number: int | None = None
    product: Product | None = None
    assignment_starts_on: date | None = None
    delivery: Delivery = Delivery.FIRST


@dataclass(frozen=True, slots=True)
class StartNotice:
    """A 305."""

    envelope: Envelope
    resident: Resident
    starts: tuple[CareStart, ...]


@dataclass(frozen=True, slots=True)
class StopNotice:
    """A 307."""

    envelope: Envelope
    resident: Resident
    stops: tuple[CareStop, ...]
