"""A line to a system of the organisation that cannot be trusted: nothing is sent over it."""

from __future__ import annotations

import ssl
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from adapters.kit.outward import NotNow, Outward

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = timedelta(days=1)
SECRET = "Bearer of-this-test-alone"


class Authority:
    """Somebody who signs certificates of servers."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        made = self._signed(self._name, self._key, datetime.now(UTC) + DAY, basic)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(made)

    def _signed(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        ends: datetime,
        extension: x509.ExtensionType,
    ) -> bytes:
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.now(UTC) - 10 * DAY)
            .not_valid_after(ends)
            .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        )
        return builder.sign(self._key, SHA256()).public_bytes(serialization.Encoding.PEM)

    def server(self, host: str, ends: datetime) -> ssl.SSLContext:
        """Return what a server of this host shows until a moment."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        hosts = x509.SubjectAlternativeName([x509.DNSName(host)])
        file = self._folder / "server.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(self._signed(name, key, ends, hosts) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


class _Server(HTTPServer):
    def handle_error(self, *_: object) -> None:
        """Say nothing: that a caller hangs up is what is tested."""


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[tuple[int, list[str]]]:
    """Give the port of a server, and what it was asked with."""
    asked: list[str] = []

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.headers["Authorization"])
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = _Server(("127.0.0.1", 0), Answering)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def zaken(port: int, authority: Authority) -> Outward:
    headers = {"Authorization": SECRET}
    return Outward(
        "zaken", f"https://localhost:{port}", lambda: headers, timeout_s=5, authorities=str(authority.file)
    )


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


def test_a_line_that_holds_is_used(ours: Authority) -> None:
    with serving(ours.server("localhost", datetime.now(UTC) + DAY)) as (port, asked):
        assert zaken(port, ours).ask("GET", "/zaken").content == {}
    assert asked == [SECRET]


@pytest.mark.parametrize("wrong", ["another authority", "expired", "another host"])
def test_over_a_line_that_does_not_hold_nothing_is_sent(wrong: str, ours: Authority, tmp_path: Path) -> None:
    signer = Authority(tmp_path, "theirs") if wrong == "another authority" else ours
    ends = datetime.now(UTC) + (-DAY if wrong == "expired" else DAY)
    host = "elsewhere.example" if wrong == "another host" else "localhost"
    with serving(signer.server(host, ends)) as (port, asked):
        with pytest.raises(NotNow) as refused:
            zaken(port, ours).ask("GET", "/zaken")
        # Somebody renews it: it is tried again, and told in the log by this word.
        assert refused.value.code == "SSLCertVerificationError"
    assert asked == []


def test_a_server_that_speaks_in_the_clear_is_not_spoken_to(ours: Authority) -> None:
    server = _Server(("127.0.0.1", 0), BaseHTTPRequestHandler)
    thread = threading.Thread(target=server.handle_request, daemon=True)
    thread.start()
    with pytest.raises(NotNow):
        zaken(server.server_port, ours).ask("GET", "/zaken")
    thread.join()
    server.server_close()
