"""One town with a console for each room of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.console.house import House
from tests.server.conftest import opened
from tests.server.story import Story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server.town import Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    yield from opened(tmp_path_factory.mktemp("town"))


@pytest.fixture(scope="module")
def story(town: Town) -> Story:
    """Return the resident who signs in here, with a case."""
    return Story(town, next(town.bsns))


@pytest.fixture(scope="module")
def house(town: Town, story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(town, tmp_path_factory.mktemp("console"), story.bsn)
    yield house
    house.close()
