"""What is said where the node that holds a shard is away: nothing was recorded, or something may be."""

from __future__ import annotations

from exchange.errors import DeadlineTooClose, Unavailable


class HolderAway(Unavailable):
    """No node that holds the shard can be reached now; nothing was recorded."""

    code = "HOLDER_AWAY"
    retry_after_ms = 500


class OutcomeUnknown(DeadlineTooClose):
    """The node that held the shard was cut off before it answered; the outcome may be either."""

    code = "OUTCOME_UNKNOWN"
    retry_after_ms = 500
