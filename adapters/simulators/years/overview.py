"""The director's own overview of how it goes: away for a year, and back where it was.

It follows by a name, so that the exchange keeps how far it came; it keeps nothing of that itself.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from adapters.sdk.named import KEEPING, Named
from adapters.simulators.story import systems
from adapters.simulators.story.away import Taken, following
from adapters.simulators.story.stage import WIJKTEAM
from adapters.simulators.years.family import must

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simulators.story.stage import Telling
    from adapters.simulators.years.family import Family

NAME: Final = "overzicht"
SCORES: Final = ("evaluations.scores",)
# The exchange writes down how far a subscription came once ten seconds have passed.
WRITTEN_AFTER: Final = timedelta(seconds=11)


class Overview:
    """Scores of Noor's plan, as they come."""

    def __init__(self, family: Family) -> None:
        self._family: Final = family
        self._named: Final = Named(NAME, WIJKTEAM, SCORES)
        self.taken = Taken()

    @contextmanager
    def follows(self) -> Iterator[None]:
        """Follow from now on, for the first time."""
        with following(self._family.team(), self._named, self.taken.take, begins_now=True):
            yield

    def has_written_down(self, looks: int) -> None:
        """Wait until the exchange wrote down that so many looks were taken."""
        systems.wait_for(lambda: len(self._scores) >= looks, "the overview was told of no look back")
        self._family.clock.forward_to(self._family.clock.now() + WRITTEN_AFTER)
        newest = max(one.position for one in self.taken.by_event.values())
        systems.wait_for(lambda: self._cursor() >= newest, "how far the overview came was not written down")

    def comes_back(self, told: Telling) -> None:
        """Come back after a year, knowing the name alone."""
        before, self.taken = self.taken, Taken()
        had = _scores_in(before)
        with following(self._family.team(), self._named, self.taken.take):
            systems.wait_for(lambda: self._scores, "the overview missed a look back")
        must(not before.by_event.keys() & self.taken.by_event.keys(), "something was told twice")
        told.step(
            "years-away",
            "The director's own overview was away all year. It comes back with the name it follows by, and "
            f"is told what it missed ({self._scores[-1]} of 5), not again what it had ({had[-1]}).",
            "PERMIT",
        )

    @property
    def _scores(self) -> list[int]:
        return _scores_in(self.taken)

    def _cursor(self) -> int:
        listed = self._family.team().subscription.list_subscriptions(claim=KEEPING)
        return next(one.cursor for one in listed.subscriptions if one.subscription_id == NAME)


def _scores_in(taken: Taken) -> list[int]:
    found = [evaluation for one in taken.by_event.values() for evaluation in one.change.evaluations]
    return [score for one in found for score in one.scores]
