"""Limits per organisation: a bucket of calls, a bucket of evaluations, a number of open streams.

Promises: bounded memory; of what was taken in, one organisation's flood costs the others nothing but their
share of the machine; a refusal says when to come back.
Source: API rules of the architecture (limits on everything).
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from exchange.errors import ExchangeError, QuotaExceeded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUCKETS_MAX: Final = 4_096
RETRY_MS_MIN: Final = 20
STREAM_RETRY_MS: Final = 5_000


class StreamNotRead(ExchangeError):
    """Whoever opened this stream does not read it. metadata: cursor, where to resume."""

    code = "STREAM_NOT_READ"
    remedy = "Read faster than events come, or hand them on; then resume at the cursor named."


class Buckets:
    """One token bucket for each organisation. Owned by the event loop. `clock` counts seconds, monotonic."""

    def __init__(self, name: str, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._name = name
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # organisation: (tokens, as of)

    def take(self, organisation: str, count: int = 1) -> None:
        """Take tokens, or none of them. Raises QuotaExceeded naming when they will be there."""
        now = self._clock()
        tokens, since = self._left.get(organisation, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._per_second)
        if tokens < count:
            self._left[organisation] = (tokens, now)
            wait_ms = int((count - tokens) / self._per_second * 1_000) + RETRY_MS_MIN
            raise QuotaExceeded(
                "this organisation is over its share", retry_after_ms=wait_ms, limit=self._name
            )
        self._left[organisation] = (tokens - count, now)
        self._left.move_to_end(organisation)
        if len(self._left) > BUCKETS_MAX:
            # The least recently used bucket is the fullest one: forgetting it gives nothing away.
            self._left.popitem(last=False)


class Streams:
    """Open streams, bounded for each organisation and in all. Owned by the event loop."""

    def __init__(self, per_organisation_max: int, in_all_max: int) -> None:
        self._per_organisation_max = per_organisation_max
        self._in_all_max = in_all_max
        self._open: Counter[str] = Counter()
        self._named: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """Streams open now."""
        return self._open.total()

    def has(self, name: str) -> bool:
        """Tell whether a stream of this name is open."""
        return name in self._named

    @contextmanager
    def one(self, organisation: str, name: str = "") -> Iterator[None]:
        """Hold one stream, perhaps of a name. Raises QuotaExceeded."""
        full = self._open[organisation] >= self._per_organisation_max or self.count >= self._in_all_max
        if full:
            raise QuotaExceeded("too many open streams", retry_after_ms=STREAM_RETRY_MS, limit="streams")
        held = ((self._open, organisation), *([(self._named, name)] if name else []))
        for counter, key in held:
            counter[key] += 1
        try:
            yield
        finally:
            for counter, key in held:
                counter[key] -= 1
                if not counter[key]:
                    del counter[key]

    def linger(self, organisation: str) -> Callable[[], None]:
        """Keep the place of a stream that ended and is not gone yet; call the result when it is."""
        self._open[organisation] += 1

        def leave() -> None:
            self._open[organisation] -= 1
            if not self._open[organisation]:
                del self._open[organisation]

        return leave
