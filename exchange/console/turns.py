"""How often a day one person has a resident recognised, himself or somebody else; how fast he looks at pages.

Promises: who signs in or looks somebody up all day uses up his own turns and not those of the municipality,
which the exchange counts together; what is kept to count by is no number of anybody, and ends with the day.
Nobody who reads what he opens is too fast; what asks without end fills no log.
Source: Wabb art. 10; GDPR 5(1)(f), 32(1)(b); exchange/decisions/0029-who-can-try-bsns.md.
"""

from __future__ import annotations

import hmac
from collections import Counter, OrderedDict
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from exchange.console.language import later
from exchange.console.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

TURNS_MAX: Final = 200
DAY_S: Final = 24 * 60 * 60
KEY_BYTES: Final = 32
# Each page is up to ten decisions, which stand in the log for years.
PAGES_AT_ONCE_MAX: Final = 600
PAGES_A_SECOND: Final = 5.0
PEOPLE_MAX: Final = 10_000
_ENOUGH: Final = later("Dit is vandaag te vaak gevraagd. Probeer het morgen opnieuw.")
_FAST: Final = later("U vraagt te veel pagina's achter elkaar. Wacht even en probeer het opnieuw.")


class Turns:
    """Owned by the event loop. `clock` gives seconds since 1970; `fresh` random bytes, as many as asked."""

    def __init__(self, clock: Callable[[], float], fresh: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._fresh = fresh
        self._key = b""
        self._day = -1
        self._taken: Counter[bytes] = Counter()

    def take(self, role: str, who: str) -> None:
        """Take a turn of this day (UTC). Raises Refused where somebody has none left."""
        day = int(self._clock() // DAY_S)
        if day != self._day:
            self._day, self._key = day, self._fresh(KEY_BYTES)
            self._taken.clear()
        mark = hmac.digest(self._key, f"{role}\n{who}".encode(), "sha256")
        if self._taken[mark] >= TURNS_MAX:
            raise Refused("NO_TURNS", _ENOUGH, HTTPStatus.TOO_MANY_REQUESTS)
        self._taken[mark] += 1


class Pace:
    """A bucket of pages for each person in one role. Owned by the event loop."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # person: (pages, as of)

    def take(self, person: Hashable) -> None:
        """Let somebody look at one page more. Raises Refused where he is too fast."""
        now = self._clock()
        left, since = self._left.pop(person, (PAGES_AT_ONCE_MAX, now))
        # A clock set back takes nothing away.
        left = min(PAGES_AT_ONCE_MAX, left + max(0.0, now - since) * PAGES_A_SECOND)
        self._left[person] = left - 1 if left >= 1 else left, now
        if len(self._left) > PEOPLE_MAX:
            # Who looked longest ago has the fullest one: forgetting it gives nothing away.
            self._left.popitem(last=False)
        if left < 1:
            raise Refused("TOO_FAST", _FAST, HTTPStatus.TOO_MANY_REQUESTS)
