"""`exchange audit`: check a pack or a receipt with nothing but a policy.

Promises: exit 0 when what was checked is so, 1 when it is not (and what differs, where), 2 for a wrong call
or a malformed policy. Checking reads files only: no settings, no database and no network; `receipt INDEX`
reads the settings to find the published ledger.
Source: design of the ledger, section 4; the command line's promises on exit codes.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from exchange.cli.new_file import write_new
from exchange.errors import ProofInvalid, SettingsInvalid
from exchange.ledger.checkpoint import POLICY_BYTES_MAX, parse_policy
from exchange.ledger.leaf import parse_leaf
from exchange.ledger.note import NOTE_BYTES_MAX, encode_base64
from exchange.ledger.receipt import RECEIPT_BYTES_MAX, verify_receipt
from exchange.ledger.signers import SIGNERS_BYTES_MAX, SignatureCheck, parse_signers
from exchange.ledger.verify import Problem, Report, follow, verify_pack
from exchange.settings import load_settings
from exchange.wiring.published import published_receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.ledger.checkpoint import SignedCheckpoint
    from exchange.ledger.opening import Former

app = typer.Typer(help="Check audit packs and receipts.", no_args_is_help=True)

EXIT_DIFFERS = 1
EXIT_WRONG_CALL = 2
_INDEX: Final = re.compile(r"[0-9]+")
_INDEX_DIGITS_MAX: Final = 18  # no log has so many leaves, and what a receipt counts in has 63 bits


class Output(StrEnum):
    """How the verdict is written."""

    TABLE = "table"
    JSON = "json"


_File = typer.Option(exists=True, dir_okay=False, readable=True)
_Given = typer.Argument(exists=True, dir_okay=False, readable=True)
_Policy = Annotated[Path, _File]
_Signers = Annotated[
    Path | None,
    typer.Option(
        exists=True,
        dir_okay=False,
        readable=True,
        help="Lines `OIN KEY`: public keys of organisations, got out of band.",
    ),
]
_Follows = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, readable=True, help="Pack of the log of the year before."),
]
_SignedFrom = Annotated[int, typer.Option(min=0, help="Leaf from which every command has to be signed.")]
_Output = Annotated[Output, typer.Option("--output", "-o", help="table or json")]


def _read(path: Path, bytes_max: int) -> bytes:
    """Return a file, or one byte more than allowed: whoever parses it then refuses it as too large."""
    with path.open("rb") as file:
        return file.read(bytes_max + 1)


def _policy_text(path: Path) -> str:
    # Octets above 7F are opaque in a policy; whatever they are, they survive.
    return _read(path, POLICY_BYTES_MAX).decode("utf-8", errors="surrogateescape")


def _wrong_call(error: SettingsInvalid) -> NoReturn:
    typer.echo(f"{error}\n{error.remedy}", err=True)
    raise typer.Exit(EXIT_WRONG_CALL)


@app.command()
def verify(
    pack: Annotated[Path, _Given],
    policy: _Policy,
    *,
    since_checkpoint: Annotated[Path | None, _File] = None,
    follows: _Follows = None,
    signers: _Signers = None,
    signed_from: _SignedFrom = 0,
    output: _Output = Output.TABLE,
) -> None:
    """Read every byte of PACK and say whether it is what the log in the policy signed.

    With --follows: also whether this log began where the log of that pack ended, and that pack as well.
    With --signers: also whether each command carries the signature of the organisation that gave it.
    """
    earlier = None if since_checkpoint is None else _read(since_checkpoint, NOTE_BYTES_MAX)
    if signers is None and signed_from:
        raise typer.BadParameter("belongs to --signers", param_hint="--signed-from")
    try:
        check = None if signers is None else SignatureCheck(_keys_of(signers), signed_from)
        report = verify_pack(pack, _policy_text(policy), earlier, check)
    except SettingsInvalid as error:
        _wrong_call(error)
    if follows is not None:
        report = follow(report, verify_pack(follows, _policy_text(policy)))
    if check is not None:
        report = _with_signatures(report, check)
    said = {} if check is None else _counts_of(check)
    if output is Output.JSON:
        typer.echo(json.dumps(_as_json(report, compared=earlier is not None) | said))
    else:
        typer.echo(_as_table(report, compared=earlier is not None, counts=said))
    if not report.ok:
        raise typer.Exit(EXIT_DIFFERS)


def _keys_of(signers: Path) -> dict[str, tuple[bytes, ...]]:
    return parse_signers(_read(signers, SIGNERS_BYTES_MAX).decode("utf-8", errors="replace"))


def _with_signatures(report: Report, check: SignatureCheck) -> Report:
    """Return the verdict on pack and signatures together."""
    found = tuple(Problem(f"leaf {index}", what) for index, what in check.faults)
    return replace(report, ok=report.ok and check.ok, problems=report.problems + found)


def _counts_of(check: SignatureCheck) -> dict[str, int]:
    """Return how many leaves carry a signature that holds, and how many carry none, by why."""
    return {
        "leaves_signed": check.signed,
        "commands_signed": check.commands,
        "leaves_of_questions": check.questions,
        "leaves_of_the_service": check.of_service,
        "commands_before_signing": check.unsigned,
    }


def _as_json(report: Report, *, compared: bool) -> dict[str, object]:
    return {
        "ok": report.ok,
        "origin": report.origin,
        "size": report.size,
        "root": encode_base64(report.root),
        "since": report.since,
        "since_checkpoint_compared": compared,
        "leaves_checked": report.leaves_checked,
        "bytes_checked": report.bytes_checked,
        "problems": [{"place": problem.place, "what": problem.what} for problem in report.problems],
        "former": None if report.former is None else _former_as_json(report.former),
        "remarks": [{"place": remark.place, "what": remark.what} for remark in report.remarks],
    }


def _former_as_json(former: Former) -> dict[str, object]:
    return {
        "origin": former.origin,
        "size": former.size,
        "root": encode_base64(former.root),
        "first_leaf": former.first,
    }


def _as_table(report: Report, *, compared: bool, counts: Mapping[str, int]) -> str:
    verdict = "good: nothing differs" if report.ok else "NOT good"
    rows = [
        ("verdict", verdict),
        ("log", report.origin),
        ("size", str(report.size)),
        ("root", encode_base64(report.root)),
        ("leaves checked", str(report.leaves_checked)),
        ("bytes checked", str(report.bytes_checked)),
        (
            "earlier checkpoint",
            "compared" if compared else "none given: the past before this pack is not compared",
        ),
        *_former_rows(report.former),
        *((name.replace("_", " "), str(count)) for name, count in counts.items()),
        *((problem.place, problem.what) for problem in (*report.problems, *report.remarks)),
    ]
    width = max(len(name) for name, _ in rows)
    # A hostile pack must not steer the officer's terminal.
    return "\n".join(_plain(f"{name:<{width}}  {text}") for name, text in rows)


def _former_rows(former: Former | None) -> list[tuple[str, str]]:
    if former is None:
        return []
    return [("log before", f"{former.origin}, {former.size} leaves, root {encode_base64(former.root)}")]


def _plain(line: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in line)


@app.command()
def receipt(
    which: Annotated[
        str, typer.Argument(metavar="FILE|INDEX", help="A `.tlog-proof`, or the number of a leaf.")
    ],
    *,
    policy: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, readable=True)] = None,
    entry: Annotated[Path | None, _File] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service, for INDEX.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings, for INDEX.")] = None,
    out: Annotated[Path | None, typer.Option(help="File to write, for INDEX; refused if it exists.")] = None,
    second_signature: Annotated[
        bool, typer.Option("--second-signature", help="With the log's ML-DSA-44 signature, for INDEX.")
    ] = False,
    output: _Output = Output.TABLE,
) -> None:
    """Say whether the receipt in FILE proves its entry (or the one in --entry) under the policy.

    With INDEX and no policy: fetch the receipt of that leaf from the ledger's files in --data.
    """
    if policy is None and _INDEX.fullmatch(which):
        if entry is not None:
            raise typer.BadParameter("belongs to FILE, not to INDEX", param_hint="--entry")
        index = _index(which)
        settings = load_settings(config, data=data)
        _tell(published_receipt(settings, index, whole=second_signature), index, out, output)
        return
    if policy is None:
        raise typer.BadParameter("is needed to check a FILE", param_hint="--policy")
    of_index = (
        ("--data", data),
        ("--config", config),
        ("--out", out),
        ("--second-signature", second_signature),
    )
    for name, given in of_index:
        if given:
            raise typer.BadParameter("belongs to INDEX, not to FILE", param_hint=name)
    file = Path(which)
    if not file.is_file():
        raise typer.BadParameter(f"there is no file {file.name}", param_hint="FILE")
    _check(file, policy, entry, output)


def _index(digits: str) -> int:
    """Return the number of a leaf. Raises BadParameter for more digits than any has."""
    number = digits.lstrip("0") or "0"
    if len(number) > _INDEX_DIGITS_MAX:
        raise typer.BadParameter(
            f"the number of a leaf has at most {_INDEX_DIGITS_MAX} digits; a FILE named so needs --policy",
            param_hint="INDEX",
        )
    return int(number)


def _tell(found: tuple[SignedCheckpoint, bytes], index: int, out: Path | None, output: Output) -> None:
    """Print the `.tlog-proof` of a leaf, its entry within, or write it to a new file."""
    signed, proof = found
    said: dict[str, object] = {
        "index": index,
        "origin": signed.checkpoint.origin,
        "size": signed.checkpoint.size,
    }
    if out is None:
        text = proof.decode()
        as_json = output is Output.JSON
        typer.echo(json.dumps(said | {"tlog_proof": text}) if as_json else text, nl=as_json)
        return
    write_new(out, proof)
    if output is Output.JSON:
        typer.echo(json.dumps(said | {"file": str(out)}))
    else:
        typer.echo(_plain(f"leaf {index} of {signed.checkpoint.origin}, under {signed.checkpoint.size}"))


def _check(file: Path, policy: Path, entry: Path | None, output: Output) -> None:
    """Verify a receipt and say what it proves; exit 1 where it proves nothing."""
    shown = None if entry is None else _read(entry, RECEIPT_BYTES_MAX)
    try:
        trusted = parse_policy(_policy_text(policy))
        proven = verify_receipt(shown, _read(file, RECEIPT_BYTES_MAX), trusted)
        leaf = parse_leaf(proven.entry)
    except SettingsInvalid as error:
        _wrong_call(error)
    except ProofInvalid as error:
        place = error.metadata.get("place", "receipt")
        problem = {"ok": False, "problems": [{"place": place, "what": error.message}]}
        typer.echo(
            json.dumps(problem) if output is Output.JSON else _plain(f"NOT good: {place}: {error.message}")
        )
        raise typer.Exit(EXIT_DIFFERS) from None
    said = {
        "ok": True,
        "origin": proven.origin,
        "index": proven.index,
        "size": proven.size,
        "topic": leaf.topic,
        "organisation": leaf.organisation,
        "at": leaf.at,
        "state_sha256": leaf.state_hash.hex(),
        "problems": [],
    }
    if output is Output.JSON:
        typer.echo(json.dumps(said))
    else:
        rows = [("verdict", "good: the log proves this entry"), *list(said.items())[1:-1]]
        typer.echo("\n".join(_plain(f"{name:<13} {value}") for name, value in rows))
