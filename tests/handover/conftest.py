"""Two towns for a room of tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from adapters.sdk.envelope_keys import EnvelopeKeys
from exchange.logs import open_log
from tests.handover.towns import NEW_CITY, TASK, Mover, Towns, let_join
from tests.server.town import Town

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def towns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Towns]:
    """Yield both, started."""
    folder = tmp_path_factory.mktemp("towns")
    with (folder / "log").open("w", encoding="utf-8") as lines:
        old = Town(folder / "old", open_log(stream=lines))
        new = Town(folder / "new", open_log(stream=lines), {"operator_oin": NEW_CITY})
        old.start()
        new.start()
        old.register_notice("folder-1", b"\1" * 32)
        old.open_to_representatives()
        credentials = old.join(NEW_CITY, TASK)
        keys = EnvelopeKeys(folder / "keys")
        let_join(old, credentials, keys)
        yield Towns(old, new, credentials, keys, folder)
        new.close()
        old.close()


@pytest.fixture
def mover(towns: Towns) -> Mover:
    """Return a resident of one's own, with a plan and a consent."""
    found = Mover(towns)
    found.fill()
    found.consent()
    return found
