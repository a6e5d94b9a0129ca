"""Growth on small stores: both sides alike, plans as far apart as they come, one part alone."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

import pytest

from exchange.cli.bench_names import NAMES, UNITS
from exchange.settings import throw_away_settings
from exchange.wiring.load import growth, machine_share, rates, rebuilds, streams, waits
from exchange.wiring.load import run as runs
from exchange.wiring.load.figures import Found
from exchange.wiring.load.filler import filled
from exchange.wiring.load.place import SQLITE
from exchange.wiring.load.run import Run, measure_load
from exchange.wiring.load.sizes import SHORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.wiring.bench import Bench

SMALL: Final = replace(
    SHORT, plans=4, few_events=250, many_events=700, most_events=900, flat_turns=3, flat_groups=2
)
FIRST, SECOND = growth.STORES


@pytest.mark.parametrize(
    ("plans", "count", "found"),
    [(8, 4, [0, 2, 4, 6]), (85, 64, None), (3, 3, [0, 1, 2]), (10_000, 4, [0, 2_500, 5_000, 7_500])],
)
def test_plans_are_taken_from_all_over_and_each_once(plans: int, count: int, found: list[int] | None) -> None:
    chosen = growth.far_apart([str(number) for number in range(plans)], count)
    assert len(set(chosen)) == count
    assert chosen == sorted(chosen, key=int)
    assert int(chosen[-1]) >= plans - 1 - plans // count
    if found is not None:
        assert chosen == [str(number) for number in found]


def test_together_and_far_apart_are_measured_on_stores_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured: list[tuple[int, int, list[str]]] = []
    rate = growth._rate

    def seen(bench: Bench, groups: int) -> tuple[float, float]:
        measured.append((bench.core.reader.head()[0], groups, bench.plans))
        return rate(bench, groups)

    monkeypatch.setattr(growth, "_rate", seen)
    found = growth.measure_growth(growth.Where(SQLITE, tmp_path, SMALL), FIRST, FIRST.keys, lambda _: None)
    assert set(found.ratios) == {*FIRST.keys, *(f"{key}_cpu" for key in FIRST.keys)}
    for key in FIRST.keys:
        few, many = found.baselines[f"{key}_few"], found.results[f"{key}_many"]
        assert len(few["runs"]) == len(many["runs"]) == SMALL.flat_turns
        assert few["events"] < 2 * SMALL.few_events
        # What was measured made it larger, and that is said: the next small store is a new one.
        assert few["events_after"] > few["events"]
        assert many["events"] >= SMALL.many_events
    assert {*found.baselines, *found.results, *found.ratios} <= set(NAMES)
    # Two sides, a warm-up and three turns, twice.
    assert len(measured) == 2 * 2 * (1 + SMALL.flat_turns)
    together, apart = measured[:8], measured[8:]
    # The same number of plans on both sides, and of commands in a turn.
    assert {len(plans) for _, _, plans in together} == {4}
    assert len({len(plans) for _, _, plans in apart}) == 1
    assert len({tuple(plans) for _, _, plans in measured}) == 4
    for part in (together, apart):
        assert len({groups * len(plans) for _, groups, plans in part[2:]}) == 1
    assert list(tmp_path.iterdir()) == []


def test_of_one_store_only_what_is_asked_for_is_measured(tmp_path: Path) -> None:
    told: list[str] = []
    found = growth.measure_growth(
        growth.Where(SQLITE, tmp_path, SMALL), SECOND, ["flat_1e7_spread_vs_1e4"], told.append
    )
    assert set(found.ratios) == {"flat_1e7_spread_vs_1e4", "flat_1e7_spread_vs_1e4_cpu"}
    assert len(told) == 2


def test_what_is_not_measured_says_why(tmp_path: Path) -> None:
    where = growth.Where(SQLITE, tmp_path, replace(SMALL, most_events=0))
    none = growth.measure_growth(where, SECOND, SECOND.keys, lambda _: None)
    assert none.ratios == dict.fromkeys(SECOND.keys)
    assert set(none.reasons.values()) == {growth.NOT_LONG}
    where = growth.Where(SQLITE, tmp_path, replace(SMALL, most_events=10**15))
    room = growth.measure_growth(where, SECOND, SECOND.keys, lambda _: None)
    assert set(room.reasons.values()) == {growth.NO_ROOM}


def test_read_models_are_made_anew_from_all_events_and_each_model_is_told(tmp_path: Path) -> None:
    few, _ = filled(throw_away_settings(data=tmp_path / "few"), 2, 200)
    many, _ = filled(throw_away_settings(data=tmp_path / "many"), 2, 500)
    with closing(few.core), closing(many.core):
        found = rebuilds.measure_rebuilds(few.core, many.core)
        head = many.core.reader.head()[0]
        assert many.core.insight.database.position() == head
    told = found.results["rebuild_1e7_cpu_us"]
    assert found.results["rebuild_1e7_events_s"]["events"] == head
    assert sum(told["of"].values()) == pytest.approx(told["median"], abs=0.05)
    assert len(told["of"]) == 6
    assert len(found.baselines["rebuild_1e4_cpu_us"]["runs"]) == rebuilds.ROUNDS
    assert found.ratios[rebuilds.KEY] is not None
    assert {*found.baselines, *found.results, *found.ratios} <= set(NAMES)
    assert {one["unit"] for one in (*found.baselines.values(), *found.results.values())} <= set(UNITS)


# --- one part alone --------------------------------------------------------------------------------------


class Site:
    """Stands for a service whose memory is known, and counts the calls it gets."""

    def __init__(self, looks: list[float]) -> None:
        self.sizes = replace(SHORT, calls=5, soak_after_calls=22, soak_s=0.01)
        self.calls = 0
        self._looks = looks

    def rss_mb(self, _name: str) -> float:
        return self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]

    def closed(self, _line: str, _kind: str, count: int) -> None:
        time.sleep(0.001)
        self.calls += count


def test_growth_of_memory_is_told_from_the_first_look_and_from_after_the_warm_up() -> None:
    site: Any = Site([100.0, 130.0, 134.5])
    found = machine_share.measure_memory(site, lambda _: None)
    assert found.ratios == {"rss_mb": 134.5, "rss_growth_mb_10min": 4.5}
    assert found.results["rss_growth_from_first_look_mb"]["median"] == 34.5
    told = found.results["rss_growth_mb"]
    # Whole rounds of both kinds of calls, and no fewer than were asked for.
    assert told["after_calls"] == 30
    assert told["after_calls"] + told["calls"] == site.calls
    assert found.reasons["rss_growth_mb_10min"] == (
        "counted after 30 calls; from the first look, before them, 34.5 MB"
    )


@pytest.mark.parametrize(
    ("keys", "parts"),
    [
        ({"rss_growth_mb_10min"}, {"memory"}),
        ({"p99_vs_echo"}, {"waits"}),
        ({"writes_vs_echo", "shards_2_vs_1"}, {"rates", "shards"}),
        ({"fanout_events_s"}, {"streams"}),
        ({"replay_vs_raw"}, set()),
    ],
)
def test_of_a_service_only_the_parts_that_are_asked_for_are_run(
    monkeypatch: pytest.MonkeyPatch, keys: set[str], parts: set[str]
) -> None:
    ran: set[str] = set()

    class Opened:
        """Stands for a site."""

        sizes = SHORT

        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Self:
            return self

        def __exit__(self, *_: object) -> None: ...
        def serve(self, _name: str) -> None: ...
        def echo(self, _shard: object, _name: str) -> None: ...
        def timed(self, _line: str, _kind: str) -> tuple[float, float]:
            return 900.0, 1.0

    def part(name: str) -> Callable[..., Found]:
        def measured(*told: object) -> Found:
            ran.add(name)
            # Without the rates, the most commands a second are measured for what comes at a share of them.
            assert name != "waits" or told[1] == 900.0
            return Found()

        return measured

    monkeypatch.setattr(runs, "open_site", Opened)
    monkeypatch.setattr(runs, "_in_the_store", part("store"))
    monkeypatch.setattr(rates, "measure_rates", part("rates"))
    monkeypatch.setattr(waits, "measure_waits", part("waits"))
    monkeypatch.setattr(streams, "measure_streams", part("streams"))
    monkeypatch.setattr(machine_share, "measure_memory", part("memory"))
    monkeypatch.setattr(machine_share, "measure_shards", part("shards"))
    measure_load(Run(only=frozenset(keys)), lambda _: None)
    assert ran == (parts or {"store"})
