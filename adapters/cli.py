"""`exchange-adapter`: an organisation's own adapters, one noun for each world they link.

Promises: exit 0 good, 1 the thing checked is not so, 2 wrong call or settings, 3 not reachable; a named error
comes out as one sentence and its remedy on stderr, never as a traceback; nothing printed holds a BSN.
Source: the command line's promises, `exchange/cli/README.md`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Final

import typer

from adapters.conformance.command import conformance
from adapters.kit.enduring import fault_of
from adapters.kit.outward import NotNow, OutwardError
from adapters.kit.receipt_command import receipts
from adapters.municipal import errors as municipal_errors
from adapters.municipal.commands import municipal
from adapters.provider import apart, by_hand, running
from adapters.provider.config import load_config
from adapters.provider.desk import LOCAL
from adapters.provider.errors import AlreadyRunning, ConfigInvalid, MessageRefused, ProviderAdapterError
from adapters.provider.explain import explain as explain_message
from adapters.provider.parsing import MESSAGE_BYTES_MAX
from adapters.provider.person import FILE_BYTES_MAX, read_person
from adapters.provider.rules import in_message_findings
from adapters.provider.xml import read
from adapters.scaffold.making import new
from adapters.sdk.envelope_command import envelope_key
from adapters.sdk.errors import CredentialsInvalid, ExchangeRefused, SdkError, Unavailable
from adapters.sdk.logs import AdapterLog
from adapters.sdk.token_command import token
from adapters.work_income.commands import work_income
from adapters.work_income.errors import AlreadyRunning as WorkIncomeRuns
from adapters.work_income.errors import ConfigInvalid as WorkIncomeConfigInvalid
from adapters.work_income.errors import WorkIncomeError

EXIT_NOT_SO: Final = 1
EXIT_WRONG_CALL: Final = 2
EXIT_NOT_REACHABLE: Final = 3

app = typer.Typer(
    name="exchange-adapter",
    help="Adapters: what an organisation already has, linked to the exchange.",
    no_args_is_help=True,
    # A named error gets its sentence below; any other must show where it happened, without local values.
    pretty_exceptions_enable=False,
)
provider = typer.Typer(
    help="iWmo and iJw messages, the municipality's side or the provider's.", no_args_is_help=True
)
app.add_typer(provider, name="provider")
app.add_typer(work_income, name="work-income")
app.add_typer(municipal, name="municipal")
app.add_typer(receipts, name="receipts")
app.command("token")(token)
app.command("envelope-key")(envelope_key)
app.command("new")(new)
app.command("conformance")(conformance)

ConfigFile = Annotated[Path, typer.Option("--config", help="TOML file with the adapter's settings.")]


class Form(Enum):
    """How an answer is written."""

    TABLE = "table"
    JSON = "json"


@app.callback()
def adapter() -> None:
    """Keep the nouns: with one noun only, typer would leave it out."""


@provider.command()
def run(config: ConfigFile) -> None:
    """Work until SIGTERM."""
    running.run(load_config(config), _log())


@provider.command()
def once(config: ConfigFile) -> None:
    """Do one pass and end."""
    running.once(load_config(config), _log())


@provider.command()
def register(
    config: ConfigFile,
    file: Annotated[Path, typer.Option(help="JSON file with one person; remove it afterwards.")],
) -> None:
    """Put a person in the municipality's own register."""
    settings = load_config(config)
    found = running.register(settings, read_person(_bytes(file, FILE_BYTES_MAX)))
    typer.echo("registered" if found else "registered; no case of this adapter is known yet", err=True)


@provider.command()
def send(
    config: ConfigFile,
    message: Annotated[Path, typer.Argument(help="A 315, 317 or 323 that our own system made.")],
) -> None:
    """Check a request or declaration of ours and send it; the running adapter delivers it."""
    data = _bytes(message, MESSAGE_BYTES_MAX)
    typer.echo(by_hand.send(load_config(config), data, _log()))


