"""A question as a signed SOAP message, and what is read from an answer.

Promises: the BSN stands in the signed body and nowhere else; an answer is read only after its signature was
verified, and only when it says, signed too, that it answers this very question, of this service, to us.
Source: SOAP 1.1 (document/literal, soapAction ""); WS-Addressing 1.0; SuwiML Transactiestandaard 4.0;
Digikoppeling WUS (OIN as a parameter of the addresses).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lxml import etree

from adapters.work_income.binding import judge, judge_fault, schema_of
from adapters.work_income.errors import AnswerRefused, FaultAnswered, MessageUnsafe, SignatureRefused
from adapters.work_income.wsse import SOAP_NS, sign, verify
from adapters.work_income.xml import Node, parse, read_node, write_node

if TYPE_CHECKING:
    from datetime import datetime

    from adapters.sdk.bsn import Bsn
    from adapters.work_income.services import Service
    from adapters.work_income.wsse import SigningIdentity, Trusted

WSA_NS: Final = "http://www.w3.org/2005/08/addressing"
ANONYMOUS: Final = f"{WSA_NS}/anonymous"
_FAULT: Final = f"{{{SOAP_NS}}}Fault"
_CODE_CHARACTERS_MAX: Final = 40


@dataclass(frozen=True, slots=True)
class Period:
    """Days asked for, as the standard writes them: yyyymmdd, both inclusive."""

    begin: str
    end: str


@dataclass(frozen=True, slots=True)
class Addressing:
    """Who asks whom, and under which id."""

    message_id: str
    endpoint: str
    own_oin: str
    other_oin: str


def question(service: Service, bsn: Bsn, period: Period | None = None) -> Node:
    """Return the body of a question."""
    asked = [Node("Burgerservicenr", bsn.reveal())]
    if period is not None:
        days = (Node("DatBPeriode", period.begin), Node("DatEPeriode", period.end))
        asked.append(Node("PeriodeGegevensvraagIko", children=days))
    return Node(service.question, children=tuple(asked))


def with_oin(address: str, oin: str) -> str:
    """Return an address that says of which organisation it is."""
    return f"{address}?oin={oin}"


def compose(
    service: Service, body: Node, about: Addressing, identity: SigningIdentity, now: datetime
) -> bytes:
    """Return the bytes of a signed question. Raises AnswerRefused where the body breaks the schema."""
    judge(body, schema_of(service, "question"))
    headers = {
        "To": with_oin(about.endpoint, about.other_oin),
        "Action": service.action,
        "MessageID": about.message_id,
        "From": with_oin(ANONYMOUS, about.own_oin),
    }
    return envelope(headers, body, service.namespace, identity, now)


def envelope(
    headers: dict[str, str], body: Node, namespace: str, identity: SigningIdentity, now: datetime
) -> bytes:
    """Return a whole signed message; also the simulator's way to write one."""
    root = etree.Element(f"{{{SOAP_NS}}}Envelope", nsmap={"soap": SOAP_NS, "wsa": WSA_NS})
    header = etree.SubElement(root, f"{{{SOAP_NS}}}Header")
    for name, value in headers.items():
        made = etree.SubElement(header, f"{{{WSA_NS}}}{name}")
        if name == "From":
            made = etree.SubElement(made, f"{{{WSA_NS}}}Address")
        made.text = value
    outer = etree.SubElement(root, f"{{{SOAP_NS}}}Body")
    first = etree.SubElement(outer, f"{{{namespace}}}{body.name}", nsmap={"smls": namespace})
    for child in body.children:
        write_node(first, child)
    sign(root, identity, now)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def read_answer(data: bytes, service: Service, about: Addressing, trusted: Trusted, now: datetime) -> Node:
    """Return the root of an answer's body.

    Raises MessageUnsafe, SignatureRefused, AnswerRefused, and FaultAnswered for a fault that is well signed.
    """
    root = parse(data)
    verify(root, trusted, now)
    header, outer = root
    if len(outer) != 1:
        raise AnswerRefused("exactly one element", "Body")
    told = {
        etree.QName(one).localname: (one.findtext(f"{{{WSA_NS}}}Address") if len(one) else one.text) or ""
        for one in header
        if etree.QName(one).namespace == WSA_NS
    }
    content = outer[0]
    is_fault = content.tag == _FAULT
    expected = {
        "RelatesTo": about.message_id,
        "Action": service.fault_action if is_fault else f"{service.action}Response",
        "To": with_oin(ANONYMOUS, about.own_oin),
    }
    for name, value in expected.items():
        if told.get(name) != value:
            raise SignatureRefused("answers this question", f"Header/{name}")
    if is_fault:
        raise FaultAnswered(_fault_code(content))
    if content.tag != f"{{{service.namespace}}}{service.answer}":
        raise AnswerRefused("root", "Body")
    answer = read_node(content)
    judge(answer, schema_of(service, "answer"))
    return answer


def is_envelope(data: bytes) -> bool:
    """Tell whether these bytes are a SOAP message at all, of whomever."""
    try:
        return parse(data).tag == f"{{{SOAP_NS}}}Envelope"
    except MessageUnsafe:
        return False


def _fault_code(fault: etree._Element) -> str:
    """Return the code of a fault: that of FWI where it has one, else the soap one; plain words only."""
    detail = fault.find("detail")
    if detail is not None and len(detail) == 1:
        told = read_node(detail[0])
        judge_fault(told)
        return plain_code(told.value("Code"))
    return plain_code((fault.findtext("faultcode") or "").rpartition(":")[2])


def plain_code(text: str) -> str:
    """Return a code as it may stand in a log: letters, digits and a few signs, nine digits never."""
    fits = 0 < len(text) <= _CODE_CHARACTERS_MAX and text.isascii()
    kept = all(one.isalnum() or one in "-_." for one in text)
    return text if fits and kept and sum(map(str.isdigit, text)) < len("123456789") else "UNREADABLE"
