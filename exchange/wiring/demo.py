"""The demo: a real service, the organisations' systems beside it, the story between them, the audit after it.

Promises: service, story and adapters are separate processes that meet over mutual TLS on loopback only;
everything is written below one folder, what the exchange writes apart from what the organisations write;
settings in the environment are about other services and are not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from exchange.ledger.checkpoint import parse_policy
from exchange.ledger.pack import export_pack
from exchange.ledger.signers import SignatureCheck, parse_signers
from exchange.ledger.verify import Report, verify_pack
from exchange.settings import throw_away_settings
from exchange.wiring.core import development_authority
from exchange.wiring.demo_console import signing_in
from exchange.wiring.demo_country import (
    FIRST,
    NEIGHBOUR_NAME,
    NEIGHBOUR_OIN,
    Country,
    name_the_door,
    two_municipalities,
)
from exchange.wiring.demo_papers import FOLDER, make_papers
from exchange.wiring.demo_processes import child_service, hand_over, heard, rss_mb, serve_command, told_story
from exchange.wiring.lawful import audit_lawful
from exchange.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exchange.pipeline.lawful import Lawfulness
    from exchange.settings import Settings

PROVIDER_OIN: Final = "00000003271543200000"
PROVIDER_NAME: Final = "Zorg Dichtbij"
BODY_OIN: Final = "00000003271543300000"
BODY_NAME: Final = "Regionale Toegang"
FILES: Final[Mapping[str, str]] = MappingProxyType({})  # everything lies in files


@dataclass(slots=True)
class Shown:
    """What the demo has to show when it ends."""

    data: Path
    ok: bool = False
    origin: str = ""
    log_vkey: str = ""
    log_vkey_mldsa: str = ""
    bsns: list[str] = field(default_factory=list)
    receipts: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    pack: Path = Path()
    policy: Path = Path()
    report: Report | None = None
    signed_twice: bool | None = None  # where nobody looked
    lawful: Lawfulness | None = None
    commands_signed: int = 0
    papers: list[Path] = field(default_factory=list)
    service_rss_mb: float = 0.0
    trouble: str = ""


def run_demo(
    data: Path,
    tell: Callable[[dict[str, Any]], None],
    pause: Callable[[str, str, str], None] | None = None,
    databases: Mapping[str, str] = FILES,
) -> Shown:
    """Run it all.

    `tell` gets each line of the story; `pause` is called while all still runs, with the addresses of the
    service and of its console, which is there for who pauses, and with the number of the story's child.
    `databases` are settings of the store.
    """
    shown = Shown(data)
    settings = demo_settings(data, databases)
    country = Country(data, settings)
    name_the_door(settings, FIRST[2])
    with (
        signing_in(settings, wanted=pause is not None) as provider,
        child_service(
            serve_command(settings), settings.data, None if provider is None else provider.environment
        ) as (service, ready),
    ):
        shown.origin, shown.log_vkey = ready["origin"], ready["log_vkey"]
        shown.log_vkey_mldsa = ready["log_vkey_mldsa"]
        _issue(settings, data / "adapters")
        with two_municipalities(country, ready):
            shown.ok = _tell_story(shown, ready["target"], country.told, tell)
        shown.service_rss_mb = rss_mb(service.pid)
        if pause is not None and provider is not None and shown.ok:
            provider.admit(shown.bsns)
            pause(ready["target"], ready["console_url"], shown.bsns[-1])
    if shown.ok:
        _audit(settings, shown)
    if shown.ok:
        _look_at_signatures(shown)
    if shown.ok:
        gathered = data / "adapters" / "municipality" / "answer.json"
        shown.papers = make_papers(settings, gathered, data / FOLDER)
        shown.steps.append({"name": "papers", "outcome": "PERMIT", "rules": []})
    return shown


def demo_settings(data: Path, databases: Mapping[str, str] = FILES) -> Settings:
    """Return the settings of the demo's own service."""
    exchange = data / "exchange"
    log_file = exchange / "exchange.log"
    return throw_away_settings(data=exchange, port=0, metrics_port=0, log_file=log_file, **databases)


