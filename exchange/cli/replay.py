"""`exchange gate replay` and `exchange gate preview`: stored decisions judged again, on a data folder.

Promises: read only, beside a running service or without one; prints ids, rules, recipients and categories,
and no word of anybody; exit 1 where a decision differs under the very register and rules it was taken by.
Source: GDPR 5(2), 24, 35; the gate's law P6.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from exchange.cli.gate import DIFFERS, Output
from exchange.errors import RegisterInvalid
from exchange.gate.canonical import entries_of_text
from exchange.gate.register import FILE_BYTES_MAX
from exchange.pipeline.replay import Found
from exchange.settings import load_settings
from exchange.wiring.history import open_history

if TYPE_CHECKING:
    from collections import Counter

    from exchange.gate.entry import LegalBasis
    from exchange.pipeline.preview import Effect
    from exchange.pipeline.replay import Difference, Tally

_IN_WORDS: Final = {
    Found.SAME: "the same",
    Found.DIFFERS: "differ under the same register and rules",
    Found.POLICY_UNKNOWN: "taken under a policy that was never recorded here",
    Found.OTHER_RULES: "taken under earlier rules, the same now",
    Found.OTHER_RULES_DIFFER: "taken under earlier rules, not the same now",
    Found.WORDS_ERASED: "words erased: nothing left to judge",
    Found.NO_REGISTER: "from before the register was recorded",
    Found.UNREADABLE: "of a form this version does not know",
    Found.COMMAND_SAME: "permitted commands of old, judged by their basis alone: it stood",
    Found.COMMAND_DIFFERS: "permitted commands of old, judged by their basis alone: it did not stand",
}
_Config = Annotated[Path | None, typer.Option(help="TOML file with settings.")]
_Data = Annotated[Path | None, typer.Option(help="Folder of the service.")]
_Out = Annotated[Output, typer.Option("--output", "-o", help="How to print the results.")]


def replay(
    *,
    start: Annotated[int, typer.Option("--from", min=1, help="First position.")] = 1,
    stop: Annotated[
        int | None, typer.Option("--to", min=1, help="Last position; the head if absent.")
    ] = None,
    config: _Config = None,
    data: _Data = None,
    output: _Out = Output.TABLE,
) -> None:
    """Judge every stored decision again by the register of its position; exit 1 if one differs."""
    if stop is not None and stop < start:
        raise typer.BadParameter("must not be before --from", param_hint="--to")
    with open_history(load_settings(config, data=data)) as history:
        tally = history.replay(start, stop)
    _print_replay(tally, output)
    raise typer.Exit(0 if tally.ok else DIFFERS)


def preview(
    register: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="Proposed entries: [[basis]] tables in TOML.")
    ],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="First day (UTC).")],
    *,
    whole: Annotated[
        bool, typer.Option(help="The file is the whole register: what it leaves out ends.")
    ] = False,
    config: _Config = None,
    data: _Data = None,
    output: _Out = Output.TABLE,
) -> None:
    """Tell what proposed entries would open or close of what was decided since a day; changes nothing."""
    entries = _entries(register)
    with open_history(load_settings(config, data=data)) as history:
        try:
            effect = history.preview(entries, since.replace(tzinfo=UTC), whole=whole)
        except RegisterInvalid as error:
            raise RegisterInvalid(error.message, **error.metadata | {"file": register.name}) from error
    _print_preview(effect, output)


def _entries(file: Path) -> tuple[LegalBasis, ...]:
    try:
        with file.open("rb") as source:
            content = source.read(FILE_BYTES_MAX + 1)
        text = content.decode()
    except (OSError, UnicodeDecodeError) as error:
        raise RegisterInvalid("a register file cannot be read", file=file.name, entry="", key="") from error
    if len(content) > FILE_BYTES_MAX:
        raise RegisterInvalid("a register file is too large", file=file.name, entry="", key="")
    return entries_of_text(text, file.name)


# --- replay ------------------------------------------------------------------------------------------------


def _print_replay(tally: Tally, output: Output) -> None:
    counts = {"decisions": tally.decisions, "commands": tally.commands} | {
        str(found): count for found, count in tally.counts.items()
    }
    differences = [_difference(one) for one in tally.differences]
    if output is Output.JSON:
        typer.echo(json.dumps({"ok": tally.ok, **counts, "differences": differences}))
        return
    if output is Output.JSONL:
        for one in differences:
            typer.echo(json.dumps(one))
        typer.echo(json.dumps(counts), err=True)
        return
    typer.echo(f"{tally.decisions} decisions and {tally.commands} permitted commands judged again")
    for found, count in tally.counts.items():
        if count:
            typer.echo(f"{count:>9} {_IN_WORDS[found]}")
    if differences:
        table = Table("position", "decision", "found", "then", "now")
        for told in tally.differences:
            table.add_row(
                str(told.position),
                told.decision_id,
                f"{told.found}{f' (rules {told.rules_version})' if told.rules_version else ''}",
                _told(told.outcome_then, told.basis_then, told.rules_then),
                _told(told.outcome_now, told.basis_now, told.rules_now),
            )
        Console().print(table)


def _told(outcome: str, basis: str, rules: tuple[str, ...]) -> str:
    return "\n".join(part for part in (outcome, basis, *rules) if part)


def _difference(one: Difference) -> dict[str, Any]:
    return {**one._asdict(), "found": str(one.found)}


# --- preview -----------------------------------------------------------------------------------------------


def _print_preview(effect: Effect, output: Output) -> None:
    if output is Output.JSONL:
        for change in effect.changes:
            typer.echo(json.dumps({**change._asdict(), "at": change.at.isoformat()}))
        return
    rows = _rows(effect.opens, effect.closes)
    if output is Output.JSON:
        told = {
            "decisions": effect.decisions,
            "commands": effect.commands,
            "words_erased": effect.words_erased,
            "unreadable": effect.unreadable,
            "changed": len(effect.changes),
            "effect": [
                dict(zip(("recipient", "category", "opens", "closes"), row, strict=True)) for row in rows
            ],
        }
        typer.echo(json.dumps(told))
        return
    table = Table("recipient", "category", "opens", "closes")
    for row in rows:
        table.add_row(*map(str, row))
    Console().print(table)
    typer.echo(
        f"{len(effect.changes)} would come out otherwise, "
        f"of {effect.decisions} decisions and {effect.commands} permitted commands"
    )
    if effect.words_erased or effect.unreadable:
        typer.echo(
            f"{effect.words_erased} with erased words, {effect.unreadable} of an unknown form: not judged"
        )


def _rows(
    opens: Counter[tuple[str, str]], closes: Counter[tuple[str, str]]
) -> list[tuple[str, str, int, int]]:
    return [
        (recipient, category, opens[recipient, category], closes[recipient, category])
        for recipient, category in sorted(opens.keys() | closes.keys())
    ]
