"""What is said of a map of shards that is not taken."""

from __future__ import annotations

from exchange.errors import SettingsInvalid


class ShardMapInvalid(SettingsInvalid):
    """A map of shards is not right, or may not follow the one in force; metadata: shard, key, serial."""

    code = "SHARD_MAP_INVALID"
    remedy = "Correct what is named; nothing of this map was taken, the one in force stays so."
