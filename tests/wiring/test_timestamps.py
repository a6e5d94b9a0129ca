"""Timestamps: an authority made on the spot stamps a checkpoint, and what does not verify is not kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from typer.testing import CliRunner

from exchange.cli.__main__ import app
from exchange.errors import ProofInvalid, SettingsInvalid, Unavailable
from exchange.wiring.timestamps import stamp, verify_token
from tests.ledger.builders import Log, grown

if TYPE_CHECKING:
    from collections.abc import Iterator

OPENSSL = shutil.which("openssl") or ""
CONFIG = """
[tsa]
serial = {folder}/serial
default_policy = 1.2.3.4.1
digests = sha256, sha384, sha512
signer_digest = sha256
ess_cert_id_alg = sha256
"""


@pytest.fixture(scope="module", autouse=True)
def _tools() -> None:
    pytest.importorskip("rfc3161_client", reason="the extra `timestamp` is not installed")
    if not OPENSSL:
        pytest.skip("openssl is not on this machine")


def issue(
    name: str, issuer: tuple[x509.Certificate, ec.EllipticCurvePrivateKey] | None = None
) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """Make a root, or a certificate for stamping below one."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above, signing = (issuer[0].subject, issuer[1]) if issuer else (subject, key)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if issuer is not None:
        made = made.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
    return made.sign(signing, hashes.SHA256()), key


class Authority:
    """`openssl ts` behind HTTP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        root = issue("Root")
        leaf, key = issue("Stempel", root)
        (folder / "root.pem").write_bytes(root[0].public_bytes(Encoding.PEM))
        (folder / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
        (folder / "leaf.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(CONFIG.format(folder=folder))
        self.instead: bytes | None = None
        self.status = 200

    def reply(self, query: bytes) -> bytes:
        (self.folder / "query").write_bytes(query)
        words = "ts -reply -section tsa -config tsa.cnf -queryfile query -out reply"
        words += " -signer leaf.pem -inkey leaf.key"
        subprocess.run([OPENSSL, *words.split()], cwd=self.folder, check=True, capture_output=True)  # noqa: S603 -- fixed words
        return (self.folder / "reply").read_bytes()

    @contextmanager
    def serving(self) -> Iterator[str]:
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                answer = authority.reply(query) if authority.instead is None else authority.instead
                self.send_response(authority.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    (tmp_path / "tsa").mkdir()
    return Authority(tmp_path / "tsa")


@pytest.fixture
def published(tmp_path: Path) -> Path:
    log = Log(tmp_path)
    grown(log, 5)
    log.close()
    return tmp_path / "log" / "checkpoint"


def test_a_stamped_checkpoint_verifies_here_and_with_openssl(
    authority: Authority, published: Path, tmp_path: Path
) -> None:
    with authority.serving() as url:
        kept = stamp(published, tmp_path / "stamps", url, authority.folder / "root.pem")
    assert abs(kept.at - datetime.now(UTC)) < timedelta(minutes=5)
    assert (kept.checkpoint.name, kept.checkpoint.read_bytes()) == ("5.checkpoint", published.read_bytes())
    words = ["directory", "stamped", str(kept.checkpoint), str(kept.token)]
    roots = ["--roots", str(authority.folder / "root.pem")]
    said = CliRunner().invoke(app, [*words, *roots])
    assert (said.exit_code, said.stdout.strip()) == (0, kept.at.isoformat())
    verify = ["ts", "-verify", "-data", str(kept.checkpoint), "-in", str(kept.token), "-CAfile", "root.pem"]
    done = subprocess.run(  # noqa: S603 -- fixed words
        [OPENSSL, *verify], cwd=authority.folder, check=False, capture_output=True
    )
    assert b"Verification: OK" in done.stdout + done.stderr


def test_a_token_over_other_bytes_of_another_root_or_changed_does_not_verify(
    authority: Authority, published: Path, tmp_path: Path
) -> None:
    roots = authority.folder / "root.pem"
    with authority.serving() as url:
        kept = stamp(published, tmp_path / "stamps", url, roots)
    note, token = kept.checkpoint.read_bytes(), kept.token.read_bytes()
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other").folder / "root.pem"
    assert verify_token(note, token, roots) == kept.at
    for bad in (
        (note + b"x", token, roots),
        (note, token, other),
        (note, token[:-1], roots),
        (note, b"", roots),
    ):
        with pytest.raises(ProofInvalid, match="does not verify"):
            verify_token(*bad)
    changed = token[:-20] + bytes([token[-20] ^ 1]) + token[-19:]
    with pytest.raises(ProofInvalid):
        verify_token(note, changed, roots)


def test_an_answer_to_another_question_is_not_kept(
    authority: Authority, published: Path, tmp_path: Path
) -> None:
    roots = authority.folder / "root.pem"
    with authority.serving() as url:
        kept = stamp(published, tmp_path / "stamps", url, roots)
        # The same bytes, an older answer: its nonce is another.
        authority.instead = kept.token.read_bytes()
        with pytest.raises(ProofInvalid):
            stamp(published, tmp_path / "again", url, roots)
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize(("instead", "status", "kind"), [(b"", 200, ProofInvalid), (b"x", 503, Unavailable)])
def test_an_authority_that_answers_nonsense_stamps_nothing(
    authority: Authority, published: Path, instead: bytes, status: int, kind: type[Exception]
) -> None:
    tmp_path = authority.folder.parent
    authority.instead, authority.status = instead, status
    with authority.serving() as url, pytest.raises(kind):
        stamp(published, tmp_path / "stamps", url, authority.folder / "root.pem")
    assert not (tmp_path / "stamps").exists()


@pytest.mark.parametrize(
    ("url", "kind"),
    [("http://127.0.0.1:1/", Unavailable), ("ftp://a/", SettingsInvalid), ("", SettingsInvalid)],
)
def test_an_authority_that_is_not_there_is_named(
    authority: Authority, published: Path, tmp_path: Path, url: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match="timestamp authority"):
        stamp(published, tmp_path / "stamps", url, authority.folder / "root.pem")


def test_roots_that_are_no_certificates_are_named(published: Path, tmp_path: Path) -> None:
    (tmp_path / "roots").write_bytes(b"none")
    with pytest.raises(SettingsInvalid, match="no certificates"):
        verify_token(published.read_bytes(), b"", tmp_path / "roots")


def test_without_the_extra_it_is_named(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    with pytest.raises(SettingsInvalid, match=r"exchange\[timestamp\]"):
        verify_token(published.read_bytes(), b"", Path("roots"))
