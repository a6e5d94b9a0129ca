"""How often and how long a call is tried again.

Promises: only what the exchange calls temporary is tried again, and what never reached it; never sooner than
the exchange asked; a call with its retries ends within its time limit; where an attempt was not answered, its
end does not say that nothing was recorded, unless the exchange said so of the request id.
Source: AIP-193 and AIP-194 (retry); google.rpc.RetryInfo; exponential backoff with full jitter.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

from adapters.sdk.errors import (
    ExchangeRefused,
    OutcomeUnknown,
    ServerNotTrusted,
    Unavailable,
    Unreachable,
    behind_unanswered,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_uniform: Final = secrets.SystemRandom().uniform


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries at most `attempts_max` times; the longest wait doubles from `wait_first_s` up to `wait_max_s`."""

    attempts_max: int = 5
    wait_first_s: float = 0.1
    wait_max_s: float = 5.0

    def wait_s(self, attempt: int, refused: ExchangeRefused | None = None) -> float:
        """Return the seconds to wait after attempt `attempt`, from 1, which may have ended with `refused`."""
        # Doubling is capped before it is computed: after a day of outage 2**attempt is no float any more.
        doubled = min(self.wait_max_s, self.wait_first_s * 2.0 ** min(attempt - 1, 30))
        asked_s = 0.0 if refused is None else refused.retry_after_s or 0.0
        return asked_s + _uniform(0.0, doubled)


def can_be_retried(refused: ExchangeRefused) -> bool:
    """Tell whether the same request can succeed later.

    An exchange that answered says so by naming a time. Where no exchange answered at all the request id makes
    asking again harmless; a server that could not prove itself stays what it is.
    """
    if isinstance(refused, ServerNotTrusted):
        return False
    if isinstance(refused, OutcomeUnknown):
        # Of a node that was cut off another tells, and when. Where time ran out, it did for this call too.
        return refused.reason == "OUTCOME_UNKNOWN" and refused.retry_after_s is not None
    if isinstance(refused, Unreachable):
        return True
    return isinstance(refused, Unavailable) and refused.retry_after_s is not None


class Attempts:
    """The attempts of one call, all within `timeout_s`."""

    def __init__(self, patience: Patience, timeout_s: float, clock: Callable[[], float] = monotonic) -> None:
        self._patience: Final = patience
        self._clock: Final = clock
        self._ends_at: Final = clock() + timeout_s
        self._made = 0
        self.last: ExchangeRefused | None = None  # how the attempt before the next ended, as it would be told

    def left_s(self) -> float:
        """Return the seconds left for this call, never less than one millisecond."""
        return max(0.001, self._ends_at - self._clock())

    def wait_before_next(self, refused: ExchangeRefused) -> float:
        """Return the seconds to wait before the next attempt.

        Raises `refused` where there is none; behind an attempt that was not answered, as it is told then.
        """
        if self.last is not None and self.last.may_be_recorded:
            refused = behind_unanswered(refused)
        self.last = refused
        self._made += 1
        if self._made >= self._patience.attempts_max:
            raise refused
        if not can_be_retried(refused):
            raise refused
        wait_s = self._patience.wait_s(self._made, refused)
        if wait_s >= self._ends_at - self._clock():
            raise refused
        return wait_s
