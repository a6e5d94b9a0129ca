"""The lease of a shard in PostgreSQL: which node writes it now, for how long, and where it is reached.

Promises: a lease keeps several nodes from writing at once, and no answer rests on it: the head check is the
safety. One node at a time is given a term; it ends when its time by the database's clock has passed, when
the session that took it is gone, or when it was passed on. Terms only grow.
Source: postgresql.org/docs/current/explicit-locking.html (advisory locks of a session end with it);
exchange/decisions/0095-a-lease-and-who-holds-it.md.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg

from exchange.databases.postgres import CONNECT_TIMEOUT_S
from exchange.errors import StoreUnavailable
from exchange.store.postgres import store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

MS: Final = 1_000
OPENING_TIMEOUT_MS: Final = 60_000
_LOCK: Final = "hashtextextended(current_schema() || ' lease ' || %(key)s, 0)"
# One statement: nothing is open while a node that was stopped does not think. The lock of a term is held by
# the session that took it: who gets it finds that session gone. Who passed the lease on lets others go first.
_TAKE: Final = """
UPDATE lease SET
    term = CASE WHEN term = %(mine)s THEN term ELSE term + 1 END, holder = %(holder)s, avoid = '',
    until = clock_timestamp() + make_interval(secs => %(seconds)s)
WHERE one = 1 AND (term = %(mine)s OR (
    (until <= clock_timestamp() OR pg_try_advisory_xact_lock({found}))
    AND (avoid <> %(holder)s OR until + make_interval(secs => %(seconds)s) <= clock_timestamp())
))
RETURNING term, CASE WHEN term = %(mine)s AND %(locked)s THEN true ELSE pg_try_advisory_lock({found}) END
""".format(found=_LOCK.replace("%(key)s", "term"))
_LOOK: Final = "SELECT term, holder, extract(epoch FROM until - clock_timestamp()) FROM lease WHERE one = 1"
_GIVE: Final = """
UPDATE lease SET until = clock_timestamp(), holder = '', avoid = %(holder)s WHERE one = 1 AND term = %(mine)s
"""
_HAND_ON: Final = """
UPDATE lease SET term = term + 1, until = clock_timestamp(), holder = '', avoid = holder
WHERE one = 1 RETURNING term, avoid
"""
# Somebody emptied the table by hand: without this no node would ever hold the shard again. Terms only grow,
# so this one is greater than any that there was: no term was ever taken each second since 1970.
_AGAIN: Final = """
INSERT INTO lease VALUES (1, extract(epoch FROM clock_timestamp())::bigint, '', '', '-infinity')
ON CONFLICT DO NOTHING
"""


class Tenure(NamedTuple):
    """Who holds the shard: term, address (empty for nobody), seconds left by the database's clock."""

    term: int
    holder: str
    left_s: float
    mine: bool = False


class PostgresLease:
    """One node's side of the lease, on a connection of its own. Used by one thread at a time."""

    def __init__(self, dsn: str, address: str, seconds: float) -> None:
        """`address` is where the other nodes reach this one; no two nodes have the same."""
        self._dsn = dsn
        self._address = address
        self._seconds = seconds
        self._connection: psycopg.Connection[Any] | None = None
        self._term = -1  # the one this node was given; -1 for none
        self._locked = False  # this session holds the lock of that term

    def take(self) -> Tenure:
        """Take the lease where it is free, make it longer where it is ours; return who holds it.

        Raises StoreUnavailable: then it may be either, and is ours no longer than it was before.
        """
        with self._session() as session:
            asked = {
                "mine": self._term,
                "holder": self._address,
                "seconds": self._seconds,
                "locked": self._locked,
            }
            taken = session.execute(_TAKE.encode(), asked).fetchone()
            if taken is None and session.execute(_LOOK.encode()).fetchone() is None:
                session.execute(_AGAIN.encode())
                taken = session.execute(_TAKE.encode(), asked).fetchone()
            if taken is not None:
                if taken[0] != self._term:
                    self._let_go(session)
                self._term, self._locked = taken
                return Tenure(self._term, self._address, self._seconds, mine=True)
            if self._term >= 0:
                self._let_go(session)
            return _looked(session)

    def look(self) -> Tenure:
        """Return who holds it, and take nothing. Raises StoreUnavailable."""
        with self._session() as session:
            return _looked(session)

    def give(self) -> None:
        """Let go of the lease, so that another node takes it at once. Raises StoreUnavailable."""
        if self._term < 0:
            return
        with self._session() as session:
            session.execute(_GIVE.encode(), {"mine": self._term, "holder": self._address})
            self._let_go(session)

    def close(self) -> None:
        """Close the connection; a lease that was not given is over for the others when they look."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        self._term, self._locked = -1, False

    def _let_go(self, session: psycopg.Connection[Any]) -> None:
        if self._locked:
            session.execute(f"SELECT pg_advisory_unlock({_LOCK})".encode(), {"key": str(self._term)})
        self._term, self._locked = -1, False

    @contextmanager
    def _session(self) -> Iterator[psycopg.Connection[Any]]:
        with store_errors():
            if self._connection is None or self._connection.closed:
                self._locked = False
                self._connection = _connect(self._dsn, self._seconds * MS)
            try:
                yield self._connection
            except psycopg.Error:
                # Whatever it was: the next time begins with a session that is whole.
                self._connection.close()
                raise


def lease_of(dsn: str) -> Tenure:
    """Return who holds the shard of a store. Raises StoreUnavailable, also where it has no tables yet."""
    with store_errors(), _connect(dsn, OPENING_TIMEOUT_MS) as session:
        return _looked(session)


def pass_on(dsn: str) -> Tenure:
    """End the lease now, for another node to take: who held it takes it again only where nobody did.

    Returns the term it ended with and who held it. Raises StoreUnavailable.
    """
    with store_errors(), _connect(dsn, OPENING_TIMEOUT_MS) as session:
        found = session.execute(_HAND_ON.encode()).fetchone()
        if found is None:
            raise StoreUnavailable("the event store has no lease")
        return Tenure(found[0], found[1], 0.0)


@contextmanager
def alone_while_opening(dsn: str) -> Iterator[None]:
    """Let one node at a time open a shard: the first of them makes what the others find."""
    with store_errors(), _connect(dsn, OPENING_TIMEOUT_MS) as session:
        session.execute(f"SELECT pg_advisory_lock({_LOCK})".encode(), {"key": "opening"})
        yield


def _looked(session: psycopg.Connection[Any]) -> Tenure:
    found = session.execute(_LOOK.encode()).fetchone()
    if found is None:
        raise StoreUnavailable("the event store has no lease")
    return Tenure(found[0], found[1], float(found[2]))


def _connect(dsn: str, timeout_ms: float) -> psycopg.Connection[Any]:
    session = psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_S, autocommit=True)
    session.execute("SELECT set_config('statement_timeout', %s, false)", (str(int(timeout_ms)),))
    return session
