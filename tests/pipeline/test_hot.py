"""The hot cache: bounded, never older than what was written, and walks that load nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.errors import HistoryUnreadable
from exchange.pipeline import hot as room
from exchange.pipeline.hot import ENTRY_BYTES_MIN, Entry, HotStates, Recent
from tests.pipeline.faults import faulty_reader

if TYPE_CHECKING:
    from tests.pipeline.shard import Shard


def entry(state: object = "s", as_of: int = 1, size: int = ENTRY_BYTES_MIN) -> Entry:
    return Entry(state, 1, as_of, size)


# --- the bound ----------------------------------------------------------------------------------------


def test_the_entry_used_longest_ago_goes_first() -> None:
    hot = HotStates(bytes_max=3 * ENTRY_BYTES_MIN)
    for name in ("a", "b", "c"):
        hot.put(name, entry())
    hot.touch(["a", "absent"])
    hot.put("d", entry())
    assert [name for name in "abcd" if hot.peek(name)] == ["a", "c", "d"]
    assert hot.size == (3, 3 * ENTRY_BYTES_MIN)


def test_an_entry_over_the_bound_stands_alone() -> None:
    hot = HotStates(bytes_max=ENTRY_BYTES_MIN)
    hot.put("a", entry())
    hot.put("b", entry(size=10 * ENTRY_BYTES_MIN))
    assert hot.size == (1, 10 * ENTRY_BYTES_MIN)
    assert hot.peek("b") is not None


def test_evicting_and_clearing_give_their_bytes_back() -> None:
    hot = HotStates()
    hot.put("a", entry())
    hot.put("b", entry(size=1000))
    hot.evict(["b", "absent"])
    assert hot.size == (1, ENTRY_BYTES_MIN)
    hot.clear()
    assert hot.size == (0, 0)


# --- never older --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("as_of", "kept"), [(4, "written"), (5, "written"), (6, "loaded")])
def test_a_load_never_replaces_what_is_newer(as_of: int, kept: str) -> None:
    hot = HotStates()
    hot.apply({"a": entry("written", as_of=5)}, 5)
    hot.put("a", entry("loaded", as_of=as_of))
    found = hot.peek("a")
    assert found is not None
    assert found.state == kept


@pytest.mark.parametrize(("as_of", "fresh"), [(6, False), (7, True), (8, True)])
def test_a_load_is_fresh_only_after_the_last_write(as_of: int, fresh: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    recent = Recent()
    recent.note("a", 7)
    assert recent.is_fresh("a", as_of) is fresh
    assert recent.is_fresh("b", 0)


@pytest.mark.parametrize(("as_of", "fresh"), [(8, False), (9, True)])
def test_after_another_writer_only_what_was_loaded_since_is_fresh(as_of: int, fresh: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    recent = Recent()
    recent.note("a", 7)
    recent.forget_before(9)
    assert recent.is_fresh("a", as_of) is fresh


def test_what_was_forgotten_is_not_taken_for_never_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RECENT_STREAMS_MAX", 2)
    recent = Recent()
    for position, name in enumerate(("a", "b", "c", "d"), 1):
        recent.note(name, position)
    assert not recent.is_fresh("a", 1)
    assert not recent.is_fresh("never", 1)
    assert recent.is_fresh("a", 2)


def test_a_state_loaded_before_a_write_and_put_after_it_was_evicted_is_loaded_again(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    stream = f"plan-{plan_id}"
    old = shard.core.loader.load(stream)
    shard.done(shard.goal(plan_id))
    shard.core.hot.evict([stream])
    shard.core.hot.put(stream, old)
    assert shard.done(shard.goal(plan_id)).versions == {"plan": 4}
    shard.verified()


def test_a_stream_nobody_knows_is_refused(shard: Shard) -> None:
    for stream in ("dossier-1", "plan", "plan-", ""):
        with pytest.raises(HistoryUnreadable):
            shard.core.loader.load(stream)


# --- cost ---------------------------------------------------------------------------------------------


def test_reading_a_plan_of_a_thousand_events_loads_no_more_than_one_of_ten(shard: Shard) -> None:
    _, _, short = shard.plan()
    _, _, long = shard.plan()
    shard.run(*(shard.goal(short, f"doel {number}") for number in range(8)))
    for start in range(0, 998, 250):
        shard.run(*(shard.goal(long, f"doel {number}") for number in range(start, min(start + 250, 998))))
    assert shard.core.reader.last_version(f"plan-{long}")[1] == 1000
    shard.run(shard.question(short), shard.question(long))
    reader = faulty_reader(shard)
    for plan_id, goals in ((short, 8), (long, 998)):
        outcome = shard.done(shard.question(plan_id))
        assert len(outcome.captured.goals) == goals
        assert reader.calls == []


def test_a_cold_plan_is_loaded_once(shard: Shard) -> None:
    _, _, plan_id = shard.plan()
    shard.core.hot.clear()
    reader = faulty_reader(shard)
    shard.done(shard.question(plan_id))
    assert reader.calls.count("tail") == 4  # organisation, plan, case, resident
    before = list(reader.calls)
    shard.done(shard.question(plan_id))
    assert reader.calls == before
