"""Signed notes: text, a blank line, and signature lines.

Promises: only canonical base64 is read; a signature of a known key that fails refuses the whole note; unknown
signatures are passed over; a key is the pair of name and id, so nobody signs under another's name.
Source: c2sp.org/signed-note@v1.0.0, c2sp.org/tlog-cosignature (types 0x04 and 0x06), RFC 8032 (Ed25519),
FIPS 204 (ML-DSA-44).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey, MLDSA44PublicKey

from exchange.errors import ProofInvalid
from exchange.ledger.cosignature import (
    ML_DSA_44_PUBLIC_BYTES,
    ML_DSA_44_SIGNATURE_BYTES,
    TIME_BYTES,
    split_time,
    timed_text,
    whole_tree,
    with_time,
)
from exchange.ledger.weak_keys import is_anybodys

if TYPE_CHECKING:
    from collections.abc import Iterable

ED25519: Final = 0x01
COSIGNATURE_ED25519: Final = 0x04
COSIGNATURE_ML_DSA_44: Final = 0x06
NOTE_BYTES_MAX: Final = 256 * 1024
SIGNATURES_MAX: Final = 64  # the standard asks for 16 at least
_DASH: Final = "\u2014 "
_ED25519_BYTES: Final = 32
_ED25519_SIGNATURE_BYTES: Final = 64
_KEY_ID_BYTES: Final = 4
_PUBLIC_BYTES: Final = {
    ED25519: _ED25519_BYTES,
    COSIGNATURE_ED25519: _ED25519_BYTES,
    COSIGNATURE_ML_DSA_44: ML_DSA_44_PUBLIC_BYTES,
}
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
    """A public key a verifier trusts under a name. Types 0x01 and 0x04 on Ed25519, 0x06 on ML-DSA-44."""

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
        if self.kind == ED25519:
            return self._verifies(signature, text.encode())
        is_ed25519 = self.kind == COSIGNATURE_ED25519
        timed = split_time(signature, _ED25519_SIGNATURE_BYTES if is_ed25519 else ML_DSA_44_SIGNATURE_BYTES)
        if timed is None:
            return False
        time_s, signature = timed
        message = timed_text(time_s, text) if is_ed25519 else whole_tree(self.name, time_s, text)
        return message is not None and self._verifies(signature, message)

    def _verifies(self, signature: bytes, message: bytes) -> bool:
        try:
            if self.kind == COSIGNATURE_ML_DSA_44:
                MLDSA44PublicKey.from_public_bytes(self.public).verify(signature, message)
            else:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


def parse_vkey(text: str) -> VerifierKey:
    """Read `name+hex(id)+base64(type || key)`. Raises ProofInvalid when the id is not the key's own.

    Nor is a key taken under which anybody can sign: three of them would be a quorum of nobody.
    """
    name, _, rest = text.partition("+")
    identifier, _, encoded = rest.partition("+")
    material = decode_base64(encoded, "verifier key")
    if not _is_key_name(name) or not material:
        raise ProofInvalid("not a verifier key", place="verifier key")
    key = VerifierKey(name, material[0], material[1:])
    if key.kind not in _PUBLIC_BYTES:
        raise ProofInvalid("a verifier key of a type not known here", place="verifier key")
    if len(key.public) != _PUBLIC_BYTES[key.kind]:
        raise ProofInvalid("a verifier key of the wrong length for its type", place="verifier key")
    if key.kind != COSIGNATURE_ML_DSA_44 and is_anybodys(key.public):
        raise ProofInvalid("a key under which anybody can sign", place="verifier key")
    if key.id.hex() != identifier:
        raise ProofInvalid("the key id does not belong to the key", place="verifier key")
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line, nothing verified."""

    name: str
    key_id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {encode_base64(self.key_id + self.signature)}\n"


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

    def lines_of(self, keys: Iterable[VerifierKey]) -> tuple[Signature, ...]:
        """Return one line for each of `keys` under the note, in its order; nothing verified."""
        known = {(key.name, key.id) for key in keys}
        found: dict[tuple[str, bytes], Signature] = {}
        for line in self.signatures:
            if (line.name, line.key_id) in known:
                found.setdefault((line.name, line.key_id), line)
        return tuple(found.values())

    def with_lines(self, lines: Iterable[Signature]) -> bytes:
        """Return the signed note of this text under other signature lines."""
        return (self.text + "\n" + "".join(map(str, lines))).encode()


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


class SigningKey(Protocol):
    """What a note signer asks of an Ed25519 key, in memory or in a token."""

    def sign(self, data: bytes, /) -> bytes:
        """Return the signature, 64 bytes."""
        ...

    def public_key(self) -> Ed25519PublicKey:
        """Return the public half."""
        ...


class NoteSigner:
    """Signs notes with an Ed25519 key under a name; type 0x01. Deterministic: one text, one signature."""

    def __init__(self, name: str, private: SigningKey) -> None:
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

    def named(self, name: str) -> NoteSigner:
        """Return the same key under another name: to a verifier it is another."""
        return self if name == self.name else NoteSigner(name, self._private)

    def sign(self, text: str) -> bytes:
        """Return the signed note. `text` ends in a newline and holds no other control character."""
        if not text.endswith("\n") or _is_control(text):
            raise ProofInvalid("a note text ends in a newline and holds no control character", place="note")
        line = encode_base64(self.key.id + self._private.sign(text.encode()))
        return f"{text}\n{_DASH}{self.name} {line}\n".encode()


class Cosigner:
    """Cosigns checkpoints at a time: a witness on Ed25519 (0x04), a log or witness on ML-DSA-44 (0x06)."""

    def __init__(self, name: str, private: Ed25519PrivateKey | MLDSA44PrivateKey) -> None:
        if not _is_key_name(name):
            raise ProofInvalid("a key name holds no space, plus or control character", place="key name")
        self._private = private
        kind = COSIGNATURE_ED25519 if isinstance(private, Ed25519PrivateKey) else COSIGNATURE_ML_DSA_44
        self.key = VerifierKey(name, kind, private.public_key().public_bytes_raw())

    @property
    def vkey(self) -> str:
        """The verifier key, to be handed over out of band."""
        return str(self.key)

    def named(self, name: str) -> Cosigner:
        """Return the same key under another name: to a verifier it is another."""
        return self if name == self.key.name else Cosigner(name, self._private)

    def cosign(self, text: str, time_s: int) -> Signature:
        """Return the signature line over a checkpoint's text. Raises ProofInvalid for any other text."""
        # Both types are made for the same texts, though the older one could sign any note.
        message = whole_tree(self.key.name, time_s, text)
        if message is None:
            raise ProofInvalid("only a checkpoint of three lines is cosigned", place="checkpoint")
        if self.key.kind == COSIGNATURE_ED25519:
            message = timed_text(time_s, text)
        return Signature(self.key.name, self.key.id, with_time(time_s, self._private.sign(message)))


def is_long(line: Signature) -> bool:
    """Tell whether a line is as long as only an ML-DSA-44 cosignature is, among the types in use."""
    return len(line.signature) == TIME_BYTES + ML_DSA_44_SIGNATURE_BYTES
