"""`exchange console`: the pages for people, alone, in another place than the exchange."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.wiring.console_alone import run_console

app = typer.Typer(help="Pages for people, as a client of an exchange.", no_args_is_help=True)


@app.callback()
def console() -> None:
    """Keep `serve` a command of its own."""


@app.command()
def serve(
    config: Annotated[
        Path, typer.Option(help="TOML file: `console_…`, `server_certificate`, `server_key`, logs, `mode`.")
    ],
    *,
    ready_file: Annotated[
        Path | None, typer.Option(help="File to write where it listens into, for scripts.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Port for metrics on loopback; 0 for any, off where left out.", min=0, max=65535),
    ] = None,
) -> None:
    """Serve the console against `console_target`, until it is told to stop.

    It has credentials of its organisation and a certificate, and no key, store or setting of the exchange.
    """

    def told(url: str) -> None:
        typer.echo(f"The console is at {url}; Ctrl+C stops it.", err=True)

    run_console(config, told if sys.stderr.isatty() else None, ready_file, metrics_port)
