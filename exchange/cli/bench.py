"""`exchange bench`: baselines and results side by side, in one run."""

from __future__ import annotations

import json
import os
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.cli.bench_lookups import lookups_table
from exchange.cli.bench_names import NAMES, UNITS, unit_of
from exchange.cli.bench_table import markdown, read_runs
from exchange.errors import SettingsInvalid
from exchange.settings import ENV_PREFIX
from exchange.wiring.bench_lookups import measure_lookups
from exchange.wiring.bench_run import KEYS, run_bench
from exchange.wiring.bench_targets import NOT_MEASURED, is_short
from exchange.wiring.load.place import Place
from exchange.wiring.load.run import LONG_KEYS, Run
from exchange.wiring.load.sizes import LONG, SHORT

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDE: Final = 160


class Store(StrEnum):
    """Which store is measured."""

    SQLITE = "sqlite"
    POSTGRES = "postgres"


def bench(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="With --table: what --json printed, a file for each run.")
    ] = None,
    *,
    store: Annotated[Store, typer.Option(help="Store to measure.")] = Store.SQLITE,
    postgres: Annotated[
        str, typer.Option(help="libpq string of a database to measure in; else EXCHANGE_POSTGRES.")
    ] = "",
    slow_postgres: Annotated[
        str, typer.Option(help="libpq string of a server whose disk is 2 ms slower for each flush.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 where a target is not met.")] = False,
    long: Annotated[
        bool,
        typer.Option("--long", help="10,000,000 events too, a year of lookups, and ten minutes of load."),
    ] = False,
    profile: Annotated[
        Path | None, typer.Option(help="Folder for profiles of a service under commands and reads.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="Only what this key of the JSON needs, long or not; may be said more than once."),
    ] = None,
    lookups: Annotated[
        bool,
        typer.Option("--lookups", help="Only judge a year of 1,000,000 lookups, snooping planted in it."),
    ] = False,
    table: Annotated[bool, typer.Option("--table", help="Measure nothing: print RUNS as a table.")] = False,
) -> None:
    """Measure writer and service beside library and echo, in turns; hold each figure against its target."""
    if table or runs:
        if not (table and runs):
            raise SettingsInvalid("runs are told with --table, and --table with files of runs", name="table")
        typer.echo(markdown(read_runs(runs)))
        return
    asked = _asked(only or [])
    if lookups:
        _lookups(asked, as_json=as_json)
        return
    sizes = LONG if long or asked & LONG_KEYS else SHORT
    run = Run(_place(store, postgres), slow_postgres, sizes, profile, asked)
    report = run_bench(lambda text: typer.echo(text, err=True), run)
    if as_json:
        typer.echo(json.dumps(report))
    else:
        _print(report)
    if check and is_short(report):
        raise typer.Exit(1)


def _asked(only: Sequence[str]) -> frozenset[str]:
    """Return the keys that are asked for. Raises SettingsInvalid for one that nothing measures."""
    unknown = sorted(set(only) - KEYS)
    if unknown:
        raise SettingsInvalid(
            f"no such key: {', '.join(unknown)}; there are {', '.join(sorted(KEYS))}", name="only"
        )
    return frozenset(only)


def _lookups(asked: frozenset[str], *, as_json: bool) -> None:
    if asked:
        raise SettingsInvalid("lookups are judged with --lookups alone", name="only")
    found = measure_lookups(LONG.lookups)
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _console().print(lookups_table(found))


def _print(report: dict[str, Any]) -> None:
    console = _console()
    console.print(_table(report))
    if "lookups" in report:
        console.print(lookups_table(report["lookups"]))
    for name, told in report["targets"].items():
        if "reason" in told:
            console.print(f"{name}: {told['verdict']}; {told['reason']}.")


def _console() -> Console:
    screen = Console()
    # A file or a pipe is as wide as the table.
    return screen if screen.is_terminal else Console(width=WIDE)


def _place(store: Store, postgres: str) -> Place:
    """Return where is measured. Raises SettingsInvalid for PostgreSQL without a database."""
    if store is Store.SQLITE:
        if postgres:
            raise SettingsInvalid("a database is named, and not used: say --store postgres", name="postgres")
        return Place()
    dsn = postgres or os.environ.get(f"{ENV_PREFIX}POSTGRES", "")
    if not dsn:
        raise SettingsInvalid(
            "name a database with --postgres or EXCHANGE_POSTGRES; `make bench-postgres` starts one",
            name="postgres",
        )
    return Place(dsn)


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
        value = report["ratios"][name]
        shown = NOT_MEASURED if value is None else str(value)
        table.add_row(NAMES[name], shown, unit_of(name), *_judged(report, name), "")
    return table


def _judged(report: dict[str, Any], name: str) -> tuple[str, str]:
    """Return target and verdict of a figure, empty where it has none."""
    target = report["targets"].get(name)
    return ("", "") if target is None else (target["target"], target["verdict"])
