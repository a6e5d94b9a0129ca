"""Several runs of the bench as one table, in Markdown: for a README.

Promises: a figure is the median of the own medians of those runs that measured it, and its verdict is of
that; where they are not as many as of most figures it says of how many; a figure that no run measured says
so; runs of different machines are not put together.
"""

from __future__ import annotations

import json
import re
import statistics
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from exchange.cli.bench_names import NAMES, UNITS, unit_of
from exchange.errors import SettingsInvalid
from exchange.wiring.bench_targets import TARGETS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

STORES: Final[Mapping[str, str]] = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
# Spread over many columns a statistic of times says nothing: its runs are words.
NO_ROW: Final = "absence_"
MACHINE: Final = ("cores", "machine", "python")
OF_OTHERS: Final = re.compile(r"\(of \d+ runs?\)")
OTHERS: Final = " A figure of more or fewer runs says so."


def read_runs(files: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    """Return reports by store. Raises SettingsInvalid for a file that is none, or of another machine."""
    found: dict[str, list[dict[str, Any]]] = {store: [] for store in STORES}
    machines = set()
    for file in files:
        try:
            report = json.loads(file.read_text(encoding="utf-8"))
            found[report["store"]].append(report)
            machines.add(tuple(report["machine"][name] for name in MACHINE))
        except (OSError, ValueError, KeyError, TypeError):
            raise SettingsInvalid("this is no run of the bench", file=file.name) from None
    if len(machines) != 1:
        raise SettingsInvalid("these runs are of different machines", name="table")
    return {store: reports for store, reports in found.items() if reports}


def markdown(runs: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    """Return the table, a column for each store, and a line on how it was made."""
    head = ["measured", "target", *(STORES[store] for store in runs)]
    lines = [_row(head), _row(["---"] * len(head))]
    names = _names(runs)
    usual = {store: _usual(names, reports) for store, reports in runs.items()}
    for name in names:
        told = [_told(name, reports, usual[store]) for store, reports in runs.items()]
        if any(told):
            target = TARGETS.get(name)
            lines.append(_row([NAMES[name], "" if target is None else target.text(), *told]))
    return "\n".join([*lines, "", _made_by(runs, usual, others=any(map(OF_OTHERS.search, lines)))])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _names(runs: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Return the figures of all runs, each once, in the order of a report."""
    parts = ("baselines", "results", "ratios")
    every = [name for part in parts for reports in runs.values() for one in reports for name in one[part]]
    return [name for name in dict.fromkeys(every) if not name.startswith(NO_ROW)]


def _values(name: str, reports: Sequence[dict[str, Any]]) -> tuple[list[float], str]:
    """Return what the runs that measured a figure found, and its unit."""
    values, unit = [], ""
    for report in reports:
        figure = report["results"].get(name) or report["baselines"].get(name)
        value = report["ratios"].get(name) if figure is None else figure["median"]
        if value is not None:
            unit = unit_of(name) if figure is None else UNITS[figure["unit"]]
            values.append(value)
    return values, unit


def _usual(names: Sequence[str], reports: Sequence[dict[str, Any]]) -> int:
    """Return how many runs measured most of the figures; of as many figures, the more runs."""
    counts = Counter(len(_values(name, reports)[0]) for name in names)
    del counts[0]
    return max(counts, key=lambda runs: (counts[runs], runs), default=len(reports))


def _told(name: str, reports: Sequence[dict[str, Any]], usual: int) -> str:
    values, unit = _values(name, reports)
    if not values:
        return "not measured" if any(name in report["ratios"] for report in reports) else ""
    median = statistics.median(values)
    shown = f"{median:,.0f}" if abs(median) >= 1_000 else f"{median:.3g}"  # noqa: PLR2004 -- as people write them
    target = TARGETS.get(name)
    verdict = "" if target is None else f", {target.verdict(median)}"
    runs = "" if len(values) == usual else f" (of {len(values)} {'run' if len(values) == 1 else 'runs'})"
    return f"{shown} {unit}".rstrip() + verdict + runs


def _made_by(runs: Mapping[str, Sequence[dict[str, Any]]], usual: Mapping[str, int], *, others: bool) -> str:
    machine = next(iter(runs.values()))[0]["machine"]
    counts = " and ".join(f"{count} on {STORES[store]}" for store, count in usual.items())
    versions = ", ".join(
        f"{STORES[store]} {reports[0]['machine'].get(store, '')}".rstrip() for store, reports in runs.items()
    )
    return (
        f"Medians of {counts}, each of three rounds. {machine['cores']} cores ({machine['machine']}), "
        f"Python {machine['python']}, {versions}.{OTHERS if others else ''}"
    )
