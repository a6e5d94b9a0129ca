"""What the BRP answers, read: pure. Dates that are not whole, authority over a child, secrecy.

Promises: a date that is not whole is taken as late as it can be, so that nobody is thought older, and freer
to decide alone, than he is; a number, a birth date, curatele or authority that is under investigation, and
authority of somebody without a BSN or of a kind not known here, are left to a person, never guessed.
Source: BRP Personen 2.7.0 (AbstractDatum, Gezagsrelatie, GeheimhoudingPersoonsgegevens); BW 1:233, 1:253aa.
"""

from __future__ import annotations

import calendar
from datetime import date
from typing import Any, Final

from adapters.municipal.errors import ForAPerson, PersonUnreadable
from adapters.municipal.records import Holder, Resident
from adapters.sdk.bsn import Bsn, BsnRefused

TYPE: Final = "RaadpleegMetBurgerservicenummer"
# What is given always, such as the secrecy flag, may not be asked for.
RESIDENT_FIELDS: Final = ("geboorte.datum", "indicatieCurateleRegister")
AUTHORITY_FIELDS: Final = ("gezag",)
OF_AGE_YEARS: Final = 18
_DECEASED: Final = "O"
_VOID: Final = ("F", "W")  # kept by mistake; wiped
# What everything here rests on, with the group that says of it that it is under investigation.
_IN_DOUBT: Final = (
    (None, "burgerservicenummer", "number_under_investigation"),
    (None, "indicatieCurateleRegister", "curatele_under_investigation"),
    ("geboorte", "datum", "birth_date_under_investigation"),
)
_DECEMBER: Final = 12


def question(bsn: Bsn, fields: tuple[str, ...]) -> dict[str, object]:
    """Return the body of a question about one person."""
    return {"type": TYPE, "burgerservicenummer": [bsn.reveal()], "fields": list(fields)}


def only_person(answer: object) -> dict[str, Any]:
    """Return the one person of an answer. Raises ForAPerson for an unknown BSN."""
    if not isinstance(answer, dict) or answer.get("type") != TYPE:
        raise PersonUnreadable("type")
    found = answer.get("personen", [])
    if not isinstance(found, list) or any(not isinstance(one, dict) for one in found):
        raise PersonUnreadable("personen")
    if len(found) != 1:
        raise ForAPerson("person_not_in_brp" if not found else "person_twice_in_brp")
    person: dict[str, Any] = found[0]
    return person


def read_resident(answer: object, today: date) -> Resident:
    """Return what is needed to register a resident. Raises ForAPerson, PersonUnreadable."""
    person = only_person(answer)
    reason = _part(_part(person, "opschortingBijhouding"), "reden").get("code")
    if reason == _DECEASED:
        raise ForAPerson("person_deceased")
    if reason in _VOID:
        raise ForAPerson("person_record_void")
    for of, name, why in _IN_DOUBT:
        told = person if of is None else _part(person, of)
        if _part(told, "inOnderzoek").get(name) is True:
            raise ForAPerson(why)
    born = latest_day(_part(person, "geboorte").get("datum"))
    born = min(born, today)
    return Resident(
        born=born,
        minor=years_between(born, today) < OF_AGE_YEARS,
        in_curatele=person.get("indicatieCurateleRegister") is True,
        secret=person.get("geheimhoudingPersoonsgegevens") is True,
    )


def latest_day(told: object) -> date:
    """Return the last day a date of the BRP can mean. Raises ForAPerson for one that is not known at all."""
    if not isinstance(told, dict):
        raise ForAPerson("birth_date_unknown")
    kind = told.get("type")
    try:
        if kind == "Datum":
            return date.fromisoformat(told["datum"])
        if kind == "JaarMaandDatum":
            return _end_of_month(told["jaar"], told["maand"])
        if kind == "JaarDatum":
            return _end_of_month(told["jaar"], _DECEMBER)
    except (KeyError, TypeError, ValueError, OverflowError):
        raise PersonUnreadable("geboorte.datum") from None
    if kind == "DatumOnbekend":
        raise ForAPerson("birth_date_unknown")
    raise PersonUnreadable("geboorte.datum.type")


def _end_of_month(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def years_between(born: date, today: date) -> int:
    """Return the age in whole years; who was born on 29 February has his birthday on 1 March."""
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def read_authority(answer: object) -> tuple[Holder, ...]:
    """Return who has authority over a child. Raises ForAPerson where that is not plain, PersonUnreadable."""
    told = only_person(answer).get("gezag")
    if not isinstance(told, list) or any(not isinstance(one, dict) for one in told):
        raise ForAPerson("authority_not_told")
    if len(told) != 1:
        raise ForAPerson("authority_not_plain")
    relation: dict[str, Any] = told[0]
    if relation.get("inOnderzoek") is True:
        raise ForAPerson("authority_under_investigation")
    return _holders(relation)


def _holders(relation: dict[str, Any]) -> tuple[Holder, ...]:
    match relation.get("type"):
        case "GezamenlijkOuderlijkGezag":
            return tuple(_parent(one, "GEZAMENLIJK_OUDERLIJK") for one in _parts(relation, "ouders"))
        case "EenhoofdigOuderlijkGezag":
            return (_parent(_part(relation, "ouder"), "EENHOOFDIG_OUDERLIJK"),)
        case "GezamenlijkGezag":
            other = _part(relation, "derde")
            return (
                _parent(_part(relation, "ouder"), "GEZAMENLIJK"),
                Holder(_bsn(other), "GUARDIAN", "GEZAMENLIJK"),
            )
        case "Voogdij":
            found = tuple(Holder(_bsn(one), "GUARDIAN", "VOOGDIJ") for one in _parts(relation, "derden"))
            if not found:
                raise ForAPerson("guardian_not_told")
            return found
        case "TijdelijkGeenGezag" | "GezagNietTeBepalen":
            raise ForAPerson("authority_with_nobody")
        case _:
            raise PersonUnreadable("gezag.type")


def _parent(told: dict[str, Any], gezag: str) -> Holder:
    return Holder(_bsn(told), "PARENT", gezag)


def _bsn(told: dict[str, Any]) -> Bsn:
    try:
        return Bsn(str(told["burgerservicenummer"]))
    except (KeyError, BsnRefused):
        raise ForAPerson("holder_without_bsn") from None


def _part(told: dict[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name)
    return found if isinstance(found, dict) else {}


def _parts(told: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = told.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
