"""`exchange audit adl`: the authorization decision log, one record for each decision.

Promises: reads the store's files, opens nothing that is sealed; a resident is a pseudonym of this log. The
officer's own endpoint tells also which fields were asked.
Source: VNG Authorization Decision Log (November 2025).
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from exchange.settings import load_settings
from exchange.wiring.decision_log import decision_records


class Output(StrEnum):
    """How the records are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def adl(
    *,
    since: Annotated[int, typer.Option(min=0, help="Position read last; 0 for all.")] = 0,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")] = Output.JSONL,
) -> None:
    """Print a record of every decision after a position, oldest first."""
    records = decision_records(load_settings(config, data=data), since)
    if output is Output.JSONL:
        for record in records:
            typer.echo(json.dumps(record, ensure_ascii=False))
    elif output is Output.JSON:
        typer.echo(json.dumps(list(records), indent=1, ensure_ascii=False))
    else:
        table = Table("position", "timestamp", "who", "action", "decision", "rules")
        for record in records:
            request, rules = record["request"], record["policies"]["register"]["rules"]
            who, decision = request["subject"]["id"], record["response"]["decision"]
            table.add_row(
                str(record["position"]),
                record["timestamp"],
                who,
                request["action"]["name"],
                "permit" if decision else "deny",
                " ".join(rules),
            )
        Console().print(table)
