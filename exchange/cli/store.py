"""`exchange store`: `verify` compares event and leaf, position by position; `migrate` takes a store forward.

Exit 1 of `verify` names every difference.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.settings import load_settings
from exchange.store.verify import verify_store
from exchange.wiring.holding import private_files
from exchange.wiring.ledger import first_origin
from exchange.wiring.places import sides_migrated
from exchange.wiring.standing_still import standing_still
from exchange.wiring.stores import goes_beside_nodes, migrated, open_reader

app = typer.Typer(no_args_is_help=True, help="The event store.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def store() -> None:
    """Check the event store, or take it forward."""


@app.command()
def migrate(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Take the store to this version, whole or not at all; make the tables of an empty database.

    Beside nodes that run, where the step only adds; else they have to stand still. There is no way back but
    the backup. A store that is newer than this version is refused.
    """
    settings = load_settings(config, data=data)
    with private_files(), standing_still(settings, beside_nodes=goes_beside_nodes(settings)):
        _tell("", *migrated(settings))
        for what, found, known in sides_migrated(settings):
            _tell(f"{what}: ", found, known)


def _tell(of: str, found: int | None, known: int) -> None:
    if found == known:
        typer.echo(f"{of}the store is of version {known}; nothing to do")
    elif found is None:
        typer.echo(f"{of}made the tables of version {known}")
    else:
        typer.echo(f"{of}taken from version {found} to version {known}")


@app.command()
def verify(
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table or json.")] = Output.TABLE,
) -> None:
    """Compare every event with its leaf, its place and links, and each log with its leaves."""
    settings = load_settings(config, data=data)
    reader = open_reader(settings)
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
