"""Many nodes before one shard: a call that comes to another node than the holder's is sent on to it."""
