"""One running exchange for the tests of what is deployed beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return one with every door open."""
    folder = tmp_path_factory.mktemp("deployed") / "exchange"
    running = Service(folder, admin_port="0", tiles_port="0").start()
    yield running
    running.close()
