"""Orders that were refused: sealed as the journal is, for so many days, and gone with whoever they are about.

Promises: an order of which nothing could be read is found by the number in it, at an erasure of a plan whose
resident was asked about before; of anybody else it goes with its time. What an earlier version left in the
clear is sealed at the start.
Source: GDPR 5(1)(e), 17, 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.numbers import numbers_in
from adapters.kit.put_aside import PutAside

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from adapters.sdk.logs import AdapterLog
    from adapters.work_income.config import Config
    from adapters.work_income.journal import Journal

TIDY_EVERY_MS: Final = 3_600_000


class Rejected:
    """Owned by the thread that opened the journal."""

    def __init__(self, config: Config, journal: Journal, log: AdapterLog, now_ms: Callable[[], int]) -> None:
        self.kept: Final = PutAside(config.rejected, journal.sealing, now_ms)
        self._days: Final = config.rejected_days
        self._journal: Final = journal
        self._log: Final = log
        self._now_ms: Final = now_ms
        self._next_ms = 0
        self._started = False

    def tidy(self) -> None:
        """Seal at the start what lies in the clear; once an hour, remove what was refused long enough ago."""
        if self._now_ms() < self._next_ms:
            return
        try:
            sealed = 0 if self._started else self.kept.seal_clear()
            self._started = True
            gone = self.kept.expire(self._days)
        except OSError as error:
            # Looked at again at the next pass: what cannot be sealed or taken away is for a person.
            self._log.error("rejected_failed", error=type(error).__name__)
            return
        self._next_ms = self._now_ms() + TIDY_EVERY_MS
        if sealed:
            self._log.warning("rejected_sealed", count=sealed)
        if gone:
            self._log.warning("rejected_expired", count=gone)

    def erase(self, plan_ids: Collection[str]) -> None:
        """Remove what is about whose plans these are. Raises OSError."""
        is_theirs = self._journal.whose(plan_ids)
        gone = self.kept.erase(lambda content: any(map(is_theirs, numbers_in(content))))
        if gone:
            self._log.info("rejected_erased", count=gone)
