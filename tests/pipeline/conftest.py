"""A real shard in a temporary folder: store, keys, ledger and writer, no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.pipeline.shard import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def shard(tmp_path: Path) -> Iterator[Shard]:
    """An empty shard with its operator."""
    made = Shard(tmp_path / "data")
    yield made
    made.close()
