"""An envelope as the node reads it, and what it answers: nothing of what is carried is looked at.

Promises: refused with the codes of the node itself (IB001 to IB007, IB010, IB016); no DTD, no entity, no
network. Source: GGk koppelvlak 2.1.04; list of fault codes of the traffic.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

GGK: Final = "{http://www.stufstandaarden.nl/koppelvlak/ggk0210}"
STUF: Final = "{http://www.egem.nl/StUF/StUF0301}"
SOAP: Final = "{http://schemas.xmlsoap.org/soap/envelope/}"
BYTES_MAX: Final = 36 * 1024 * 1024
CODES: Final = {
    f"{GGK}envelopHeenbericht-ggk_Di01": "Di01",
    f"{GGK}envelopRetourbericht-ggk_Du01": "Du01",
    f"{STUF}Fo01Bericht": "Fo01",
}
OUTWARD: Final = frozenset({"301", "305", "307", "315", "317", "319", "323"})
RETURN: Final = frozenset({"302", "306", "308", "316", "318", "320", "325"})
# What is said to whoever sent it; the codes say more.
_TEXT: Final = "Het knooppunt neemt dit bericht niet aan."


class Refused(Exception):
    """The node does not take it; the argument is its code."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What stands on an envelope, and its bytes as they came."""

    code: str
    sender: str
    receiver: str
    reference: str
    cross_reference: str
    function: str
    raw: bytes


def read(raw: bytes) -> Envelope:
    """Read what came. Raises Refused."""
    if len(raw) > BYTES_MAX:
        raise Refused("IB003")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError:
        raise Refused("IB001") from None
    if root.tag == f"{SOAP}Envelope":
        body = root.find(f"{SOAP}Body")
        if body is None or not len(body):
            raise Refused("IB001")
        root = body[0]
    code = CODES.get(str(root.tag))
    steering = next((one for one in root if str(one.tag).endswith("}stuurgegevens")), None)
    if code is None or steering is None or steering.findtext(f"{STUF}berichtcode") != code:
        raise Refused("IB001")

    def text(path: str) -> str:
        return steering.findtext("/".join(f"{STUF}{step}" for step in path.split("/"))) or ""

    made = Envelope(
        code,
        text("zender/organisatie"),
        text("ontvanger/organisatie"),
        text("referentienummer"),
        text("crossRefnummer"),
        text("functie"),
        raw,
    )
    if not made.reference or (code != "Fo01" and root.find(f".//{GGK}xmlBestand") is None):
        raise Refused("IB001")
    if code != "Fo01":
        _require_function(made)
    return made


def _require_function(made: Envelope) -> None:
    law, number = made.function[:-3], made.function[-3:]
    if law not in ("WMO", "JW") or number not in OUTWARD | RETURN:
        raise Refused("IB004")
    if (number in RETURN) is not (made.code == "Du01"):
        raise Refused("IB006")


def confirmation(sender: str, receiver: str, reference: str) -> bytes:
    """Return a Bv03 in SOAP."""
    return _soap(_told("Bv03", sender, receiver, reference))


def refusal(sender: str, receiver: str, reference: str, code: str) -> bytes:
    """Return a Fo03 in a SOAP fault."""
    fault = _told("Fo03", sender, receiver, reference, code)
    return _soap(
        f"<s:Fault><faultcode>s:Client</faultcode><faultstring>{_TEXT}</faultstring>"
        f"<detail>{fault}</detail></s:Fault>"
    )


def fault(sender: str, receiver: str, reference: str, code: str) -> bytes:
    """Return a Fo01 in SOAP: told later, of its own."""
    return _soap(_told("Fo01", sender, receiver, reference, code))


def _told(kind: str, sender: str, receiver: str, about: str, code: str = "") -> str:
    now = datetime.now(UTC).strftime("%Y%m%d%H%M%S")
    body = (
        f"<b:body><b:code>{code}</b:code><b:plek>client</b:plek><b:omschrijving>{_TEXT}</b:omschrijving>"
        "</b:body>"
        if code
        else ""
    )
    return (
        f'<b:{kind}Bericht xmlns:b="{STUF[1:-1]}"><b:stuurgegevens><b:berichtcode>{kind}</b:berichtcode>'
        f"<b:zender><b:organisatie>{sender}</b:organisatie><b:applicatie>GGk</b:applicatie></b:zender>"
        f"<b:ontvanger><b:organisatie>{receiver}</b:organisatie><b:applicatie>GGk</b:applicatie>"
        f"</b:ontvanger><b:referentienummer>{uuid.uuid4()}</b:referentienummer>"
        f"<b:tijdstipBericht>{now}</b:tijdstipBericht><b:crossRefnummer>{about}</b:crossRefnummer>"
        f"</b:stuurgegevens>{body}</b:{kind}Bericht>"
    )


def _soap(inner: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{SOAP[1:-1]}"><s:Body>{inner}</s:Body>'
        "</s:Envelope>"
    ).encode()
