"""Orders that were refused: sealed as the journal is, for so many days, and gone with whoever they are about.

Promises: an order of which nothing could be read is found by the number in it, at an erasure of a plan whose
resident was asked about before; of anybody else it goes with its time. What an earlier version left in the
clear is sealed at the start.
Source: GDPR 5(1)(e), 17, 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.numbers import numbers_in
from adapters.kit.put_aside import PutAside, Tidying

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from adapters.sdk.logs import AdapterLog
    from adapters.work_income.config import Config
    from adapters.work_income.journal import Journal


class Rejected:
    """Owned by the thread that opened the journal."""

    def __init__(self, config: Config, journal: Journal, log: AdapterLog, now_ms: Callable[[], int]) -> None:
        self.kept: Final = PutAside(config.rejected, journal.sealing, now_ms)
        self._tidying: Final = Tidying(self.kept, config.rejected_days, log, now_ms)
        self._journal: Final = journal
        self._log: Final = log

    def tidy(self) -> None:
        """Seal what lies in the clear, and remove what was refused long enough ago."""
        self._tidying.work()

    def erase(self, plan_ids: Collection[str]) -> None:
        """Remove what is about whose plans these are. Raises OSError."""
        is_theirs = self._journal.whose(plan_ids)
        gone = self.kept.erase(lambda content: any(map(is_theirs, numbers_in(content))))
        if gone:
            self._log.info("rejected_erased", count=gone)
