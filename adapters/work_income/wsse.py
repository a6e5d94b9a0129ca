"""Signs a SOAP message, and verifies one: WS-Security with an X.509 certificate carried along.

Promises: a message that is taken was signed by the one organisation that was expected, with a certificate of
an authority that is trusted, which holds now; everything in it that is read was signed: the body, every
header and the moment. One profile only: RSA with SHA-256, exclusive canonicalisation, references by id, one
signature, no id twice; every other form is refused before a key is used.
What is not checked: whether a certificate was revoked.
Source: WSS SOAP Message Security 1.0, X.509 Token Profile 1.0; XML Signature; Digikoppeling WUS 2W-be-S and
its security standard; McIntosh and Austel 2005 on wrapping.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.exceptions import InvalidSignature as NotIssuedBy
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import (
    CanonicalizationMethod,
    DigestAlgorithm,
    SignatureConstructionMethod,
    SignatureMethod,
)
from signxml.exceptions import SignXMLException
from signxml.signer import XMLSigner
from signxml.verifier import SignatureConfiguration, XMLVerifier

from adapters.work_income.errors import ConfigInvalid, SignatureRefused

if TYPE_CHECKING:
    from collections.abc import Iterator

SOAP_NS: Final = "http://schemas.xmlsoap.org/soap/envelope/"
DS_NS: Final = "http://www.w3.org/2000/09/xmldsig#"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE_NS: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
WSU_NS: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
X509V3: Final = f"{_WSS}x509-token-profile-1.0#X509v3"
BASE64: Final = f"{_WSS}soap-message-security-1.0#Base64Binary"
ID: Final = f"{{{WSU_NS}}}Id"
LIFETIME: Final = timedelta(minutes=5)
SKEW: Final = timedelta(minutes=5)
RSA_BITS_MIN: Final = 2048
_EXCLUSIVE: Final = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
# What the library raises for a signature that is none, or that lacks a part it looks for.
_NOT_VERIFIED: Final = (SignXMLException, etree.LxmlError, ValueError, TypeError, AttributeError)
_is_moment: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z"
).fullmatch


@dataclass(frozen=True, slots=True)
class SigningIdentity:
    """A certificate of an organisation and its key; the OIN stands in the subject's serialNumber."""

    certificate: x509.Certificate
    key: RSAPrivateKey = field(repr=False)

    @property
    def oin(self) -> str:
        """Return whose certificate it is; empty where it says nothing."""
        return oin_of(self.certificate)


class Trusted(NamedTuple):
    """Whose signature is expected, and the authorities that may vouch for it."""

    oin: str
    authorities: tuple[x509.Certificate, ...]


def load_identity(certificate_pem: bytes, key_pem: bytes) -> SigningIdentity:
    """Read a signing identity. Raises ConfigInvalid."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError):
        raise ConfigInvalid("signing.pem and signing.key are a certificate and a key, both in PEM") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < RSA_BITS_MIN:
        raise ConfigInvalid(f"signing.key is an RSA key of {RSA_BITS_MIN} bits or more")
    if key.public_key() != certificate.public_key():
        raise ConfigInvalid("signing.key is not the key of signing.pem")
    return SigningIdentity(certificate, key)


def oin_of(certificate: x509.Certificate) -> str:
    """Return the one serialNumber of a certificate's subject; empty where there is none or more."""
    found = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    return str(found[0].value) if len(found) == 1 else ""


# --- signing ------------------------------------------------------------------------------------------------


