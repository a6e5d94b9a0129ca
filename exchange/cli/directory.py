"""`exchange directory`: one log over the checkpoints of many.

Promises: what no log of the policy signed, or cannot follow what was taken of that log, is not taken: exit 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from exchange.ledger.note import NOTE_BYTES_MAX
from exchange.wiring import timestamps as stamps
from exchange.wiring.directory import (
    add_checkpoints,
    directory_settings,
    make_directory,
    serve_directory,
)
from exchange.wiring.published import published_checkpoint, published_receipt
from exchange.wiring.witness import Stand

app = typer.Typer(help="One log over the checkpoints of many.", no_args_is_help=True)

_Data = Annotated[Path, typer.Option(help="Folder of the directory.")]
_Roots = Annotated[
    Path, typer.Option(exists=True, dir_okay=False, help="Root certificates of the authority, PEM.")
]


@app.command()
def init(
    name: Annotated[str, typer.Option(help="Name of the log, such as logboeken.voorbeeld.example/2026.")],
    data: _Data,
) -> None:
    """Make name and keys, once, and print the verifier keys: Ed25519, then ML-DSA-44."""
    for vkey in make_directory(data, name):
        typer.echo(vkey)


@app.command()
def add(
    checkpoints: Annotated[
        list[Path], typer.Argument(exists=True, dir_okay=False, help="Signed checkpoints, one a file.")
    ],
    data: _Data,
    logs: Annotated[Path, typer.Option(help="Policy whose `log` lines, and quorum, are trusted.")],
) -> None:
    """Take checkpoints and publish the directory over them; print the index of each."""
    taken = add_checkpoints(data, logs, checkpoints)
    for file, index in zip(checkpoints, taken.indexes, strict=True):
        typer.echo(f"{index} {file.name}")
    typer.echo(f"{published_checkpoint(directory_settings(data))}: {taken.signed.checkpoint.size}", err=True)


@app.command()
def serve(
    *,
    data: _Data,
    logs: Annotated[
        Path, typer.Option(help="Policy whose `log` lines, and quorum, are trusted.", dir_okay=False)
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any.", min=0, max=65535)] = 8447,
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
    """Take the checkpoints that logs hand over, each proved to add to the one before, until told to stop."""

    def told(url: str) -> None:
        typer.echo(f"The directory listens on {url}; Ctrl+C stops it.", err=True)

    stand = Stand(data, logs, host, port, certificate, key, log_file, metrics_port)
    serve_directory(stand, told if sys.stderr.isatty() else None)


@app.command()
def proof(index: Annotated[int, typer.Argument(min=0)], data: _Data) -> None:
    """Print the `.tlog-proof` of an entry, the checkpoint that was taken within it."""
    _, found = published_receipt(directory_settings(data), index)
    typer.echo(found.decode(), nl=False)


@app.command()
def stamp(
    data: _Data,
    tsa: Annotated[str, typer.Option(help="Address of the timestamp authority (RFC 3161).")],
    roots: _Roots,
) -> None:
    """Have the published checkpoint stamped, and keep both in DATA/stamps."""
    stamped = stamps.stamp(published_checkpoint(directory_settings(data)), data / "stamps", tsa, roots)
    typer.echo(f"{stamped.at.isoformat()} {stamped.token}")


@app.command()
def stamped(
    checkpoint: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    token: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    roots: _Roots,
) -> None:
    """Say when the authority saw CHECKPOINT, by its TOKEN; exit 1 where it does not verify."""
    note = stamps.read_file(checkpoint, NOTE_BYTES_MAX)
    raw = stamps.read_file(token, stamps.TOKEN_BYTES_MAX)
    typer.echo(stamps.verify_token(note, raw, roots).isoformat())
