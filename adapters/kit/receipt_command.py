"""`exchange-adapter receipts`: what an adapter was promised, listed and verified without asking anybody.

Promises: reads the state folder of an adapter and a policy file, and calls nobody; nothing printed names a
resident. Exit 0 good, 1 where a receipt does not hold, 2 wrong call, folder or policy.
Source: `receipts.py`; C2SP tlog-policy.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from adapters.kit.enduring import fault_of
from adapters.kit.put_aside import CannotOpen
from adapters.kit.receipts import FILE, KEY, ReceiptsKept
from adapters.sdk.errors import CredentialsInvalid
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.trust import POLICY_CHARACTERS_MAX, parse_trust

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_NOT_SO: Final = 1
EXIT_WRONG_CALL: Final = 2
receipts = typer.Typer(help="Receipts of what an adapter had recorded.", no_args_is_help=True)
StateFolder = Annotated[Path, typer.Option("--state", help="The adapter's state folder.")]


@receipts.command("list")
def list_kept(
    state: StateFolder,
    plan: Annotated[str, typer.Option(help="Id of a plan: those about it only.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """List what is kept: leaf, position, rpc, decision, and whether its proof came."""
    with _book(state) as kept:
        for one in kept.listed(plan):
            row = one.row()
            proof = "proof" if one.proof else "no proof yet"
            line = f"{one.leaf_index} {one.position} {one.rpc} {one.decision_id or '-'} {proof}"
            typer.echo(json.dumps(row) if as_json else line)


@receipts.command()
def verify(
    state: StateFolder,
    policy: Annotated[Path, typer.Option(help="Policy file: keys of the logs, witnesses and their quorum.")],
) -> None:
    """Verify all that is kept under a policy that came another way; exit 1 where one does not hold."""
    try:
        trust = parse_trust(policy.read_text(encoding="utf-8")[: POLICY_CHARACTERS_MAX + 1])
    except (OSError, ValueError) as error:
        _end(f"no policy: {error if isinstance(error, ProofRefused) else type(error).__name__}")
    with _book(state) as kept:
        found = kept.verify(trust)
    typer.echo(f"{found.hold} hold, {found.unproven} wait for their proof, {len(found.wrong)} do not hold")
    for leaf_index, why in found.wrong:
        typer.echo(f"{leaf_index}: {why}")
    if found.wrong:
        raise typer.Exit(EXIT_NOT_SO)


@contextmanager
def _book(state: Path) -> Iterator[ReceiptsKept]:
    """Open a book; end with exit 2 and a reason where it cannot be read."""
    if not (state / FILE).is_file():
        _end("no receipts were ever kept in this folder")
    try:
        with closing(ReceiptsKept(state, make=False)) as kept:
            yield kept
    except (CredentialsInvalid, CannotOpen) as error:
        _end(str(error))
    except (OSError, sqlite3.DatabaseError) as error:
        # A running adapter is about to write, or it is no such file, or not for this user.
        _end(f"{FILE} or {KEY} cannot be read: {fault_of(error) or 'not a book of receipts'}")


def _end(why: str) -> NoReturn:
    typer.echo(why, err=True)
    raise typer.Exit(EXIT_WRONG_CALL)
