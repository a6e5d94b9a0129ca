"""What the sources know of made-up residents, as the bodies of answers.

Promises: every body fits the official schema; no number here is anybody's. Source: SuwiML, the four services.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lxml import etree

if TYPE_CHECKING:
    from collections.abc import Iterable

SERVICES: Final = {
    "UWVWbDossierPersoonGSD": ("v0200", "UwvWbPersoonsInfo"),
    "GSDDossierReintegratie": ("v0200", "GSDReintegratieInfo"),
    "Bijstandsregelingen": ("v0500", "BijstandsregelingenInfo"),
    "UWVDossierInkomstenGSD": ("v0200", "UWVPersoonsIkvInfo"),
}
FWI: Final = "http://bkwi.nl/SuwiML/FWI/v0205"
# An element is its name with a text, or with elements, in order.
Told = tuple[str, "str | Iterable[Told]"]

UWV: Final[Told] = ("Bron", [("CdKolomSuwi", "1"), ("CdPartijSuwi", "0002")])
GSD: Final[Told] = (
    "Bron",
    [("CdKolomSuwi", "2"), ("CdPartijSuwi", "0003"), ("CdVestigingSuwi", "0363")],
)


def _cents(name: str, value: str) -> Told:
    return (
        name,
        [
            ("CdMunteenheid", "EUR"),
            ("CdPositiefNegatief", "+"),
            ("WaardeBedr", value),
            ("CdPeriodeEenheidGeldigheidBedr", "05"),
        ],
    )


_BOTTLENECK: Final[Told] = (
    "KnelpuntKlantsituatie",
    [
        ("CdTypeKnelpuntKlant", "3"),
        ("DatBKnelpuntKlant", "20260300"),
        ("OmsKnelpuntKlant", "Geen vervoer naar werk buiten de gemeente"),
        (
            "OplossingKnelpuntKlantsituatie",
            [
                ("CdActorOplossingKnelpuntKlant", "1"),
                ("CdStatusOplossingKnelpuntKlant", "2"),
                ("DatOplossingKnelpuntKlant", "20260415"),
                ("OmsOplossingKnelpuntKlant", "Fietsregeling aanvragen"),
            ],
        ),
    ],
)
ANSWERS: Final[dict[str, list[Told]]] = {
    "UWVWbDossierPersoonGSD": [
        UWV,
        (
            "AtlRelatie",
            [
                ("DatBAtlRelatie", "20250901"),
                (
                    "DienstverleningUwvWb",
                    [("ReferentienrDvlUwvWb", "00000004711"), ("DatBDvlUwvWb", "20260301"), _BOTTLENECK],
                ),
            ],
        ),
    ],
    "GSDDossierReintegratie": [
        (
            "AtlRelatie",
            [
                (
                    "ReIntegratievoorziening",
                    [
                        ("RegistratienrRvGsd", "RV-2026-17"),
                        ("DatBRv", "20260201"),
                        ("DatERv", "20261200"),
                        ("CdTypeRvGsd", "07"),
                        ("OmsRv", "Werkervaringsplaats groenvoorziening"),
                    ],
                ),
                GSD,
            ],
        ),
    ],
    "Bijstandsregelingen": [
        (
            "Uitkeringsverhouding",
            [
                ("DatBUitkeringsverhouding", "20250701"),
                ("SzWet", [("CdSzWet", "PW")]),
                (
                    "Uitkeringsperiode",
                    [
                        ("DatBUitkeringsperiode", "20260101"),
                        (
                            "InkomstenBijstandUitkering",
                            [_cents("BedrBetaalbaarGesteldeUitkering", "134500")],
                        ),
                    ],
                ),
                GSD,
            ],
        ),
    ],
    "UWVDossierInkomstenGSD": [
        (
            "Inkomstenverhouding",
            [
                ("VolgnrIkv", "1"),
                ("DatBIkv", "20260105"),
                (
                    "AdministratieveEenheid",
                    [
                        ("NaamAdministratieveEenheid", "Uitzendbureau De Brug"),
                        ("Loonheffingennr", "800000012L01"),
                        (
                            "RechtspersoonAdministratieveEenh",
                            [("FiNr", "800000012"), ("NaamRechtspersoon", "De Brug BV")],
                        ),
                    ],
                ),
                ("Inkomstenperiode", [("DatBIkp", "20260105"), ("CdSrtIkv", "15")]),
                (
                    "Inkomstenopgave",
                    [
                        ("DatBIko", "20260901"),
                        ("DatEIko", "20260930"),
                        ("AantVerloondeUrenIko", "40"),
                        _cents("BedrBrutoloonSv", "62500"),
                    ],
                ),
            ],
        ),
    ],
}
# What UWV's income service does not say: where a fact is from is the service itself there.


def body(service: str, children: Iterable[Told]) -> etree._Element:
    """Return the root of an answer's body."""
    root = empty(service)
    for child in children:
        _write(root, child)
    return root


def answer(service: str, bsn: str, known: Iterable[Told]) -> etree._Element:
    """Return what a source knows of a resident."""
    number: Told = ("Burgerservicenr", bsn)
    return body(service, [("ClientSuwi", [number, *known])])


def nothing(service: str) -> etree._Element:
    """Return the answer that nothing was found."""
    root = empty(service)
    etree.SubElement(root, f"{{{FWI}}}NietsGevonden")
    return root


def fault(code: str) -> etree._Element:
    """Return a fault of FWI."""
    root = etree.Element(f"{{{FWI}}}Fout", nsmap={"fwi": FWI})
    _write_notice(root, code)
    return root


def faulty(service: str, code: str) -> etree._Element:
    """Return an answer that holds a fault of FWI and nothing else."""
    root = empty(service)
    notices = etree.SubElement(root, f"{{{FWI}}}FWI")
    _write_notice(etree.SubElement(notices, "Fout"), code)
    return root


def partly(service: str, bsn: str, known: Iterable[Told], code: str) -> etree._Element:
    """Return what a source knows, with a warning that it may not be all."""
    root = answer(service, bsn, known)
    notices = etree.SubElement(root, f"{{{FWI}}}FWI")
    _write_notice(etree.SubElement(notices, "Waarschuwing"), code)
    return root


def empty(service: str) -> etree._Element:
    """Return the root of an answer without anything in it: no schema allows that."""
    version, operation = SERVICES[service]
    namespace = f"http://bkwi.nl/SuwiML/Diensten/{service}/{version}"
    return etree.Element(f"{{{namespace}}}{operation}Response", nsmap={"smls": namespace, "fwi": FWI})


def _write_notice(parent: etree._Element, code: str) -> None:
    notice: list[Told] = [
        ("Code", code),
        ("Tekst", "De bron is niet beschikbaar"),
        ("Bron", [("DN", "CN=proeftuin")]),
    ]
    for one in notice:
        _write(parent, one)


def _write(parent: etree._Element, told: Told) -> None:
    name, content = told
    made = etree.SubElement(parent, name)
    if isinstance(content, str):
        made.text = content
    else:
        for child in content:
            _write(made, child)
