"""An exchange that is away, or cannot answer now: what needs it waits, with growing pauses.

Promises: what needs no exchange goes on meanwhile; each pause is told once, with the reason and the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.journal import wait_before_retry_ms
from adapters.sdk.errors import (
    CredentialsInvalid,
    ExchangeRefused,
    PseudonymRefused,
    ReceiptRefused,
    Refusal,
)

if TYPE_CHECKING:
    from adapters.provider.desk import Desk
    from adapters.sdk.errors import SdkError

# What a later attempt can mend, by itself or once a person looked at it.
NOT_NOW: Final = (ExchangeRefused, CredentialsInvalid, PseudonymRefused, ReceiptRefused)
PAUSE_ATTEMPTS_MAX: Final = 6  # the wait doubles from one second to 32


class Pausing:
    """One for an adapter. Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._pauses = 0
        self._until_ms = 0

    @property
    def paused(self) -> bool:
        """Tell whether the exchange is not to be asked yet."""
        return self._desk.steady_ms < self._until_ms

    def pause(self, error: SdkError) -> None:
        """Ask nothing for a while, for this reason."""
        self._pauses += 1
        wait_ms = wait_before_retry_ms(min(self._pauses, PAUSE_ATTEMPTS_MAX), self._desk.jitter())
        self._until_ms = self._desk.steady_ms + wait_ms
        refusal = error.refusal if isinstance(error, ExchangeRefused) else Refusal("", "")
        self._desk.log.warning(
            "exchange_not_now",
            error=type(error).__name__,
            reason=refusal.reason,
            rule=",".join(refusal.rules),
            wait_ms=wait_ms,
        )

    def well(self) -> None:
        """Begin with the shortest pause again: the exchange answered."""
        self._pauses = 0
