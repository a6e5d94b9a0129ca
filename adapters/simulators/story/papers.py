"""The messages a care provider's own system makes, and what it reads of the answers: 315, 323, 301, 325.

Promises: made for the story's residents only; what is read is read from files of our own folders.
Source: iWmo 3.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date
    from pathlib import Path

_ROOT: Final = "http://www.istandaarden.nl/iwmo/3_2"
_BASIS: Final = f"{_ROOT}/basisschema/schema"
_CODES: Final = {"315": "444", "323": "484"}
_BY_HERSELF: Final = "06"  # nobody sent her (COD327)
# An element is its name with a text, or with elements; a name that begins with a dot is of the basic schema.
Told = tuple[str, "str | Iterable[Told]"]


@dataclass(frozen=True, slots=True)
class Post:
    """Between whom a message goes, what identifies it, and its day."""

    sender: str
    receiver: str
    identification: str
    dated: date


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was delivered in a month under an assignment: whole hours, at so many cents each."""

    assignment: str
    product: tuple[str, str]
    first: date
    last: date
    hours: int
    cents_an_hour: int

    @property
    def cents(self) -> int:
        """Return what it costs."""
        return self.hours * self.cents_an_hour


def declaration(post: Post, bsn: str, line: Delivered) -> bytes:
    """Return a 323 of one line."""
    period: Told = ("DeclaratiePeriode", _span(line.first, line.last))
    category, code = line.product
    delivered: list[Told] = [
        ("ProductReferentie", [(".ReferentieNummer", f"R-{post.identification}")]),
        ("ToewijzingNummer", line.assignment),
        ("ProductCategorie", category),
        ("ProductCode", code),
        ("ProductPeriode", _span(line.first, line.last)),
        ("GeleverdVolume", str(line.hours)),
        ("Eenheid", "04"),
        ("ProductTarief", str(line.cents_an_hour)),
        ("IngediendBedrag", [(".Bedrag", str(line.cents)), (".DebetCredit", "D")]),
    ]
    told: list[Told] = [
        ("DeclaratieNummer", post.identification),
        period,
        ("DeclaratieDagtekening", post.dated.isoformat()),
        ("TotaalIngediendBedrag", [(".TotaalBedrag", str(line.cents)), (".DebetCredit", "D")]),
        ("Clienten", [("Client", [("Bsn", bsn), ("Prestaties", [("Prestatie", delivered)])])]),
    ]
    return _written("323", post, ("Declaratie", told))


def request(post: Post, bsn: str, person: Person, wanted: Wanted) -> bytes:
    """Return a 315 that asks for one product."""
    category, code = wanted.product
    asked: list[Told] = [
        ("ReferentieAanbieder", f"V-{post.identification}"),
        ("Product", [(".Categorie", category), (".Code", code)]),
        ("ToewijzingIngangsdatum", wanted.first.isoformat()),
        ("ToewijzingEinddatum", wanted.last.isoformat()),
        ("Omvang", [(".Volume", str(wanted.hours_a_week)), (".Eenheid", "04"), (".Frequentie", "2")]),
        ("Verwijzer", [(".Type", _BY_HERSELF)]),
        ("Raamcontract", "1"),
    ]
    told: list[Told] = [
        ("Bsn", bsn),
        ("Geboortedatum", [(".Datum", person.birth_date)]),
        ("Geslacht", person.gender),
        ("Naam", [(".Geslachtsnaam", [(".Achternaam", person.surname)]), (".Voorletters", person.initials)]),
        ("AangevraagdeProducten", [("AangevraagdProduct", asked)]),
    ]
    return _written("315", post, ("Client", told))


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a request is about, as the provider's own file has it."""

    birth_date: str
    gender: str
    surname: str
    initials: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: hours a week of a product, over a span."""

    product: tuple[str, str]
    first: date
    last: date
    hours_a_week: int


def assignment_of(folder: Path, bsn: str) -> str:
    """Return the number under which a 301 of a folder assigned support to a resident, else empty."""
    for file in folder.glob("WMO301*.xml"):
        root = etree.parse(file).getroot()
        if _texts(root, "Bsn") == [bsn]:
            return _texts(root, "ToewijzingNummer")[0]
    return ""


def granted_cents(folder: Path) -> int | None:
    """Return what the one 325 of a folder grants; None while there is none."""
    for file in folder.glob("WMO325*.xml"):
        (granted,) = etree.parse(file).getroot().iter("{*}TotaalToegekendBedrag")
        return int(_texts(granted, "TotaalBedrag")[0])
    return None


def _texts(node: etree._Element, name: str) -> list[str]:
    return [one.text or "" for one in node.iter(f"{{*}}{name}")]


def _span(first: date, last: date) -> list[Told]:
    return [(".Begindatum", first.isoformat()), (".Einddatum", last.isoformat())]


def _written(number: str, post: Post, body: Told) -> bytes:
    namespace = f"{_ROOT}/wmo{number}/schema"
    root = etree.Element(f"{{{namespace}}}Bericht", nsmap={"iwmo": _BASIS, f"wmo{number}": namespace})
    head: list[Told] = [
        ("BerichtCode", _CODES[number]),
        ("BerichtVersie", "3"),
        ("BerichtSubversie", "2"),
        ("Afzender", post.sender),
        ("Ontvanger", post.receiver),
        (
            "BerichtIdentificatie",
            [(".Identificatie", post.identification), (".Dagtekening", post.dated.isoformat())],
        ),
        ("XsdVersie", [(".BasisschemaXsdVersie", "1.0.0"), (".BerichtXsdVersie", "1.0.0")]),
    ]
    for told in (("Header", head), body):
        _write(root, namespace, told)
    written: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8")
    return written


def _write(parent: etree._Element, namespace: str, told: Told) -> None:
    name, content = told
    own = _BASIS if name.startswith(".") else namespace
    made = etree.SubElement(parent, f"{{{own}}}{name.lstrip('.')}")
    if isinstance(content, str):
        made.text = content
        return
    for child in content:
        _write(made, namespace, child)
