"""`exchange serve`: the service, until it is told to stop.

With no file: SQLite and a development authority in ./data.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated, Final

import typer

from exchange.settings import load_settings
from exchange.wiring.service import Starter
from exchange.wiring.service import serve as run_service

NEXT: Final = """The exchange listens on {target}; Ctrl+C stops it. In another terminal:
  exchange doctor --data {data}                           a light for each part
  exchange audit export --data {data} --out pack.zip      what happened so far, to check elsewhere"""


def serve(
    *,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder for everything the service writes.")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 for any.")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="Port for metrics on loopback; 0 for any.")] = None,
    admin_port: Annotated[
        int | None, typer.Option(help="Port for AuthZEN and the decision log; 0 for any, off where left out.")
    ] = None,
    tiles_port: Annotated[
        int | None, typer.Option(help="Port for checkpoint and hash tiles; 0 for any, off where left out.")
    ] = None,
    console_port: Annotated[
        int | None, typer.Option(help="Port for the console; 0 for any, off where left out.")
    ] = None,
    witness_policy: Annotated[
        Path | None, typer.Option(help="Policy file with witnesses, their addresses and the quorum.")
    ] = None,
    log_file: Annotated[
        Path | None, typer.Option(help="File for log lines; standard error where left out.")
    ] = None,
    leash: Annotated[
        bool, typer.Option("--leash", hidden=True, help="Stop when standard input closes.")
    ] = False,
) -> None:
    """Serve gRPC, and AuthZEN where it is asked, with mutual TLS."""
    settings = load_settings(
        config,
        data=data,
        host=host,
        port=port,
        metrics_port=metrics_port,
        admin_port=admin_port,
        tiles_port=tiles_port,
        console_port=console_port,
        witness_policy=witness_policy,
        log_file=log_file,
    )

    def told(target: str) -> None:
        typer.echo(NEXT.format(target=target, data=shlex.quote(str(settings.data))), err=True)

    # On a terminal only: elsewhere standard error is for log lines, one JSON object each.
    run_service(
        settings,
        Starter(told if sys.stderr.isatty() else None, sys.stdin.fileno() if leash else None),
    )
