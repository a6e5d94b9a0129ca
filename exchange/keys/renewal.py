"""Keys wrapped anew under another KEK, and new versions of keys: by steps, each of them whole.

Promises: every step is one transaction of bounded size; ended at any moment, `kill -9` included, what was
done stays done and the same call goes on with the rest. A wrapping is replaced only when the new one opened.
For a service that stands still: a running one keeps former versions in its cache.
Source: NIST SP 800-57 part 1 section 5.3 (cryptoperiods); LEDGER design, section 5.
"""

from __future__ import annotations

import hmac
import os
from typing import TYPE_CHECKING, Final

from exchange.errors import KeyUnavailable, RuleBroken
from exchange.keys.database import refusals, scrub, transaction
from exchange.keys.datakey import KEY_BYTES, LEDGER_CATEGORY
from exchange.keys.kek import kek_of
from exchange.keys.keystore import wrapped_for
from exchange.keys.service_secret import secret_wrapped_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.databases.place import Connection
    from exchange.keys.kek import Kek

STEP_ROWS: Final = 500
_EVERY: Final = "*"  # no category is named so
_Name = tuple[str, str, int]


def wrappings(connection: Connection) -> dict[str, int]:
    """Return how many keys and secrets each KEK wraps, by its id."""
    with refusals():
        return dict(
            connection.execute(
                "SELECT kek_id, count(*) FROM"
                " (SELECT kek_id FROM data_key UNION ALL SELECT kek_id FROM secret) AS wrapped"
                " GROUP BY kek_id ORDER BY kek_id"
            ).fetchall()
        )


def newest_versions(connection: Connection) -> dict[int, int]:
    """Return how many residents' keys stand at each version, the newest of each counted."""
    with refusals():
        return dict(
            connection.execute(
                "SELECT version, count(*) FROM"
                " (SELECT max(version) AS version FROM data_key GROUP BY resident_ref, category) AS newest"
                " GROUP BY version ORDER BY version"
            ).fetchall()
        )


def rewrap(connection: Connection, kek: Kek, step_rows: int = STEP_ROWS) -> int:
    """Wrap every key and secret under `kek` that another of its ring wraps; return how many.

    The secrets go last: a service whose KEK opens none of the former ones starts on all or on nothing.
    Raises KeyUnavailable where one does not open: all before it stay wrapped anew.
    """
    done, after = 0, ("", "", 0)
    while True:
        count, after = _step(connection, kek, after, step_rows)
        done += count
        if count < step_rows:
            break
    done += _secrets(connection, kek)
    # What the former KEK wrapped must not be read back from the log.
    scrub(connection)
    return done


def renew(
    connection: Connection,
    kek: Kek,
    category: str | None = None,
    *,
    entropy: Callable[[int], bytes] = os.urandom,
    step_rows: int = STEP_ROWS,
) -> int:
    """Give every resident a next key version in one category, or in all; return how many were made.

    Former versions stay and open what they sealed. Ended in the middle, the same call goes on behind the last
    step. Raises RuleBroken for the category that makes pseudonyms: another key would make others.
    """
    if category == LEDGER_CATEGORY:
        raise RuleBroken("the key of pseudonyms in the ledger is not renewed", rule="one-pseudonym-key")
    done, more = 0, True
    while more:
        count = _renew_step(connection, kek, category, entropy, step_rows)
        done, more = done + count, count == step_rows
    return done


def _step(connection: Connection, kek: Kek, after: _Name, step_rows: int) -> tuple[int, _Name]:
    with transaction(connection):
        rows = connection.execute(
            "SELECT resident_ref, category, version, kek_id, wrapped FROM data_key"
            " WHERE (resident_ref, category, version) > (?, ?, ?) AND kek_id <> ?"
            " ORDER BY resident_ref, category, version LIMIT ?",
            (*after, kek.key_id, step_rows),
        ).fetchall()
        connection.executemany(
            "UPDATE data_key SET kek_id = ?, wrapped = ?"
            " WHERE resident_ref = ? AND category = ? AND version = ?",
            [
                (kek.key_id, _anew(kek, kek_id, wrapped, wrapped_for(*owner)), *owner)
                for *owner, kek_id, wrapped in rows
            ],
        )
    return len(rows), rows[-1][:3] if rows else after


def _secrets(connection: Connection, kek: Kek) -> int:
    """All in one transaction: there are a handful, and they decide whether a service starts."""
    with transaction(connection):
        rows = connection.execute(
            "SELECT name, kek_id, wrapped FROM secret WHERE kek_id <> ?", (kek.key_id,)
        ).fetchall()
        connection.executemany(
            "UPDATE secret SET kek_id = ?, wrapped = ? WHERE name = ?",
            [
                (kek.key_id, _anew(kek, kek_id, wrapped, secret_wrapped_for(name)), name)
                for name, kek_id, wrapped in rows
            ],
        )
    return len(rows)


def _anew(kek: Kek, kek_id: str, wrapped: bytes, owner: bytes) -> bytes:
    key = kek_of(kek, kek_id, "a key").unwrap(wrapped, owner)
    anew = kek.wrap(key, owner)
    if not hmac.compare_digest(kek.unwrap(anew, owner), key):
        raise KeyUnavailable("what the new KEK wrapped opens as another key", kek=kek.key_id)
    return anew


def _renew_step(
    connection: Connection,
    kek: Kek,
    category: str | None,
    entropy: Callable[[int], bytes],
    step_rows: int,
) -> int:
    """Make the next versions and note how far, in one transaction; forget the note behind the last."""
    walk = category or _EVERY
    with transaction(connection):
        after = connection.execute(
            "SELECT resident_ref, category FROM renewal WHERE walk = ?", (walk,)
        ).fetchone()
        found = connection.execute(
            "SELECT resident_ref, category, max(version) FROM data_key"
            " WHERE (resident_ref, category) > (?, ?) AND category <> ?"
            " AND (CAST(? AS TEXT) IS NULL OR category = ?)"
            " GROUP BY resident_ref, category ORDER BY resident_ref, category LIMIT ?",
            (*(after or ("", "")), LEDGER_CATEGORY, category, category, step_rows),
        ).fetchall()
        following = [(ref, one, newest + 1) for ref, one, newest in found]
        connection.executemany(
            "INSERT INTO data_key VALUES (?, ?, ?, ?, ?)",
            [(*owner, kek.key_id, kek.wrap(entropy(KEY_BYTES), wrapped_for(*owner))) for owner in following],
        )
        if len(found) < step_rows:
            connection.execute("DELETE FROM renewal WHERE walk = ?", (walk,))
        else:
            connection.execute(
                "INSERT INTO renewal VALUES (?, ?, ?) ON CONFLICT (walk) DO UPDATE SET"
                " resident_ref = excluded.resident_ref, category = excluded.category",
                (walk, *found[-1][:2]),
            )
    return len(found)
