"""A certificate authority for development: a laptop gets mutual TLS without asking anyone.

Promises: the root says DEVELOPMENT in its name and is made on the spot, never shipped; a folder of
credentials appears whole or not at all and is never overwritten; private keys are of mode 0600.
Source: RFC 5280 (profile), RFC 8705 (thumbprint), RFC 8037 (Ed25519 keys of person tokens), Digikoppeling
Identificatie en Authenticatie (OIN in subject serialNumber).
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from ipaddress import ip_address
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ROOT_NAME: Final = "DEVELOPMENT ONLY exchange root"
LOOPBACK_HOSTS: Final = ("localhost", "127.0.0.1", "::1")
ROOT_VALID: Final = timedelta(days=730)
ISSUED_VALID: Final = timedelta(days=90)
NAME_CHARACTERS_MAX: Final = 200

_COMMON_NAME_BYTES_MAX: Final = 64  # RFC 5280, ub-common-name
# A certificate made now must also work for a counterparty whose clock is a little behind.
_CLOCK_LEEWAY: Final = timedelta(minutes=1)
BOTH_ENDS: Final = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
_is_oin = re.compile(r"[0-9]{20}").fullmatch


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials of one organisation: what an operator must register, and where the rest lies."""

    thumbprint: str  # SHA-256 of the client certificate in DER, hexadecimal
    signing_public_key: bytes  # raw Ed25519, 32 bytes
    folder: Path


@dataclass(frozen=True, slots=True)
class IssuedServer:
    """Files of the server: its chain, its key, and the root that client certificates must come from."""

    certificate: Path
    key: Path
    client_ca: Path


def _utc_now() -> datetime:
    return datetime.now(UTC)


class DevelopmentAuthority:
    """Issues certificates under a root kept in `folder`/root, made there on first use."""

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._now: Final = now
        root = folder / "root"
        if not root.exists():
            _make_root(root, now())
        self._certificate, self._key = _load_root(root)

    @property
    def root_pem(self) -> bytes:
        """The root certificate, to be trusted by both ends."""
        return self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue_organisation(
        self,
        oin: str,
        name: str,
        into: Path,
        *,
        valid_from: datetime | None = None,
        valid_for: timedelta = ISSUED_VALID,
    ) -> Issued:
        """Write ca.pem, client.pem, client.key, signing.key and organisation.json into a new folder.

        Raises SettingsInvalid for a malformed OIN or name, or when `into` already holds something.
        """
        if not _is_oin(oin):
            raise SettingsInvalid("an OIN has twenty digits")
        if not 1 <= len(name) <= NAME_CHARACTERS_MAX or not name.isprintable():
            raise SettingsInvalid("an organisation's name has 1 to 200 printable characters", oin=oin)
        subject = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, name),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, oin),
                _common_name(name),
            ]
        )
        key, signing_key = ec.generate_private_key(ec.SECP256R1()), Ed25519PrivateKey.generate()
        builder = self._leaf(subject, key, BOTH_ENDS[1:], valid_from, valid_for)
        certificate = builder.sign(self._key, SHA256())
        thumbprint = sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()
        signing_public_key = signing_key.public_key().public_bytes_raw()
        about = {
            "oin": oin,
            "name": name,
            "thumbprint": thumbprint,
            "signing_key": signing_public_key.hex(),
        }
        _write_folder(
            into,
            {
                "ca.pem": self.root_pem,
                "client.pem": certificate.public_bytes(serialization.Encoding.PEM),
                "client.key": _private_pem(key),
                "signing.key": _private_pem(signing_key),
                "organisation.json": json.dumps(about, indent=2).encode() + b"\n",
            },
        )
        return Issued(thumbprint, signing_public_key, into)

    def issue_server(
        self,
        into: Path,
        hosts: Sequence[str] = LOOPBACK_HOSTS,
        *,
        valid_from: datetime | None = None,
        valid_for: timedelta = ISSUED_VALID,
    ) -> IssuedServer:
        """Write server.pem, server.key and ca.pem into a new folder, for these host names and addresses.

        Raises SettingsInvalid without hosts, for one that is not ASCII, or when `into` holds something.
        """
        return self._issue_hosts("server", into, hosts, BOTH_ENDS[:1], (valid_from, valid_for))

    def _issue_hosts(
        self,
        name: str,
        into: Path,
        hosts: Sequence[str],
        usages: Sequence[x509.ObjectIdentifier],
        valid: tuple[datetime | None, timedelta],
    ) -> IssuedServer:
        if not hosts:
            raise SettingsInvalid("a server certificate names at least one host")
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        subject = x509.Name([_common_name(hosts[0])])
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._leaf(subject, key, usages, *valid)
        certificate = builder.add_extension(names, critical=False).sign(self._key, SHA256())
        _write_folder(
            into,
            {
                "ca.pem": self.root_pem,
                f"{name}.pem": certificate.public_bytes(serialization.Encoding.PEM),
                f"{name}.key": _private_pem(key),
            },
        )
        return IssuedServer(into / f"{name}.pem", into / f"{name}.key", into / "ca.pem")

    def issue_node(
        self,
        into: Path,
        hosts: Sequence[str] = LOOPBACK_HOSTS,
        *,
        valid_from: datetime | None = None,
        valid_for: timedelta = ISSUED_VALID,
    ) -> IssuedServer:
        """Write node.pem, node.key and ca.pem into a new folder: for both ends of a line between nodes.

        By an authority that issues nothing to organisations. Raises SettingsInvalid as `issue_server` does.
        """
        return self._issue_hosts("node", into, hosts, BOTH_ENDS, (valid_from, valid_for))

    def _leaf(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        usages: Sequence[x509.ObjectIdentifier],
        valid_from: datetime | None,
        valid_for: timedelta,
    ) -> x509.CertificateBuilder:
        start = valid_from or self._now() - _CLOCK_LEEWAY
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + valid_for)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(issuer_key, critical=False)
        )


def _make_root(folder: Path, now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([_common_name(ROOT_NAME)])
    start = now - _CLOCK_LEEWAY
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + ROOT_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    files = {"ca.pem": certificate.public_bytes(serialization.Encoding.PEM), "ca.key": _private_pem(key)}
    try:
        _write_folder(folder, files)
    except SettingsInvalid:
        # Another process was first: its root stands, ours was never used.
        if not folder.exists():
            raise


def _load_root(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    except (OSError, ValueError):
        raise SettingsInvalid("the development root cannot be read", folder=folder.name) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise SettingsInvalid("the development root has another key than its certificate", folder=folder.name)
    return certificate, key


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _common_name(name: str) -> x509.NameAttribute[str]:
    short = name.encode()[:_COMMON_NAME_BYTES_MAX].decode(errors="ignore")
    return x509.NameAttribute(NameOID.COMMON_NAME, short)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        pass
    if not host.isascii() or not host:
        raise SettingsInvalid("a host name is ASCII; write an international one in its xn-- form")
    return x509.DNSName(host)


def _private_pem(key: ec.EllipticCurvePrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files beside `folder` and rename the whole. Raises SettingsInvalid if it holds something."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))  # of mode 0700
    try:
        for name, content in files.items():
            mode = 0o600 if name.endswith(".key") else 0o644
            descriptor = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        _sync(draft)
        # Renaming onto a folder succeeds only while that is empty: nobody's keys are ever replaced.
        draft.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        taken = error.errno in {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}
        what = "the folder already holds something" if taken else "the folder cannot be written"
        raise SettingsInvalid(what, folder=folder.name, reason=str(error.strerror)) from None
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sync(folder: Path) -> None:
    directory = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
