"""`exchange-adapter work-income`: run, once, status, explain.

Promises: the rooms behind are loaded when a command is given, so that who has no use for Suwinet needs none
of its packages; exit codes as in `adapters/cli.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.sdk.logs import AdapterLog
from adapters.work_income.config import load_config
from adapters.work_income.errors import AnswerRefused, ConfigInvalid

EXIT_NOT_SO: Final = 1
MESSAGE_BYTES_MAX: Final = 4 * 1024 * 1024

work_income = typer.Typer(
    help="Suwinet: what work and income know already, asked on a legal basis.", no_args_is_help=True
)
ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file with the adapter's settings.")]


@work_income.command()
def run(config: ConfigFile) -> None:
    """Work until SIGTERM."""
    from adapters.work_income import running  # noqa: PLC0415 -- needs the extra `soap`

    running.run(load_config(config), _log())


@work_income.command()
def once(config: ConfigFile) -> None:
    """Do one pass and end."""
    from adapters.work_income import running  # noqa: PLC0415 -- needs the extra `soap`

    running.once(load_config(config), _log())


@work_income.command()
def status(config: ConfigFile) -> None:
    """Say what waits, as JSON; exit 1 when something waits for a person."""
    from adapters.work_income import running  # noqa: PLC0415 -- needs the extra `soap`

    found = running.status(load_config(config))
    told = {**found.counts, "waits_for_a_person": found.parked, "rejected": found.rejected}
    told["standing_still"] = found.standing_still
    typer.echo(json.dumps(told))
    if not found.well:
        raise typer.Exit(EXIT_NOT_SO)


@work_income.command()
def rejected(
    config: ConfigFile,
    name: Annotated[str, typer.Argument(help="One of those that are listed; none lists them.")] = "",
) -> None:
    """List the orders that were refused, or print one of them as it came: it may hold a BSN."""
    from adapters.work_income import running  # noqa: PLC0415 -- needs the extra `soap`

    kept = running.rejected(load_config(config))
    if not name:
        for one in kept.listed():
            typer.echo(f"{one.name} {one.refused_on} {one.reason}")
        return
    try:
        typer.echo(kept.read(name), nl=False)
    except KeyError:
        raise ConfigInvalid("no refused order has this name; without one they are listed") from None


@work_income.command()
def explain(
    message: Annotated[Path, typer.Argument(help="An answer of one of the four services, as a file.")],
) -> None:
    """Say what would become of an answer, without asking or sending anything."""
    from adapters.work_income.explain import explain as explain_answer  # noqa: PLC0415 -- needs the extra `soap`

    try:
        with message.open("rb") as opened:
            data = opened.read(MESSAGE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigInvalid(f"{message.name} cannot be read: {error.strerror}") from None
    try:
        typer.echo(explain_answer(data), nl=False)
    except AnswerRefused as refused:
        typer.echo(f"{refused.code}: {refused}\n{refused.remedy}", err=True)
        raise typer.Exit(EXIT_NOT_SO) from None


def _log() -> AdapterLog:
    return AdapterLog(adapter="work-income")
