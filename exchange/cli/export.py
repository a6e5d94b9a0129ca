"""`exchange audit export`: the officer's pack, from the ledger's files, with or without a running service."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.ledger.pack import export_pack
from exchange.settings import load_settings
from exchange.wiring.ledger import open_ledger


def export(
    out: Annotated[Path, typer.Option(help="File to write; refused where it exists.")],
    since: Annotated[int, typer.Option(min=0, help="Size the officer checked last; 0 for none.")] = 0,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Write checkpoint, tiles, entries and proofs to one pack."""
    if out.exists():
        typer.echo(f"{out.name} is there already: name a new file", err=True)
        raise typer.Exit(2)
    ledger = open_ledger(load_settings(config, data=data))
    try:
        signed = ledger.newest()
        export_pack(ledger.tiles, signed, since, out, ledger.signer)
    finally:
        ledger.close()
    typer.echo(f"{signed.checkpoint.size} leaves of {ledger.origin}")
