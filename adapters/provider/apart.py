"""Messages of ours that were set apart, and what waits behind them: what a person sees of them and does.

Promises: about one person, what wants an answer goes out in its order, also over a message that failed: what
came later waits until a person has the failed one sent again, or says that it is settled, or its answer is
here. Nothing is deleted; the running adapter goes on by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapters.provider.errors import ConfigInvalid
from adapters.provider.journal import Journal
from adapters.provider.order import BEHIND

if TYPE_CHECKING:
    from adapters.provider.config import Config


def behind(journal: Journal) -> tuple[str, ...]:
    """Return the names of the messages that wait behind one that was set apart, oldest first."""
    query = (
        f"SELECT name FROM outbox WHERE state = 'waiting' AND content IS NOT NULL AND {BEHIND} "  # noqa: S608 -- our own words
        "ORDER BY number"
    )
    return tuple(str(row[0]) for row in journal.connection.execute(query))


def release(config: Config, name: str, now_ms: int, *, settled: bool) -> None:
    """Have a message that was set apart sent again, or take it as settled. Raises ConfigInvalid."""
    if not config.journal.exists():
        raise ConfigInvalid("there is no journal yet in the state folder: this adapter never ran")
    journal = Journal(config.journal)
    try:
        release_over(journal, name, now_ms, settled=settled)
    finally:
        journal.close()


def release_over(journal: Journal, name: str, now_ms: int, *, settled: bool) -> None:
    """Release over an open journal, as `release`."""
    with journal.transaction():
        if name not in {one.name for one in journal.parked()}:
            raise ConfigInvalid("no message of this name is set apart; `status` names them")
        if settled:
            # No answer to it is waited for.
            journal.connection.execute(
                "UPDATE outbox SET state = 'sent', codes = coalesce(codes, '') WHERE name = ?", (name,)
            )
        else:
            journal.revive(name, now_ms)
        journal.connection.execute("DELETE FROM in_the_way WHERE name = ?", (name,))
