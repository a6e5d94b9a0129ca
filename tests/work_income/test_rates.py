"""How often Suwinet is asked: our own rate, the waits it asks for, and clocks that are set."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from adapters.kit.rates import Rate
from adapters.work_income.errors import SuwinetUnavailable
from tests.work_income.test_service import FOR_RIGHT, FOR_WORK
from tests.work_income.world import START, Adapter, Clock, World

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "world")


def test_no_more_is_asked_in_a_minute_than_the_settings_say(tmp_path: Path, world: World) -> None:
    adapter = Adapter(tmp_path, world, Clock(), rate=Rate(3, 1))
    adapter.order(FOR_RIGHT, "a.json")
    adapter.order(FOR_WORK, "b.json")
    adapter.work(seconds=0)
    # The first at once; each of the others waited for its turn, twenty seconds after the one before.
    assert (len(world.held().asked), world.held().commands) == (4, 2)
    assert timedelta(seconds=60) <= adapter.clock.now - START < timedelta(seconds=61)
    adapter.close()


def test_a_wait_that_suwinet_asks_for_is_kept_also_after_a_restart_and_asks_the_gate_nothing(
    tmp_path: Path, world: World
) -> None:
    adapter = Adapter(tmp_path, world, Clock())
    world.faults = [SuwinetUnavailable("status-429", 600)]
    adapter.order(FOR_RIGHT)
    adapter.work(10, seconds=50)
    assert (len(world.held().asked), len(world.held().permits)) == (1, 1)
    adapter.close()
    # Restarted, with the clock of the day set back meanwhile: no longer than it was asked for.
    again = Adapter(tmp_path, world, Clock(adapter.clock.now))
    again.work(seconds=99)
    assert len(world.held().asked) == 1
    again.work(2, seconds=2)
    assert (len(world.held().asked), world.held().commands) == (3, 1)
    again.close()


def test_a_clock_that_was_set_back_holds_up_nothing(tmp_path: Path, world: World) -> None:
    ahead = Clock(START + timedelta(days=400))
    adapter = Adapter(tmp_path, world, ahead)
    world.faults = [SuwinetUnavailable("timeout")] * 3
    adapter.order(FOR_RIGHT)
    adapter.work(2, seconds=5)
    ahead.set_to(START)
    # What waits was told by the clock as it was; it is asked again as soon as it would have been.
    adapter.work(6, seconds=60)
    assert (len(world.held().asked), world.held().commands) == (5, 1)
    # A wait in the journal that lies farther ahead than any wait may last is none.
    world.faults = [SuwinetUnavailable("timeout")]
    ahead.set_to(START + timedelta(days=800))
    adapter.order(FOR_WORK)
    adapter.work()
    ahead.set_to(START)
    adapter.work(2, seconds=60)
    assert world.held().commands == 2
    # And its day begins anew: it is not parked for what the clock did.
    assert adapter.journal.counts()["parked"] == 0
    adapter.close()
