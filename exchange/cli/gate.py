"""`exchange gate`: judge decision-case files with the rules and the register of the service.

Promises: results on stdout, in the order of the file, all else on stderr; exit 0 good, 1 a case differs,
2 wrong file, register or call. Reads files and nothing else: no store, no keys, no network.
Source: GDPR 24(1), 5(2).
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from exchange.errors import CaseFileInvalid, RegisterInvalid
from exchange.gate.cases import Difference, decide, differences, read_cases, refuse_nothing
from exchange.gate.register import Register

DIFFERS = 1
WRONG_CALL = 2

app = typer.Typer(no_args_is_help=True, help="Test a policy before it is enabled.")


class Output(StrEnum):
    """How a list is printed."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


@app.callback()
def gate() -> None:
    """Test a policy before it is enabled."""


@app.command("decide")
def decide_file(
    file: Annotated[Path, typer.Argument(help="A decision-case file: a JSON list of cases.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Compare with what each case expected.")] = False,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print the results.")] = Output.JSON,
    register: Annotated[
        Path | None, typer.Option(help="A folder of register files instead of the shipped one.")
    ] = None,
) -> None:
    """Judge each case of a file, in order."""
    try:
        cases = read_cases(file)
        if check:
            refuse_nothing(cases)
        results = list(decide(cases, Register.load(register)))
        found = [
            difference
            for case, result in zip(cases, results, strict=True)
            if check
            for difference in differences(case, result)
        ]
    except (CaseFileInvalid, RegisterInvalid) as error:
        typer.echo(f"{error.code}: {error}\n{error.remedy}", err=True)
        raise typer.Exit(WRONG_CALL) from error
    _print(results, output)
    for difference in found:
        typer.echo(_in_words(difference), err=True)
    if found:
        raise typer.Exit(DIFFERS)


def _in_words(difference: Difference) -> str:
    expected, found = json.dumps(difference.expected), json.dumps(difference.found)
    return f"{difference.case}: {difference.key}: expected {expected}, found {found}"


def _print(results: list[dict[str, object]], output: Output) -> None:
    if output is Output.JSON:
        typer.echo(json.dumps(results, indent=1, ensure_ascii=False))
    elif output is Output.JSONL:
        for result in results:
            typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        table = Table("id", "decision", "rules", "fields", "obligations")
        for result in results:
            table.add_row(
                *(_cell(result[key]) for key in ("id", "decision", "rules", "fields", "obligations"))
            )
        Console().print(table)


def _cell(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {word}" for name, word in value.items())
    return "\n".join(value) if isinstance(value, list) else str(value)
