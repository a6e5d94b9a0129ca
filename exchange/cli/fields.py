"""`exchange audit reveal` and `exchange audit check-field`: one field of one event, shown and checked.

Promises: `reveal` prints one field and its salt to who holds the key folder, exit 1 where it cannot be;
`check-field` reads two files and nothing else, exit 1 where the field is not proven, 2 for a wrong call.
Source: design of the ledger, section 2; the command line's promises on exit codes.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer

from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import POLICY_BYTES_MAX, parse_policy
from exchange.ledger.commitments import SHOWN_BYTES_MAX, parse_shown, verify_field
from exchange.settings import load_settings
from exchange.wiring.revealing import reveal as revealed

EXIT_DIFFERS = 1
EXIT_WRONG_CALL = 2


def reveal(
    index: Annotated[int, typer.Argument(min=0, help="Number of the leaf.")],
    field: Annotated[str, typer.Argument(help="Name of a field the event commits to.")],
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Print one field of an event with its salt and the proof of its leaf, to give to who may see it.

    It says what was recorded about a resident: it is personal data from here on, and nobody recorded it.
    """
    typer.echo(revealed(load_settings(config, data=data), index, field).text())


def check_field(
    shown: Annotated[Path, typer.Argument(exists=True, dir_okay=False, readable=True)],
    policy: Annotated[Path, typer.Option(exists=True, dir_okay=False, readable=True)],
) -> None:
    """Say whether the log in the policy proves the field in SHOWN, as `reveal` printed it."""
    try:
        with policy.open("rb") as file:
            # Octets above 7F are opaque in a policy.
            text = file.read(POLICY_BYTES_MAX + 1).decode("utf-8", errors="surrogateescape")
        trusted = parse_policy(text)
        with shown.open("rb") as file:
            field = parse_shown(file.read(SHOWN_BYTES_MAX + 1))
        proven, leaf = verify_field(field, trusted)
    except SettingsInvalid as error:
        typer.echo(f"{error}\n{error.remedy}", err=True)
        raise typer.Exit(EXIT_WRONG_CALL) from None
    except ProofInvalid as error:
        said = {"ok": False, "problems": [{"place": error.metadata.get("place"), "what": error.message}]}
        typer.echo(json.dumps(said))
        raise typer.Exit(EXIT_DIFFERS) from None
    told = {"ok": True, "origin": proven.origin, "index": proven.index, "topic": leaf.topic, "at": leaf.at}
    typer.echo(json.dumps(told | {"name": field.name, "value": field.value, "problems": []}))
