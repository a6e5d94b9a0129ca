"""The whole bench: the writer in process, what is the same on every store, then a service and who calls it.

Promises: every key of the design is told, with a figure or with why there is none here. Of what was not asked
for nothing is measured, but what one measurement brings along is told.
Source: the design of performance, section 3.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from exchange.wiring.bench import Bench, measure_writer, report_of, report_of_nothing
from exchange.wiring.bench_absence import with_absence
from exchange.wiring.bench_audit import FIGURE as PACK_VERIFIED_S
from exchange.wiring.bench_audit import with_audit
from exchange.wiring.bench_facets import COUNTED as FACETS_MS
from exchange.wiring.bench_facets import PAGED as PAGE_MS
from exchange.wiring.bench_facets import with_facets
from exchange.wiring.bench_gate import FIGURE as REPLAYED_S
from exchange.wiring.bench_gate import with_replay
from exchange.wiring.bench_handover import with_handover
from exchange.wiring.bench_lookups import with_lookups
from exchange.wiring.bench_plan import AS_OF, FIRST_AS_OF, FIRST_AS_OF_CPU, LONG_VS_SHORT, REBUILD, with_plan
from exchange.wiring.bench_targets import RATIOS, TARGETS, with_verdicts
from exchange.wiring.bench_witness import BYTES as RECEIPT_BYTES
from exchange.wiring.bench_witness import CALLERS, with_receipts
from exchange.wiring.bench_witness import P99 as RECEIPT_P99_S
from exchange.wiring.load.run import IN_THE_STORE, THROUGH_THE_DOOR, Run, measure_load

if TYPE_CHECKING:
    from collections.abc import Callable

    from exchange.wiring.bench_handover import Turn
    from exchange.wiring.load.place import Place

WRITER_KEYS: Final = frozenset(
    {
        *("ledger_overhead", "ledger_longer", "ledger_longer_cpu", "gate_us"),
        *("writes_vs_library_save", "writes_full_groups_vs_library_save", "writer_vs_library"),
    }
)
HANDOVER_KEYS: Final = frozenset({"batch_vs_raw"})
NOT_ASKED: Final = "not asked for: this run was told what to measure with --only"


def run_bench(progress: Callable[[str], None], run: Run | None = None) -> dict[str, Any]:
    """Measure; return what `exchange bench --json` prints."""
    run = run or Run()
    report = _in_process(run, progress)
    if not run.place.dsn:
        report = _with_the_rest(report, run, progress)
    if run.sizes.lookups and not run.only:
        progress("a year of lookups, judged")
        report = with_lookups(report, run.sizes.lookups)
    found = measure_load(run, progress)
    report["baselines"] |= found.baselines
    report["results"] |= found.results
    report["ratios"] |= found.ratios
    return with_verdicts(report, _not_asked(report, run) | found.reasons)


def _in_process(run: Run, progress: Callable[[str], None]) -> dict[str, Any]:
    if run.asks(WRITER_KEYS):
        report = report_of(measure_writer(progress, run.place), run.place.store)
    else:
        report = report_of_nothing(run.place.machine(os.cpu_count()), run.place.store)
    if run.asks(HANDOVER_KEYS):
        progress("plans handed over")
        report = with_handover(report, _arrivals(run.place))
    return report


def _not_asked(report: dict[str, Any], run: Run) -> dict[str, str]:
    """Put every ratio that was not asked for into the report without a value; return why it has none."""
    if not run.only:
        return {}
    told = report["results"].keys() | report["ratios"].keys()
    missing = [name for name in (*TARGETS, *sorted(KEYS)) if name not in told and not run.asks({name})]
    report["only"] = sorted(run.only)
    report["ratios"] |= {name: None for name in missing if name in RATIOS}
    return dict.fromkeys(missing, NOT_ASKED)


def _arrivals(place: Place) -> list[Turn]:
    with tempfile.TemporaryDirectory(prefix="exchange-bench-") as name:
        folder = Path(name)
        with place.shard(folder / "shard") as settings:
            bench = Bench.made(settings, 0)
            with closing(bench.core):
                return bench.arrivals().measured(partial(place.rows, folder / "raw"))


def _with_the_rest(report: dict[str, Any], run: Run, progress: Callable[[str], None]) -> dict[str, Any]:
    """Measure what is the same on every store."""
    for keys, told, measure in THE_REST:
        if run.asks(keys):
            progress(told)
            report = measure(report)
    return report


def _receipts(report: dict[str, Any]) -> dict[str, Any]:
    return with_receipts(report, lambda data, policy: Bench.open(data, CALLERS, policy))


# With the keys that each is asked for by, and what is told of it.
THE_REST: Final[tuple[tuple[frozenset[str], str, Callable[[dict[str, Any]], dict[str, Any]]], ...]] = (
    (frozenset({REPLAYED_S}), "stored decisions, judged again", with_replay),
    (frozenset(), "sealed and absent", with_absence),
    (
        frozenset({AS_OF, FIRST_AS_OF, FIRST_AS_OF_CPU, LONG_VS_SHORT, REBUILD}),
        "a plan of ten years",
        with_plan,
    ),
    (frozenset({PACK_VERIFIED_S}), "a long log, checked", with_audit),
    (frozenset({FACETS_MS, PAGE_MS}), "a million decisions, filtered", with_facets),
    (frozenset({RECEIPT_P99_S, RECEIPT_BYTES}), "receipts with witnesses", _receipts),
)
KEYS: Final = frozenset().union(
    WRITER_KEYS, HANDOVER_KEYS, THROUGH_THE_DOOR, IN_THE_STORE, *(keys for keys, _, _ in THE_REST)
)
