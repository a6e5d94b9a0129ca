"""`exchange identity`: how many BSNs organisations had evaluated, and for what.

Promises: reads the store's files and opens nothing: what is printed holds nothing of a resident.
Source: LEDGER design section 6; GDPR 39(1)(b).
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from exchange.cli import party
from exchange.settings import load_settings
from exchange.wiring.evaluations import DayOfOrganisation, evaluations

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
