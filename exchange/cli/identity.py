"""`exchange identity`: how many BSNs organisations had evaluated and for what; public keys, and a new key.

Promises: what is printed holds nothing of a resident and no secret; counting needs no key.
Source: LEDGER design section 6; GDPR 39(1)(b).
"""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.cli import party
from exchange.errors import SettingsInvalid
from exchange.settings import load_settings
from exchange.wiring.evaluations import DayOfOrganisation, evaluations
from exchange.wiring.rotation import identity_public_key, rotate_both_halves, rotate_identity

OIN_DIGITS: Final = 20
_is_key = re.compile(r"[0-9a-f]{64}").fullmatch

app = typer.Typer(no_args_is_help=True, help="Who is who without a BSN.")
app.add_typer(party.app, name="party")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@app.callback()
def identity() -> None:
    """Look after identity without a BSN."""


@app.command("evaluations")
def shown(
    day: Annotated[str, typer.Option(help="A UTC day such as 2026-11-25; all where left out.")] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")] = Output.TABLE,
) -> None:
    """Print how many blinded BSNs each organisation had evaluated, by day: for which cases, or why none."""
    days = evaluations(load_settings(config, data=data), day)
    if output is Output.JSONL:
        for one in days:
            typer.echo(json.dumps(_told(one)))
    elif output is Output.JSON:
        typer.echo(json.dumps([_told(one) for one in days], indent=1))
    else:
        table = Table("day", "organisation", "elements", "calls", "cases", "without a case", "of the share")
        for one in days:
            without = ", ".join(f"{reason} {count}" for reason, count in sorted(one.without_case.items()))
            table.add_row(
                one.day,
                one.organisation,
                str(one.elements),
                str(one.calls),
                str(len(one.cases)),
                without or "-",
                f"{one.share:.1%}",
            )
        Console().print(table)


@app.command()
def rotate(
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it: every stored pseudonym has to be renewed.")
    ] = False,
    second_party_key: Annotated[
        str, typer.Option(help="Public key of the second party's next half, to renew both halves at once.")
    ] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service, which stands still.")] = None,
) -> None:
    """Make a new identity key, re-key every link, and destroy the former key."""
    settings = load_settings(config, data=data)
    if not yes:
        raise SettingsInvalid("every organisation has to renew its pseudonyms: say --yes", name="yes")
    if second_party_key and not _is_key(second_party_key):
        raise SettingsInvalid("a public key is 64 hexadecimal characters", name="second_party_key")
    if second_party_key:
        done = rotate_both_halves(settings, bytes.fromhex(second_party_key))
        typer.echo(
            f"Both halves are renewed. Have the second party do: exchange identity party finish --links"
            f" {done.links}.\nThen set identity_second_party_key to {second_party_key} and start the service."
        )
    else:
        done = rotate_identity(settings)
    typer.echo(
        f"identity key of generation {done.generation}; {done.links} links re-keyed, the former key gone.\n"
        "Now give each organisation its new public key, on paper or in its configuration: exchange identity"
        " key OIN.\nIt replaces its pin, blinds its BSNs again and replaces its pseudonyms; older ones are"
        " refused as PSEUDONYM_OUTDATED."
    )


@app.command("key")
def public_key(
    oin: Annotated[str, typer.Argument(help="Twenty digits.")],
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Print the public key an organisation pins: its proofs are checked against it."""
    settings = load_settings(config, data=data)
    if len(oin) != OIN_DIGITS or not (oin.isascii() and oin.isdigit()):
        raise SettingsInvalid("an OIN has twenty digits", name="oin")
    _, key = identity_public_key(settings, oin)
    typer.echo(key.hex())
    if settings.identity_second_party_key:
        # The pin holds both, in this order.
        typer.echo(settings.identity_second_party_key)


def _told(one: DayOfOrganisation) -> dict[str, object]:
    return {
        "day": one.day,
        "organisation": one.organisation,
        "elements": one.elements,
        "calls": one.calls,
        "case_ids": sorted(one.cases),
        "without_case": dict(sorted(one.without_case.items())),
        "share": round(one.share, 6),
    }
