"""The organisation's credentials: a certificate for the connection, a key that signs who its people are.

Promises: what was loaded belongs together (key and certificate, name and certificate) and its private keys
were readable by nobody else; an expired certificate is named as such before any call is made.
Source: RFC 8705 section 3.1 (thumbprint), RFC 8037 (Ed25519), Digikoppeling (OIN in subject serialNumber).
"""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import NameOID

from adapters.sdk.errors import CertificateExpired, CredentialsInvalid

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_FILE_BYTES_MAX: Final = 64 * 1024
_is_oin = re.compile(r"[0-9]{20}").fullmatch


@dataclass(frozen=True, slots=True)
class Credentials:
    """Credentials of one organisation. No repr shows a private key."""

    oin: str
    name: str
    root_pem: bytes = field(repr=False)
    certificate_pem: bytes = field(repr=False)
    key_pem: bytes = field(repr=False)
    signing_key: Ed25519PrivateKey = field(repr=False)
    thumbprint: bytes  # SHA-256 of the certificate in DER, 32 bytes
    valid_from: datetime
    valid_until: datetime

    @classmethod
    def load(cls, folder: Path) -> Credentials:
        """Read ca.pem, client.pem, client.key, signing.key, organisation.json. Raises CredentialsInvalid."""
        root_pem, certificate_pem = _read(folder / "ca.pem"), _read(folder / "client.pem")
        key_pem = _read(folder / "client.key", private=True)
        oin, name = _organisation(folder)
        _certificate(root_pem, "ca.pem")
        certificate = _certificate(certificate_pem, "client.pem")
        serials = certificate.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)
        if [serial.value for serial in serials] != [oin]:
            raise CredentialsInvalid("client.pem is of another organisation than organisation.json says")
        signing_key = _private_key(_read(folder / "signing.key", private=True), "signing.key")
        if not isinstance(signing_key, Ed25519PrivateKey):
            raise CredentialsInvalid("signing.key is not an Ed25519 key")
        if _public_der(_private_key(key_pem, "client.key")) != _spki(certificate):
            raise CredentialsInvalid("client.key is not the key of client.pem")
        return cls(
            oin=oin,
            name=name,
            root_pem=root_pem,
            certificate_pem=certificate_pem,
            key_pem=key_pem,
            signing_key=signing_key,
            thumbprint=sha256(certificate.public_bytes(serialization.Encoding.DER)).digest(),
            valid_from=certificate.not_valid_before_utc,
            valid_until=certificate.not_valid_after_utc,
        )

    def require_valid(self, now: float) -> None:
        """Raise CertificateExpired unless the certificate holds at `now`, in seconds since 1970 UTC."""
        moment = datetime.fromtimestamp(now, UTC)
        if moment > self.valid_until:
            raise CertificateExpired(
                f"the certificate of {self.oin} expired at {self.valid_until:%Y-%m-%d %H:%M} UTC; "
                "load renewed credentials and have their thumbprint registered"
            )
        if moment < self.valid_from:
            raise CertificateExpired(
                f"the certificate of {self.oin} holds from {self.valid_from:%Y-%m-%d %H:%M} UTC only; "
                "check this machine's clock"
            )


def _read(path: Path, *, private: bool = False) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as error:
        raise CredentialsInvalid(f"{path.name} cannot be opened: {error.strerror}") from None
    try:
        # Asked of the open file, not of its name: nobody can swap it in between.
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise CredentialsInvalid(f"{path.name} is not a regular file")
        if private and stat.S_IMODE(found.st_mode) & 0o077:
            raise CredentialsInvalid(f"{path.name} is open to others; chmod 600 it and consider it seen")
        content = os.read(descriptor, _FILE_BYTES_MAX + 1)
    finally:
        os.close(descriptor)
    if not content or len(content) > _FILE_BYTES_MAX:
        raise CredentialsInvalid(f"{path.name} is empty or too large")
    return content


def _organisation(folder: Path) -> tuple[str, str]:
    try:
        about = json.loads(_read(folder / "organisation.json"))
    except ValueError:
        raise CredentialsInvalid("organisation.json is not JSON") from None
    oin = about.get("oin") if isinstance(about, dict) else None
    name = about.get("name") if isinstance(about, dict) else None
    if not isinstance(oin, str) or not _is_oin(oin) or not isinstance(name, str):
        raise CredentialsInvalid("organisation.json does not name an OIN of twenty digits and a name")
    return oin, name


def _certificate(pem: bytes, name: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CredentialsInvalid(f"{name} is not a certificate") from None


def _private_key(pem: bytes, name: str) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        raise CredentialsInvalid(f"{name} is not a private key without password") from None


def _public_der(key: PrivateKeyTypes) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