def sign(envelope: etree._Element, identity: SigningIdentity, now: datetime) -> None:
    """Put the security header into an envelope and sign body, headers, moment and certificate."""
    header, body = _parts(envelope)
    security = etree.SubElement(header, _wsse("Security"), nsmap={"wsse": WSSE_NS, "wsu": WSU_NS})
    security.set(f"{{{SOAP_NS}}}mustUnderstand", "1")
    token = etree.SubElement(security, _wsse("BinarySecurityToken"))
    token.set("EncodingType", BASE64)
    token.set("ValueType", X509V3)
    token.set(ID, "token")
    token.text = b64encode(identity.certificate.public_bytes(Encoding.DER)).decode("ascii")
    moment = etree.SubElement(security, _wsu("Timestamp"))
    moment.set(ID, "moment")
    etree.SubElement(moment, _wsu("Created")).text = _told(now)
    etree.SubElement(moment, _wsu("Expires")).text = _told(now + LIFETIME)
    body.set(ID, "body")
    signed = [token, moment, body]
    for number, one in enumerate(one for one in header if one is not security):
        one.set(ID, f"header-{number}")
        signed.append(one)
    signer = XMLSigner(
        method=SignatureConstructionMethod.detached,
        signature_algorithm=SignatureMethod.RSA_SHA256,
        digest_algorithm=DigestAlgorithm.SHA256,
        c14n_algorithm=_EXCLUSIVE,
    )
    references = [f"#{one.get(ID)}" for one in signed]
    security.append(
        signer.sign(
            envelope, key=identity.key, reference_uri=references, key_info=_key_info(), id_attribute="Id"
        )
    )


def _key_info() -> etree._Element:
    info = etree.Element(f"{{{DS_NS}}}KeyInfo", nsmap={"ds": DS_NS, "wsse": WSSE_NS})
    reference = etree.SubElement(etree.SubElement(info, _wsse("SecurityTokenReference")), _wsse("Reference"))
    reference.set("URI", "#token")
    reference.set("ValueType", X509V3)
    return info


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


# --- verifying ----------------------------------------------------------------------------------------------


def verify(envelope: etree._Element, trusted: Trusted, now: datetime) -> None:
    """Take a message as that of the expected organisation. Raises SignatureRefused with the rule."""
    header, body = _parts(envelope)
    security = _only(header, _wsse("Security"))
    token, moment = _only(security, _wsse("BinarySecurityToken")), _only(security, _wsu("Timestamp"))
    signature = _only(security, f"{{{DS_NS}}}Signature")
    _require_profile(signature, token)
    # Every reference is one of these very elements, where they stand: nothing signed lies anywhere else.
    expected = [token, moment, body, *(one for one in header if one is not security)]
    _require_signed(envelope, signature, expected)
    certificate = _certificate(token, trusted, now)
    _require_now(moment, now)
    config = SignatureConfiguration(
        location=f"./{{{SOAP_NS}}}Header/{{{WSSE_NS}}}Security/",
        expect_references=True,
        signature_methods=frozenset({SignatureMethod.RSA_SHA256}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA256}),
        verification_time=now,
    )
    try:
        XMLVerifier().verify(envelope, x509_cert=certificate, id_attribute="Id", expect_config=config)
    except _NOT_VERIFIED:
        raise SignatureRefused("signature", "Security/Signature") from None


def _parts(envelope: etree._Element) -> tuple[etree._Element, etree._Element]:
    if envelope.tag != f"{{{SOAP_NS}}}Envelope" or [one.tag for one in envelope] != [
        f"{{{SOAP_NS}}}Header",
        f"{{{SOAP_NS}}}Body",
    ]:
        raise SignatureRefused("one header and one body", "Envelope")
    return envelope[0], envelope[1]


def _only(parent: etree._Element, tag: str) -> etree._Element:
    found = [one for one in parent if one.tag == tag]
    name = etree.QName(tag).localname
    if len(found) != 1:
        raise SignatureRefused("exactly one", f"{etree.QName(parent).localname}/{name}")
    return found[0]


def _require_profile(signature: etree._Element, token: etree._Element) -> None:
    """Refuse every algorithm, transform and key but those of the profile."""
    names = {
        "CanonicalizationMethod": {_EXCLUSIVE.value},
        "SignatureMethod": {SignatureMethod.RSA_SHA256.value},
        "DigestMethod": {DigestAlgorithm.SHA256.value},
        "Transform": {_EXCLUSIVE.value},
    }
    for one in signature.iter(f"{{{DS_NS}}}*"):
        name = etree.QName(one).localname
        if name in names and one.get("Algorithm") not in names[name]:
            raise SignatureRefused("algorithm", f"Signature/{name}")
        if name not in _SIGNATURE_ELEMENTS:
            raise SignatureRefused("element of another profile", "Signature")
    references = list(signature.iter(_wsse("Reference")))
    if [one.get("URI") for one in references] != [f"#{token.get(ID)}"]:
        raise SignatureRefused("direct reference to the token", "Signature/KeyInfo")
    if (token.get("ValueType"), token.get("EncodingType")) != (X509V3, BASE64):
        raise SignatureRefused("X509v3 in base64", "Security/BinarySecurityToken")


