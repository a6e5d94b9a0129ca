"""The GGk envelope as it goes out, its confirmation and its faults; pure.

Promises: what is written here, `stuf.py` reads; the same letter and message give the same bytes.
Source: GGk koppelvlak 2.1.04 (ggk0210: Di01, Du01), StUF 03.01 (Bv03, Fo01, Fo03), SOAP 1.1.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from xml.sax.saxutils import escape

from adapters.provider.errors import StufCode
from adapters.provider.stuf import FUNCTION_VERSION, GGK, PIECE_BYTES, ROOTS, SOAP, STUF, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

# A first release of this adapter, in four digits each.
APPLICATION_VERSION: Final = ("0001", "0000")


@dataclass(frozen=True, slots=True)
class Letter:
    """What is written on an envelope, a confirmation or a fault."""

    kind: Kind
    sender: str
    sender_application: str
    receiver: str
    receiver_application: str
    reference: str
    told_at: str
    cross_reference: str = ""
    function: str = ""
    code: str = ""


def write_envelope(letter: Letter, content: bytes, *, soap: bool = False) -> Iterator[bytes]:
    """Give a message in its envelope by pieces; their number and sizes follow from `content` alone."""
    root = next(name for (_, name), kind in ROOTS.items() if kind is letter.kind)
    versions = zip(
        ("applicatieVersie", "applicatieSubversie", "functieVersie", "functieSubversie"),
        (*APPLICATION_VERSION, *FUNCTION_VERSION),
        strict=True,
    )
    parameters = "".join(f"<GGK:{name}>{value}</GGK:{name}>" for name, value in versions)
    head = (
        f'<GGK:{root} xmlns:StUF="{STUF}" xmlns:GGK="{GGK}"><GGK:stuurgegevens>{_steering(letter)}'
        f"</GGK:stuurgegevens><GGK:parameters>{parameters}<GGK:bericht><GGK:xmlBestand>"
    )
    before, after = _around(soap=soap)
    yield f"{before}{head}".encode()
    for start in range(0, len(content), PIECE_BYTES):
        yield base64.b64encode(content[start : start + PIECE_BYTES])
    yield f"</GGK:xmlBestand></GGK:bericht></GGK:parameters></GGK:{root}>{after}".encode()


def write_told(letter: Letter, *, soap: bool = False) -> bytes:
    """Return a Bv03, Fo01 or Fo03."""
    body = ""
    if letter.code:
        text = StufCode(letter.code).text
        body = (
            f"<StUF:body><StUF:code>{letter.code}</StUF:code><StUF:plek>client</StUF:plek>"
            f"<StUF:omschrijving>{escape(text)}</StUF:omschrijving></StUF:body>"
        )
    name = f"{letter.kind.value}Bericht"
    told = (
        f'<StUF:{name} xmlns:StUF="{STUF}"><StUF:stuurgegevens>{_steering(letter)}</StUF:stuurgegevens>'
        f"{body}</StUF:{name}>"
    )
    if soap and letter.kind is Kind.REFUSED:
        told = (
            "<SOAP:Fault><faultcode>SOAP:Client</faultcode><faultstring>Proces voor afhandelen bericht "
            f"geeft fout</faultstring><detail>{told}</detail></SOAP:Fault>"
        )
    before, after = _around(soap=soap)
    return f"{before}{told}{after}".encode()


def _steering(letter: Letter) -> str:
    def system(name: str, organisation: str, application: str) -> str:
        return (
            f"<StUF:{name}><StUF:organisatie>{escape(organisation)}</StUF:organisatie>"
            f"<StUF:applicatie>{escape(application)}</StUF:applicatie></StUF:{name}>"
        )

    # A fault or confirmation of what could not be read names no letter: the element is empty then.
    crossed = letter.kind is not Kind.OUTWARD
    cross = f"<StUF:crossRefnummer>{letter.cross_reference}</StUF:crossRefnummer>" if crossed else ""
    function = f"<StUF:functie>{letter.function}</StUF:functie>" if letter.function else ""
    return (
        f"<StUF:berichtcode>{letter.kind.value}</StUF:berichtcode>"
        f"{system('zender', letter.sender, letter.sender_application)}"
        f"{system('ontvanger', letter.receiver, letter.receiver_application)}"
        f"<StUF:referentienummer>{letter.reference}</StUF:referentienummer>"
        f"<StUF:tijdstipBericht>{letter.told_at}</StUF:tijdstipBericht>{cross}{function}"
    )


def _around(*, soap: bool) -> tuple[str, str]:
    declared = '<?xml version="1.0" encoding="UTF-8"?>'
    if not soap:
        return declared, ""
    return f'{declared}<SOAP:Envelope xmlns:SOAP="{SOAP}"><SOAP:Body>', "</SOAP:Body></SOAP:Envelope>"
