"""`exchange demo`: the whole story, readable, or as one JSON object."""

from __future__ import annotations

import io
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.console import Console
from rich.text import Text

from exchange.wiring.demo import Shown, demo_settings, run_demo
from exchange.wiring.demo_processes import read_databases
from exchange.wiring.demo_years import Years, run_years
from exchange.wiring.published import ledger_folder, published_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from exchange.pipeline.lawful import Lawfulness

STYLES: Final = {
    "PERMIT": "green",
    "VERIFIED": "green",
    "PARTIAL": "yellow",
    "DENY": "red",
    "REFUSED": "red",
    "PERMIT_BREAK_GLASS": "yellow",
    "PARTIAL_BREAK_GLASS": "yellow",
    # What is told of a decision, or would come of one.
    "TOLD": "cyan",
}
INDENT: Final = 4
PLAIN_MARKS: Final = str.maketrans({"✔": "+", "◐": "~", "✘": "x", "⚠": "!", "▸": ">"})
MARKS: Final = {
    "PERMIT": "✔",
    "VERIFIED": "✔",
    "PARTIAL": "◐",
    "DENY": "✘",
    "REFUSED": "✘",
    "PERMIT_BREAK_GLASS": "⚠",
    "PARTIAL_BREAK_GLASS": "⚠",
    "TOLD": "▸",
}


def demo(
    *,
    data: Annotated[
        Path | None, typer.Option(help="Folder for everything; a new one where left out.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    pause: Annotated[bool, typer.Option("--pause", help="Wait before stopping, to look around.")] = False,
    databases: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with empty PostgreSQL databases of plan and household; files where left out."
        ),
    ] = None,
) -> None:
    """Tell one resident's plan and a household's three years: each system a process, over mutual TLS."""
    started = time.monotonic()
    folder = (data or Path(tempfile.mkdtemp(prefix="exchange-demo-"))).resolve()
    if folder.exists() and any(folder.iterdir()):
        typer.echo(f"{folder.name} is not empty: name a new folder with --data", err=True)
        raise typer.Exit(2)
    console = _console(quiet=as_json)
    plan, household = read_databases(databases)
    _open(console)
    wait = _wait if pause and not as_json else None
    shown = run_demo(folder, lambda line: _tell(console, line), wait, plan)
    _prove(console, shown)
    years = _three_years(console, folder, household) if shown.ok else Years(folder)
    elapsed_s = round(time.monotonic() - started, 1)
    if as_json:
        typer.echo(json.dumps(_object(shown, years, elapsed_s)))
    else:
        _close(console, shown, years, elapsed_s)
    raise typer.Exit(0 if shown.ok and years.ok else 1)


class _Screen(Console):
    """A terminal, also one that knows ASCII only."""

    def mark(self, outcome: str) -> str:
        """Return the mark of an outcome, in what this terminal can show."""
        mark = MARKS.get(outcome, "?")
        try:
            mark.encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return mark.translate(PLAIN_MARKS)
        return mark


def _console(*, quiet: bool) -> _Screen:
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A word with an accent is no reason to stop either.
        sys.stdout.reconfigure(errors="replace")
    return _Screen(quiet=quiet, highlight=False)


def _open(console: _Screen) -> None:
    console.print()
    console.print("[bold]One resident, one plan.[/bold] A service, a municipality and a care provider talk")
    console.print("over mutual TLS on this machine, each a process with its own certificate. So do")
    console.print("what they have already: message systems, a case system, the register of persons")
    console.print("and Suwinet, which are simulated here. Nobody in this story exists.")
    legend = (
        ("PERMIT", "done"),
        ("PARTIAL", "in part"),
        ("DENY", "refused, as it should be"),
        ("TOLD", "told"),
    )
    console.print("  ".join(f"{console.mark(outcome)} {word}" for outcome, word in legend))
    console.print("In quotes: what people here read, in Dutch. In brackets: the answer and the")
    console.print("numbers of the rules behind it. Every look is recorded, and every refusal.")


def _tell(console: _Screen, line: dict[str, Any]) -> None:
    if "chapter" in line:
        console.print()
        console.print(Text(line["chapter"], style="bold underline"))
        return
    outcome = line["outcome"]
    style = STYLES.get(outcome, "magenta")
    told = Text(line["text"])
    if outcome not in {"PERMIT", "VERIFIED", "TOLD"}:
        rules = (
            f" [{outcome.lower()}: {', '.join(line['rules'])}]" if line["rules"] else f" [{outcome.lower()}]"
        )
        told.append(rules, style=style)
    _below_its_mark(console, Text(console.mark(outcome), style=style), told)


def _below_its_mark(console: _Screen, mark: Text, told: Text) -> None:
    """Print a step with its lines below each other, the mark standing before them."""
    for number, one in enumerate(told.wrap(console, max(1, console.width - INDENT))):
        one.rstrip()
        console.print(Text.assemble("  ", mark, " ", one) if number == 0 else Text(" " * INDENT).append(one))


