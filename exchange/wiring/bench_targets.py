"""What each figure of the bench is meant to be, and whether it is: met or short, or why it was not measured.

Promises: every target is held against the figure as it is printed, and on the line it is met; a figure
without a target gets no verdict; a key of the design that was not measured has a reason. A verdict is of one
run on one machine: no test asserts one.
Source: the design of performance, section 3; the speed lines of gate, ledger, write path and plan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.wiring.bench_audit import FIGURE as PACK_VERIFIED_S
from exchange.wiring.bench_facets import COUNTED as FACETS_MS
from exchange.wiring.bench_facets import PAGED as PAGE_MS
from exchange.wiring.bench_gate import FIGURE as REPLAYED_S
from exchange.wiring.bench_plan import AS_OF, FIRST_AS_OF, FIRST_AS_OF_CPU, LONG_VS_SHORT, REBUILD
from exchange.wiring.bench_witness import BYTES as RECEIPT_BYTES
from exchange.wiring.bench_witness import P99 as RECEIPT_P99_S

if TYPE_CHECKING:
    from collections.abc import Mapping

MET: Final = "met"
SHORT: Final = "short"
NOT_MEASURED: Final = "not measured"
SAME_ON_EVERY_STORE: Final = "the same on every store: measured with --store sqlite"


class Target(NamedTuple):
    """A bound of one figure: the least it may be, or the most."""

    bound: float
    at_least: bool = False

    def verdict(self, value: float) -> str:
        """Return whether a value meets it; on the line it does."""
        met = value >= self.bound if self.at_least else value <= self.bound
        return MET if met else SHORT

    def text(self) -> str:
        """Return it as people write it."""
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}"


# The keys of the design's table, in its order.
DESIGN: Final[Mapping[str, Target]] = {
    "reads_vs_echo": Target(0.55, at_least=True),
    "writes_vs_echo": Target(0.55, at_least=True),
    "writes_vs_library": Target(8, at_least=True),
    "writes_vs_library_slow_disk": Target(10, at_least=True),
    "idle_p50_ms": Target(2),  # times what an echo and one commit take
    "batch_vs_raw": Target(0.40, at_least=True),
    # As the design defines it: the share of commands a second that the leaves take.
    "ledger_overhead": Target(0.15),
    "fanout_events_s": Target(150_000, at_least=True),
    "fanout_vs_stream": Target(0.10, at_least=True),
    "replay_vs_raw": Target(0.60, at_least=True),
    "replay_vs_mapper": Target(5, at_least=True),
    "p99_vs_echo": Target(3),
    "p50_idle_ms_4": Target(2),
    "flat_1e6_vs_1e4": Target(0.95, at_least=True),
    "shards_2_vs_1": Target(1.6, at_least=True),
    "rss_mb": Target(300),
    "rss_growth_mb_10min": Target(10),
    "gate_us": Target(60),
}
TARGETS: Final[Mapping[str, Target]] = {
    **DESIGN,
    "flat_1e7_vs_1e4": Target(0.95, at_least=True),
    "flat_1e6_spread_vs_1e4": Target(0.95, at_least=True),
    "flat_1e7_spread_vs_1e4": Target(0.95, at_least=True),
    "writes_vs_library_save": Target(3, at_least=True),
    "writes_full_groups_vs_library_save": Target(3, at_least=True),
    "writer_vs_library": Target(8, at_least=True),
    # And stricter, as the speed line of the ledger can be read: how much longer a command takes, in percent.
    "ledger_longer": Target(15),
    "ledger_longer_cpu": Target(15),
    REPLAYED_S: Target(60),
    PACK_VERIFIED_S: Target(8),
    FACETS_MS: Target(300),
    PAGE_MS: Target(300),
    RECEIPT_P99_S: Target(1),
    RECEIPT_BYTES: Target(1_536),
    AS_OF: Target(50),
    FIRST_AS_OF: Target(50),
    FIRST_AS_OF_CPU: Target(50),
    LONG_VS_SHORT: Target(1.5),
    REBUILD: Target(10_000, at_least=True),
}

# Told among the ratios, with a target or without: null where it was not measured.
RATIOS: Final = (
    *DESIGN,
    *("flat_1e7_vs_1e4", "flat_1e6_spread_vs_1e4", "flat_1e7_spread_vs_1e4", "rebuild_1e7_vs_1e4"),
    *("writes_vs_library_save", "writes_full_groups_vs_library_save", "writer_vs_library", LONG_VS_SHORT),
)


def with_verdicts(report: dict[str, Any], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Return the report with a verdict on every figure that has a target.

    `reasons` say why a figure is missing, or what on this machine keeps it from its target.
    """
    found = {name: one["median"] for name, one in report["results"].items()} | report["ratios"]
    targets: dict[str, dict[str, Any]] = {}
    for name, target in TARGETS.items():
        value = found.get(name)
        verdict = NOT_MEASURED if value is None else target.verdict(value)
        told = targets[name] = {"value": value, "target": target.text(), "verdict": verdict}
        reason = reasons.get(name, SAME_ON_EVERY_STORE if name not in found else "")
        if reason:
            told["reason"] = reason
    report["targets"] = targets
    return report


def is_short(report: Mapping[str, Any]) -> bool:
    """Tell whether any figure misses its target; one that was not measured misses nothing."""
    return any(one["verdict"] == SHORT for one in report["targets"].values())
