"""What a caller of a running service sees, measured from outside: processes that serve, call and echo."""
