"""`exchange store verify`: event, leaf and bytes compared, position by position.

Exit 1 names every difference.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.settings import load_settings
from exchange.store.reader import SQLiteReader
from exchange.store.verify import verify_store
from exchange.wiring.core import event_file
from exchange.wiring.ledger import first_origin

app = typer.Typer(no_args_is_help=True, help="The event store.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def store() -> None:
    """Check the event store."""


@app.command()
def verify(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table or json.")] = Output.TABLE,
) -> None:
    """Compare every event with its leaf, and the frontier and end of each log with its leaves."""
    settings = load_settings(config, data=data)
    reader = SQLiteReader(event_file(settings))
    try:
        report = verify_store(reader, first_origin(settings))
    finally:
        reader.close()
    if output is Output.JSON:
        told = {
            "ok": report.ok,
            "position": report.position,
            "events": report.events,
            "leaves": report.leaves,
            "root": report.root,
            "problems": [{"position": position, "what": what} for position, what in report.problems],
        }
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{report.events} events, {report.leaves} leaves, root {report.root}")
        for position, what in report.problems:
            typer.echo(f"position {position}: {what}")
        typer.echo("every event has its leaf" if report.ok else "the store differs from its ledger")
    raise typer.Exit(0 if report.ok else 1)
