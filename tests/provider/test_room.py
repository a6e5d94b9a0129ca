"""No room for the journal: the loop stands still with an alarm, loses nothing, and tells each thing once."""

from __future__ import annotations

import io
import json
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from adapters.provider import running
from adapters.provider.config import Side
from adapters.provider.journal import Journal
from adapters.provider.xml import emit
from adapters.sdk.logs import AdapterLog
from tests.kit.squeezed import WAYS, squeezed, until
from tests.kit.squeezed import running as in_thread
from tests.provider.around import Both, config, planned, read_file, sent
from tests.provider.world import MUNICIPALITY_OIN, PROVIDER_OIN, Port, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from adapters.provider.config import Config
    from adapters.provider.exchange_port import ExchangePort
    from adapters.provider.plan_seen import Happening

LOOK_S = 0.02


class Live(Port):
    """A way into the exchange that follows for as long as it is let."""

    def __init__(self, world: World, oin: str) -> None:
        super().__init__(world, oin)
        self._ended = threading.Event()

    def follow(
        self, cursor: int, keep_cursor: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        assert not until_caught_up
        while not self._ended.wait(LOOK_S):
            for told in super().follow(cursor, keep_cursor, until_caught_up=True):
                cursor = max(cursor, told.position)
                yield told

    def stop_following(self) -> None:
        self._ended.set()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("side", Side, ids=lambda side: side.value)
def test_a_journal_without_room_stands_still_and_then_tells_each_thing_once(
    side: Side, way: str, both: Both, tmp_path: Path
) -> None:
    """The municipality loses no happening, and the provider no message."""
    lines, world = io.StringIO(), both.world
    oin = MUNICIPALITY_OIN if side is Side.MUNICIPALITY else PROVIDER_OIN
    if side is Side.MUNICIPALITY:
        both.register()
    both.close()

    def told(event: str) -> list[str]:
        found = [json.loads(line) for line in lines.getvalue().splitlines()]
        return [one.get("code", "") for one in found if one["event"] == event]

    with squeezed(way, tmp_path / "squeezed") as (squeeze, state):
        settings = config(tmp_path, side, state=state, poll_ms=10)
        held = both.municipality if side is Side.MUNICIPALITY else both.provider
        (state / "journal.db").write_bytes(held.config.journal.read_bytes())

        @contextmanager
        def opened(config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
            journal = Journal(config.journal)
            try:
                squeeze.on_opening(journal.connection)
                yield Live(world, oin), journal
            finally:
                journal.close()

        if squeeze.at_start:
            squeeze.tighten(settings.journal)
        with in_thread(lambda stop: running.run(settings, AdapterLog(lines), stop, opened)):
            if not squeeze.at_start:
                until(lambda: bool(told("adapter_started")))
                squeeze.tighten(settings.journal)
            planned(both)
            if side is Side.PROVIDER:
                (settings.inbox / "a.xml").write_bytes(emit(sent()))
            until(lambda: bool(told("store_fault")))
            assert {*told("store_fault")} <= {*squeeze.words}
            assert list(settings.outbox.iterdir()) == []
            squeeze.loosen()
            until(lambda: len(list(settings.outbox.iterdir())) > 0)
            until(lambda: running.status(settings).standing_still == "")
            until(lambda: not running.status(settings).errands_due)
        (answer,) = settings.outbox.iterdir()
        assert read_file(answer).number == ("301" if side is Side.MUNICIPALITY else "302")
        assert told("store_well") == [""]
        assert len(world.assigned) == int(side is Side.PROVIDER)
        assert running.status(settings).well
