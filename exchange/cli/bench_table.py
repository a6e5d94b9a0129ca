"""Several runs of the bench as one table, in Markdown: for a README.

Promises: a figure is the median of the runs' own medians, and its verdict is of that; a figure that no run
measured says so; runs of different machines are not put together.
"""

from __future__ import annotations

import json
import statistics
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
    for name in _names(runs):
        told = [_told(name, reports) for reports in runs.values()]
        if any(told):
            target = TARGETS.get(name)
            lines.append(_row([NAMES[name], "" if target is None else target.text(), *told]))
    return "\n".join([*lines, "", _made_by(runs)])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _names(runs: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Return the figures of all runs, each once, in the order of a report."""
    parts = ("baselines", "results", "ratios")
    every = [name for part in parts for reports in runs.values() for one in reports for name in one[part]]
    return [name for name in dict.fromkeys(every) if not name.startswith(NO_ROW)]


def _told(name: str, reports: Sequence[dict[str, Any]]) -> str:
    values, unit = [], ""
    for report in reports:
        figure = report["results"].get(name) or report["baselines"].get(name)
        value = report["ratios"].get(name) if figure is None else figure["median"]
        unit = unit_of(name) if figure is None else UNITS[figure["unit"]]
        if value is not None:
            values.append(value)
    if not values:
        return "not measured" if any(name in report["ratios"] for report in reports) else ""
    median = statistics.median(values)
    shown = f"{median:,.0f}" if abs(median) >= 1_000 else f"{median:.3g}"  # noqa: PLR2004 -- as people write them
    target = TARGETS.get(name)
    verdict = "" if target is None else f", {target.verdict(median)}"
    return f"{shown} {unit}".rstrip() + verdict


def _made_by(runs: Mapping[str, Sequence[dict[str, Any]]]) -> str:
    machine = next(iter(runs.values()))[0]["machine"]
    counts = " and ".join(f"{len(reports)} on {STORES[store]}" for store, reports in runs.items())
    versions = ", ".join(
        f"{STORES[store]} {reports[0]['machine'].get(store, '')}".rstrip() for store, reports in runs.items()
    )
    return (
        f"Medians of {counts}, each of three rounds. {machine['cores']} cores ({machine['machine']}), "
        f"Python {machine['python']}, {versions}."
    )
