"""`exchange witness`: sign along with logs of others, so that none can show two histories.

Promises: the key is made once; what is refused as a fork or rollback is kept in the folder as evidence.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.wiring.witness import Stand, make_key, open_key, serve_witness

app = typer.Typer(help="Witness logs: cosign what only adds.", no_args_is_help=True)

_Data = Annotated[Path, typer.Option(help="Folder of the witness.")]


@app.command()
def keygen(
    name: Annotated[str, typer.Option(help="Name of the witness, such as witness.voorbeeld.example/w1.")],
    data: _Data,
) -> None:
    """Make the key, once, and print its verifier key for the policies of others."""
    typer.echo(make_key(data, name))


@app.command()
def vkey(data: _Data) -> None:
    """Print the verifier key."""
    typer.echo(open_key(data).vkey)


@app.command()
def serve(
    *,
    data: _Data,
    logs: Annotated[
        Path, typer.Option(help="Policy file whose `log` lines are the logs to witness.", dir_okay=False)
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8446,
    certificate: Annotated[
        Path | None, typer.Option(help="Certificate in PEM; without one loopback only.")
    ] = None,
    key: Annotated[Path | None, typer.Option(help="Its key in PEM.")] = None,
    log_file: Annotated[
        Path | None, typer.Option(help="File for log lines; standard error where left out.")
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Port for metrics on loopback; 0 for any, off where left out.", min=0, max=65535),
    ] = None,
) -> None:
    """Serve the witness protocol (c2sp.org/tlog-witness) until told to stop."""

    def told(url: str) -> None:
        typer.echo(f"The witness listens on {url}; Ctrl+C stops it.", err=True)

    stand = Stand(data, logs, host, port, certificate, key, log_file, metrics_port)
    serve_witness(stand, told if sys.stderr.isatty() else None)
