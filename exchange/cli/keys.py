"""`exchange keys`: erase a resident with the service stopped, tell where keys stand, give a certificate.

Promises: three persons with tokens of their own decide, through the same gate as over the wire; nothing
printed leads to a person. Exit 1 where an erasure is not carried out, or only listed, or only decided.
Source: GDPR 17; the design of the ledger, section 5.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from exchange.cli.new_file import refuse_no_room, write_new_folder
from exchange.settings import load_settings
from exchange.wiring import shredding

app = typer.Typer(no_args_is_help=True, help="The keys of residents.")


class Output(StrEnum):
    """How to print."""

    TABLE = "table"
    JSON = "json"


_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]
_Output = Annotated[Output, typer.Option("-o", "--output", help="table or json.")]


@app.callback()
def keys() -> None:
    """Erase, and tell where keys stand."""


@app.command()
def shred(
    *,
    case: Annotated[
        str, typer.Option(help="A case of the resident. Without it: carry out what was decided.")
    ] = "",
    article: Annotated[str, typer.Option(help="Such as wmo_5_3_5 or avg_17_1_d.")] = "",
    reason: Annotated[str, typer.Option(help="Such as resident_asked or wrong_person.")] = "",
    category: Annotated[list[str] | None, typer.Option(help="Only this data category; repeat it.")] = None,
    kept: Annotated[list[str] | None, typer.Option(help="Why the rest is kept; repeat it.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="Folder of the operator's client.pem, client.key and signing.key.")
    ] = None,
    proposer: Annotated[Path | None, typer.Option(help="File with the token of who proposes.")] = None,
    approver: Annotated[
        list[Path] | None, typer.Option(help="File with the token of who approves; two of them.")
    ] = None,
    config: _Config = None,
    data: _Data = None,
    output: _Output = Output.TABLE,
) -> None:
    """Destroy the keys of one resident, by three persons; the service must be stopped."""
    settings = load_settings(config, data=data)
    if not case:
        if any((article, reason, category, kept, credentials, proposer, approver)):
            raise typer.BadParameter("is needed to decide an erasure", param_hint="--case")
        left = shredding.carry_out(settings)
        _say(output, {"carried_out": list(left)}, f"{len(left)} erasures carried out")
        return
    if credentials is None or proposer is None:
        raise typer.BadParameter("are needed to decide an erasure", param_hint="--credentials and --proposer")
    people = [read_token(file) for file in (proposer, *(approver or ()))]
    wanted = shredding.Wanted(case, article, reason, tuple(category or ()), tuple(kept or ()))
    done = shredding.shred(settings, credentials, people, wanted)
    _say(
        output,
        done._asdict(),
        f"erasure {done.erasure_id}, leaf {done.leaf_index}: the keys are destroyed; "
        f"{done.recipients} recipients are asked to erase what they got",
    )


@app.command()
def status(config: _Config = None, data: _Data = None, output: _Output = Output.TABLE) -> None:
    """Tell how many keys there are and whether every erasure is listed and carried out; exit 1 where not."""
    found = shredding.standing(load_settings(config, data=data))
    _say(
        output,
        found._asdict(),
        f"{found.keys} keys of {found.residents} residents, under KEK {found.kek_id}\n"
        f"keys of events looked at up to {found.looked_at} of {found.events}\n"
        f"{found.decided} erasures decided, {found.listed} listed, {len(found.left)} not carried out"
        + "".join(f"\n  {one}" for one in found.left)
        + "".join(f"\nlisted, and not in the events: {one}" for one in found.undecided)
        + "".join(f"\nin the events, and not listed: {one}" for one in found.unlisted),
    )
    raise typer.Exit(0 if found.whole else 1)


@app.command()
def certificate(
    erasure: Annotated[str, typer.Argument(help="Id of the erasure.")],
    out: Annotated[
        Path | None, typer.Option(help="New folder for statement.json and receipt.tlog-proof.")
    ] = None,
    config: _Config = None,
    data: _Data = None,
    output: _Output = Output.TABLE,
) -> None:
    """Give the certificate of an executed erasure: the statement, and the published receipt of its event."""
    if out is not None:
        refuse_no_room(out)
    statement, proof = shredding.certificate(load_settings(config, data=data), erasure)
    if out is not None:
        text = shredding.statement_text(statement)
        write_new_folder(out, {"statement.json": text.encode(), "receipt.tlog-proof": proof})
        _say(output, {"folder": str(out)}, str(statement["tekst"]))
        return
    text = proof.decode()
    _say(output, {"statement": statement, "tlog_proof": text}, f"{statement['tekst']}\n\n{text}")


def read_token(file: Path) -> str:
    """Return the token in a file; a wrong call where it cannot be read."""
    try:
        return file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        raise typer.BadParameter(f"{file.name} cannot be read", param_hint="--proposer, --approver") from None


def _say(output: Output, told: object, words: str) -> None:
    typer.echo(json.dumps(told) if output is Output.JSON else words)
