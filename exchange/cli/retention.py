"""`exchange retention`: what is past its term, and destroying it by three persons.

Promises: prints case ids, laws, categories and days, and nothing of what is recorded. `due` destroys nothing
and exits 1 where something is due that nobody holds; `execute` exits 1 where something was left.
Source: GDPR 5(1)(e), 17(3).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from exchange.cli.keys import read_token
from exchange.settings import load_settings
from exchange.wiring import retaining
from exchange.wiring.core import utc_now
from exchange.wiring.retention import ended_by

app = typer.Typer(no_args_is_help=True, help="Terms for which data are kept.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@app.callback()
def retention() -> None:
    """Terms for which data are kept."""


@app.command()
def due(
    *,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day, UTC; now where it is not given.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")] = Output.TABLE,
) -> None:
    """List what is past its term: residents, by case, or categories of what is kept of them."""
    moment = utc_now() if until is None else until.replace(tzinfo=UTC)
    found = list(ended_by(load_settings(config, data=data), moment))
    rows = [
        {
            "cases": list(one.cases),
            "ended": one.at.date().isoformat(),
            "laws": {law: end.date().isoformat() for law, end in one.laws},
            "categories": list(one.categories),
            "held": one.held,
        }
        for one in found
    ]
    if output is Output.TABLE:
        table = Table("cases", "ended", "laws", "categories", "held")
        for one in found:
            laws = " ".join(f"{law} {end.date().isoformat()}" for law, end in one.laws)
            what = " ".join(one.categories) or "all"
            table.add_row(
                " ".join(one.cases), one.at.date().isoformat(), laws, what, "yes" if one.held else "no"
            )
        Console().print(table)
    else:
        _print(output, rows)
    raise typer.Exit(1 if any(not one.held for one in found) else 0)


@app.command()
def execute(
    *,
    credentials: Annotated[
        Path, typer.Option(help="Folder of the operator's client.pem, client.key and signing.key.")
    ],
    proposer: Annotated[Path, typer.Option(help="File with the token of who proposes.")],
    approver: Annotated[list[Path], typer.Option(help="File with the token of who approves; two of them.")],
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")] = Output.TABLE,
) -> None:
    """Destroy what is past its term now, by three persons; the service must be stopped."""
    people = [read_token(file) for file in (proposer, *approver)]
    done = retaining.execute(load_settings(config, data=data), credentials, people)
    if output is Output.TABLE:
        table = Table("cases", "categories", "erasure", "leaf", "recipients", "kept by")
        for one in done:
            told = (str(one.leaf_index), str(one.recipients)) if one.erasure_id else ("", "")
            what = " ".join(one.categories) or "all"
            table.add_row(" ".join(one.cases), what, one.erasure_id, *told, one.kept_by)
        Console().print(table)
    else:
        _print(output, [one._asdict() for one in done])
    raise typer.Exit(1 if any(one.kept_by for one in done) else 0)


def _print(output: Output, rows: list[dict[str, Any]]) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(json.dumps(row))
