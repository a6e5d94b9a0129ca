"""`exchange-adapter new`: an adapter of one's own, outside this repository, that works from the first minute."""
