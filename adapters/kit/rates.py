"""How often another system is called: a rate of our own, a burst, and the waits it asked for.

Promises: in any stretch of time no more calls begin than `burst` and one for each interval of it; who waits
goes in the order of asking and sleeps until its turn; a wait the other side asked for (`Retry-After`) and our
own rate both hold, so that the later of the two counts, and no burst follows on one. Setting the system's
clock changes nothing. A start begins with one call and no burst; a wait that was asked outlives a restart.
Who would wait too long, in a line too long or within a wait that was asked, is told so as `NotNow`: what was
to be done stays in a journal.
Source: RFC 9110 10.2.3 (Retry-After).
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.kit.outward import RETRY_AFTER_S_MAX, NotNow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

PER_MINUTE_MOST: Final = 60_000
BURST_MOST: Final = 1_000
PATIENCE_S: Final = 30.0  # how long a call waits for its turn; two intervals, where that is longer
WAITING_MAX: Final = 64
OWN_LIMIT: Final = "own_limit"
ASKED_TO_WAIT: Final = "asked_to_wait"
QUEUE_FULL: Final = "own_limit_queue_full"
STOPPING: Final = "stopping"
_LOOK_EVERY_S: Final = 1.0  # how soon who waits hears that the adapter stops
_LEAST_S: Final = 0.001
_MINUTE_NS: Final = 60_000_000_000
_SECOND_NS: Final = 1_000_000_000


class Rate(NamedTuple):
    """Calls a minute in the long run, and how many at once after a quiet time."""

    per_minute: int
    burst: int


class Pace(NamedTuple):
    """A clock in seconds that nobody sets, and waiting by it until an event, or for so long."""

    steady: Callable[[], float] = time.monotonic
    pause: Callable[[threading.Event, float], object] = threading.Event.wait


REAL: Final = Pace()


class Counts(NamedTuple):
    """What a limiter did since it was made."""

    calls: int
    waited_s: float
    put_off: int


class Limiter:
    """The rate of calls to one system. May be used by any thread."""

    def __init__(
        self,
        system: str,
        rate: Rate,
        pace: Pace | None = None,
        *,
        stopped: Callable[[], bool] = lambda: False,
        held: Callable[[str, float], None] = lambda _system, _seconds: None,
    ) -> None:
        """`held` is told of each wait that was asked, in seconds, to remember it."""
        if not (1 <= rate.per_minute <= PER_MINUTE_MOST and 1 <= rate.burst <= BURST_MOST):
            raise ValueError("a rate and a burst lie within their bounds")
        self.system: Final = system
        self._burst: Final = rate.burst
        # Rounded up: never faster than the rate.
        self._interval: Final = -(-_MINUTE_NS // rate.per_minute)
        self._patience: Final = max(int(PATIENCE_S * _SECOND_NS), 2 * self._interval)
        self._pace: Final = pace or REAL
        self._stopped: Final = stopped
        self._tell_held: Final = held
        self._lock: Final = threading.Lock()
        # All below is owned by whoever holds the lock. Our own time only ever goes forward.
        self._clock = self._pace.steady()
        self._at = 0
        # From when on the whole burst is there again; one call is there at the start.
        self._whole_at = (self._burst - 1) * self._interval
        self._held_until = 0
        self._line: Final[deque[threading.Event]] = deque()
        self._calls = 0
        self._waited = 0
        self._put_off = 0

    # --- asking -------------------------------------------------------------------------------------------

    def turn(self) -> None:
        """Return when it is this caller's turn. Raises NotNow where that is too far away."""
        mine = threading.Event()
        with self._lock:
            self._pass_time()
            if len(self._line) >= WAITING_MAX:
                raise self._not_now(QUEUE_FULL, self._wait(len(self._line) + 1))
            begun = self._at
            self._line.append(mine)
        try:
            while (wait := self._step(mine, begun)) > 0:
                self._pace.pause(mine, min(max(wait / _SECOND_NS, _LEAST_S), _LOOK_EVERY_S))
        finally:
            with self._lock:
                self._line.remove(mine)
                if self._line:
                    self._line[0].set()

    def _step(self, mine: threading.Event, begun: int) -> int:
        """Take the turn and return 0, or return how long it still is, in nanoseconds. Raises NotNow."""
        with self._lock:
            mine.clear()
            self._pass_time()
            place = self._line.index(mine) + 1
            wait = self._wait(place)
            if self._stopped():
                raise self._not_now(STOPPING, wait)
            if self._held_until - self._at > _SECOND_NS:
                raise self._not_now(ASKED_TO_WAIT, wait)
            if self._at + wait - begun > self._patience:
                raise self._not_now(OWN_LIMIT, wait)
            if place > 1:
                # Who goes before wakes who comes next.
                return max(wait, _SECOND_NS)
            if wait:
                return wait
            self._whole_at = max(self._whole_at, self._at) + self._interval
            self._calls += 1
            self._waited += self._at - begun
            return 0

    def _not_now(self, code: str, wait: int) -> NotNow:
        self._put_off += 1
        return NotNow(self.system, code, -(-wait // _SECOND_NS))

    def hold(self, seconds: float) -> None:
        """Let nobody go for so long: the other side asked it. The longest counts."""
        with self._lock:
            self._pass_time()
            until = self._at + int(min(max(seconds, 0.0), RETRY_AFTER_S_MAX) * _SECOND_NS)
            self._held_until = max(self._held_until, until)
            # One call is there when it ends, and no burst.
            self._whole_at = max(self._whole_at, self._held_until + (self._burst - 1) * self._interval)
            for one in self._line:
                one.set()
        self._tell_held(self.system, seconds)

    # --- looking ------------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Return how many calls may begin at this moment, beside those that wait already."""
        with self._lock:
            self._pass_time()
            if self._held_until > self._at:
                return 0
            used = max(self._whole_at - self._at, 0)
            return max((self._burst * self._interval - used) // self._interval - len(self._line), 0)

    @property
    def wait_s(self) -> float:
        """Return how long a call that asks now would wait, in seconds."""
        with self._lock:
            self._pass_time()
            return self._wait(len(self._line) + 1) / _SECOND_NS

    @property
    def soon(self) -> bool:
        """Tell whether a call that asks now would get its turn."""
        with self._lock:
            self._pass_time()
            held = self._held_until - self._at > _SECOND_NS
            return not held and self._wait(len(self._line) + 1) <= self._patience

    @property
    def counts(self) -> Counts:
        """Return what was done so far."""
        with self._lock:
            return Counts(self._calls, self._waited / _SECOND_NS, self._put_off)

    # --- time ---------------------------------------------------------------------------------------------

    def _pass_time(self) -> None:
        now = self._pace.steady()
        # A clock that goes back after all takes nothing away, and gives nothing.
        self._at += max(round((now - self._clock) * _SECOND_NS), 0)
        self._clock = now

    def _wait(self, place: int) -> int:
        """Return how long it is until this many calls more may have begun, in nanoseconds."""
        earliest = max(self._at, self._held_until)
        last = max(self._whole_at, earliest) + (place - self._burst) * self._interval
        return max(last, earliest) - self._at


class Limits:
    """The limiters of one adapter, by the name of the system; waits that were asked lie in one file."""

    def __init__(
        self,
        rates: Mapping[str, Rate],
        kept: Path,
        pace: Pace | None = None,
        *,
        now: Callable[[], float] = time.time,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """`now` is the clock of the day, seconds since 1970: only what outlives a restart is told by it."""
        self._kept: Final = kept
        self._now: Final = now
        self._lock: Final = threading.Lock()
        self.by_name: Final = {
            name: Limiter(name, rate, pace, stopped=stopped, held=self._keep) for name, rate in rates.items()
        }
        self._waits: Final[dict[str, tuple[float, float]]] = {}  # owned by whoever holds the lock
        for name, (until, seconds) in _read(kept).items():
            # Never longer than it was asked for, wherever the clock was set meanwhile.
            left = min(until - self._now(), seconds)
            if left > 0 and name in self.by_name:
                self.by_name[name].hold(left)

    def __getitem__(self, system: str) -> Limiter:
        """Return the limiter of a system."""
        return self.by_name[system]

    def _keep(self, system: str, seconds: float) -> None:
        with self._lock:
            now = self._now()
            self._waits[system] = max(self._waits.get(system, (0.0, 0.0)), (now + seconds, seconds))
            told = {name: wait for name, wait in self._waits.items() if wait[0] > now}
            draft = self._kept.with_suffix(".draft")
            try:
                draft.write_text(json.dumps(told), encoding="ascii")
                draft.replace(self._kept)
            except OSError:
                # It holds here all the same; after a restart the other side would ask again.
                with suppress(OSError):
                    draft.unlink(missing_ok=True)


def _read(kept: Path) -> dict[str, tuple[float, float]]:
    """Return the waits of a file: none, where it holds something else."""
    try:
        told = json.loads(kept.read_bytes())
        return {str(name): (float(until), float(seconds)) for name, (until, seconds) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, OverflowError):
        return {}
