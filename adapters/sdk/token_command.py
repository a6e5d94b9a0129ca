"""`exchange-adapter token`: print one person token, so that a tool like `buf curl` can ask as somebody.

Promises: prints the token and nothing else; it lives five minutes, and is of no use without the private key
of the certificate it is bound to. It speaks for no resident: that takes the SDK.
Source: `tokens.py`.
"""

from __future__ import annotations

import time
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from adapters.sdk.credentials import Credentials
from adapters.sdk.errors import CertificateExpired, CredentialsInvalid
from adapters.sdk.tokens import Person, PersonTokens

EXIT_WRONG_CALL = 2


def token(
    credentials: Annotated[Path, typer.Option(help="Folder with the organisation's certificate and keys.")],
    task: Annotated[str, typer.Option(help="Task, such as college:WMO.")],
    professional: Annotated[str, typer.Option(help="The organisation's own opaque id; never a name.")],
    role: Annotated[str, typer.Option(help="Role, such as regisseur.")],
) -> None:
    """Print a person token for the header x-exchange-person."""
    try:
        person = Person(professional, task, role)
        loaded = Credentials.load(credentials)
        loaded.require_valid(time.time())
    except (ValueError, CredentialsInvalid, CertificateExpired) as error:
        typer.echo(f"no token: {error}", err=True)
        raise typer.Exit(EXIT_WRONG_CALL) from None
    typer.echo(PersonTokens(loaded, time.time).token_for(person))
