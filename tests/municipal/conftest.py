"""A case system for each test; after it: no BSN where none may be, no fault by the published files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.bsn import passes_eleven_proof
from adapters.simulators.open_zaak.whole import OpenZaak
from tests.conftest import REPOSITORY
from tests.municipal.around import RSIN, Town
from tests.municipal.judge import faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.simulators.open_zaak.whole import Seen

NINE = re.compile("(?<![0-9])[0-9]{9}(?![0-9])")


@pytest.fixture
def seen() -> list[Seen]:
    return []


@pytest.fixture
def system(seen: list[Seen], tmp_path: Path) -> Iterator[OpenZaak]:
    made = OpenZaak(watch=seen.append).start()
    yield made
    made.close()
    standards = Path(os.environ.get("EXCHANGE_STANDARDS_DIR") or REPOSITORY.parent / "shared" / "standards")
    if standards.is_dir():
        assert "\n".join(fault for one in seen for fault in faults(standards, one)) == ""
    # A number stands in a body only, whatever went wrong; and in no name of a file.
    told = [f"{one.path}?{one.query} {' '.join(one.headers.values())}" for one in seen]
    told += [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")]
    found = {number for text in told for number in NINE.findall(text)} - {RSIN}
    assert [number for number in found if passes_eleven_proof(number)] == []


@pytest.fixture
def town(system: OpenZaak) -> Town:
    return Town(system)
