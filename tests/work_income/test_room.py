"""No room for the journal: the loop stands still with an alarm, loses no order, and writes each once."""

from __future__ import annotations

import io
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.logs import AdapterLog
from adapters.work_income import running
from adapters.work_income.journal import Journal
from adapters.work_income.sealing import Seal
from adapters.work_income.service import Others
from tests.kit.squeezed import WAYS, squeezed, until
from tests.kit.squeezed import running as in_thread
from tests.work_income.test_service import FOR_RIGHT, FOR_WORK
from tests.work_income.world import Port, Sources, World, config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.work_income.config import Config


@pytest.mark.parametrize("way", WAYS)
def test_a_journal_without_room_stands_still_and_then_does_each_order_once(way: str, tmp_path: Path) -> None:
    lines, world = io.StringIO(), World(tmp_path / "world")

    def told(event: str) -> list[str]:
        found = [json.loads(line) for line in lines.getvalue().splitlines()]
        return [one.get("code", "") for one in found if one["event"] == event]

    with squeezed(way, tmp_path) as (squeeze, state):
        settings = config(tmp_path, state=state, poll_ms=10)

        @contextmanager
        def opened(config: Config) -> Iterator[tuple[Others, Journal]]:
            journal = Journal(config.journal, Seal.at(config.seal_key))
            try:
                squeeze.on_opening(journal.connection)
                yield Others(Port(world), Sources(world)), journal
            finally:
                journal.close()

        Journal(settings.journal, Seal.at(settings.seal_key)).close()
        settings.inbox.mkdir()
        if squeeze.at_start:
            squeeze.tighten(settings.journal)
        with in_thread(lambda stop: running.run(settings, AdapterLog(lines), stop, opened)):
            if not squeeze.at_start:
                until(lambda: bool(told("adapter_started")))
                squeeze.tighten(settings.journal)
            for name, order in (("a", FOR_RIGHT), ("b", FOR_WORK)):
                draft = settings.inbox / f".{name}.json"
                draft.write_bytes(order.packed())
                draft.rename(settings.inbox / f"{name}.json")
            until(lambda: bool(told("store_fault")))
            assert {*told("store_fault")} <= {*squeeze.words}
            # Nothing was taken that is not written down.
            assert sorted(one.name for one in settings.inbox.iterdir()) == ["a.json", "b.json"]
            assert (world.held().commands, world.held().asked) == (0, [])
            squeeze.loosen()
            until(lambda: world.held().commands == 2)
            until(lambda: not any(running.status(settings).counts.values()))
            until(lambda: running.status(settings).standing_still == "")
        assert told("store_well") == [""]
        assert (len(world.held().asked), world.held().commands) == (4, 2)
        assert list(settings.inbox.iterdir()) == []
        assert running.status(settings).well
