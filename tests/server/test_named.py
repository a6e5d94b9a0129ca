"""Which subscriptions stand is read on from the last look, also where there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.server.named import TOPICS, Named
from exchange.store import ports
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from exchange.store.batch import Row


def test_what_was_looked_through_once_is_not_looked_through_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = Shard(tmp_path)
    try:
        reader, asked = shard.core.reader, list[tuple[int, int]]()
        page = type(reader).page

        def counted(self: Any, after: int, limit: int, topics: Sequence[str], until: int) -> list[Row]:  # noqa: ANN401 -- of either store
            assert tuple(topics) == TOPICS
            asked.append((after, until))
            return page(self, after, limit, topics, until)

        monkeypatch.setattr(type(reader), "page", counted)
        monkeypatch.setattr(ports, "POSITIONS_PER_LOOK", 8)
        named, head = Named(), shard.head
        assert named.every(reader) == ()
        # By parts, one behind the other.
        assert asked == [(at, min(at + 8, head)) for at in range(0, head, 8)]
        asked.clear()
        assert named.of(shard.oin, reader) == ()
        assert asked == []
        monkeypatch.setattr(type(reader), "page", page)
        shard.resident()
        monkeypatch.setattr(type(reader), "page", counted)
        assert named.every(reader) == ()
        assert asked == [(head, shard.head)]
    finally:
        shard.close()
