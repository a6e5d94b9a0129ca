"""`exchange bench`: baselines and results side by side, in one run."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.wiring.bench import run_bench
from exchange.wiring.bench_targets import is_short

NAMES: Final = {
    "library_save_1_event": "library: save one event",
    "library_get_command_save": "library: get, command, save",
    "raw_rows_100": "disk: rows as long, 100 in a transaction",
    "writer_commands": "writer: commands, 64 in flight",
    "writer_commands_full_groups": "writer: commands, full groups of 256",
    "writer_commands_without_leaves": "writer without leaves: commands, full groups of 256",
    "ledger_longer": "ledger: how much longer a command takes",
    "ledger_longer_cpu": "ledger: the same in processor time",
    "gate_us": "gate: judge one question",
    "replay_decisions_s": "gate: judge stored decisions again",
    "absence_door_fields": "over gRPC, sealed part and none: the plan is read",
    "absence_door_link": "over gRPC, sealed link and none: the plan is read",
    "absence_door_nothing_sealed": "over gRPC, nothing sealed of either: the plan is read",
    "absence_fields_plan": "sealed part and none: the plan is read",
    "absence_fields_consents": "sealed part and none: consents are listed",
    "absence_fields_command": "sealed part and none: a command on the plan",
    "absence_link_plan": "sealed link and none: the plan is read",
    "absence_link_consents": "sealed link and none: consents are listed",
    "absence_link_command": "sealed link and none: a command on the plan",
    "absence_nothing_sealed_plan": "nothing sealed of either: the plan is read",
    "absence_distance_by_chance": "sealed and absent: distance by chance (5 %)",
    "plan_as_of_ms": "plan of 5,000 events: as known at any moment, the slowest of 200",
    "plan_first_as_of_ms": "plan of 5,000 events: the first look at its past after a start",
    "plan_first_as_of_cpu_ms": "the same: processor time",
    "plan_read_long_vs_short": "12 fields: plan of 5,000 events against one of 20",
    "rebuild_events_s": "all read models made anew",
    "audit_hash_bytes_s": "audit: read and hash the bytes of a pack",
    "audit_verify_s": "audit: verify a pack of 1,000,000 entries",
    "audit_verify_vs_hashing": "audit: verifying against hashing as many bytes",
    "receipt_three_witnesses_s": "receipt with three witnesses: median",
    "receipt_three_witnesses_p99_s": "receipt with three witnesses: 99th percentile",
    "receipt_bytes": "receipt with three witnesses: length",
    "writes_vs_library_save": "writer against one save",
    "writes_full_groups_vs_library_save": "full groups: writer against one save",
    "writes_vs_library": "writer against get, command, save",
    "batch_vs_raw": "full groups against rows as long",
    "ledger_overhead": "ledger: share of the commands a second it takes",
}
UNITS: Final = {
    "events/s": "events a second",
    "commands/s": "commands a second",
    "rows/s": "rows a second",
    "µs": "microseconds",
    "s": "seconds",
    "ms": "milliseconds",
    "bytes": "bytes",
    "%": "percent",
    "distance": "0 is alike, 1 is apart",
}


WIDE: Final = 150


class Store(StrEnum):
    """Which store is measured."""

    SQLITE = "sqlite"


def bench(
    *,
    store: Annotated[Store, typer.Option(help="Store to measure.")] = Store.SQLITE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where a target is not met.")] = False,
) -> None:
    """Measure the writer beside the library, in turns; hold each figure against its target."""
    del store
    report = run_bench(lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(report))
    else:
        screen = Console()
        # A file or a pipe is as wide as the table.
        console = screen if screen.is_terminal else Console(width=WIDE)
        console.print(_table(report))
        console.print(f"Not measured here: {', '.join(report['not_measured'])}.")
    if check and is_short(report):
        raise typer.Exit(1)


def _table(report: dict[str, Any]) -> Table:
    table = Table(
        title=f"{report['machine']['cores']} cores, Python {report['machine']['python']}, {report['store']}"
    )
    for column in ("measured", "median", "unit", "target", "verdict", "runs"):
        table.add_column(column, no_wrap=column == "measured")
    for part in ("baselines", "results"):
        for name, found in report[part].items():
            runs = ", ".join(map(str, found["runs"]))
            table.add_row(
                NAMES[name], str(found["median"]), UNITS[found["unit"]], *_judged(report, name), runs
            )
    for name in [one for one in report["ratios"] if one not in report["results"]]:
        unit = "of 1" if name == "ledger_overhead" else "times as many"
        table.add_row(NAMES[name], str(report["ratios"][name]), unit, *_judged(report, name), "")
    return table


def _judged(report: dict[str, Any], name: str) -> tuple[str, str]:
    """Return target and verdict of a figure, empty where it has none."""
    target = report["targets"].get(name)
    return ("", "") if target is None else (target["target"], target["verdict"])
