"""`exchange-adapter conformance FILE`: run the suite and say, by name, what passed.

Promises: exit 0 only where every check passed, 1 where one failed or was not tried, 2 for a wrong call, 3
where no exchange could be started; nothing printed holds a BSN.
"""

from __future__ import annotations

import json
import shlex
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapters.conformance.bench import Benches, Measure
from adapters.conformance.contract import load_contract
from adapters.conformance.errors import ContractInvalid, ExchangeMissing
from adapters.conformance.exchange_child import served
from adapters.conformance.suite import CHECKS, Finding, Outcome, run

if TYPE_CHECKING:
    from adapters.conformance.contract import Contract

EXIT_NOT_SO: Final = 1
EXIT_WRONG_CALL: Final = 2
EXIT_NOT_REACHABLE: Final = 3
DEFAULTS: Final = Measure()
OUTAGE_SCALE_MOST: Final = 1.0
KILLS_MOST: Final = 1_000


def conformance(
    file: Annotated[Path, typer.Argument(help="TOML file that says how the adapter is driven.")],
    *,
    adapter: Annotated[
        str | None, typer.Option(help="Command or Python module to run instead of adapter.run.")
    ] = None,
    only: Annotated[list[str] | None, typer.Option(help="Only this check; may be given again.")] = None,
    outage_scale: Annotated[
        float,
        typer.Option(min=0.0, max=OUTAGE_SCALE_MOST, help="What an outage's seconds are multiplied by."),
    ] = DEFAULTS.outage_scale,
    kills: Annotated[
        int, typer.Option(min=1, max=KILLS_MOST, help="How often it is killed.")
    ] = DEFAULTS.kills,
    seed: Annotated[int, typer.Option(help="Seed of the moments of the kills.")] = DEFAULTS.seed,
    keep: Annotated[Path | None, typer.Option(help="New folder to keep everything in afterwards.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
) -> None:
    """Run the public suite against an adapter of anybody."""
    try:
        _require_known(only or [])
        contract = _with_command(load_contract(file), adapter)
        found = _findings(contract, Measure(outage_scale, kills, seed), only or [], keep, quiet=as_json)
    except ContractInvalid as invalid:
        typer.echo(str(invalid), err=True)
        raise typer.Exit(EXIT_WRONG_CALL) from None
    except ExchangeMissing as missing:
        typer.echo(str(missing), err=True)
        raise typer.Exit(EXIT_NOT_REACHABLE) from None
    passed = sum(one.outcome is Outcome.PASSED for one in found)
    if as_json:
        rows = [{"check": one.name, "outcome": one.outcome.value, "seen": one.seen} for one in found]
        typer.echo(json.dumps({"adapter": contract.name, "passed": passed == len(found), "checks": rows}))
    else:
        typer.echo(f"{contract.name}: {passed} of {len(found)} passed")
        if passed != len(found) and keep is None:
            typer.echo("what it printed and wrote: run this again with --keep FOLDER", err=True)
    if passed != len(found):
        raise typer.Exit(EXIT_NOT_SO)


def _require_known(only: list[str]) -> None:
    unknown = sorted(set(only) - set(CHECKS))
    if unknown:
        raise ContractInvalid(f"no such check: {', '.join(unknown)}; there are {', '.join(CHECKS)}")


def _findings(
    contract: Contract, measure: Measure, only: list[str], keep: Path | None, *, quiet: bool
) -> list[Finding]:
    found: list[Finding] = []
    with ExitStack() as stack:
        folder = _folder(stack, keep)
        exchange = stack.enter_context(served(folder / "exchange"))
        bench = stack.enter_context(Benches(exchange, folder).bench(contract, measure))
        for one in run(bench, only):
            found.append(one)
            if not quiet:
                typer.echo(f"{one.name:12} {one.outcome.value:10} {one.seen}")
    return found


def _folder(stack: ExitStack, keep: Path | None) -> Path:
    if keep is None:
        return Path(stack.enter_context(TemporaryDirectory(prefix="conformance-")))
    if keep.exists():
        raise ContractInvalid(f"{keep.name} is there already")
    keep.mkdir(parents=True, mode=0o700)
    return keep.resolve()


def _with_command(contract: Contract, adapter: str | None) -> Contract:
    if adapter is None:
        return contract
    words = shlex.split(adapter)
    if not words:
        raise ContractInvalid("--adapter is empty")
    # One word with dots or letters only is a module, as `python -m` takes it.
    is_module = len(words) == 1 and all(part.isidentifier() for part in words[0].split("."))
    return replace(contract, run=("${python}", "-m", words[0]) if is_module else tuple(words))
