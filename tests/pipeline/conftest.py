"""A real shard in a temporary folder: store, keys, ledger and writer, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.wiring.core import pipeline_of
from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from exchange.pipeline.queue import Pipeline


@pytest.fixture
def shard(tmp_path: Path, fresh_store: Callable[[], dict[str, str]]) -> Iterator[Shard]:
    """An empty shard with its operator."""
    made = Shard(tmp_path / "data", **fresh_store())
    yield made
    made.close()


@pytest.fixture
async def pipeline(shard: Shard) -> AsyncIterator[Pipeline]:
    """The queue before the shard's writer."""
    made = pipeline_of(shard.core)
    yield made
    await made.drain()
