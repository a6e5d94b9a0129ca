"""One running exchange for the tests that leave it as they found it, and new ones for the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.e2e.service import Case, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    running = Service(tmp_path_factory.mktemp("shared") / "exchange").start()
    running.care()
    yield running
    running.close()


@pytest.fixture
def case(service: Service) -> Case:
    return Case(service)


@pytest.fixture
def new_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Return a function that starts a service of its own, with settings by name."""
    made: list[Service] = []

    def start(**settings: str) -> Service:
        made.append(Service(tmp_path / f"exchange-{len(made)}", **settings).start())
        return made[-1]

    yield start
    for running in made:
        running.close()
