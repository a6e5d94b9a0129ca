"""A person of the municipality's own register, as a JSON file gives one.

Promises: an unknown key, a missing one and a value of another shape are refused with the key's name and never
a value; a BSN passed the 11-proof; there is an address a 301 can carry (TR006, TR061).
Source: iWmo and iJw 3.2, class Client of the 301; Wmo 2015 5.2.9 (BSN).
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final, TypeVar

from adapters.provider.codes import AddressKind, Coded, DateUse, Gender, NameUse
from adapters.provider.errors import ConfigInvalid, MessageInvalid
from adapters.provider.mapping import write_assignments
from adapters.provider.records import Assignment, AssignmentNotice, Contact, Envelope, PersonName, Resident
from adapters.provider.schema import Law
from adapters.provider.xml import emit
from adapters.sdk.bsn import Bsn, BsnRefused

FILE_BYTES_MAX: Final = 64 * 1024
HOUSE_NUMBER_MOST: Final = 99_999
_Code = TypeVar("_Code", bound=Coded)
_NAME_PARTS: Final = ("surname", "prefix", "partner_surname", "partner_prefix", "given_names", "initials")
_ANY_DAY: Final = date(2026, 1, 1)
_DUTCH: Final = "NL"
_POSTCODE: Final = re.compile("[1-9][0-9]{3}[A-Z]{2}")


@dataclass(frozen=True, slots=True)
class RegisteredPerson:
    """A resident with where to reach them."""

    resident: Resident
    contacts: tuple[Contact, ...]


def read_person(data: bytes) -> RegisteredPerson:
    """Read `{"bsn", "birth_date", "gender", "surname", "address": {…}}` and more. Raises ConfigInvalid."""
    if len(data) > FILE_BYTES_MAX:
        raise ConfigInvalid(f"a person has at most {FILE_BYTES_MAX} bytes")
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        raise ConfigInvalid("this file is not JSON in UTF-8") from None
    person = _Keys("", told)
    name = {part: person.text(part, required=part == "surname") for part in _NAME_PARTS}
    use = person.code("name_use", NameUse)
    surname = name.pop("surname") or ""
    resident = Resident(
        bsn=_bsn(person),
        birth_date=_day(person, "birth_date"),
        gender=person.code("gender", Gender, required=True) or Gender.UNKNOWN,
        name=PersonName(surname=surname, use=use or NameUse.OWN, **name),
        birth_date_use=person.code("birth_date_use", DateUse),
    )
    contact = _contact(person, _Keys("address.", person.take("address", dict)))
    person.refuse_rest()
    found = RegisteredPerson(resident, (contact,))
    _require_sendable(found)
    return found


def write_contacts(contacts: tuple[Contact, ...]) -> str:
    """Return contacts as JSON for the register."""
    told = [dataclasses.asdict(contact) | {"kind": contact.kind.code} for contact in contacts]
    return json.dumps(told, ensure_ascii=False)


def read_contacts(text: str) -> tuple[Contact, ...]:
    """Return what `write_contacts` wrote."""
    return tuple(Contact(**(told | {"kind": AddressKind.of(told["kind"])})) for told in json.loads(text))


def _require_sendable(person: RegisteredPerson) -> None:
    """Refuse now what a 301 could not carry later: a name or a street that is too long, for example."""
    envelope = Envelope(Law.WMO, "0000", "00000000", "0", _ANY_DAY)
    one = Assignment(0, None, _ANY_DAY, time(0), _ANY_DAY, budget_cents=0)
    try:
        emit(write_assignments(AssignmentNotice(envelope, person.resident, person.contacts, (one,))))
    except MessageInvalid as broken:
        raise ConfigInvalid(f"a 301 cannot carry this: {', '.join(map(str, broken.findings))}") from None


class _Keys:
    """A JSON object whose keys are taken one by one; what is left over is unknown."""

    def __init__(self, name: str, told: object) -> None:
        if not isinstance(told, dict):
            raise ConfigInvalid(f"{name.rstrip('.') or 'a person'} is not an object")
        self._name: Final = name
        self._left: Final[dict[str, Any]] = dict(told)

    def take(self, key: str, kind: type, *, required: bool = True) -> Any:  # noqa: ANN401 -- JSON holds any kind
        value = self._left.pop(key, None)
        if value is None:
            if required:
                raise ConfigInvalid(f"{self._name}{key} is missing")
            return None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ConfigInvalid(f"{self._name}{key} is not a {kind.__name__}")
        return value

    def text(self, key: str, *, required: bool = False) -> str | None:
        value: str | None = self.take(key, str, required=required)
        if value is not None and not value.strip():
            raise ConfigInvalid(f"{self._name}{key} is empty")
        return value

    def code(self, key: str, kind: type[_Code], *, required: bool = False) -> _Code | None:
        value = self.text(key, required=required)
        try:
            return None if value is None else kind.of(value)
        except ValueError:
            raise ConfigInvalid(f"{self._name}{key} is no code of {kind.__name__}") from None

    def refuse_rest(self) -> None:
        if self._left:
            # A key may be anything, a BSN as well: how many is enough.
            raise ConfigInvalid(f"{self._name or 'a person '}has {len(self._left)} unknown keys")


def _bsn(person: _Keys) -> Bsn:
    try:
        return Bsn(person.text("bsn", required=True) or "")
    except BsnRefused as refused:
        raise ConfigInvalid(f"bsn: {refused}") from None


def _day(person: _Keys, key: str) -> date:
    try:
        return date.fromisoformat(person.text(key, required=True) or "")
    except ValueError:
        raise ConfigInvalid(f"{key} is no day as YYYY-MM-DD") from None


def _contact(person: _Keys, address: _Keys) -> Contact:
    country = address.text("country") or _DUTCH
    number: int = address.take("house_number", int)
    if not 0 < number <= HOUSE_NUMBER_MOST:
        raise ConfigInvalid("address.house_number is no house number")
    postcode = address.text("postcode", required=country == _DUTCH)
    if country == _DUTCH and _POSTCODE.fullmatch(postcode or "") is None:
        raise ConfigInvalid("address.postcode has not the shape 1234AB")
    contact = Contact(
        kind=address.code("kind", AddressKind) or AddressKind.REGISTERED,
        house_number=number,
        house_letter=address.text("house_letter"),
        house_addition=address.text("house_addition"),
        postcode=postcode,
        street=address.text("street"),
        place=address.text("town"),
        country=country,
        telephone=person.text("telephone"),
        email=person.text("email"),
    )
    address.refuse_rest()
    return contact
