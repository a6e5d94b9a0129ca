"""`exchange retention due`: of whom every term has ended, so that what is kept of them is destroyed.

Promises: prints case ids, laws and days, and nothing of what is recorded; destroys nothing. Exit 1 where
somebody is due, so that a script notices.
Source: GDPR 5(1)(e).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from exchange.settings import load_settings
from exchange.wiring.core import utc_now
from exchange.wiring.retention import ended_by

app = typer.Typer(no_args_is_help=True, help="Terms for which data are kept.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@app.callback()
def retention() -> None:
    """Terms for which data are kept."""


@app.command()
def due(
    *,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day, UTC; now where it is not given.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")] = Output.TABLE,
) -> None:
    """List the residents, by case, of whom nothing is within its term any more."""
    moment = utc_now() if until is None else until.replace(tzinfo=UTC)
    found = list(ended_by(load_settings(config, data=data), moment))
    rows = [
        {
            "cases": list(one.cases),
            "ended": one.at.date().isoformat(),
            "laws": {law: end.date().isoformat() for law, end in one.laws},
        }
        for one in found
    ]
    if output is Output.JSONL:
        for row in rows:
            typer.echo(json.dumps(row))
    elif output is Output.JSON:
        typer.echo(json.dumps(rows, indent=1))
    else:
        table = Table("cases", "ended", "laws")
        for one in found:
            laws = " ".join(f"{law} {end.date().isoformat()}" for law, end in one.laws)
            table.add_row(" ".join(one.cases), one.at.date().isoformat(), laws)
        Console().print(table)
    raise typer.Exit(1 if found else 0)
