"""One town with an administration port for each room of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.tokens import Person
from exchange.logs import open_log
from tests.authzen.web import Web
from tests.server.story import Story
from tests.server.town import Town

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Open = Callable[..., Web]


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    data = tmp_path_factory.mktemp("town")
    with (data / "exchange.log").open("w", encoding="utf-8") as lines:
        town = Town(data, open_log(stream=lines), admin_port=0)
        town.start()
        yield town
        town.close()


@pytest.fixture
def story(town: Town) -> Story:
    """Return a resident of one's own."""
    return Story(town, next(town.bsns))


@pytest.fixture
def web(town: Town) -> Iterator[Open]:
    """Open connections for people of an organisation, the city's where none is named."""
    opened: list[Web] = []

    def connect(
        professional: str = "",
        task: str = "college:WMO",
        folder: str = "operator",
        port: int = 0,
        **more: object,
    ) -> Web:
        person = Person(professional, task, "regisseur", **more) if professional else None  # type: ignore[arg-type] # fields of a person
        opened.append(Web(port or town.server.admin_port, town.settings.data / folder, person))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()
