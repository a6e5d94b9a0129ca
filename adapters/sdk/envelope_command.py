"""`exchange-adapter envelope-key`: make a key to seal identity envelopes to, and print what registers it.

Promises: the private key stays in its folder; what is printed is public and signed by this organisation.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from adapters.sdk.credentials import Credentials
from adapters.sdk.envelope_keys import EnvelopeKeys


def envelope_key(
    credentials: Annotated[Path, typer.Option(help="Folder with the organisation's credentials.")],
    keys: Annotated[Path, typer.Option(help="Folder for envelope keys, of this organisation alone.")],
) -> None:
    """Make a new envelope key beside the older ones; print the fields of SetEnvelopeKey as JSON."""
    ours = Credentials.load(credentials)
    public_key, signature = EnvelopeKeys(keys).make(ours)
    told = {
        "oin": ours.oin,
        "envelope_key": public_key.hex(),
        "key_signature": signature.hex(),
        # Give this one to who sends to you, by another way than the exchange: it is what they pin.
        "signing_key": ours.signing_key.public_key().public_bytes_raw().hex(),
    }
    typer.echo(json.dumps(told))
