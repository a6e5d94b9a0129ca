"""What to do about an error of a command line, where no request was sent."""

from __future__ import annotations

from typing import Final

from exchange.errors import ExchangeError, RequestInvalid, StoreFull, StoreUnavailable, Unavailable

# Where no request was sent, a remedy that speaks of its id helps nobody; the first that fits.
_WITHOUT_A_REQUEST: Final[tuple[tuple[type[ExchangeError], str], ...]] = (
    (StoreFull, "Free space on the data disk (`exchange doctor`); then run the command again."),
    (
        StoreUnavailable,
        "Look whether --data names the folder of a service that ran; `exchange doctor` tells.",
    ),
    (Unavailable, "Run the command again in a moment; `exchange doctor` looks at every part."),
    (RequestInvalid, "Correct what is named and run the command again."),
    (ExchangeError, "Report this to the operator, with the command that was run."),
)


def remedy_at_the_keyboard(error: ExchangeError) -> str:
    """Return what to do about an error of a command line."""
    if "request id" not in error.remedy:
        return error.remedy
    return next(remedy for kind, remedy in _WITHOUT_A_REQUEST if isinstance(error, kind))
