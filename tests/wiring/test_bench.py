"""The bench on a toy size: what it reports, and what it must not measure."""

from __future__ import annotations

import gc
import json
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from statistics import median
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest

from exchange.cli import bench as shown
from exchange.cli.bench_names import NAMES, UNITS
from exchange.errors import LedgerDiffers, Overloaded
from exchange.ledger.verify import verify_pack
from exchange.pipeline.decisions import decided
from exchange.pipeline.walk import CommandOutcome
from exchange.projections import facets
from exchange.projections.decisions import DecisionList
from exchange.wiring import (
    bench,
    bench_absence,
    bench_audit,
    bench_door,
    bench_facets,
    bench_gate,
    bench_handover,
    bench_plan,
    bench_raw,
    bench_run,
    bench_witness,
)
from exchange.wiring.bench_ledger import Turn, write_without_leaves
from exchange.wiring.bench_targets import DESIGN, NOT_MEASURED
from exchange.wiring.load.figures import Found
from tests.ledger.builders import signer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exchange.wiring.load.run import Run

# What is measured in process; the rest needs services, and is run by tests of its own.
IN_PROCESS: Final = {"batch_vs_raw", "ledger_overhead", "gate_us"}
ELSEWHERE: Final = sorted(set(DESIGN) - IN_PROCESS)


class Ran(NamedTuple):
    """One run as whoever calls `exchange bench` sees it, and what it measured."""

    report: dict[str, Any]
    shown: str
    progress: list[str]
    collects: bool  # after it, whether the collector is on again


def make_tiny(patch: pytest.MonkeyPatch) -> None:
    """Two plans, two rounds of one group."""
    for name, value in {
        "IN_FLIGHT": 2,
        "GROUP_WALKS_MAX": 4,
        "ROUNDS": 2,
        "COMMANDS_PER_ROUND": 4,
        "BASELINE_EVENTS": 4,
        "GATE_RUNS": 3,
    }.items():
        patch.setattr(bench, name, value)
    patch.setattr(bench_raw, "ROWS", 250)
    patch.setattr(bench_gate, "DECISIONS", 60)
    patch.setattr(bench_gate, "RESIDENTS", 7)
    patch.setattr(bench_gate, "BATCH_EVENTS", 25)
    patch.setattr(bench_audit, "ENTRIES", 300)
    patch.setattr(bench_facets, "DECISIONS", 500)
    patch.setattr(bench_facets, "DECISIONS_PER_BATCH", 200)
    patch.setattr(bench_absence, "ROUNDS", 4)
    patch.setattr(bench_absence, "WARM_UP", 1)
    patch.setattr(bench_door, "WARM_UP", 1)
    for name, value in {"PLANS": 2, "PARTS": 2, "ROUNDS": 1}.items():
        patch.setattr(bench_handover, name, value)
    for name, value in {"EVENTS": 60, "READS": 2, "MOMENTS": 3, "FIRST_LOOKS": 1, "ROUNDS": 1}.items():
        patch.setattr(bench_plan, name, value)
    patch.setattr(bench_witness, "CALLERS", 2)
    patch.setattr(bench_witness, "RECEIPTS_OF_EACH", 1)
    patch.setattr(bench_witness, "ROUNDS", 1)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    make_tiny(monkeypatch)


@pytest.fixture(scope="module")
def ran() -> Ran:
    measured: list[dict[str, Any]] = []

    def run(progress: Callable[[str], None], run: Run) -> dict[str, Any]:
        measured.append(bench_run.run_bench(progress, run))
        return measured[0]

    def load(run: Run, progress: Callable[[str], None]) -> Found:
        progress(f"no service on {run.place.store}")
        return Found(ratios=dict.fromkeys(ELSEWHERE), reasons=dict.fromkeys(ELSEWHERE, "no service here"))

    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        make_tiny(patch)
        patch.setattr(bench_run, "measure_load", load)
        patch.setattr(shown, "run_bench", run)
        with redirect_stderr(StringIO()) as progress:
            shown.bench()  # short of its targets or not
        collects = gc.isenabled()
    gc.enable()
    return Ran(measured[0], out.getvalue(), progress.getvalue().splitlines(), collects)


