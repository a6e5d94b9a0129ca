"""Time stamps of a third party over a checkpoint: what a token is about, not whether it is genuine.

Promises: tells which bytes a token stamps and when it says it did; whose word that is, is for a verifier that
knows the authority's certificate (`openssl ts -verify -in token.tsr -data checkpoint -CAfile ...`).
Source: RFC 3161 sections 2.4.1 and 2.4.2; RFC 5652 section 5 (SignedData); X.690 (DER).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from exchange.errors import ProofInvalid

TOKEN_BYTES_MAX: Final = 64 * 1024
_INTEGER, _OCTETS, _OID, _SEQUENCE, _SET = 0x02, 0x04, 0x06, 0x30, 0x31
_GENERALIZED_TIME: Final = 0x18
_EXPLICIT_0: Final = 0xA0
_SHORT_LENGTH_MAX: Final = 0x7F
_LENGTH_BYTES_MAX: Final = 4
_SIGNED_DATA: Final = bytes.fromhex("2a864886f70d010702")
_TST_INFO: Final = bytes.fromhex("2a864886f70d0109100104")
_SHA256: Final = bytes.fromhex("608648016503040201")
_GRANTED: Final = (b"\x00", b"\x01")  # granted, granted with changes
_is_moment = re.compile(rb"\d{14}(?:\.\d{1,9})?Z").fullmatch


@dataclass(frozen=True, slots=True)
class Stamp:
    """A signed checkpoint of the log, and a token over the bytes of its note. The token is DER.

    It is a TimeStampResp or the TimeStampToken within.
    """

    note: bytes
    token: bytes


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a token says: the SHA-256 it stamps, and the moment as it is written (`20260131120000Z`)."""

    imprint: bytes
    moment: str


def read_token(token: bytes, place: str) -> Stamped:
    """Read imprint and moment of a token; verifies no signature. Raises ProofInvalid naming `place`."""
    if len(token) > TOKEN_BYTES_MAX:
        raise ProofInvalid("the time stamp is too large", place=place)
    outer = _Reader(token, place)
    parts = _Reader(outer.next(_SEQUENCE), place)
    outer.end()
    if parts.peek() == _SEQUENCE:  # a response: its status, then the token
        if _Reader(parts.next(_SEQUENCE), place).next(_INTEGER) not in _GRANTED:
            raise ProofInvalid("the time stamp was not granted", place=place)
        parts = _Reader(parts.next(_SEQUENCE), place)
    info = _Reader(_content(parts, place), place)
    fields = _Reader(info.next(_SEQUENCE), place)
    info.end()
    fields.next(_INTEGER)
    fields.next(_OID)  # the authority's policy
    imprint = _Reader(fields.next(_SEQUENCE), place)
    if _Reader(imprint.next(_SEQUENCE), place).next(_OID) != _SHA256:
        raise ProofInvalid("the time stamp is over another hash than SHA-256", place=place)
    stamped = imprint.next(_OCTETS)
    fields.next(_INTEGER)  # the serial number
    moment = fields.next(_GENERALIZED_TIME)
    if len(stamped) != sha256().digest_size or not _is_moment(moment):
        raise ProofInvalid("the time stamp is malformed", place=place)
    return Stamped(stamped, moment.decode("ascii"))


def _content(parts: _Reader, place: str) -> bytes:
    """Return the DER of TSTInfo in a ContentInfo that holds SignedData."""
    if parts.next(_OID) != _SIGNED_DATA:
        raise ProofInvalid("the time stamp is no signed data", place=place)
    signed = _Reader(_Reader(parts.next(_EXPLICIT_0), place).next(_SEQUENCE), place)
    signed.next(_INTEGER)
    signed.next(_SET)
    encapsulated = _Reader(signed.next(_SEQUENCE), place)
    if encapsulated.next(_OID) != _TST_INFO:
        raise ProofInvalid("what was signed is no time stamp", place=place)
    return _Reader(encapsulated.next(_EXPLICIT_0), place).next(_OCTETS)


class _Reader:
    """Reads DER values one after another. Every fault is a ProofInvalid."""

    def __init__(self, content: bytes, place: str) -> None:
        self._content = content
        self._place = place
        self._at = 0

    def peek(self) -> int:
        return self._content[self._at] if self._at < len(self._content) else -1

    def next(self, tag: int) -> bytes:
        content, at = self._content, self._at
        if self.peek() != tag or at + 2 > len(content):
            raise ProofInvalid("the time stamp is malformed", place=self._place)
        size, start = content[at + 1], at + 2
        if size > _SHORT_LENGTH_MAX:
            count = size & _SHORT_LENGTH_MAX
            size, start = int.from_bytes(content[start : start + count], "big"), start + count
            if not 1 <= count <= _LENGTH_BYTES_MAX or size <= _SHORT_LENGTH_MAX:
                raise ProofInvalid("the time stamp has a length that is not DER", place=self._place)
        self._at = start + size
        if self._at > len(content):
            raise ProofInvalid("the time stamp ends too early", place=self._place)
        return content[start : self._at]

    def end(self) -> None:
        if self._at != len(self._content):
            raise ProofInvalid("something stands after the time stamp", place=self._place)
