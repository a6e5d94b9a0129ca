"""Tokens of a timestamp authority over a published checkpoint: somebody else says when it was there.

Promises: a token is kept only when it verifies against a root of the authority that was named, for the very
bytes that are kept beside it; nothing is sent but the hash of a public checkpoint.
Source: RFC 3161 (time-stamp protocol), RFC 5816.
"""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from cryptography import x509

from exchange.errors import ProofInvalid, SettingsInvalid, Unavailable
from exchange.ledger.checkpoint import parse_body
from exchange.ledger.note import NOTE_BYTES_MAX, parse_note
from exchange.wiring.holding import private_files
from exchange.wiring.private_file import write_private

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

WAIT_S: Final = 10.0
TOKEN_BYTES_MAX: Final = 64 * 1024
OK: Final = 200
_PLACE: Final = "timestamp"


@dataclass(frozen=True, slots=True)
class Stamped:
    """A checkpoint and its token as files, and the time that the authority says (UTC)."""

    checkpoint: Path
    token: Path
    at: datetime


def stamp(published: Path, folder: Path, url: str, roots: Path) -> Stamped:
    """Have a published checkpoint stamped; keep both in `folder`.

    Raises Unavailable, ProofInvalid for a token that does not verify, SettingsInvalid.
    """
    note = read_file(published, NOTE_BYTES_MAX)
    size = parse_body(parse_note(note).text).size
    library = _library()
    request = library.TimestampRequestBuilder().data(note).cert_request(cert_request=True).build()
    token = _ask(url, request.as_bytes())
    at = verify_token(note, token, roots, request.nonce)
    with private_files():
        folder.mkdir(parents=True, exist_ok=True)
        kept = Stamped(folder / f"{size}.checkpoint", folder / f"{size}.tsr", at)
        write_private(kept.checkpoint, note)
        write_private(kept.token, token)
    return kept


def verify_token(note: bytes, token: bytes, roots: Path, nonce: int | None = None) -> datetime:
    """Return when the authority saw these bytes. Raises ProofInvalid, SettingsInvalid for the roots."""
    library = _library()
    builder = library.VerifierBuilder()
    for certificate in _roots(roots):
        builder = builder.add_root_certificate(certificate)
    if nonce is not None:
        builder = builder.nonce(nonce)
    try:
        answer = library.decode_timestamp_response(token)
        builder.build().verify_message(answer, note)
        at: datetime = answer.tst_info.gen_time
    except (library.VerificationError, ValueError) as error:
        raise ProofInvalid("the timestamp does not verify", place=_PLACE) from error
    return at


def read_file(file: Path, bytes_max: int) -> bytes:
    """Return a file, or one byte more than allowed, which whoever parses it refuses."""
    try:
        with file.open("rb") as source:
            return source.read(bytes_max + 1)
    except OSError as error:
        raise SettingsInvalid("a file cannot be read", file=file.name) from error


def _library() -> Any:  # noqa: ANN401 -- a module, there only with the extra
    try:
        import rfc3161_client  # noqa: PLC0415 -- an extra: whoever stamps nothing needs it not
    except ImportError:
        raise SettingsInvalid("timestamps need the extra `timestamp`: install exchange[timestamp]") from None
    return rfc3161_client


def _roots(file: Path) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(read_file(file, TOKEN_BYTES_MAX))
    except ValueError:
        raise SettingsInvalid("these are no certificates in PEM", file=file.name) from None
    return list(dict.fromkeys(found))


def _ask(url: str, query: bytes) -> bytes:
    address = urlsplit(url)
    kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
    if address.scheme not in kinds or not address.hostname:
        raise SettingsInvalid("the address of the timestamp authority cannot be read", name="tsa")
    try:
        with closing(kinds[address.scheme](address.hostname, address.port, timeout=WAIT_S)) as connection:
            headers = {"Content-Type": "application/timestamp-query"}
            connection.request("POST", address.path or "/", query, headers)
            answer = connection.getresponse()
            token: bytes = answer.read(TOKEN_BYTES_MAX)
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable("the timestamp authority does not answer", kind=type(error).__name__) from error
    if answer.status != OK:
        raise Unavailable("the timestamp authority refused", status=str(answer.status))
    return token
