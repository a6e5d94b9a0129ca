"""Whoever follows what is rare among many goes through them by parts, and ends up with the same rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.projections.follower import catch_up
from exchange.store import ports
from tests.projections.test_obligations import break_glass, follow, listing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from exchange.store.batch import Row
    from tests.pipeline.shard import Shard


def test_a_read_model_is_made_of_parts_that_end_where_the_last_did(
    shard: Shard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, by_parts = listing(shard, tmp_path / "at-once"), listing(shard, tmp_path / "by-parts")
    _, _, plan_id = shard.plan()
    for _ in range(2):
        for _ in range(12):
            shard.done(shard.goal(plan_id))
        break_glass(shard, plan_id)
    head = follow(shard, at_once)
    page, asked = type(shard.core.reader).page, list[tuple[int, int]]()

    def counted(self: Any, after: int, limit: int, topics: Sequence[str], until: int) -> list[Row]:  # noqa: ANN401 -- of either store
        asked.append((after, until))
        return page(self, after, limit, topics, until)

    monkeypatch.setattr(type(shard.core.reader), "page", counted)
    monkeypatch.setattr(ports, "POSITIONS_PER_LOOK", 5)
    assert catch_up(by_parts, shard.core.reader, shard.core.codec) == head
    assert by_parts.database.dump() == at_once.database.dump()
    assert asked == [(at, min(at + 5, head)) for at in range(0, head, 5)]
    for one in (at_once, by_parts):
        one.database.close()
