"""What was answered with a refusal and is about nobody who is known here: it goes with its time.

Promises: such a message, however often it came, and our answer to it are gone so many days after it came,
also where a kill came between keeping and noting it; what is known to be about somebody stays until that is
erased, and an answer that did not leave until it did. That a message came is kept, without what it said.
Source: GDPR 5(1)(e).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from adapters.kit.put_aside import DAY_NS
from adapters.provider.folders import passing

if TYPE_CHECKING:
    from adapters.provider.desk import Desk

AGED_TO: Final = "refusals aged to"
_DAY_MS: Final = DAY_NS // 1_000_000


def age(desk: Desk) -> int:
    """Remove what is older than the settings say; return how many messages. Raises OSError."""
    until_ms = desk.now_ms - desk.config.rejected_days * _DAY_MS
    gone = _age_messages(desk, until_ms) + _age_answers(desk, until_ms)
    desk.journal.advance(AGED_TO, max(until_ms, 0))
    if gone:
        desk.journal.fold_log()
    return gone


def _age_messages(desk: Desk, until_ms: int) -> int:
    connection = desk.journal.connection
    # What was not noted as archived may lie there all the same, once: at the first look after its time.
    rows = connection.execute(
        "SELECT digest FROM inbox WHERE outbox_name IS NOT NULL AND pseudonym IS NULL AND received_ms < ? "
        "AND (archived IS NOT NULL OR received_ms >= ?) AND digest NOT IN (SELECT digest FROM read_about)",
        (until_ms, desk.journal.position(AGED_TO) - _DAY_MS),
    )
    digests = {bytes(row[0]) for row in rows}
    if not digests:
        return 0
    found = 0
    for path in desk.config.archive.iterdir():
        if path.is_file() and hashlib.sha256(path.read_bytes()).digest() in digests:
            path.unlink(missing_ok=True)
            found += 1
    # After the files: what a kill leaves is looked for again.
    with desk.journal.transaction():
        connection.executemany(
            "UPDATE inbox SET archived = NULL WHERE digest = ?", [(one,) for one in digests]
        )
    return found


def _age_answers(desk: Desk, until_ms: int) -> int:
    connection = desk.journal.connection
    rows = connection.execute(
        "SELECT name FROM outbox WHERE retour_due IS NULL AND pseudonym IS NULL AND content IS NOT NULL "
        "AND state = 'sent' AND created_ms < ? AND name NOT IN (SELECT name FROM sent_about)",
        (until_ms,),
    )
    names = [str(row[0]) for row in rows]
    for name in names:
        # Where nobody took it.
        place = desk.config.outbox / name
        place.unlink(missing_ok=True)
        passing(place).unlink(missing_ok=True)
    with desk.journal.transaction():
        connection.executemany("UPDATE outbox SET content = NULL WHERE name = ?", [(one,) for one in names])
    return len(names)