@provider.command()
def answer(
    config: ConfigFile,
    request: Annotated[int, typer.Option(help="The number that `status` gives the request.")],
    outcome: Annotated[str, typer.Option(help="1 rejected, 2 under investigation (WJ760).")],
    reason: Annotated[str | None, typer.Option(help="Why rejected, 1 to 9 (WJ759).")] = None,
    municipality: Annotated[
        str | None, typer.Option(help="Where a youth belongs, four digits, for reason 8 under the Jeugdwet.")
    ] = None,
) -> None:
    """Answer a request with a 319; a yes is a support on the plan, and no answer of its own."""
    settings = load_config(config)
    name = by_hand.answer(settings, request, outcome, _log(), refusal=reason, municipality=municipality)
    typer.echo(name)


@provider.command()
def release(
    config: ConfigFile,
    message: Annotated[str, typer.Argument(help="Name of a message that `status` calls parked.")],
    *,
    settled: Annotated[
        bool, typer.Option("--settled", help="It needs not go any more; what waits behind it does.")
    ] = False,
) -> None:
    """Have a message that was set apart sent again, or say that it is settled."""
    apart.release(load_config(config), message, time.time_ns() // 1_000_000, settled=settled)
    typer.echo("settled" if settled else "goes again", err=True)


@provider.command()
def explain(
    message: Annotated[Path, typer.Argument(help="A message of the standard, as a file.")],
) -> None:
    """Say what would become of a message, without sending anything."""
    data = _bytes(message, MESSAGE_BYTES_MAX)
    today = datetime.now(LOCAL).date()
    typer.echo(explain_message(data, today), nl=False)
    try:
        whole = read(data)
    except MessageRefused:
        raise typer.Exit(EXIT_NOT_SO) from None
    if not whole.schema.answers and in_message_findings(whole, today):
        raise typer.Exit(EXIT_NOT_SO)


@provider.command()
def status(
    config: ConfigFile,
    form: Annotated[Form, typer.Option("--output", "-o", help="table or json.")] = Form.TABLE,
) -> None:
    """Say what waits; exit 1 when something waits for a person."""
    found = running.status(load_config(config))
    if form is Form.JSON:
        typer.echo(json.dumps(found.rows() | {"well": found.well}))
    else:
        for name, value in found.rows().items():
            lines = value if isinstance(value, tuple) else (value,)
            typer.echo(f"{name}: {len(lines) if isinstance(value, tuple) else value}")
            for line in lines if isinstance(value, tuple) else ():
                typer.echo(f"  {line}")
    if not found.well:
        raise typer.Exit(EXIT_NOT_SO)


def _log() -> AdapterLog:
    return AdapterLog(adapter="provider")


def _bytes(file: Path, most: int) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(most + 1)
    except OSError as error:
        raise ConfigInvalid(f"{file.name} cannot be read: {error.strerror}") from None


NamedError = (
    ProviderAdapterError | WorkIncomeError | municipal_errors.MunicipalAdapterError | OutwardError | SdkError
)


def exit_code(error: NamedError) -> int:
    """Return what the shell sees for an error of any tree."""
    if isinstance(error, Unavailable | NotNow):
        return EXIT_NOT_REACHABLE
    if isinstance(error, WorkIncomeConfigInvalid | WorkIncomeRuns):
        return EXIT_WRONG_CALL
    if isinstance(error, ConfigInvalid | AlreadyRunning | CredentialsInvalid):
        return EXIT_WRONG_CALL
    if isinstance(error, municipal_errors.ConfigInvalid | municipal_errors.AlreadyRunning):
        return EXIT_WRONG_CALL
    return EXIT_NOT_SO


def _remedy(error: NamedError) -> str:
    if isinstance(error, ProviderAdapterError | WorkIncomeError | municipal_errors.MunicipalAdapterError):
        return error.remedy
    return "\n".join(error.remedies) if isinstance(error, ExchangeRefused) else ""


def main() -> None:
    """Run the command line; the console script `exchange-adapter`."""
    try:
        app()
    except (
        ProviderAdapterError,
        WorkIncomeError,
        municipal_errors.MunicipalAdapterError,
        OutwardError,
        SdkError,
    ) as error:
        typer.echo(f"{error}\n{_remedy(error)}".rstrip(), err=True)
        sys.exit(exit_code(error))
    except sqlite3.OperationalError as error:
        # A running adapter is about to write, or there is no room: the same call may do later.
        why = fault_of(error)
        if not why:
            raise
        typer.echo(f"the adapter's own file cannot be used now: {why}\nCall this again.", err=True)
        sys.exit(EXIT_NOT_SO)
