"""Store: the only floor that knows `eventsourcing` and SQL. It keeps events, leaves, request ids and links together."""
