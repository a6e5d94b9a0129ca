"""Whom files are about that the journal does not tie to one person: declarations, and answers with a body.

Promises: what is written here before a file is kept finds it again at an erasure, also after a kill in
between, for a file that came in is known by the hash of its bytes. All in the journal's file, in the caller's
transaction. What was refused was never read, and is found by the number in it.
Source: GDPR 17 and 19.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from adapters.kit.numbers import mentions
from adapters.provider.errors import EnvelopeRefused, MessageNotReadable
from adapters.provider.journal import FORGOTTEN_BYTES
from adapters.provider.stuf import ENVELOPE_BYTES_MAX, Reader, is_envelope

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from adapters.provider.journal import Journal
    from adapters.sdk.bsn import Bsn

_SCHEMA: Final = (
    """CREATE TABLE IF NOT EXISTS read_about (
  digest BLOB NOT NULL, pseudonym TEXT NOT NULL, PRIMARY KEY (digest, pseudonym)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS sent_about (
  name TEXT NOT NULL, pseudonym TEXT NOT NULL, PRIMARY KEY (name, pseudonym)
) STRICT, WITHOUT ROWID""",
)


class FilesAbout:
    """Files and people, in the file of the journal."""

    def __init__(self, journal: Journal) -> None:
        self._connection: Final = journal.connection
        for statement in _SCHEMA:
            self._connection.execute(statement)

    def read(self, digest: bytes, people: Iterable[str]) -> None:
        """Remember whom a file that came in is about, by the SHA-256 of its bytes."""
        rows = [(digest, one) for one in people]
        self._connection.executemany("INSERT OR IGNORE INTO read_about VALUES (?, ?)", rows)

    def knows(self, digest: bytes) -> bool:
        """Tell whether a file with these bytes came in before and is still about somebody."""
        row = self._connection.execute("SELECT 1 FROM read_about WHERE digest = ?", (digest,)).fetchone()
        return row is not None

    def sent(self, name: str, people: Iterable[str]) -> None:
        """Remember whom a message of ours is about, by its name in the outbox."""
        rows = [(name, one) for one in people]
        self._connection.executemany("INSERT OR IGNORE INTO sent_about VALUES (?, ?)", rows)

    def find_sent(self, pseudonym: str, bsn: Bsn) -> None:
        """Tie the messages of ours to a person that name them and are tied to nobody, such as a refusal."""
        self._connection.execute(
            "INSERT OR IGNORE INTO sent_about SELECT name, ? FROM outbox "
            "WHERE pseudonym IS NULL AND instr(content, ?)",
            (pseudonym, bsn.reveal().encode("ascii")),
        )

    def whom_sent(self, kind: str, identification: str) -> tuple[str, ...]:
        """Return whom a message of ours was about."""
        rows = self._connection.execute(
            "SELECT pseudonym FROM outbox WHERE kind = ?1 AND identification = ?2 AND pseudonym IS NOT NULL "
            "UNION SELECT s.pseudonym FROM sent_about AS s JOIN outbox AS o ON o.name = s.name "
            "WHERE o.kind = ?1 AND o.identification = ?2",
            (kind, identification),
        )
        return tuple(str(row[0]) for row in rows)

    def kept(self, pseudonym: str, archive: Path) -> tuple[Path, ...]:
        """Return the files in the archive about a person, found by their bytes."""
        rows = self._connection.execute("SELECT digest FROM read_about WHERE pseudonym = ?", (pseudonym,))
        digests = {bytes(row[0]) for row in rows}
        if not digests:
            return ()
        files = (path for path in archive.iterdir() if path.is_file())
        return tuple(path for path in files if hashlib.sha256(path.read_bytes()).digest() in digests)

    def left(self, pseudonym: str) -> tuple[str, ...]:
        """Return the names of the messages of ours about a person."""
        rows = self._connection.execute("SELECT name FROM sent_about WHERE pseudonym = ?", (pseudonym,))
        return tuple(str(row[0]) for row in rows)

    def forget(self, pseudonym: str) -> None:
        """Forget a person, and the content of messages of ours about them, whoever else stands in those.

        What came about them and was answered stays known by its identification, without a hash of it.
        """
        self._connection.execute(
            "UPDATE inbox SET digest = randomblob(?2) WHERE outbox_name IS NOT NULL AND (pseudonym = ?1 "
            "OR digest IN (SELECT digest FROM read_about WHERE pseudonym = ?1))",
            (pseudonym, FORGOTTEN_BYTES),
        )
        self._connection.execute(
            "UPDATE outbox SET content = NULL, state = 'sent' WHERE name IN "
            "(SELECT name FROM sent_about WHERE pseudonym = ?)",
            (pseudonym,),
        )
        self._connection.execute("DELETE FROM read_about WHERE pseudonym = ?", (pseudonym,))
        self._connection.execute("DELETE FROM sent_about WHERE pseudonym = ?", (pseudonym,))


def is_about(path: Path, bsn: Bsn) -> bool:
    """Tell whether a refused file holds a number, in the clear or within an envelope."""
    with path.open("rb") as file:
        content = file.read(ENVELOPE_BYTES_MAX + 1)
    number = bsn.reveal()
    return mentions(content, number) or mentions(_carried(content), number)


def _carried(content: bytes) -> bytes:
    """Return what an envelope carries, as far as it can be read; nothing of anything else."""
    carried = bytearray()
    if is_envelope(content):
        reader = Reader(carried.extend)
        try:
            reader.feed(content)
        except (EnvelopeRefused, MessageNotReadable):
            # As far as it went.
            return bytes(carried)
    return bytes(carried)
