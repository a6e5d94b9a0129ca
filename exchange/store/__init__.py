"""Store: the only floor that knows `eventsourcing` and SQL; keeps events, leaves, request ids and links."""
