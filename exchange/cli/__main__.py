"""`exchange`: one command, its nouns below it.

Promises: exit 0 good, 1 the thing checked is not so, 2 wrong call or settings, 3 not reachable. An error the
exchange names comes out as one sentence and its remedy on stderr, never as a traceback.
Source: the command line's promises, `exchange/cli/README.md`.
"""

from __future__ import annotations

import sys
from typing import Final

import typer

from exchange.cli import (
    accountability,
    adl,
    audit,
    bench,
    config,
    console,
    decisions,
    demo,
    directory,
    doctor,
    documents,
    export,
    fields,
    front,
    gate,
    identity,
    key_rotation,
    keys,
    lawful,
    lease,
    projections,
    replay,
    retention,
    serve,
    shards,
    store,
    witness,
)
from exchange.errors import (
    ExchangeError,
    RequestInvalid,
    SettingsInvalid,
    Unavailable,
)
from exchange.wiring.remedies import remedy_at_the_keyboard

EXIT_NOT_SO: Final = 1
EXIT_WRONG_CALL: Final = 2
EXIT_NOT_REACHABLE: Final = 3

app = typer.Typer(
    name="exchange",
    help="Integral support plans: kept as events, shared field by field, provable afterwards.",
    no_args_is_help=True,
    # A named error gets its sentence below; any other must show where it happened, without local values.
    pretty_exceptions_enable=False,
)
gate.app.command("replay")(replay.replay)
gate.app.command("preview")(replay.preview)
app.add_typer(gate.app, name="gate")
audit.app.command("export")(export.export)
audit.app.command("adl")(adl.adl)
audit.app.command("decisions")(decisions.decisions)
audit.app.command("lawful")(lawful.lawful)
audit.app.command("ldv")(accountability.ldv)
audit.app.command("verwerkingen")(accountability.verwerkingen)
audit.app.command("nen7513")(accountability.nen7513)
audit.app.command("reveal")(fields.reveal)
audit.app.command("check-field")(fields.check_field)
app.add_typer(audit.app, name="audit")
app.add_typer(documents.app, name="export")
app.add_typer(store.app, name="store")
app.add_typer(lease.app, name="lease")
app.add_typer(shards.app, name="shards")
app.add_typer(identity.app, name="identity")
key_rotation.under(keys.app)
app.add_typer(keys.app, name="keys")
app.add_typer(projections.app, name="projections")
app.add_typer(config.app, name="config")
app.add_typer(console.app, name="console")
app.add_typer(retention.app, name="retention")
app.add_typer(witness.app, name="witness")
app.add_typer(directory.app, name="directory")
app.command("serve")(serve.serve)
app.command("front")(front.front)
app.command("demo")(demo.demo)
app.command("bench")(bench.bench)
app.command("doctor")(doctor.doctor)


def exit_code(error: ExchangeError) -> int:
    """Return what the shell sees for an error of the tree."""
    if isinstance(error, Unavailable):
        return EXIT_NOT_REACHABLE
    if isinstance(error, SettingsInvalid | RequestInvalid):
        return EXIT_WRONG_CALL
    return EXIT_NOT_SO


def main() -> None:
    """Run the command line; the console script `exchange`."""
    try:
        app()
    except ExchangeError as error:
        typer.echo(f"{error}\n{remedy_at_the_keyboard(error)}", err=True)
        if isinstance(error, RequestInvalid):
            for field, what in error.fields.items():
                typer.echo(f"{field}: {what}", err=True)
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main()
