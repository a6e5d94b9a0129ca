"""`exchange front`: one address for the shards of a map, until it is told to stop."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.wiring.fronting import Standing, run_front


def front(
    *,
    shard_map: Annotated[Path, typer.Option("--map", help="File with the shard map.", dir_okay=False)],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8443,
    metrics_port: Annotated[
        int, typer.Option(help="Port for metrics on loopback; 0 for any.", min=0, max=65535)
    ] = 9465,
    log_file: Annotated[
        Path | None, typer.Option(help="File for log lines; standard error where left out.")
    ] = None,
    drain_s: Annotated[
        float, typer.Option(help="How long connections may stand while stopping.", min=0, max=300)
    ] = 10.0,
    ready_file: Annotated[
        Path | None, typer.Option(help="File to write where it listens into, for scripts.")
    ] = None,
) -> None:
    """Pass connections on, unopened, to the shard that their server name means."""

    def told(target: str) -> None:
        typer.echo(f"The front listens on {target}; SIGHUP looks at the map, Ctrl+C stops it.", err=True)

    run_front(
        Standing(shard_map, host, port, metrics_port, log_file, drain_s, ready_file),
        told if sys.stderr.isatty() else None,
    )