def _proofs(shown: Shown) -> Iterator[tuple[bool, str]]:
    """Yield what was checked at the end: whether it holds, and in words."""
    if shown.report is not None:
        word = "verified, every byte" if shown.report.ok else "differs"
        yield shown.report.ok, f"The officer's pack of {shown.report.size} leaves: {word}."
    if shown.signed_twice is not None:
        word = "accepts it" if shown.signed_twice else "does not accept it"
        both = f"a policy that asks both {word}"
        yield shown.signed_twice, f"Its head is signed twice, on Ed25519 and on ML-DSA-44; {both}."
    if shown.lawful is not None:
        yield _lawful(shown.lawful)
    if shown.commands_signed:
        who = (
            "each signed by the organisation that gave it" if shown.ok else "not all signed as they should be"
        )
        yield shown.ok, f"{shown.commands_signed} commands, {who}."
    if shown.papers:
        names = ", ".join(one.name for one in shown.papers)
        what = "the answer to the resident, the officer's month, the record of processing"
        yield True, f"On paper, which a screen reader reads too: {what} ({names})."


def _lawful(lawful: Lawfulness) -> tuple[bool, str]:
    found = len(lawful.findings)
    word = f"findings: {found}" if found else "all lawful as recorded"
    return not found, f"{lawful.disclosures} disclosures held against basis, consent and leaf: {word}."


def _prove(console: _Screen, shown: Shown) -> None:
    for good, words in _proofs(shown):
        _say(console, good, words)


def _say(console: _Screen, good: bool, words: str) -> None:  # noqa: FBT001 -- whether it holds is what is said
    outcome = "VERIFIED" if good else "DENY"
    style = STYLES[outcome]
    _below_its_mark(console, Text(console.mark(outcome), style=style), Text(words, style=style))


def _three_years(console: _Screen, folder: Path, databases: Mapping[str, str]) -> Years:
    console.print()
    console.print("[bold]One household, three years.[/bold] An exchange of its own, whose clock began three")
    console.print("years ago and is moved by the story. Each member has a plan, and a say in who sees it.")
    years = run_years(folder, lambda line: _tell(console, line), databases)
    if years.packs:
        good = all(report.ok for _, report in years.packs)
        leaves = sum(report.size for _, report in years.packs)
        begins = (
            "each begins over the very end of the one before" if good else "they do not follow each other"
        )
        console.print()
        _say(console, good, f"A log for each year, {len(years.packs)} of them, {leaves} leaves: {begins}.")
    if years.lawful is not None:
        _say(console, *_lawful(years.lawful))
    return years


def _close(console: _Screen, shown: Shown, years: Years, elapsed_s: float) -> None:
    console.print()
    # A folder's name may hold what rich takes for markup.
    console.print(
        f"Everything is in {shown.data}  ({elapsed_s} s; service {shown.service_rss_mb:.0f} MB)",
        markup=False,
        soft_wrap=True,
    )
    if shown.ok and years.ok:
        console.print("Check it yourself:", style="bold")
        keys = f"--policy {shown.policy} --signers {shown.data / 'signers'}"
        console.print(f"  exchange audit verify {shown.pack} {keys}", markup=False, soft_wrap=True)
        (former, _), (newest, _) = years.packs[-2:]
        follows = f"--policy {years.policy} --follows {former}"
        console.print(f"  exchange audit verify {newest} {follows}", markup=False, soft_wrap=True)
        console.print(
            f"  grep -rl {shown.bsns[0]} {shown.data / 'exchange'}   # the BSN is nowhere in there",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print("The story stopped before its end; see above and service.out.", style="red")


def _wait(target: str, console_url: str, child: str) -> None:
    typer.echo(f"\nThe service listens on {target}, and people look at {console_url}")
    typer.echo("Sign in as one of the people there; your browser warns of the throw-away certificate.")
    typer.echo(f"Who signs in as Ouder 1 may act for the child of the story: {child}.")
    typer.echo("Press Enter to stop.")
    input()


def _object(shown: Shown, years: Years, elapsed_s: float) -> dict[str, Any]:
    settings = demo_settings(shown.data)
    return {
        "ok": shown.ok and years.ok,
        "data": str(shown.data),
        "origin": shown.origin,
        "size": shown.report.size if shown.report is not None else 0,
        "checkpoint": str(published_checkpoint(settings)),
        "log_vkey": shown.log_vkey,
        "log_vkey_mldsa": shown.log_vkey_mldsa,
        "policy": str(shown.policy),
        "pack": str(shown.pack),
        "receipts": shown.receipts,
        "tiles": str(ledger_folder(settings)),
        "bsns": [*shown.bsns, *years.bsns],
        "steps": [*shown.steps, *years.steps],
        "service_rss_mb": round(max(shown.service_rss_mb, years.service_rss_mb), 1),
        "elapsed_s": elapsed_s,
    }
