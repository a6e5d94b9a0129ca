"""`exchange audit decisions`: the decisions of a filter, as the officer's page shows them.

Promises: reads the store's files, opens nothing that is sealed, and is therefore recorded nowhere: it is for
whoever may read the folder. A resident is a pseudonym of the log. Over the service, where each look is a
recorded decision, the same filter is `AuditService.ListDecisions`.
Source: GDPR 5(2), 39(1)(b).
"""

from __future__ import annotations

import csv
import json
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from exchange.documents.tables import guarded
from exchange.errors import RequestInvalid
from exchange.projections.facets import BEGIN, END, Wanted
from exchange.projections.obligations import microseconds
from exchange.server.contract.filters import OUTCOMES
from exchange.server.contract.formats import pseudonym_fault
from exchange.settings import load_settings
from exchange.wiring.decision_list import decisions_of

if TYPE_CHECKING:
    from collections.abc import Iterable


class Output(StrEnum):
    """How the decisions are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"


_MOMENTS: Final = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f"]
_COLUMNS: Final = ("position", "decide_time", "organisation", "task", "legal_basis", "outcome", "rules")
_NAMES: Final = (
    *("position", "decide_time", "decision_id", "resident_pseudonym", "professional", "organisation", "task"),
    *("purpose", "legal_basis", "outcome", "emergency", "categories", "rules", "action", "obligations"),
    "leaf_index",
)
_Many = list[str] | None


def _several(help_text: str) -> Any:  # noqa: ANN401 -- typer's own
    return typer.Option(help=f"{help_text}; may be repeated.")


def decisions(
    *,
    organisation: Annotated[_Many, _several("OIN of who asked")] = None,
    task: Annotated[_Many, _several("Task in which was asked")] = None,
    legal_basis: Annotated[_Many, _several("Basis, such as WMO-2.3.2, or one version, WMO-2.3.2@1")] = None,
    purpose: Annotated[_Many, _several("Purpose, such as wmo-onderzoek")] = None,
    category: Annotated[_Many, _several("Data category that was asked")] = None,
    outcome: Annotated[_Many, _several("Outcome, such as DENY")] = None,
    rule: Annotated[_Many, _several("Rule that spoke, such as R03")] = None,
    emergency: Annotated[
        bool | None, typer.Option("--emergency/--no-emergency", help="Whether emergency access was claimed.")
    ] = None,
    since: Annotated[
        datetime | None, typer.Option("--from", formats=_MOMENTS, help="From this moment (UTC).")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option("--before", formats=_MOMENTS, help="Before this moment (UTC).")
    ] = None,
    resident: Annotated[str, typer.Option(help="Pseudonym of a resident in this log.")] = "",
    decision: Annotated[str, typer.Option(help="Id of one decision.")] = "",
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("-o", "--output", help="How to print.")] = Output.TABLE,
) -> None:
    """Print the decisions of a filter from the store's files, oldest first; this reading is not recorded."""
    if resident and pseudonym_fault(resident):
        raise RequestInvalid("no resident has this pseudonym", {"resident": pseudonym_fault(resident)})
    if unknown := sorted(set(outcome or ()) - OUTCOMES):
        raise RequestInvalid("no decision has this outcome", {"outcome": f"{unknown[0]}: is none"})
    wanted = Wanted(
        organisations=tuple(organisation or ()),
        tasks=tuple(task or ()),
        legal_bases=tuple(legal_basis or ()),
        purposes=tuple(purpose or ()),
        categories=tuple(category or ()),
        outcomes=tuple(outcome or ()),
        rules=tuple(rule or ()),
        emergency=emergency,
        since=BEGIN if since is None else microseconds(since.replace(tzinfo=UTC)),
        until=END if until is None else microseconds(until.replace(tzinfo=UTC)),
        resident=resident,
        decision_id=decision,
    )
    _show(decisions_of(load_settings(config, data=data), wanted), output)


def _show(rows: Iterable[dict[str, Any]], output: Output) -> None:
    if output is Output.JSONL:
        for row in rows:
            typer.echo(json.dumps(row, ensure_ascii=False))
    elif output is Output.JSON:
        typer.echo(json.dumps(list(rows), indent=1, ensure_ascii=False))
    elif output is Output.CSV:
        written = csv.writer(sys.stdout, lineterminator="\n")
        written.writerow(_NAMES)
        written.writerows([guarded(_cell(row[name])) for name in _NAMES] for row in rows)
    else:
        table = Table(*_COLUMNS)
        for row in rows:
            table.add_row(*(Text(_cell(row[name])) for name in _COLUMNS))
        Console().print(table)


def _cell(value: object) -> str:
    """Return a value as one cell."""
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
