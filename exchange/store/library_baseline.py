"""The library as it comes, on the same store: what our writer is measured against.

Promises: nothing here is used by the service. One aggregate, one event, one transaction, flushed before it is
acknowledged: with SQLite synchronous=FULL, with PostgreSQL as the server is set.
Source: `eventsourcing` 9.5 Application and Aggregate, its compressor and its cipher.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003 -- the library reads the annotation at run time

from eventsourcing.application import Application
from eventsourcing.cryptography import AESCipher
from eventsourcing.domain import Aggregate, event

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


SHORT_EVENTS: Final = 20
NOTIFICATIONS: Final = 1_000


def on_sqlite(folder: Path) -> dict[str, str]:
    """Return the library's settings for a file in a folder."""
    return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "library.db")}


def sealed() -> dict[str, str]:
    """Return the library's settings for events that are compressed and encrypted, under a new key."""
    return {
        "COMPRESSOR_TOPIC": "zlib",
        "CIPHER_TOPIC": "eventsourcing.cryptography:AESCipher",
        "CIPHER_KEY": AESCipher.create_key(num_bytes=32),
    }


class LibraryPlan(Aggregate):
    """A plan as a straightforward user of the library would write it."""

    def __init__(self) -> None:
        self.goals = 0

    @event("GoalSet")
    def set_goal(self, own_words: str, desired_effect: str, life_domain: str, target_date: str) -> None:
        """Count a goal; the event holds its words in the clear."""
        del own_words, desired_effect, life_domain, target_date
        self.goals += 1


class LibraryBaseline:
    """Plans kept in memory, so that saving is measured and not loading."""

    def __init__(self, environment: Mapping[str, str], plans: int) -> None:
        self._application: Application[UUID] = Application(dict(environment))
        self._short: list[UUID] = []
        self._plans = [LibraryPlan() for _ in range(plans)]
        for plan in self._plans:
            self._application.save(plan)

    def set_goals(self, count: int, words: str) -> None:
        """Save `count` events, each in a transaction of its own."""
        for number in range(count):
            plan = self._plans[number % len(self._plans)]
            plan.set_goal(words, words, "work_and_education", "2027-01-01")
            self._application.save(plan)

    def handle_commands(self, count: int, words: str) -> None:
        """Handle `count` commands as an application does that keeps nothing in memory: get, change, save.

        Plans have 20 events at first.
        """
        for number in range(count):
            plan_id = self._short[number % len(self._short)]
            plan: LibraryPlan = self._application.repository.get(plan_id)
            plan.set_goal(words, words, "work_and_education", "2027-01-01")
            self._application.save(plan)

    def make_short_plans(self, plans: int, words: str) -> None:
        """Save new plans of 20 events for `handle_commands`."""
        self._short = []
        for _ in range(plans):
            plan = LibraryPlan()
            for _ in range(SHORT_EVENTS - 1):
                plan.set_goal(words, words, "work_and_education", "2027-01-01")
            self._application.save(plan)
            self._short.append(plan.id)

    def read_all(self) -> int:
        """Read every event through the library's mapper, as for a projection; return how many there were."""
        recorder, mapper = self._application.recorder, self._application.mapper
        count = 0
        while rows := recorder.select_notifications(start=count + 1, limit=NOTIFICATIONS):
            for row in rows:
                mapper.to_domain_event(row)
            count += len(rows)
        return count

    def synchronous(self) -> int:
        """Return SQLite's setting: 2 is FULL."""
        recorder = self._application.recorder
        with recorder.datastore.transaction(commit=False) as cursor:  # type: ignore[attr-defined] # the SQLite recorder has a datastore
            cursor.execute("PRAGMA synchronous")
            level: int = cursor.fetchone()[0]
        return level

    def close(self) -> None:
        """Close the database."""
        self._application.close()
