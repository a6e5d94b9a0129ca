"""`exchange-adapter municipal`: what a person calls.

Promises: nothing printed holds a BSN, a name or a text of a case, also by `explain`, which counts the words
of the one file it is given; but for `rejected` with a name, which prints what came.
Source: the command line's promises, `exchange/cli/README.md`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.kit.put_aside import CannotOpen
from adapters.municipal import running
from adapters.municipal.config import load_config
from adapters.municipal.errors import ConfigInvalid, ForAPerson
from adapters.municipal.explain import explain as explain_case
from adapters.sdk.bsn import Bsn, BsnRefused
from adapters.sdk.logs import AdapterLog

EXIT_NOT_SO: Final = 1
FILE_BYTES_MAX: Final = 64 * 1024

municipal = typer.Typer(help="Case system (ZGW) and BRP of a municipality.", no_args_is_help=True)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file with the adapter's settings.")]


@municipal.command()
def run(config: ConfigFile) -> None:
    """Work until SIGTERM."""
    running.run(load_config(config), _log())


@municipal.command()
def once(config: ConfigFile) -> None:
    """Do one pass and end."""
    running.once(load_config(config), _log())


@municipal.command()
def register(
    config: ConfigFile,
    file: Annotated[Path, typer.Option(help='JSON file {"bsn": "…"}; remove it afterwards.')],
) -> None:
    """Let the plan of a resident, reported at another desk, have a case."""
    told = _json(file)
    bsn = told.get("bsn")
    if told.keys() != {"bsn"} or not isinstance(bsn, str):
        raise ConfigInvalid(f"{file.name} holds one text, bsn")
    try:
        known = running.register(load_config(config), Bsn(bsn), _log())
    except BsnRefused as refused:
        raise ConfigInvalid(f"bsn: {refused}") from None
    typer.echo("registered" if known else "registered; no case of this adapter is known yet", err=True)


@municipal.command()
def explain(
    config: ConfigFile,
    file: Annotated[Path, typer.Argument(help="A case as the Zaken API gives it, JSON in a file.")],
) -> None:
    """Say what would become of a case, without sending anything."""
    settings = load_config(config)
    try:
        typer.echo(explain_case(settings, _json(file)), nl=False)
    except ForAPerson as person:
        typer.echo(f"a person must look: {person.reason}")
        raise typer.Exit(EXIT_NOT_SO) from None


@municipal.command()
def rejected(
    config: ConfigFile,
    name: Annotated[str, typer.Argument(help="One of those that are listed; none lists them.")] = "",
) -> None:
    """List what was refused, or print one of it as it came: it may hold a BSN."""
    kept = running.rejected(load_config(config))
    if not name:
        for one in kept.listed():
            typer.echo(f"{one.name} {one.refused_on} {one.reason}")
        return
    try:
        typer.echo(kept.read(name), nl=False)
    except KeyError:
        raise ConfigInvalid("nothing that was refused has this name; without one it is listed") from None
    except CannotOpen:
        raise ConfigInvalid("this file does not open with the key in the state folder") from None


@municipal.command()
def status(
    config: ConfigFile,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what waits; exit 1 when something waits for a person."""
    found = running.status(load_config(config))
    if as_json:
        typer.echo(json.dumps(found.rows() | {"well": found.well}))
    else:
        for name, value in found.rows().items():
            lines = value if isinstance(value, tuple) else ()
            typer.echo(f"{name}: {len(lines) if isinstance(value, tuple) else value}")
            for line in lines:
                typer.echo(f"  {line}")
    if not found.well:
        raise typer.Exit(EXIT_NOT_SO)


def _log() -> AdapterLog:
    return AdapterLog(adapter="municipal")


def _json(file: Path) -> dict[str, object]:
    try:
        with file.open("rb") as opened:
            raw = opened.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigInvalid(f"{file.name} cannot be read: {error.strerror}") from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigInvalid(f"{file.name} is larger than {FILE_BYTES_MAX} bytes")
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        raise ConfigInvalid(f"{file.name} is no JSON") from None
    if not isinstance(told, dict):
        raise ConfigInvalid(f"{file.name} holds no JSON object")
    return told
