"""`exchange projections`: read models made anew from the events, and where they stand.

Promises: `rebuild` may run beside a serving exchange; `status` makes nothing; exit 1 where a read model is
not there or behind the events.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.settings import load_settings
from exchange.wiring.following import rebuild as rebuild_all
from exchange.wiring.following import standings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exchange.wiring.following import Standing

app = typer.Typer(no_args_is_help=True, help="Read models.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]
_Output = Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")]


@app.callback()
def projections() -> None:
    """Read models."""


@app.command()
def rebuild(config: _Config = None, data: _Data = None, output: _Output = Output.TABLE) -> None:
    """Make every read model anew from position 0."""
    _tell(list(rebuild_all(load_settings(config, data=data))), output)


@app.command()
def status(config: _Config = None, data: _Data = None, output: _Output = Output.TABLE) -> None:
    """Tell where every read model stands."""
    found = list(standings(load_settings(config, data=data)))
    _tell(found, output)
    raise typer.Exit(0 if all(one.position == one.head for one in found) else 1)


def _tell(found: Iterable[Standing], output: Output) -> None:
    rows = [{"name": one.name, "position": one.position, "head": one.head} for one in found]
    if output is Output.JSON:
        typer.echo(json.dumps(rows))
        return
    for row in rows:
        where = "not there" if row["position"] is None else f"{row['position']} of {row['head']}"
        typer.echo(json.dumps(row) if output is Output.JSONL else f"{row['name']}: {where}")
