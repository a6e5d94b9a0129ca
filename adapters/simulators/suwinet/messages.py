"""How the simulator reads and writes SOAP: a second hand, which shares no line with the adapter.

Promises: a question is answered only when it is signed by the organisation that its `From` names, with a
certificate of the authority, over body, headers and moment, and when its message id is new; an answer is
signed the same way. Source: SOAP 1.1; WS-Security 1.0; WS-Addressing 1.0; Digikoppeling WUS 2W-be-S.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

if TYPE_CHECKING:
    from adapters.simulators.suwinet.papers import Paper

SOAP: Final = "http://schemas.xmlsoap.org/soap/envelope/"
WSA: Final = "http://www.w3.org/2005/08/addressing"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
_OASIS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE: Final = _OASIS + "wssecurity-secext-1.0.xsd"
WSU: Final = _OASIS + "wssecurity-utility-1.0.xsd"
_X509: Final = _OASIS + "x509-token-profile-1.0#X509v3"
_BASE64: Final = _OASIS + "soap-message-security-1.0#Base64Binary"
_NS: Final = {"soap": SOAP, "wsa": WSA, "ds": DS, "wsse": WSSE, "wsu": WSU}
_ID: Final = f"{{{WSU}}}Id"
_FRESH: Final = timedelta(minutes=5)


class QuestionRefused(Exception):
    """A question that is not answered, and by which rule."""


@dataclass(frozen=True, slots=True)
class Question:
    """What came in. `bsn` is whom it is about."""

    message_id: str
    action: str
    asker: str
    bsn: str = field(repr=False)


def read_question(data: bytes, authority: x509.Certificate, now: datetime) -> Question:
    """Return a question that proves whose it is. Raises QuestionRefused."""
    try:
        root = etree.fromstring(data, etree.XMLParser(resolve_entities=False, no_network=True))
        certificate = _verified(root, authority, now)
    except (etree.LxmlError, SignXMLException, InvalidSignature, ValueError, TypeError) as refused:
        raise QuestionRefused(type(refused).__name__) from None
    asker = _text(root, "soap:Header/wsa:From/wsa:Address").partition("?oin=")[2]
    serials = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    if [one.value for one in serials] != [asker]:
        raise QuestionRefused("another OIN than the certificate's")
    return Question(
        message_id=_text(root, "soap:Header/wsa:MessageID"),
        action=_text(root, "soap:Header/wsa:Action"),
        asker=asker,
        bsn=_text(root, "soap:Body/*/Burgerservicenr"),
    )


def _verified(root: etree._Element, authority: x509.Certificate, now: datetime) -> x509.Certificate:
    token = _text(root, "soap:Header/wsse:Security/wsse:BinarySecurityToken")
    certificate = x509.load_der_x509_certificate(b64decode(token))
    certificate.verify_directly_issued_by(authority)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise QuestionRefused("certificate does not hold now")
    created = datetime.fromisoformat(_text(root, "soap:Header/wsse:Security/wsu:Timestamp/wsu:Created"))
    if abs(now - created) > _FRESH:
        raise QuestionRefused("not made now")
    config = SignatureConfiguration(
        location=f"./{{{SOAP}}}Header/{{{WSSE}}}Security/", expect_references=True, verification_time=now
    )
    found = XMLVerifier().verify(root, x509_cert=certificate, id_attribute="Id", expect_config=config)
    results = found if isinstance(found, list) else [found]
    signed = {one.signed_xml.tag for one in results if one.signed_xml is not None}
    headers = {one.tag for one in root.iterfind("soap:Header/*", _NS)} - {f"{{{WSSE}}}Security"}
    if not headers | {f"{{{SOAP}}}Body", f"{{{WSU}}}Timestamp"} <= signed:
        raise QuestionRefused("not everything is signed")
    return certificate


def _text(root: etree._Element, path: str) -> str:
    found = root.findall(path, _NS)
    if len(found) != 1 or not found[0].text:
        raise QuestionRefused(f"not one {path}")
    return found[0].text


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says around its body."""

    action: str
    relates_to: str
    asker: str
    replier: str


def written(reply: Reply, body: etree._Element, paper: Paper, now: datetime) -> bytes:
    """Return a signed answer."""
    root = _made(None, SOAP, "Envelope")
    header, outer = _made(root, SOAP, "Header"), _made(root, SOAP, "Body", id="body")
    outer.append(body)
    security = _made(header, WSSE, "Security")
    certificate = b64encode(paper.certificate.public_bytes(Encoding.DER)).decode("ascii")
    token = _made(security, WSSE, "BinarySecurityToken", certificate, id="x509")
    token.set("EncodingType", _BASE64)
    token.set("ValueType", _X509)
    moment = _made(security, WSU, "Timestamp", id="timestamp")
    _made(moment, WSU, "Created", _moment(now))
    _made(moment, WSU, "Expires", _moment(now + _FRESH))
    _made(header, WSA, "To", f"{WSA}/anonymous?oin={reply.asker}", id="to")
    _made(header, WSA, "Action", reply.action, id="action")
    _made(header, WSA, "RelatesTo", reply.relates_to, id="relates")
    sender = _made(header, WSA, "From", id="from")
    _made(sender, WSA, "Address", f"{WSA}/anonymous?oin={reply.replier}")
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        c14n_algorithm=CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0,
    )
    key_info = _made(None, DS, "KeyInfo")
    reference = _made(_made(key_info, WSSE, "SecurityTokenReference"), WSSE, "Reference")
    reference.set("URI", "#x509")
    reference.set("ValueType", _X509)
    signature = signer.sign(
        root,
        key=paper.key,
        reference_uri=["#x509", "#timestamp", "#body", "#to", "#action", "#relates", "#from"],
        key_info=key_info,
        id_attribute="Id",
    )
    security.append(signature)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")


def _made(
    parent: etree._Element | None,
    namespace: str,
    name: str,
    text: str = "",
    *,
    id: str = "",  # noqa: A002 -- what the attribute is called
) -> etree._Element:
    made = etree.Element(f"{{{namespace}}}{name}", nsmap=_NS if parent is None else None)
    if text:
        made.text = text
    if id:
        made.set(_ID, id)
    if parent is not None:
        parent.append(made)
    return made


def _moment(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
