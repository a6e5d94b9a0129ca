"""A log in a folder, where the standards' vectors are, and a browser."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ledger.browser import opened
from tests.ledger.builders import Log

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ledger.browser import Page


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    made = Log(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def vectors() -> Path:
    named = os.environ.get("EXCHANGE_STANDARDS_DIR")
    root = Path(named) if named else Path(__file__).parents[3] / "shared" / "standards"
    if not (root / "vectors").is_dir():
        pytest.skip("the standards' vectors are absent: set EXCHANGE_STANDARDS_DIR")
    return root / "vectors"


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with opened() as found:
        yield found
