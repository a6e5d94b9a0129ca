"""`exchange bench`: baselines and results side by side, in one run."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from exchange.wiring.bench import run_bench


class Store(StrEnum):
    """Which store is measured."""

    SQLITE = "sqlite"


def bench(
    *,
    store: Annotated[Store, typer.Option(help="Store to measure.")] = Store.SQLITE,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measure the writer beside the library, in turns."""
    del store
    report = run_bench(lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps(report))
        return
    table = Table(
        title=f"{report['machine']['cores']} cores, Python {report['machine']['python']}, {report['store']}"
    )
    for column in ("measured", "median", "unit", "runs"):
        table.add_column(column)
    for part in ("baselines", "results"):
        for name, found in report[part].items():
            table.add_row(name, str(found["median"]), found["unit"], ", ".join(map(str, found["runs"])))
    for name, ratio in report["ratios"].items():
        table.add_row(f"ratio {name}", str(ratio), "", "")
    Console().print(table)
