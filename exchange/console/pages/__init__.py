"""Pages: a room for each, found by its name; what a room offers stands in its `ROUTES`."""
