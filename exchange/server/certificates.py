"""What the doors show of themselves, and whom they let show: taken anew while calls run.

Promises: what does not fit together is refused whole and the former goes on; a connection that stands is left
alone, the next one meets what was taken; no file is read here, so nothing waits for a disk in a handshake.
Source: RFC 5280 (validity, basic constraints), RFC 8446; gRPC's dynamic server credentials.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from exchange.errors import SettingsInvalid

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Material:
    """Certificates of the door, PEM: its chain, leaf first, its key, and whose clients may come."""

    server_certificate: bytes
    server_key: bytes
    client_authorities: bytes


class DoorCertificates:
    """What the door of gRPC shows now; read by its threads, replaced by the event loop."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self._lock = Lock()
        self._waiting: grpc.ServerCertificateConfiguration | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that follow what is taken; nobody comes in without a certificate."""
        return grpc.dynamic_ssl_server_credentials(_configuration(self.material), self._fetch, True)  # type: ignore[arg-type] # noqa: FBT003 -- None is in its contract

    def take(self, material: Material) -> None:
        """Show this from the next connection on."""
        self.material = material
        with self._lock:
            self._waiting = _configuration(material)

    def _fetch(self) -> grpc.ServerCertificateConfiguration | None:
        # Asked at each new connection; None says that nothing changed.
        with self._lock:
            told, self._waiting = self._waiting, None
        return told


def end_of(material: Material) -> datetime:
    """Return when the door's own certificate ends. Raises SettingsInvalid where it cannot be read."""
    return _leaf(material).not_valid_after_utc


def refuse_unfit(material: Material) -> None:
    """Raise SettingsInvalid for what nobody could come in by: unreadable, or a key of another certificate."""
    leaf = _leaf(material)
    try:
        key = serialization.load_pem_private_key(material.server_key, password=None)
    except (ValueError, TypeError) as error:
        raise SettingsInvalid("the key of the door cannot be read") from error
    # A renewal that is half written: the other half follows.
    if _spki(key.public_key()) != _spki(leaf.public_key()):
        raise SettingsInvalid("the key of the door is not that of its certificate")
    try:
        x509.load_pem_x509_certificates(material.client_authorities)
    except ValueError as error:
        raise SettingsInvalid("the authorities of the door cannot be read") from error


def refuse_out_of_time(material: Material, now: datetime) -> None:
    """Raise SettingsInvalid for a certificate that does not count now; its last second counts (RFC 5280)."""
    leaf = _leaf(material)
    if not leaf.not_valid_before_utc <= now <= leaf.not_valid_after_utc:
        raise SettingsInvalid("the certificate of the door does not count now")


def _leaf(material: Material) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(material.server_certificate)[0]
    except ValueError as error:
        raise SettingsInvalid("the certificate of the door cannot be read") from error


def _spki(key: Any) -> bytes:  # noqa: ANN401 -- any kind of public key
    told: bytes = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return told


def _configuration(material: Material) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration(
        [(material.server_key, material.server_certificate)], root_certificates=material.client_authorities
    )