def _issue(settings: Settings, work: Path) -> None:
    """Give each organisation a folder with credentials of the throw-away authority."""
    authority = development_authority(settings)
    authority.issue_organisation(PROVIDER_OIN, PROVIDER_NAME, work / "provider" / "credentials")
    authority.issue_organisation(BODY_OIN, BODY_NAME, work / "body" / "credentials")
    authority.issue_organisation(NEIGHBOUR_OIN, NEIGHBOUR_NAME, work / "neighbour" / "credentials")
    hand_over(settings, work / "municipality" / "credentials")


def _tell_story(shown: Shown, target: str, country: Path, tell: Callable[[dict[str, Any]], None]) -> bool:
    words = ["--target", target, "--work", str(shown.data / "adapters"), "--log-vkey", shown.log_vkey]
    words += ["--country", str(country)]
    return told_story("adapters.simulators.story", words, lambda lines: listen(shown, lines, tell))


def listen(shown: Shown, lines: Iterable[str], tell: Callable[[dict[str, Any]], None]) -> bool:
    """Take in the story, one JSON object a line; return whether it came to its end."""
    end = heard(lines, shown.steps, tell)
    if end is not None:
        shown.bsns, shown.receipts = end["bsns"], end["receipts"]
    return end is not None


def _audit(settings: Settings, shown: Shown) -> None:
    """Export the pack as the operator would, and verify it as an officer would: from the files alone."""
    shown.policy = shown.data / "policy"
    shown.policy.write_text(f"log {shown.log_vkey}\nquorum none\n", encoding="utf-8")
    shown.pack = shown.data / "pack.zip"
    ledger = open_ledger(settings)
    try:
        signed = ledger.newest()
        export_pack(ledger.tiles, signed, 0, shown.pack, ledger.signer, second=ledger.second)
    finally:
        ledger.close()
    text = shown.policy.read_text(encoding="utf-8")
    parse_policy(text)
    shown.report = verify_pack(shown.pack, text)
    shown.ok = shown.report.ok
    shown.steps.append(
        {"name": "pack-verified", "outcome": "VERIFIED" if shown.ok else "DIFFERS", "rules": []}
    )
    if shown.ok and shown.log_vkey_mldsa:
        _ask_both_keys(shown)
    if shown.ok:
        shown.lawful = audit_lawful(settings, [(shown.pack, shown.report)])
        shown.ok = not shown.lawful.findings
        shown.steps.append({"name": "lawful", "outcome": "VERIFIED" if shown.ok else "DIFFERS", "rules": []})


def _ask_both_keys(shown: Shown) -> None:
    """Verify the pack once more, by a policy that asks the log's key on ML-DSA-44 beside its first one."""
    policy = shown.data / "policy-both-keys"
    policy.write_text(
        f"log {shown.log_vkey}\nwitness second {shown.log_vkey_mldsa}\nquorum second\n", encoding="utf-8"
    )
    shown.signed_twice = verify_pack(shown.pack, policy.read_text(encoding="utf-8")).ok
    shown.ok = shown.signed_twice
    shown.steps.append({"name": "both-keys", "outcome": "VERIFIED" if shown.ok else "DIFFERS", "rules": []})


def _look_at_signatures(shown: Shown) -> None:
    """Check the signature under every command, with each organisation's key from its own folder."""
    lines = []
    for file in sorted((shown.data / "adapters").glob("*/credentials/organisation.json")):
        organisation = json.loads(file.read_text(encoding="utf-8"))
        lines.append(f"{organisation['oin']} {organisation['signing_key']}\n")
    signers = shown.data / "signers"
    signers.write_text("".join(lines), encoding="ascii")
    check = SignatureCheck(parse_signers(signers.read_text(encoding="ascii")), 0)
    verify_pack(shown.pack, shown.policy.read_text(encoding="utf-8"), signatures=check)
    shown.ok, shown.commands_signed = not check.faults and check.commands > 0, check.commands
    shown.steps.append(
        {"name": "commands-signed", "outcome": "VERIFIED" if shown.ok else "DIFFERS", "rules": []}
    )
