"""Signed notes: text, a blank line, and signature lines.

Promises: only canonical base64 is read; a signature of a known key that fails refuses the whole note; unknown
signatures are passed over; a key is the pair of name and id, so nobody signs under another's name.
Source: c2sp.org/signed-note@v1.0.0, c2sp.org/tlog-cosignature (type 0x04), RFC 8032 (Ed25519).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from exchange.errors import ProofInvalid

if TYPE_CHECKING:
    from collections.abc import Iterable

ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
NOTE_BYTES_MAX: Final = 256 * 1024
SIGNATURES_MAX: Final = 64  # the standard asks for 16 at least
_DASH: Final = "\u2014 "
_ED25519_BYTES: Final = 32
_KEY_ID_BYTES: Final = 4
_COSIGNATURE_BYTES: Final = 8 + 64
_COSIGNATURE_TIME_MAX: Final = 2**63 - 1
_is_key_name = re.compile(r"[^\s+\x00-\x1f\x7f\ud800-\udfff]{1,255}").fullmatch
_is_control = re.compile(r"[\x00-\x09\x0b-\x1f]").search


def encode_base64(raw: bytes) -> str:
    """Return standard base64 (RFC 4648 section 4) with padding."""
    return b64encode(raw).decode("ascii")


def decode_base64(text: str, place: str) -> bytes:
    """Read base64 in its one canonical form. Raises ProofInvalid."""
    try:
        raw = b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one
        raw = None
    # Python passes over spare bits in the last character; then two texts would mean one value.
    if raw is None or encode_base64(raw) != text:
        raise ProofInvalid("not canonical base64", place=place)
    return raw


def key_id(name: str, kind: int, public: bytes) -> bytes:
    """Return SHA-256(name || 0A || type || public key)[:4]."""
    return sha256(name.encode() + b"\n" + bytes([kind]) + public).digest()[:_KEY_ID_BYTES]


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key a verifier trusts under a name. Types 0x01 and 0x04, both on Ed25519."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that select this key in a signature line."""
        return key_id(self.name, self.kind, self.public)

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{encode_base64(bytes([self.kind]) + self.public)}"

    def accepts(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature` (without its key id) is this key's over the note text."""
        message = text.encode()
        if self.kind == COSIGNATURE_ED25519:
            time_s = int.from_bytes(signature[:8], "big")
            if len(signature) != _COSIGNATURE_BYTES or time_s > _COSIGNATURE_TIME_MAX:
                return False
            message = f"cosignature/v1\ntime {time_s}\n".encode() + message
            signature = signature[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_vkey(text: str) -> VerifierKey:
    """Read `name+hex(id)+base64(type || key)`. Raises ProofInvalid when the id is not the key's own."""
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_base64(encoded, "verifier key")
    if not _is_key_name(name) or len(material) != 1 + _ED25519_BYTES:
        raise ProofInvalid("not a verifier key on Ed25519", place="verifier key")
    key = VerifierKey(name, material[0], material[1:])
    if key.kind not in {ED25519, COSIGNATURE_ED25519}:
        raise ProofInvalid("a verifier key of a type not known here", place="verifier key")
    if key.id.hex() != identifier:
        raise ProofInvalid("the key id does not belong to the key", place="verifier key")
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, nothing verified."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note. `text` ends in a newline and must be ignored until a trusted key has signed it."""

    text: str
    signatures: tuple[Signature, ...]

    def signers(self, keys: Iterable[VerifierKey]) -> tuple[VerifierKey, ...]:
        """Return which of `keys` signed, each once. Raises ProofInvalid if one of them signed wrongly."""
        known = {(key.name, key.id): key for key in keys}
        found: dict[VerifierKey, None] = {}
        for line in self.signatures:
            key = known.get((line.name, line.key_id))
            if key is None:
                continue
            if not key.accepts(self.text, line.signature):
                raise ProofInvalid(
                    "a signature of a known key does not verify", place=f"signature {line.name}"
                )
            found[key] = None
        return tuple(found)


def parse_note(raw: bytes, place: str = "note", bytes_max: int = NOTE_BYTES_MAX) -> Note:
    """Split a note into text and signatures; verifies nothing. Raises ProofInvalid naming `place`."""
    if len(raw) > bytes_max:
        raise ProofInvalid("the note is too large", place=place)
    try:
        whole = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise ProofInvalid("the note is not UTF-8", place=place) from None
    if _is_control(whole):
        raise ProofInvalid("the note holds a control character", place=place)
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not lines.endswith("\n"):
        raise ProofInvalid("the note has no signatures after its last blank line", place=place)
    rows = lines[:-1].split("\n")
    if len(rows) > SIGNATURES_MAX:
        raise ProofInvalid("the note has too many signatures", place=place)
    return Note(text + "\n", tuple(_parse_signature(row, place) for row in rows))


def _parse_signature(row: str, place: str) -> Signature:
    name, _, encoded = row.removeprefix(_DASH).partition(" ")
    if not row.startswith(_DASH) or not _is_key_name(name):
        raise ProofInvalid("a signature line is malformed", place=place)
    material = decode_base64(encoded, place)
    if len(material) <= _KEY_ID_BYTES:
        raise ProofInvalid("a signature line holds no signature", place=place)
    return Signature(name, material[:_KEY_ID_BYTES], material[_KEY_ID_BYTES:])


class NoteSigner:
    """Signs notes with an Ed25519 key under a name; type 0x01. Deterministic: one text, one signature."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        if not _is_key_name(name):
            raise ProofInvalid("a key name holds no space, plus or control character", place="key name")
        self._private = private
        self.key = VerifierKey(name, ED25519, private.public_key().public_bytes_raw())

    @property
    def name(self) -> str:
        """The key name; for a log, its origin."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """The verifier key, to be handed over out of band."""
        return str(self.key)

    def sign(self, text: str) -> bytes:
        """Return the signed note. `text` ends in a newline and holds no other control character."""
        if not text.endswith("\n") or _is_control(text):
            raise ProofInvalid("a note text ends in a newline and holds no control character", place="note")
        line = encode_base64(self.key.id + self._private.sign(text.encode()))
        return f"{text}\n{_DASH}{self.name} {line}\n".encode()
