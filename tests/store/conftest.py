"""A store in a temporary folder, and a codec whose keys are the same for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.store.codec import Codec
from tests.store.builders import Store
from tests.store.fixed_keys import FixedKeys
from tests.store.postgres_store import PostgresStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgres.server import PostgresServer


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


@pytest.fixture
def postgres_store(postgres: PostgresServer) -> Iterator[PostgresStore]:
    """An empty store in a schema of its own."""
    made = PostgresStore(postgres.schema())
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgres"])
def either(request: pytest.FixtureRequest) -> Store:
    """An empty store, of each kind: what is asked of one is asked of the other."""
    found: Store = request.getfixturevalue("store" if request.param == "sqlite" else "postgres_store")
    return found
