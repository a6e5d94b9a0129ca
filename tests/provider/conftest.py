"""Both adapters around one exchange, and no test leaves a resident in a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.provider.builders import BSN, SURNAME
from tests.provider.world import MUNICIPALITY_OIN, OTHER_BSN, PROVIDER_OIN, Both, pseudonym

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    made = Both(tmp_path)
    made.world.open_plan()
    yield made
    log = made.log
    made.close()
    pseudonyms = [pseudonym(oin, BSN).hex() for oin in (MUNICIPALITY_OIN, PROVIDER_OIN)]
    for secret in (BSN, OTHER_BSN, SURNAME, *pseudonyms):
        assert secret not in log
