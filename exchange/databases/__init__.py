"""Small databases beside the events: a file of one machine, or tables in PostgreSQL that machines share."""
