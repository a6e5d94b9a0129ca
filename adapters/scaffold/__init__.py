"""`exchange-adapter new`: an adapter of one's own, outside this repository, that works as it is."""
