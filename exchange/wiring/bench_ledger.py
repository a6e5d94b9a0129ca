"""What the ledger costs on the write path: the same writer with leaves and without, in turns.

Promises: both sides judge, seal, fold and commit alike, each on a shard of its own on the same disk; the one
without builds no leaf, derives no pseudonym, hashes nothing into the frontier, writes no leaf, and its
answers carry none. Not part of the service: a store written so proves nothing.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from exchange.pipeline.drafts import Drafts
from exchange.pipeline.opening import Years
from exchange.pipeline.overlay import Overlay
from exchange.pipeline.writer import Writer
from exchange.wiring.core import FreshIds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.domain.kernel import Event
    from exchange.domain.limits.seals import Seal
    from exchange.keys.datakey import DataKey
    from exchange.store.batch import Batch
    from exchange.store.codec import Meta
    from exchange.wiring.core import Core


class LeaflessDrafts(Drafts):
    """Builds no leaf."""

    def _ledger_key(self, event: Event, meta: Meta) -> DataKey | None:
        del event, meta
        return None

    def _leave(self, batch: Batch) -> None:
        del batch


class LeaflessOverlay(Overlay):
    """Keeps nothing of leaves."""

    drafting: ClassVar[type[Drafts]] = LeaflessDrafts

    def _seals(self, resident: str) -> Sequence[Seal]:
        del resident
        return ()


class LeaflessWriter(Writer):
    """Writes events without leaves."""

    overlays: ClassVar[type[Overlay]] = LeaflessOverlay


def write_without_leaves(core: Core) -> None:
    """Give a core that only a bench will ever open a writer that leaves nothing in the ledger."""
    core.writer = LeaflessWriter(
        recorder=core.recorder,
        reader=core.reader,
        codec=core.codec,
        keys=core.keys,
        hot=core.hot,
        loader=core.loader,
        registers=core.registers,
        eraser=core.erasures,
        years=Years(core.ledger.logs.first.origin, core.settings.operator_oin),
        fresh_id=FreshIds(),
    )


class Turn(NamedTuple):
    """Both sides once: commands a second, and microseconds of processor for each command."""

    rate: float
    cpu_us: float
    leafless_rate: float
    leafless_cpu_us: float


def overhead(turns: Sequence[Turn]) -> float:
    """Return 1 - (with leaves / without), of commands a second: the median of the turns."""
    return round(1 - statistics.median(one.rate / one.leafless_rate for one in turns), 3)


def ledger_figures(turns: Sequence[Turn]) -> dict[str, Any]:
    """Return how much longer a command takes with leaves: by the clock, and in the processor's time.

    The second holds on a machine that does other things too; the first is what callers wait for.
    """
    rates = [one.leafless_rate for one in turns]
    return {
        "writer_commands_without_leaves": {
            "median": round(statistics.median(rates)),
            "unit": "commands/s",
            "runs": [round(rate) for rate in rates],
        },
        "ledger_longer": _percent([one.leafless_rate / one.rate for one in turns]),
        "ledger_longer_cpu": _percent([one.cpu_us / one.leafless_cpu_us for one in turns]),
    }


def _percent(ratios: Sequence[float]) -> dict[str, Any]:
    return {
        "median": round(100 * (statistics.median(ratios) - 1), 1),
        "unit": "%",
        "runs": [round(100 * (ratio - 1), 1) for ratio in ratios],
    }
