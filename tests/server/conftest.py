"""One town for each room of tests that needs one."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest

from exchange.logs import open_log
from tests.server.story import Story
from tests.server.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    yield from opened(tmp_path_factory.mktemp("town"))


@pytest.fixture
def aging_town(tmp_path: Path) -> Iterator[Town]:
    """Return a town in which time may pass: it never goes back there, so it is nobody else's."""
    yield from opened(tmp_path)


def opened(data: Path, store: Mapping[str, str] = MappingProxyType({})) -> Iterator[Town]:
    """Yield a started town with a notice and a portal for representatives."""
    with (data / "exchange.log").open("w", encoding="utf-8") as lines:
        town = Town(data, open_log(stream=lines), store)
        town.start()
        # Also where what follows fails: its threads would be found by tests of another room.
        try:
            town.register_notice("folder-1", b"\1" * 32)
            town.open_to_representatives()
            yield town
        finally:
            town.close()


@pytest.fixture
def story(town: Town) -> Story:
    """Return a resident of one's own."""
    return Story(town, next(town.bsns))
