"""One town for each room of tests, and the lines that were derived of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fastjsonschema
import pytest
import yaml

from tests.server.conftest import opened
from tests.server.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.town import Town

    Check = Callable[[Any], Any]

ANY = r"[\s\S]*"
FORMATS = {"identificator": r"^\S{1,40}\Z", "OIN": r"^[0-9]{20}\Z", "duration": r"^P", "naam": ANY}
SCHEMA = json.loads((Path(__file__).parent / "ldv-line.schema.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    yield from opened(tmp_path_factory.mktemp("town"))


@pytest.fixture
def story(town: Town) -> Story:
    """Return a resident of one's own."""
    return Story(town, next(town.bsns))


@pytest.fixture(scope="session")
def valid() -> Check:
    """Return what raises for a line that is not as the standard and this service say."""
    check: Check = fastjsonschema.compile(SCHEMA)
    return check


@pytest.fixture(scope="session")
def valid_action(standards_dir: Path) -> Check:
    """Return what raises for an action that is not as the API of VNG says."""
    told = yaml.safe_load((standards_dir / "verwerkingenlogging/openapi.yaml").read_text("utf-8"))
    whole = {"$ref": "#/components/schemas/VerwerkingsactieUitgebreid", "components": told["components"]}
    check: Check = fastjsonschema.compile(whole, formats=FORMATS)
    return check