_SIGNATURE_ELEMENTS: Final = frozenset(
    {
        *("Signature", "SignedInfo", "CanonicalizationMethod", "SignatureMethod", "Reference", "Transforms"),
        *("Transform", "DigestMethod", "DigestValue", "SignatureValue", "KeyInfo"),
    }
)


def _require_signed(
    envelope: etree._Element, signature: etree._Element, expected: list[etree._Element]
) -> None:
    """Refuse a message of which something that is read was not signed, or where an id stands twice."""
    ids = list(_ids(envelope))
    if len(set(ids)) != len(ids):
        raise SignatureRefused("id only once", "Envelope")
    # Those of SignedInfo alone: what stands beside it, in KeyInfo for one, nobody signed.
    inside = _only(signature, f"{{{DS_NS}}}SignedInfo").iterchildren(f"{{{DS_NS}}}Reference")
    signed = [one.get("URI") for one in inside]
    wanted = {f"#{one.get(ID)}" for one in expected}
    if len(wanted) != len(expected) or any(one.get(ID) is None for one in expected):
        raise SignatureRefused("everything signed", "Envelope")
    if sorted(map(str, signed)) != sorted(wanted):
        raise SignatureRefused("everything signed", "Signature/SignedInfo")


def _ids(envelope: etree._Element) -> Iterator[str]:
    """Give every attribute a reference could mean, of any namespace and case."""
    for one in envelope.iter():
        for name, value in one.attrib.items():
            if etree.QName(name).localname.lower() == "id":
                yield str(value)


def _certificate(token: etree._Element, trusted: Trusted, now: datetime) -> x509.Certificate:
    place = "Security/BinarySecurityToken"
    try:
        certificate = x509.load_der_x509_certificate(
            b64decode("".join((token.text or "").split()), validate=True)
        )
    except (ValueError, TypeError, NotBase64, UnsupportedAlgorithm, x509.InvalidVersion):
        raise SignatureRefused("certificate", place) from None
    # First of all: what nobody vouches for is not even looked into.
    if not any(_vouches(one, certificate, now) for one in trusted.authorities):
        raise SignatureRefused("trusted authority", place)
    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey) or key.key_size < RSA_BITS_MIN:
        raise SignatureRefused("RSA of 2048 bits or more", place)
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise SignatureRefused("certificate holds now", place)
    if not _may_sign(certificate):
        raise SignatureRefused("certificate may sign", place)
    if oin_of(certificate) != trusted.oin:
        raise SignatureRefused("expected OIN", place)
    return certificate


def _vouches(authority: x509.Certificate, certificate: x509.Certificate, now: datetime) -> bool:
    if not authority.not_valid_before_utc <= now <= authority.not_valid_after_utc:
        return False
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, NotIssuedBy, UnsupportedAlgorithm):
        return False
    return True


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except (x509.ExtensionNotFound, ValueError):
        return False
    return usage.digital_signature and not usage.key_cert_sign


def _require_now(moment: etree._Element, now: datetime) -> None:
    """Refuse what was made too long ago, or in a time to come: clocks may differ by SKEW."""
    created = _moment(_only(moment, _wsu("Created")))
    if not now - SKEW <= created <= now + SKEW:
        raise SignatureRefused("made now", "Security/Timestamp/Created")
    ends = [one for one in moment if one.tag == _wsu("Expires")]
    if ends and not now <= _moment(_only(moment, _wsu("Expires"))) + SKEW:
        raise SignatureRefused("not expired", "Security/Timestamp/Expires")


def _moment(element: etree._Element) -> datetime:
    text = element.text or ""
    if len(element) or not _is_moment(text):
        raise SignatureRefused("moment in UTC", "Security/Timestamp")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise SignatureRefused("moment in UTC", "Security/Timestamp") from None


def _wsse(name: str) -> str:
    return f"{{{WSSE_NS}}}{name}"


def _wsu(name: str) -> str:
    return f"{{{WSU_NS}}}{name}"
