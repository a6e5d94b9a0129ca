"""`exchange config show`: the settings in force, secrets hidden."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.settings import load_settings, shown

app = typer.Typer(no_args_is_help=True, help="Settings.")


@app.callback()
def config() -> None:
    """Read settings: flags over EXCHANGE_* over the file over defaults."""


@app.command()
def show(
    config_file: Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Print the settings in force."""
    for name, value in shown(load_settings(config_file, data=data)).items():
        typer.echo(f"{name} = {value}")
