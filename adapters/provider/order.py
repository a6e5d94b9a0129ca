"""In which order messages of ours about one person go: conditions of the outbox, in the journal's file.

Promises: the oldest goes first; nothing that wants an answer goes behind one that was set apart.
"""

from __future__ import annotations

from typing import Final

# Behind one of the same person that somebody must look at. An answer of ours has its own term, and waits not.
_BEHIND: Final = (
    "{one}.retour_due IS NOT NULL AND EXISTS (SELECT 1 FROM in_the_way JOIN outbox AS stuck "
    "ON stuck.name = in_the_way.name WHERE stuck.state = 'parked' AND stuck.content IS NOT NULL "
    "AND stuck.pseudonym = {one}.pseudonym AND stuck.number < {one}.number)"
)
BEHIND: Final = _BEHIND.format(one="outbox")
# What is to go too, of the same person, and came before.
_GOES: Final = f"older.state = 'waiting' AND NOT ({_BEHIND.format(one='older')})"
OLDER: Final = (
    f"SELECT 1 FROM outbox AS older INDEXED BY outbox_person WHERE {_GOES} AND older.content IS NOT NULL "  # noqa: S608 -- our own words
    "AND older.pseudonym = outbox.pseudonym AND older.number < outbox.number"
)
