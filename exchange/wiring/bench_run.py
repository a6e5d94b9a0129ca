"""The whole bench: the writer in process, what is the same on every store, then a service and who calls it.

Promises: every key of the design is told, with a figure or with why there is none here.
Source: the design of performance, section 3.
"""

from __future__ import annotations

import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.wiring.bench import Bench, measure_writer, report_of
from exchange.wiring.bench_absence import with_absence
from exchange.wiring.bench_audit import with_audit
from exchange.wiring.bench_facets import with_facets
from exchange.wiring.bench_gate import with_replay
from exchange.wiring.bench_handover import with_handover
from exchange.wiring.bench_lookups import with_lookups
from exchange.wiring.bench_plan import with_plan
from exchange.wiring.bench_targets import with_verdicts
from exchange.wiring.bench_witness import CALLERS, with_receipts
from exchange.wiring.load.run import Run, measure_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.wiring.bench_handover import Turn
    from exchange.wiring.load.place import Place


def run_bench(progress: Callable[[str], None], run: Run | None = None) -> dict[str, Any]:
    """Measure; return what `exchange bench --json` prints."""
    run = run or Run()
    report = report_of(measure_writer(progress, run.place), run.place.store)
    progress("plans handed over")
    report = with_handover(report, _arrivals(run.place))
    if not run.place.dsn:
        report = _with_the_rest(report, progress)
    if run.sizes.lookups:
        progress("a year of lookups, judged")
        report = with_lookups(report, run.sizes.lookups)
    found = measure_load(run, progress)
    report["baselines"] |= found.baselines
    report["results"] |= found.results
    report["ratios"] |= found.ratios
    return with_verdicts(report, found.reasons)


def _arrivals(place: Place) -> list[Turn]:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        with place.shard(folder / "shard") as settings:
            bench = Bench.made(settings, 0)
            with closing(bench.core):
                return bench.arrivals().measured(partial(place.rows, folder / "raw"))


def _with_the_rest(report: dict[str, Any], progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is the same on every store."""
    progress("stored decisions, judged again")
    report = with_replay(report)
    progress("sealed and absent")
    report = with_absence(report)
    progress("a plan of ten years")
    report = with_plan(report)
    progress("a long log, checked")
    report = with_audit(report)
    progress("a million decisions, filtered")
    report = with_facets(report)
    progress("receipts with witnesses")
    return with_receipts(report, lambda data, policy: Bench.open(data, CALLERS, policy))
