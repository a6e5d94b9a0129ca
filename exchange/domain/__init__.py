"""The domain floor: what can happen to a support plan and around it; pure, it knows only the errors."""

from exchange.domain.kernel import Aggregate, Command, Event
from exchange.domain.registry import AGGREGATES, TOPICS, aggregate_of, stream_of

__all__ = ["AGGREGATES", "TOPICS", "Aggregate", "Command", "Event", "aggregate_of", "stream_of"]
