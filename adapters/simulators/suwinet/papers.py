"""Certificates for a laptop: an authority, and what it issues for signing and for connections.

Promises: nothing here is trusted by anybody but who reads this authority's file; keys are drawn anew and
written for their owner alone. Source: Digikoppeling (OIN in the subject's serialNumber; RSA, SHA-256).
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from pathlib import Path

DAYS: Final = 30
_USAGES: Final = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment"),
    *("key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey = field(repr=False)

    @property
    def certificate_pem(self) -> bytes:
        """Return the certificate in PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        """Return the key in PEM, without password."""
        return self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )

    def write(self, folder: Path, name: str) -> None:
        """Write NAME.pem and NAME.key; the key for its owner alone."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / f"{name}.pem").write_bytes(self.certificate_pem)
        key = folder / f"{name}.key"
        key.touch(mode=0o600)
        key.write_bytes(self.key_pem)


class Authority:
    """Issues papers; `now` is the moment they hold from."""

    def __init__(self, name: str = "Suwinet proeftuin", now: datetime | None = None) -> None:
        self._now: Final = now or datetime.now(UTC)
        self._name: Final = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = _drawn_key()
        self.paper: Final = Paper(self._built(self._name, key, key, authority=True), key)

    def issue(
        self, oin: str, name: str = "localhost", *, begins: timedelta = timedelta(), days: int = DAYS
    ) -> Paper:
        """Issue a certificate for signing and for connections, from `begins` after now on."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, name),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, oin),
            ]
        )
        key = _drawn_key()
        return Paper(self._built(subject, key, self.paper.key, begins=begins, days=days), key)

    def _built(
        self,
        subject: x509.Name,
        key: rsa.RSAPrivateKey,
        signer: rsa.RSAPrivateKey,
        *,
        authority: bool = False,
        begins: timedelta = timedelta(),
        days: int = DAYS,
    ) -> x509.Certificate:
        usages = dict.fromkeys(_USAGES, False)
        for usage in (
            ("key_cert_sign", "crl_sign") if authority else ("digital_signature", "key_encipherment")
        ):
            usages[usage] = True
        start = self._now + begins - timedelta(days=1)
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usages), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        if not authority:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(signer, hashes.SHA256())


def _drawn_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)
