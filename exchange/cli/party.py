"""`exchange identity party`: the process that holds the other half of the identity key.

Promises: run by somebody else than the exchange, on another machine: who holds both halves can try every BSN.
Source: LEDGER design section 6 (k = k1·k2).
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.errors import SettingsInvalid
from exchange.wiring.parties import (
    PartySettings,
    begin_half_renewal,
    finish_half_renewal,
    party_public_key,
    serve_party,
)

THUMBPRINT_CHARS = 64

app = typer.Typer(no_args_is_help=True, help="The other half of the identity key, held by a second party.")


@app.callback()
def party() -> None:
    """Run the second party, print its public key, or renew its half."""


@app.command("key")
def public_key(
    data: Annotated[Path, typer.Option(help="Folder of the second party; its key is made at first use.")],
) -> None:
    """Print the public key, for the exchange's settings and, on paper, for every organisation's pin."""
    typer.echo(party_public_key(data).hex())


@app.command()
def renew(
    *,
    data: Annotated[Path, typer.Option(help="Folder of the second party, which stands still.")],
    links: Annotated[
        int, typer.Option(min=1, help="How many links the exchange may have taken over, in all.")
    ],
) -> None:
    """Make the next half, let the exchange have its links taken over to it, and print its public key."""
    typer.echo(begin_half_renewal(data, links).hex())
    typer.echo(
        "Serve again, and give this key to the exchange, out of band: exchange identity rotate --yes"
        " --second-party-key KEY.\nWhen that says how many links were taken over: exchange identity party"
        " finish --links THAT.",
        err=True,
    )


@app.command()
def finish(
    *,
    data: Annotated[Path, typer.Option(help="Folder of the second party, which stands still.")],
    links: Annotated[int, typer.Option(min=0, help="How many links the exchange says were taken over.")],
) -> None:
    """Let the next half hold, destroy the former, and print the public key that holds now."""
    typer.echo(finish_half_renewal(data, links).hex())


@app.command()
def serve(
    *,
    data: Annotated[Path, typer.Option(help="Folder of the second party: key, count.")],
    certificate: Annotated[Path, typer.Option(help="Certificate of this server, PEM.")],
    key: Annotated[Path, typer.Option(help="Its private key, PEM.")],
    caller_authority: Annotated[Path, typer.Option(help="Authority of the exchange's certificate, PEM.")],
    caller: Annotated[str, typer.Option(help="SHA-256 of the exchange's certificate in DER, hexadecimal.")],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any.")] = 8444,
    elements_per_day: Annotated[
        int, typer.Option(min=1, help="Blinded BSNs evaluated in a UTC day, of all organisations together.")
    ] = 50_000,
    metrics_port: Annotated[
        int | None,
        typer.Option(help="Port for metrics on loopback; 0 for any, off where left out.", min=0, max=65535),
    ] = None,
) -> None:
    """Evaluate blinded elements for one exchange under the second half of the key."""
    if len(caller) != THUMBPRINT_CHARS or not set("0123456789abcdef").issuperset(caller):
        raise SettingsInvalid("a thumbprint is 64 hexadecimal characters", name="caller")
    settings = PartySettings(
        data=data,
        host=host,
        port=port,
        certificate=certificate,
        key=key,
        caller_authority=caller_authority,
        caller_thumbprint=caller,
        elements_per_day=elements_per_day,
        metrics_port=metrics_port,
    )
    serve_party(settings, lambda target: typer.echo(f"the second party listens on {target}", err=True))
