"""What is said where the node that holds a shard is away, or of a version before: what may be recorded."""

from __future__ import annotations

from exchange.errors import DeadlineTooClose, ExchangeError, Unavailable


class HolderAway(Unavailable):
    """No node that holds the shard can be reached now; nothing was recorded."""

    code = "HOLDER_AWAY"
    retry_after_ms = 500


class OutcomeUnknown(DeadlineTooClose):
    """The node that held the shard was cut off before it answered; the outcome may be either."""

    code = "OUTCOME_UNKNOWN"
    retry_after_ms = 500


class HolderOlder(ExchangeError):
    """The node that holds the shard is of a version that does not know this call; nothing was recorded."""

    code = "HOLDER_OLDER"
    remedy = "Send commands of a batch by calls of their own; ask all else once every node is new."
