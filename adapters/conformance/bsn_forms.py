"""A BSN in every form from which it can be read back by anybody: what an adapter must not let out.

Promises: looks for what is written (digits, with signs between them too), for the same in base64 and
hexadecimal, for the number as protobuf packs it, and for the plain hashes of it: a BSN has thirty bits, so a
hash without a key is the number itself.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

HASHES: Final = ("md5", "sha1", "sha256", "sha512")
_BETWEEN: Final = rb"[ .\-]?"
_VARINT_TAG: Final = 0x80


@dataclass(frozen=True, slots=True)
class Forms:
    """All forms of one BSN."""

    _written: re.Pattern[bytes]
    _whole: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, digits: str) -> Forms:
        """Make them."""
        plain = digits.encode("ascii")
        whole = [("base64", plain_in_base64) for plain_in_base64 in _in_base64(plain)] + [
            ("hexadecimal", plain.hex().encode()),
            ("utf-16", digits.encode("utf-16-le")[:-1]),
        ]
        for name in HASHES:
            digest = hashlib.new(name, plain, usedforsecurity=False)
            whole += [
                (name, digest.digest()),
                (name, digest.hexdigest().encode()),
                (name, b64encode(digest.digest()).rstrip(b"=")),
            ]
        written = _BETWEEN.join(re.escape(plain[at : at + 1]) for at in range(len(plain)))
        # Nine digits of their own: in a longer row of digits they are another number.
        return cls(re.compile(rb"(?<![0-9])" + written + rb"(?![0-9])"), tuple(whole))

    def found_in(self, data: bytes) -> str:
        """Return in which form it stands there, empty where it does not."""
        if self._written.search(data):
            return "digits"
        return next((name for name, form in self._whole if form in data), "")

    def found_in_message(self, data: bytes, digits: str) -> str:
        """Return the same for a protobuf message, in which a number may also be packed."""
        return self.found_in(data) or ("number" if _varint(int(digits)) in data else "")


def _in_base64(plain: bytes) -> list[bytes]:
    """Return what stands in base64 wherever the digits begin, without what their neighbours change."""
    found = []
    for shift in range(3):
        coded = b64encode(b"\0" * shift + plain)
        first = (shift * 8 + 5) // 6
        last = (shift + len(plain)) * 8 // 6
        found.append(coded[first:last])
    return found


def _varint(number: int) -> bytes:
    coded = bytearray()
    while number >= _VARINT_TAG:
        coded.append(number & 0x7F | _VARINT_TAG)
        number >>= 7
    coded.append(number)
    return bytes(coded)
