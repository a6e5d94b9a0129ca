"""A store in a temporary folder, and a codec whose keys are the same for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.store.codec import Codec
from tests.store.builders import Store
from tests.store.fixed_keys import FixedKeys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def keys() -> FixedKeys:
    """Keys derived from their owners."""
    return FixedKeys()


@pytest.fixture
def codec(keys: FixedKeys) -> Codec:
    """A codec over these keys."""
    return Codec(keys)  # type: ignore[arg-type] # a fake that passes the calls the codec makes


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store."""
    made = Store(tmp_path / "events.db")
    yield made
    made.close()
