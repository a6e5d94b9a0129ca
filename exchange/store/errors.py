"""What only the writer needs to tell apart; no caller ever sees these.

Promises: both mean that nothing of the batch was written.
"""

from __future__ import annotations

from exchange.errors import StoreUnavailable


class HeadMoved(StoreUnavailable):
    """Another writer committed first: follow, walk again, commit again."""

    code = "HEAD_MOVED"


class Taken(StoreUnavailable):
    """A stream version or a request id exists already: bisect the group."""

    code = "TAKEN"