@pytest.fixture
def report(ran: Ran) -> dict[str, Any]:
    return ran.report


def test_the_report_has_the_promised_shape(report: dict[str, Any]) -> None:
    assert list(report) == ["machine", "store", "baselines", "results", "ratios", "targets"]
    assert set(report["machine"]) == {"cores", "machine", "python", "sqlite", "synchronous"}
    assert set(report["baselines"]) == {
        "library_save_1_event",
        "library_get_command_save",
        "raw_rows_100",
        bench_audit.PLAIN,
        "raw_rows_received",
    }
    assert set(report["results"]) == {
        "writer_commands",
        "writer_commands_full_groups",
        "received_events",
        "writer_commands_without_leaves",
        "ledger_longer",
        "ledger_longer_cpu",
        "gate_us",
        bench_gate.FIGURE,
        *bench_absence.COMPARED,
        *bench_door.COMPARED,
        bench_absence.BY_CHANCE,
        bench_plan.AS_OF,
        bench_plan.FIRST_AS_OF,
        bench_plan.FIRST_AS_OF_CPU,
        bench_plan.REBUILD,
        bench_audit.FIGURE,
        bench_facets.COUNTED,
        bench_facets.PAGED,
        bench_witness.MEDIAN,
        bench_witness.P99,
        bench_witness.BYTES,
    }
    assert set(report["ratios"]) == {
        "writes_vs_library_save",
        "writes_full_groups_vs_library_save",
        "writer_vs_library",
        bench_audit.RATIO,
        bench_handover.RATIO_CPU,
        "full_groups_vs_raw",
        bench_plan.LONG_VS_SHORT,
        *DESIGN,
    }
    assert json.loads(json.dumps(report)) == report


def test_every_figure_is_shown_under_a_name_and_with_its_unit(ran: Ran) -> None:
    told, report = ran.shown, ran.report
    # A name may be broken over lines: its words stand there in order.
    for name in (*report["baselines"], *report["results"], *report["ratios"]):
        assert all(word in told for word in NAMES[name].split())
    units = {one["unit"] for part in ("baselines", "results") for one in report[part].values()}
    assert all(UNITS[unit].split()[0] in told for unit in units)


def test_what_was_not_measured_says_why(ran: Ran) -> None:
    for name in ELSEWHERE:
        assert ran.report["ratios"][name] is None
        assert ran.report["targets"][name] == {
            "value": None,
            "target": DESIGN[name].text(),
            "verdict": NOT_MEASURED,
            "reason": "no service here",
        }
        assert f"{name}: not measured; no service here." in ran.shown


def test_both_sides_wait_for_the_disk_and_are_measured_as_often(report: dict[str, Any]) -> None:
    assert report["machine"]["synchronous"] == 2
    baseline, writer = report["baselines"]["library_save_1_event"], report["results"]["writer_commands"]
    assert len(baseline["runs"]) == len(writer["runs"]) == 2
    assert min(*baseline["runs"], *writer["runs"], report["results"]["gate_us"]["median"]) > 0
    # Of the rounds' own ratios: both sides of a round met the same neighbours.
    rounds = [one / other for one, other in zip(writer["runs"], baseline["runs"], strict=True)]
    assert report["ratios"]["writes_vs_library_save"] == pytest.approx(median(rounds), rel=0.02, abs=0.02)


def test_the_median_is_told_of_what_was_measured() -> None:
    turns = [Turn(100.0, 11.0, 110.0, 10.0), Turn(100.0, 30.0, 100.0, 20.0), Turn(80.0, 12.0, 100.0, 10.0)]
    found = bench.Measured(
        [300.0, 100.0, 200.0],
        [500.0, 400.0, 600.0],
        [10.0, 30.0, 20.0],
        [4.0, 2.0, 3.0],
        [1_000.0, 8_000.0, 1_000.0],
        turns,
        12.34,
    )
    report = bench.report_of(found, "sqlite")
    assert report["results"]["writer_commands"] == {
        "median": 200,
        "unit": "commands/s",
        "runs": [300, 100, 200],
    }
    assert report["ratios"] == {
        "writes_vs_library_save": 10.0,
        "writes_full_groups_vs_library_save": 30.0,
        "writer_vs_library": 66.67,
        "full_groups_vs_raw": 0.5,
        "gate_us": 12.3,
        "ledger_overhead": 0.091,
    }
    assert report["results"]["ledger_longer"] == {"median": 10.0, "unit": "%", "runs": [10.0, 0.0, 25.0]}
    assert report["results"]["ledger_longer_cpu"] == {
        "median": 20.0,
        "unit": "%",
        "runs": [10.0, 50.0, 20.0],
    }
    assert report["results"]["writer_commands_without_leaves"]["median"] == 100


