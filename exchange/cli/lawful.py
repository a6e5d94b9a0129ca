"""`exchange audit lawful`: the basis, purpose, consent and fields of everything that left.

Promises: reads only, beside a running service or without one; one line for each finding, with its position,
and no word of anybody; exit 1 where there is a finding, or where the pack does not verify.
Source: GDPR 5(2), 24, 30; the command line's promises on exit codes.
"""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 -- typer reads the annotations when it builds the command
from typing import TYPE_CHECKING, Annotated

import typer

from exchange.cli.gate import Output
from exchange.ledger.checkpoint import POLICY_BYTES_MAX
from exchange.ledger.verify import Report, verify_pack
from exchange.settings import load_settings
from exchange.wiring.lawful import audit_lawful

if TYPE_CHECKING:
    from exchange.pipeline.lawful import Lawfulness

FOUND = 1
_File = typer.Option(exists=True, dir_okay=False, readable=True)
_Packs = typer.Option(exists=True, dir_okay=False, readable=True, help="One for each log; may be repeated.")


def lawful(
    *,
    pack: Annotated[list[Path] | None, _Packs] = None,
    policy: Annotated[Path | None, _File] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with settings.")] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the service.")] = None,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print.")] = Output.TABLE,
) -> None:
    """Hold every disclosure against the basis, consent and leaf of its position; exit 1 with a finding.

    With --pack and --policy: verify the packs first, and look at what they prove.
    """
    if bool(pack) != (policy is not None):
        raise typer.BadParameter("go together", param_hint="--pack and --policy")
    verified = [] if policy is None else [(one, _verified(one, policy)) for one in pack or []]
    told = audit_lawful(load_settings(config, data=data), verified)
    _print(told, output)
    raise typer.Exit(FOUND if told.findings else 0)


def _verified(pack: Path, policy: Path) -> Report:
    with policy.open("rb") as file:
        text = file.read(POLICY_BYTES_MAX + 1).decode("utf-8", errors="surrogateescape")
    report = verify_pack(pack, text)
    if not report.ok:
        typer.echo(f"the pack does not verify: {report.problems[0].place}", err=True)
        raise typer.Exit(FOUND)
    return report


def _print(told: Lawfulness, output: Output) -> None:
    counts = {"disclosures": told.disclosures, "refusals": told.refusals, "erased": told.erased}
    findings = [one._asdict() for one in told.findings]
    if output is Output.JSON:
        typer.echo(json.dumps({"ok": not findings, **counts, "findings": findings}))
        return
    if output is Output.JSONL:
        for one in findings:
            typer.echo(json.dumps(one))
        typer.echo(json.dumps(counts), err=True)
        return
    for finding in told.findings:
        which = f" (decision {finding.decision_id})" if finding.decision_id else ""
        typer.echo(f"position {finding.position}: {finding.what}{which}")
    typer.echo(
        f"{told.disclosures} disclosures and {told.refusals} refusals looked at, "
        f"{told.erased} with erased words: "
        + (f"findings: {len(findings)}" if findings else "nothing found that was not lawful")
    )
