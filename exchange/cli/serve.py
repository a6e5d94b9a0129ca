"""`exchange serve`: the service, until it is told to stop.

With no file: SQLite and a development authority in ./data.
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.settings import load_settings
from exchange.wiring.service import serve as run_service


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
    log_file: Annotated[
        Path | None, typer.Option(help="File for log lines; standard error where left out.")
    ] = None,
) -> None:
    """Serve gRPC, and AuthZEN where it is asked, with mutual TLS."""
    settings = load_settings(
        config,
        data=data,
        host=host,
        port=port,
        metrics_port=metrics_port,
        admin_port=admin_port,
        log_file=log_file,
    )
    run_service(settings)
