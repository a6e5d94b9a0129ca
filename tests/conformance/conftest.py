"""One exchange for all benches of a module, and one adapter as `exchange-adapter new` lays it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.conformance.bench import Benches
from adapters.conformance.exchange_child import served
from adapters.scaffold.making import lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out("notes", tmp_path_factory.mktemp("new"))


@pytest.fixture(scope="module")
def benches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Benches]:
    folder = tmp_path_factory.mktemp("conformance")
    with served(folder / "exchange") as exchange:
        yield Benches(exchange, folder)
