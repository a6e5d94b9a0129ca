"""How often a day one person has a resident recognised, himself or somebody else.

Promises: who signs in or looks somebody up all day uses up his own turns and not those of the municipality,
which the exchange counts together; what is kept to count by is no number of anybody, and ends with the day.
Source: Wabb art. 10; GDPR 5(1)(f), 32(1)(b); exchange/decisions/0029-who-can-try-bsns.md.
"""

from __future__ import annotations

import hmac
from collections import Counter
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from exchange.console.language import later
from exchange.console.refusals import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

TURNS_MAX: Final = 200
DAY_S: Final = 24 * 60 * 60
KEY_BYTES: Final = 32
_ENOUGH: Final = later("Dit is vandaag te vaak gevraagd. Probeer het morgen opnieuw.")


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
