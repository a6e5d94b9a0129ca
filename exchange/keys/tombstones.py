"""What was destroyed, for ever, and which erasures were carried out in this key database.

Promises: a tombstone is written by the transaction that deletes what stood under it; of an erasure it is
known whether it was begun, and whether its bytes are gone as far as `database.scrub` takes them.
Source: GDPR 17; the design of the ledger, section 5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from exchange.keys.database import refusals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.databases.place import Connection


class Destroyed(NamedTuple):
    """Residents of whom all was destroyed, and the newest destroyed version by resident and category."""

    whole: set[str]
    parts: dict[tuple[str, str], int]


def read_destroyed(connection: Connection, resident_ref: str | None = None) -> Destroyed:
    """Return what was destroyed, of one resident or of everybody. Raises KeyUnavailable."""
    where, values = ("", ()) if resident_ref is None else (" WHERE resident_ref = ?", (resident_ref,))
    with refusals():
        whole = connection.execute(f"SELECT resident_ref FROM destroyed{where}", values)  # noqa: S608 -- fixed texts
        found = {ref for (ref,) in whole}
        rows = connection.execute(
            f"SELECT resident_ref, category, version FROM destroyed_part{where}",  # noqa: S608 -- fixed texts
            values,
        )
        return Destroyed(found, {(ref, category): version for ref, category, version in rows})


def has_begun(connection: Connection, erasure_id: str) -> bool:
    """Tell whether an erasure's rows were deleted. Raises KeyUnavailable."""
    with refusals():
        row = connection.execute("SELECT 1 FROM executed WHERE erasure_id = ?", (erasure_id,)).fetchone()
    return row is not None


def has_ended(connection: Connection, erasure_id: str) -> bool:
    """Tell whether its bytes are gone too. Raises KeyUnavailable."""
    with refusals():
        row = connection.execute(
            "SELECT 1 FROM executed WHERE erasure_id = ? AND scrubbed = 1", (erasure_id,)
        ).fetchone()
    return row is not None


def has_any(connection: Connection) -> bool:
    """Tell whether any erasure was begun, or anything destroyed. Raises KeyUnavailable."""
    with refusals():
        row = connection.execute(
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM executed) OR EXISTS (SELECT 1 FROM destroyed)"
            " OR EXISTS (SELECT 1 FROM destroyed_part)"
        ).fetchone()
    return row is not None


def note_begun(connection: Connection, erasure_id: str) -> None:
    """Note in the transaction that deletes."""
    connection.execute("INSERT INTO executed VALUES (?, 0) ON CONFLICT DO NOTHING", (erasure_id,))


def note_ended(connection: Connection, erasure_id: str) -> None:
    """Note, in a transaction of its own, that the bytes are gone."""
    connection.execute("UPDATE executed SET scrubbed = 1 WHERE erasure_id = ?", (erasure_id,))


def delete_all(connection: Connection, resident_ref: str) -> int:
    """Delete every key of a resident and write the tombstone; return how many there were."""
    connection.execute("INSERT INTO destroyed VALUES (?) ON CONFLICT DO NOTHING", (resident_ref,))
    return connection.execute("DELETE FROM data_key WHERE resident_ref = ?", (resident_ref,)).rowcount


def delete_parts(connection: Connection, resident_ref: str, parts: Mapping[str, int]) -> int:
    """Delete the keys of categories up to a version each, with tombstones; return how many there were."""
    gone = 0
    for category, version in parts.items():
        connection.execute(
            "INSERT INTO destroyed_part VALUES (?, ?, ?)"
            " ON CONFLICT (resident_ref, category) DO UPDATE SET version = excluded.version",
            (resident_ref, category, version),
        )
        gone += connection.execute(
            "DELETE FROM data_key WHERE resident_ref = ? AND category = ? AND version <= ?",
            (resident_ref, category, version),
        ).rowcount
    return gone
