"""`exchange audit ldv`, `verwerkingen`, `nen7513`: what was processed, in the forms of three Dutch standards.

Promises: reads the store's files, and writes to no file but the one it is told to follow into; a resident is
a pseudonym of the log, a BSN is nowhere. Staff stand in `nen7513` alone, by their own opaque id.
Source: Logius Logboek Dataverwerkingen and its extension NEN 7513; VNG Verwerkingenlogging 0.9.
"""

from __future__ import annotations

import json
import re
import signal
from enum import StrEnum
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.settings import load_settings
from exchange.wiring.accountability import follow_ldv, ldv_lines, nen7513_lines, verwerkingsacties

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LOOK_AGAIN_S: Final = 1.0
_is_oin = re.compile(r"[0-9]{20}", re.ASCII).fullmatch


class Output(StrEnum):
    """How the lines are printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


def _oin(value: str) -> str:
    if value and not _is_oin(value):
        raise typer.BadParameter("must be an OIN: twenty digits")
    return value


_Since = Annotated[int, typer.Option(min=0, help="Position read last; 0 for all.")]
_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]
_Output = Annotated[Output, typer.Option("-o", "--output", help="table, json or jsonl.")]
_Organisation = Annotated[str, typer.Option(callback=_oin, help="Only the log of this OIN.")]
_Follow = Annotated[Path | None, typer.Option(help="Append the lines to this file, and go on.")]
_Once = Annotated[bool, typer.Option("--once", help="With --follow: end when all is written.")]


def ldv(
    *,
    since: _Since = 0,
    organisation: _Organisation = "",
    follow: _Follow = None,
    once: _Once = False,
    config: _Config = None,
    data: _Data = None,
    output: _Output = Output.JSONL,
) -> None:
    """Print Logboek Dataverwerkingen: a line for each resident and action, without staff."""
    settings = load_settings(config, data=data)
    if follow is not None:
        follow_ldv(settings, follow, since, organisation, wait=_never if once else _until_told())
        return
    _show(ldv_lines(settings, since, organisation), output, _LDV)


def verwerkingen(
    *, since: _Since = 0, config: _Config = None, data: _Data = None, output: _Output = Output.JSONL
) -> None:
    """Print VNG Verwerkingenlogging: each action with the kinds of data it was about."""
    _show(verwerkingsacties(load_settings(config, data=data), since), output, _VERWERKINGEN)


def nen7513(
    *, since: _Since = 0, config: _Config = None, data: _Data = None, output: _Output = Output.JSONL
) -> None:
    """Print NEN 7513, for the officer: who saw or recorded what of a resident's health."""
    _show(nen7513_lines(load_settings(config, data=data), since), output, _NEN7513)


def _never() -> bool:
    return False


def _until_told() -> Callable[[], bool]:
    """Return what waits a moment; it says no once the process was told to end, between two writes."""
    ended = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    return lambda: not ended.wait(LOOK_AGAIN_S)


_LDV: Final[dict[str, Callable[[Any], object]]] = {
    "position": lambda line: line["attributes"]["exchange.position"],
    "trace": lambda line: line["trace_id"],
    "status": lambda line: line["status"],
    "name": lambda line: line["name"],
    "who": lambda line: line["attributes"]["dpl.core.foreign_operation.processor"],
    "resident": lambda line: line["attributes"].get("dpl.core.data_subject_id", ""),
}
_NEN7513: Final[dict[str, Callable[[Any], object]]] = _LDV | {
    "who": lambda line: line["attributes"]["dpl.nen7513.users"][0]["userID"],
}
_VERWERKINGEN: Final[dict[str, Callable[[Any], object]]] = {
    "tijdstip": lambda line: line["tijdstip"],
    "actie": lambda line: line["actieNaam"],
    "afnemer": lambda line: line["afnemerId"],
    "vertrouwelijkheid": lambda line: line["vertrouwelijkheid"],
    "object": lambda line: " ".join(one["objectId"] for one in line["verwerkteObjecten"]),
}


def _show(
    lines: Iterable[dict[str, Any]], output: Output, columns: dict[str, Callable[[Any], object]]
) -> None:
    if output is Output.JSONL:
        for line in lines:
            typer.echo(json.dumps(line, ensure_ascii=False))
    elif output is Output.JSON:
        typer.echo(json.dumps(list(lines), indent=1, ensure_ascii=False))
    else:
        table = Table(*columns)
        for line in lines:
            table.add_row(*(str(cell(line)) for cell in columns.values()))
        Console().print(table)
