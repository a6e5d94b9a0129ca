"""The members of a pack, one after another, out of the one zip file that can hold them.

Promises: each header and the directory at the end are the bytes that the members themselves lead to, so
every program that opens the file finds the same members, and nothing else; no member is compressed.
Source: PKWARE APPNOTE 6.3.3 (local header 4.3.7, central directory 4.3.12, end record 4.3.16).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

from adapters.sdk.proofs import ProofRefused

if TYPE_CHECKING:
    from typing import BinaryIO

_LOCAL: Final = b"PK\x03\x04"
_LOCAL_BYTES: Final = 30
_END_BYTES: Final = 22
_SIZE_AT: Final = 22  # of the size of a member, in its local header
_NAME_SIZE_AT: Final = 26
# Of every member alike: needs version 2.0, no flags, stored, midnight of 1 January 1980.
_COMMON: Final = bytes.fromhex("1400 0000 0000 0000 2100")
_UNIX_AND_VERSION: Final = bytes.fromhex("1403")
_ATTRIBUTES: Final = bytes.fromhex("0000 0000 0000 0000 a481")  # no comment, one disk, a file of mode 0644
# Above these a zip file writes its numbers elsewhere, a second time.
_MEMBERS_MAX: Final = 0xFFFE
_BYTES_MAX: Final = 0xFFFF_FFFE


class Members:
    """Reads from the beginning. Every method raises ProofRefused for what is not as it should be."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._at = 0
        self._rows: list[bytes] = []

    def name_of_next(self) -> str:
        """Return the name of the member that comes next without taking it; empty where none does."""
        self._file.seek(self._at)
        header = self._file.read(_LOCAL_BYTES)
        if not header.startswith(_LOCAL):
            return ""
        return self._file.read(int.from_bytes(header[_NAME_SIZE_AT:][:2], "little")).decode(errors="replace")

    def next(self, name: str, most: int) -> bytes:
        """Return the content of the next member, which has this name and at most so many bytes."""
        if self.name_of_next() != name:
            raise ProofRefused(name, "is missing, or another member stands in its place")
        self._file.seek(self._at)
        header = self._file.read(_LOCAL_BYTES + len(name))
        size = int.from_bytes(header[_SIZE_AT:][:4], "little")
        if size > most or self._at + size > _BYTES_MAX:
            raise ProofRefused(name, "is too large")
        content = self._file.read(size)
        if len(content) != size:
            raise ProofRefused(name, "ends too early")
        numbers = _number(crc32(content), 4) + 2 * _number(size, 4) + _number(len(name), 2) + _number(0, 2)
        if header != _LOCAL + _COMMON + numbers + name.encode():
            raise ProofRefused(name, "has another checksum, or a header that says something else")
        place = _number(self._at, 4)
        self._rows.append(
            b"PK\x01\x02" + _UNIX_AND_VERSION + _COMMON + numbers + _ATTRIBUTES + place + name.encode()
        )
        self._at += len(header) + size
        return content

    def require_end(self) -> None:
        """Require that after the members stands their directory, and after that nothing."""
        rows, count = b"".join(self._rows), len(self._rows)
        if count > _MEMBERS_MAX or self._at + len(rows) + _END_BYTES > _BYTES_MAX:
            raise ProofRefused("pack", "is larger than a zip file of this form can be")
        ends = 2 * _number(0, 2) + 2 * _number(count, 2) + _number(len(rows), 4) + _number(self._at, 4)
        directory = rows + b"PK\x05\x06" + ends + _number(0, 2)
        self._file.seek(self._at)
        if self._file.read(len(directory) + 1) != directory:
            raise ProofRefused("pack", "holds more than its members, or another directory than theirs")


def _number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little")
