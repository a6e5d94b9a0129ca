"""The client certificate of a connection: which organisation, which thumbprint, until when.

Promises: the chain was checked by TLS before; here the OIN is read and the validity is looked at on every
call, because a connection may outlive its certificate.
Source: RFC 5280 (serialNumber in the subject), Digikoppeling (OIN of twenty digits), RFC 8705 (thumbprint).
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from exchange.errors import CallerUnknown

if TYPE_CHECKING:
    from datetime import datetime

    import grpc

PEM_KEY: Final = "x509_pem_cert"
CACHED_CERTIFICATES_MAX: Final = 4_096
_OIN: Final = re.compile(r"[0-9]{20}", re.ASCII)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Thumbprint is the SHA-256 of the DER form, in lower-case hexadecimal; validity includes both ends."""

    oin: str
    thumbprint: str
    valid_from: datetime
    valid_until: datetime


class Certificates:
    """Reads certificates, each text once. Owned by the event loop."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, ClientCertificate] = OrderedDict()

    def of_call(self, context: grpc.aio.ServicerContext[bytes, bytes], now: datetime) -> ClientCertificate:
        """Return the certificate behind a call. Raises CallerUnknown."""
        return self.valid(next(iter(context.auth_context().get(PEM_KEY, ())), b""), now)

    def valid(self, pem: bytes, now: datetime) -> ClientCertificate:
        """Return a certificate that TLS took, empty bytes where there was none. Raises CallerUnknown."""
        if not pem:
            raise CallerUnknown("this call came without a client certificate")
        certificate = self.read(pem)
        if not certificate.valid_from <= now <= certificate.valid_until:
            raise CallerUnknown("this certificate is not valid now")
        return certificate

    def read(self, pem: bytes) -> ClientCertificate:
        """Parse a certificate. Raises CallerUnknown when it names no organisation."""
        known = self._known.get(pem)
        if known is None:
            known = self._known[pem] = _parse(pem)
            if len(self._known) > CACHED_CERTIFICATES_MAX:
                self._known.popitem(last=False)
        return known


def names_organisation(pem: bytes) -> bool:
    """Tell whether a certificate is an organisation's, or cannot be read."""
    try:
        _parse(pem)
    except CallerUnknown:
        return not _is_readable(pem)
    return True


def _is_readable(pem: bytes) -> bool:
    try:
        x509.load_pem_x509_certificate(pem)
    except ValueError:
        return False
    return True


def _parse(pem: bytes) -> ClientCertificate:
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        serials = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
    except ValueError as error:
        raise CallerUnknown("this certificate cannot be read") from error
    values = [str(serial.value) for serial in serials]
    if len(values) != 1 or not _OIN.fullmatch(values[0]):
        raise CallerUnknown(
            "this certificate names no organisation: an OIN in the subject's serialNumber is asked"
        )
    return ClientCertificate(
        oin=values[0],
        thumbprint=certificate.fingerprint(SHA256()).hex(),
        valid_from=certificate.not_valid_before_utc,
        valid_until=certificate.not_valid_after_utc,
    )
