"""What is measured with `--only`, and how runs that measured different things become one table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pytest

from exchange.wiring import bench_run
from exchange.wiring.bench_run import KEYS
from exchange.wiring.bench_targets import NOT_MEASURED, RATIOS, TARGETS
from exchange.wiring.load import growth, machine_share
from exchange.wiring.load.figures import Found
from exchange.wiring.load.run import LONG_KEYS, Run
from exchange.wiring.load.sizes import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Shell

MACHINE: Final = {"cores": 2, "machine": "x86_64", "python": "3.11.2", "sqlite": "3.40.1"}
GROWN: Final = machine_share.GROWN
FLAT: Final = "flat_1e7_vs_1e4"


# --- what is asked for -----------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """Runs that were asked for: of a service nothing is measured, and of the writer nothing may be."""
    asked: list[Run] = []

    def load(run: Run, progress: Callable[[str], None]) -> Found:
        progress("under load")
        asked.append(run)
        return Found(
            results={"rss_mb": {"median": 190.0, "unit": "MB", "runs": [190.0]}}, ratios={GROWN: 4.2}
        )

    def never(*_: object) -> None:
        raise AssertionError("nobody asked for this")

    monkeypatch.setattr(bench_run, "measure_load", load)
    monkeypatch.setattr(bench_run, "measure_writer", never)
    monkeypatch.setattr(bench_run, "_arrivals", never)
    monkeypatch.setattr(bench_run, "THE_REST", [(keys, told, never) for keys, told, _ in bench_run.THE_REST])
    return asked


def test_only_what_is_asked_for_is_measured_and_the_rest_says_why(exchange: Shell, asked: list[Run]) -> None:
    said = exchange("bench", "--json", "--only", GROWN)
    assert (said.code, said.err) == (0, "under load\n")
    report = json.loads(said.out)
    assert (report["only"], report["store"], report["ratios"][GROWN]) == ([GROWN], "sqlite", 4.2)
    assert set(report["ratios"]) == set(RATIOS) - {"rss_mb"}
    assert {name for name, value in report["ratios"].items() if value is not None} == {GROWN}
    targets = report["targets"]
    assert set(targets) == set(TARGETS)
    # What came along is told too.
    measured = {name for name, one in targets.items() if one["verdict"] != NOT_MEASURED}
    assert measured == {GROWN, "rss_mb"}
    for name in set(TARGETS) - measured:
        assert (targets[name]["value"], targets[name]["reason"]) == (None, bench_run.NOT_ASKED)


@pytest.mark.parametrize(
    ("keys", "sizes"),
    [((GROWN,), LONG), ((FLAT, GROWN), LONG), (("rss_mb",), SHORT), (("p99_vs_echo",), SHORT)],
)
def test_what_takes_long_is_measured_where_it_is_asked_for(
    exchange: Shell, asked: list[Run], keys: tuple[str, ...], sizes: object
) -> None:
    words = [word for key in keys for word in ("--only", key)]
    assert exchange("bench", "--json", *words).code == 0
    (run,) = asked
    assert (run.sizes, run.only) == (sizes, frozenset(keys))
    assert all(run.asks({key}) for key in keys)
    assert not run.asks({"reads_vs_echo"})
    assert not run.asks(())


def test_of_a_run_that_asks_for_nothing_all_is_measured() -> None:
    assert Run().asks(())
    assert Run().asks({FLAT})


def test_a_key_that_nothing_measures_is_refused_by_its_name(exchange: Shell, asked: list[Run]) -> None:
    said = exchange("bench", "--json", "--only", GROWN, "--only", "rss_of_the_moon")
    assert (said.code, said.out, asked) == (2, "", [])
    assert "rss_of_the_moon" in said.err


def test_lookups_are_judged_alone(exchange: Shell, asked: list[Run]) -> None:
    said = exchange("bench", "--json", "--lookups", "--only", GROWN)
    assert (said.code, said.out, asked) == (2, "", [])


def test_every_figure_with_a_target_can_be_asked_for() -> None:
    assert set(TARGETS) <= KEYS
    assert KEYS - set(TARGETS) == {"rebuild_1e7_vs_1e4"}
    assert set(RATIOS) <= KEYS
    assert growth.LONG_KEYS | {GROWN} == LONG_KEYS <= KEYS


# --- a table of runs that measured different things ------------------------------------------------------


def run_of(folder: Path, name: str, writes: int | None, **ratios: float | None) -> str:
    """Write a run to a file; return its path."""
    figure = {"median": writes, "unit": "commands/s", "runs": [writes]}
    report: dict[str, Any] = {"machine": MACHINE, "store": "sqlite", "baselines": {}, "ratios": ratios}
    report["results"] = {} if writes is None else {"door_writes": figure, "door_writes_slow_disk": figure}
    (folder / name).write_text(json.dumps(report), encoding="utf-8")
    return str(folder / name)


def test_each_figure_is_of_the_runs_that_measured_it_and_says_of_how_many(
    exchange: Shell, tmp_path: Path
) -> None:
    runs = [
        run_of(tmp_path, "1", 1_000, **{GROWN: None, FLAT: None, "writes_vs_echo": 0.5}),
        run_of(tmp_path, "2", 3_000, **{GROWN: None, FLAT: 0.93, "writes_vs_echo": 0.6}),
        run_of(tmp_path, "3", None, **{GROWN: 4.0, FLAT: 0.97, "writes_vs_echo": None}),
    ]
    said = exchange("bench", "--table", *runs)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert any(line.endswith("| ≤ 10 | 4, met (of 1 run) |") for line in lines)
    assert any(line.endswith("| ≥ 0.95 | 0.95 times, met |") for line in lines)
    assert any(line.endswith("| 2,000 commands a second |") for line in lines)
    assert any(line.endswith("| ≥ 0.55 | 0.55 times, met |") for line in lines)
    assert lines[-1].startswith("Medians of 2 on SQLite, each of three rounds.")
    assert lines[-1].endswith("A figure of more or fewer runs says so.")


def test_where_all_runs_measured_the_same_no_figure_says_of_how_many(exchange: Shell, tmp_path: Path) -> None:
    runs = [run_of(tmp_path, str(n), n * 1_000, **{GROWN: None}) for n in (1, 2, 3)]
    said = exchange("bench", "--table", *runs)
    assert "(of" not in said.out
    assert said.out.splitlines()[-1].startswith("Medians of 3 on SQLite, each of three rounds.")
    assert "more or fewer" not in said.out
    assert any(line.endswith("| ≤ 10 | not measured |") for line in said.out.splitlines())


def test_more_runs_than_of_most_figures_are_said_too(exchange: Shell, tmp_path: Path) -> None:
    runs = [
        run_of(tmp_path, "1", 1_000, **{FLAT: 0.9}),
        run_of(tmp_path, "2", None, **{FLAT: 0.8}),
    ]
    said = exchange("bench", "--table", *runs)
    assert any(line.endswith("0.85 times, short (of 2 runs) |") for line in said.out.splitlines())
    assert "| 1,000 commands a second |" in said.out
