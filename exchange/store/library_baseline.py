"""The library as it comes, on the same SQLite settings: what our writer is measured against.

Promises: nothing here is used by the service. One aggregate, one event, one transaction, synchronous=FULL.
Source: `eventsourcing` 9.5 Application and Aggregate.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID  # noqa: TC003 -- the library reads the annotation at run time

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

if TYPE_CHECKING:
    from pathlib import Path


SHORT_EVENTS: Final = 20


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

    def __init__(self, folder: Path, plans: int) -> None:
        environment = {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(folder / "library.db"),
        }
        self._application: Application[UUID] = Application(environment)
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
