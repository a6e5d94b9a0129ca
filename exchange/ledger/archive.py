"""The zip file of an audit pack, in its one canonical form.

Promises: the same members give the same bytes; the reader refuses every byte it would not have written,
so no header, comment, gap or second directory can hide anything; members are stored, so none can explode.
Source: PKWARE APPNOTE 6.3.3, sections 4.3.7, 4.3.12, 4.3.16; limits of the form without zip64.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Final

from exchange.errors import ProofInvalid, RequestTooLarge

if TYPE_CHECKING:
    from typing import BinaryIO

MEMBERS_MAX: Final = 0xFFFE
PACK_BYTES_MAX: Final = 0xFFFF_FFFE
_LOCAL: Final = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL: Final = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END: Final = struct.Struct("<4sHHHHIIH")
_VERSION: Final = 20
_STORED: Final = 0
_TIME: Final = 0
_DATE: Final = (1 << 5) | 1  # 1 January 1980: no clock in the bytes
_READABLE_FILE: Final = 0o100644 << 16
_MADE_ON_UNIX: Final = 3 << 8 | _VERSION


class _Directory:
    """The central directory, growing with each member."""

    def __init__(self) -> None:
        self._rows: list[bytes] = []
        self._rows_bytes = 0
        self.at = 0

    def add(self, name: bytes, size: int, checksum: int) -> bytes:
        """Return the local header of the next member and remember its row."""
        header = _LOCAL.pack(
            b"PK\x03\x04", _VERSION, 0, _STORED, _TIME, _DATE, checksum, size, size, len(name), 0
        )
        row = _CENTRAL.pack(
            b"PK\x01\x02",
            *(_MADE_ON_UNIX, _VERSION, 0, _STORED, _TIME, _DATE, checksum, size, size, len(name)),
            *(0, 0, 0, 0, _READABLE_FILE, self.at),
        )
        self._rows.append(row + name)
        self._rows_bytes += len(row) + len(name)
        self.at += len(header) + len(name) + size
        return header + name

    def tail(self) -> bytes:
        """Return everything after the last member."""
        rows = b"".join(self._rows)
        count = len(self._rows)
        return rows + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(rows), self.at, 0)

    def require_room(self, name: bytes, size: int) -> None:
        """Raise RequestTooLarge if one more member does not fit a zip without zip64."""
        headers = _LOCAL.size + _CENTRAL.size + 2 * len(name) + _END.size
        if len(self._rows) >= MEMBERS_MAX or self.at + self._rows_bytes + size + headers > PACK_BYTES_MAX:
            raise RequestTooLarge("a pack is at most 4 GiB and 65,534 members")


class ArchiveWriter:
    """Writes members one after another to a binary stream."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._directory = _Directory()

    def add(self, name: str, content: bytes) -> None:
        """Append a member. Raises RequestTooLarge past the limits of the format."""
        raw = name.encode("ascii")
        self._directory.require_room(raw, len(content))
        self._out.write(self._directory.add(raw, len(content), zlib.crc32(content)))
        self._out.write(content)

    def close(self) -> None:
        """Write the directory; the stream stays open."""
        self._out.write(self._directory.tail())


class ArchiveReader:
    """Reads members in order from a binary stream; a byte that is not canonical is a flaw or a refusal.

    `flaws` holds what was wrong without hiding what follows; anything in it refuses the file.
    """

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._directory = _Directory()
        self.flaws: list[ProofInvalid] = []

    def next(self, name: str, size_max: int) -> bytes:
        """Return the next member, which must be `name` and no larger than `size_max` bytes.

        Raises ProofInvalid naming the member when the rest cannot be read either.
        """
        expected = name.encode("ascii")
        header = self._read(_LOCAL.size + len(expected), f"zip header of {name}")
        fields = _LOCAL.unpack_from(header)
        checksum, size = fields[6], fields[7]
        if header[_LOCAL.size :] != expected:
            raise ProofInvalid("another member stands where this one belongs", place=name)
        if size > size_max:
            raise ProofInvalid("the member is too large", place=name)
        content = self._read(size, name)
        if zlib.crc32(content) != checksum:
            self.flaws.append(ProofInvalid("the content has another checksum than its header", place=name))
        if self._directory.add(expected, size, checksum) != header:
            self.flaws.append(ProofInvalid("a zip header is not canonical", place=f"zip header of {name}"))
        return content

    def peek_name(self) -> str:
        """Return the name of the next member without moving; empty where no member follows."""
        here = self._source.tell()
        header = self._source.read(_LOCAL.size)
        name = b""
        if len(header) == _LOCAL.size and header.startswith(b"PK\x03\x04"):
            name = self._source.read(_LOCAL.unpack(header)[9])
        self._source.seek(here)
        return name.decode("ascii", errors="replace")

    def finish(self) -> None:
        """Check that exactly the directory of the members read follows. Raises ProofInvalid."""
        tail = self._directory.tail()
        if self._source.read(len(tail) + 1) != tail:
            raise ProofInvalid(
                "the zip directory is not that of the members before it", place="zip directory"
            )

    def _read(self, size: int, place: str) -> bytes:
        content = self._source.read(size)
        if len(content) != size:
            raise ProofInvalid("the pack ends too early", place=place)
        return content
