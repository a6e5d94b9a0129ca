"""One shard for each test, and decisions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    shard = Shard(tmp_path)
    yield shard
    shard.close()