def test_the_writer_without_leaves_writes_the_same_and_leaves_nothing(tmp_path: Path) -> None:
    both = [bench.Bench.open(tmp_path / name, 2) for name in ("with", "without")]
    write_without_leaves(both[1].core)
    found = []
    for one in both:
        before, leaves_before = one.core.reader.head()[0], len(one.core.reader.leaf_entries(0, 10_000))
        outcomes = one.core.writer.run(one.group(2))
        bench.refuse_errors(outcomes)
        rows = one.core.reader.page(before, 10)
        leaves = len(one.core.reader.leaf_entries(0, 10_000)) - leaves_before
        found.append(([row.topic for row in rows], leaves, outcomes[-1]))
        one.core.close()
    (topics, leaves, proven), (same_topics, no_leaves, unproven) = found
    assert topics == same_topics
    assert len(topics) == leaves > 0
    assert no_leaves == 0
    assert isinstance(proven, CommandOutcome)
    assert isinstance(unproven, CommandOutcome)
    assert (proven.leaf_entry != b"", unproven.leaf_entry) == (True, b"")


def test_progress_is_told_in_turns(ran: Ran) -> None:
    assert ran.progress == [
        "warming up",
        "round 1 of 2",
        "round 2 of 2",
        "plans handed over",
        "stored decisions, judged again",
        "sealed and absent",
        "a plan of ten years",
        "a long log, checked",
        "a million decisions, filtered",
        "receipts with witnesses",
        "no service on sqlite",
    ]


def test_counts_of_what_was_never_filed_are_no_figure(tiny: None, tmp_path: Path) -> None:
    made = DecisionList(tmp_path, str)
    bench_facets.fill(made.database, 40)
    with pytest.raises(LedgerDiffers, match="never filed"):
        bench_facets.measured(made.database, 41)
    # Every filter that is measured finds something, or it measures nothing.
    found = [facets.counts(made.database, one, 41).total for one in bench_facets.filters().values()]
    assert sum(count > 0 for count in found) > len(found) // 2
    made.database.close()


def test_the_collector_is_on_again_afterwards(ran: Ran) -> None:
    assert ran.collects


def test_a_bench_of_refusals_is_no_bench() -> None:
    bench.refuse_errors(["an outcome"])
    with pytest.raises(Overloaded):
        bench.refuse_errors(["an outcome", Overloaded("the queue is full")])


def test_the_replay_is_measured_on_decisions_of_every_kind(tiny: None) -> None:
    figure = bench_gate.replay_figure()[bench_gate.FIGURE]
    assert (figure["decisions"], figure["unit"]) == (60, "s")
    assert figure["median"] >= 0


def test_a_replay_that_finds_a_difference_is_no_figure(tiny: None, monkeypatch: pytest.MonkeyPatch) -> None:
    forged = "exchange.wiring.bench_gate.decided"
    monkeypatch.setattr(forged, lambda **said: replace(decided(**said), rules=("R99",)))
    with pytest.raises(LedgerDiffers):
        bench_gate.replay_figure()


def test_a_pack_that_does_not_verify_is_no_figure(
    tiny: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pack, policy = bench_audit.make_pack(tmp_path, 300)
    assert verify_pack(pack, policy).size == 300
    monkeypatch.setattr(
        bench_audit, "make_pack", lambda *_: (pack, "log " + signer().vkey + "\nquorum none\n")
    )
    with pytest.raises(LedgerDiffers):
        bench_audit.with_audit({"baselines": {}, "results": {}, "ratios": {}})
