"""Throw-away certificates, under the throw-away root of the exchange that the suite started.

Promises: used on loopback for the length of one run; every private key lies in a file of mode 0600 below the
run's own folder. That the suite holds all keys is what lets it stand between the adapter and the exchange.
Source: RFC 5280 (profile), Digikoppeling (OIN in subject serialNumber).
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from pathlib import Path

VALID: Final = timedelta(days=2)
_EARLIER: Final = timedelta(minutes=1)


class ServerFiles(NamedTuple):
    """What a server shows, and whom it lets in; PEM."""

    certificate: bytes
    key: bytes
    root: bytes


class ThrowAwayRoot:
    """The root of a development exchange, in the folder where it keeps it."""

    def __init__(self, folder: Path) -> None:
        self._pem = (folder / "ca.pem").read_bytes()
        self._certificate = x509.load_pem_x509_certificate(self._pem)
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def issue_organisation(self, oin: str, name: str, into: Path) -> None:
        """Write a folder of credentials, as the SDK loads them."""
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, oin),
                x509.NameAttribute(NameOID.COMMON_NAME, name),
            ]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._leaf(subject, key, ExtendedKeyUsageOID.CLIENT_AUTH).sign(self._key, SHA256())
        into.mkdir(parents=True, mode=0o700)
        for file, content in (
            ("ca.pem", self._pem),
            ("client.pem", certificate.public_bytes(serialization.Encoding.PEM)),
            ("client.key", _private(key)),
            ("signing.key", _private(Ed25519PrivateKey.generate())),
            ("organisation.json", json.dumps({"oin": oin, "name": name}).encode()),
        ):
            write_private(into / file, content)

    def issue_server(self) -> ServerFiles:
        """Return a server's certificate for loopback."""
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        hosts = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
        )
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._leaf(name, key, ExtendedKeyUsageOID.SERVER_AUTH).add_extension(hosts, critical=False)
        certificate = leaf.sign(self._key, SHA256())
        return ServerFiles(certificate.public_bytes(serialization.Encoding.PEM), _private(key), self._pem)

    def _leaf(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, usage: x509.ObjectIdentifier
    ) -> x509.CertificateBuilder:
        start = datetime.now(UTC) - _EARLIER
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + VALID)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )


def write_private(file: Path, content: bytes) -> None:
    """Write a file that nobody else may read."""
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as writing:
        writing.write(content)


def _private(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
