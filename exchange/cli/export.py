"""`exchange audit export`: the officer's pack, from the ledger's files, with or without a running service."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import TYPE_CHECKING, Annotated, Final

import typer

from exchange.cli.new_file import refuse_no_room
from exchange.domain.ledger import year_of
from exchange.errors import Unavailable
from exchange.ledger.note import NOTE_BYTES_MAX
from exchange.ledger.pack import export_pack
from exchange.ledger.timestamp import TOKEN_BYTES_MAX, Stamp
from exchange.settings import load_settings
from exchange.wiring.ledger import open_ledger, opening_of

if TYPE_CHECKING:
    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.years import YearLog
    from exchange.wiring.ledger import Ledger

CHECKPOINT_SUFFIX: Final = ".checkpoint"


def export(
    *,
    out: Annotated[Path, typer.Option(help="File to write; refused where it exists.")],
    since: Annotated[int, typer.Option(min=0, help="Size the officer checked last; 0 for none.")] = 0,
    token: Annotated[
        list[Path] | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            help="RFC 3161 token NAME.tsr over the checkpoint NAME.checkpoint beside it; may be repeated.",
        ),
    ] = None,
    log: Annotated[int | None, typer.Option(help="Year of the log; the newest where left out.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
) -> None:
    """Write checkpoint, tiles, entries, proofs, time stamps and the page that checks them to one pack."""
    refuse_no_room(out)
    stamps = [_stamp(one) for one in token or []]
    settings = load_settings(config, data=data)
    ledger = open_ledger(settings)
    try:
        signed, one = _newest_of(ledger, log)
        opening = opening_of(settings, one)
        export_pack(
            one.tiles, signed, since, out, one.signer, stamps=stamps, second=one.second, opening=opening
        )
    finally:
        ledger.close()
    typer.echo(f"{signed.checkpoint.size} leaves of {one.origin}")


def _newest_of(ledger: Ledger, year: int | None) -> tuple[SignedCheckpoint, YearLog]:
    """Return the newest checkpoint of a year's log, of the newest one where none is named."""
    if year is None:
        signed = ledger.newest()
        found = ledger.logs.named(signed.checkpoint.origin)
        assert found is not None, "what was signed is of a log of this shard"
        return signed, found
    for one in ledger.logs:
        if year_of(one.origin) == year:
            head = ledger.newest_of(one)
            if head is None:
                raise Unavailable("no checkpoint of this log has been signed yet")
            return head, one
    known = ", ".join(str(year_of(one.origin)) for one in ledger.logs)
    raise typer.BadParameter(f"there are logs of {known}", param_hint="--log")


def _stamp(token: Path) -> Stamp:
    """Return a token with the checkpoint it is over; whether it is, the export looks at."""
    note = token.with_suffix(CHECKPOINT_SUFFIX)
    if not note.is_file():
        raise typer.BadParameter(f"there is no {note.name} beside it", param_hint="--token")
    with token.open("rb") as one, note.open("rb") as other:
        return Stamp(other.read(NOTE_BYTES_MAX + 1), one.read(TOKEN_BYTES_MAX + 1))
