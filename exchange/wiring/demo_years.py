"""The second part of the demo: a household's three years, against a service whose clock the story moves.

Promises: begins three years before now and ends before it, with an exchange, keys and a log of its own beside
those of the first part; nothing of the first part is touched.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from exchange.errors import LedgerDiffers
from exchange.ledger.pack import export_pack
from exchange.ledger.verify import Report, follow, verify_pack
from exchange.wiring.core import utc_now
from exchange.wiring.demo import FILES
from exchange.wiring.demo_processes import child_service, hand_over, heard, rss_mb, store_words, told_story
from exchange.wiring.holding import private_files
from exchange.wiring.lawful import audit_lawful
from exchange.wiring.ledger import open_ledger, opening_of
from exchange.wiring.years import issue_for, set_clock, years_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from exchange.pipeline.lawful import Lawfulness
    from exchange.settings import Settings

AGO: Final = timedelta(days=3 * 365)
MUNICIPALITY: Final = "municipality"
VILLAGE_OIN: Final = "00000004009876543000"
VILLAGE_NAME: Final = "Stichting De Marke"


@dataclass(slots=True)
class Years:
    """What the household's story has to show when it ends."""

    data: Path
    ok: bool = False
    bsns: list[str] = field(default_factory=list)
    steps: list[dict[str, Any]] = field(default_factory=list)
    service_rss_mb: float = 0.0
    packs: list[tuple[Path, Report]] = field(default_factory=list)  # of each log, oldest first
    lawful: Lawfulness | None = None

    @property
    def exchange(self) -> Path:
        """What the household's own exchange wrote."""
        return self.data / "household"

    @property
    def policy(self) -> Path:
        """Who is trusted: the log of each year."""
        return self.data / "household-policy"

    @property
    def systems(self) -> Path:
        """What the organisations' systems wrote."""
        return self.data / "adapters" / "household"


def run_years(
    data: Path, tell: Callable[[dict[str, Any]], None], databases: Mapping[str, str] = FILES
) -> Years:
    """Tell it below a folder; `tell` gets each line, `databases` are settings of the store."""
    years = Years(data)
    settings, clock = years_settings(years.exchange, databases), years.systems / "clock"
    start = utc_now() - AGO
    with private_files():
        years.systems.mkdir(parents=True, exist_ok=True)
        set_clock(clock, -AGO)
    issue_for(settings, start, {years.systems / "village" / "credentials": (VILLAGE_OIN, VILLAGE_NAME)})
    hand_over(settings, years.systems / MUNICIPALITY / "credentials")
    words = [
        "exchange.wiring.years",
        "--data",
        str(settings.data),
        "--clock",
        str(clock),
        *store_words(settings),
    ]
    with child_service(words, settings.data) as (service, ready):
        told = ["--target", ready["target"], "--work", str(years.systems), "--clock", str(clock)]
        years.ok = told_story("adapters.simulators.years", told, lambda lines: _listen(years, lines, tell))
        years.service_rss_mb = rss_mb(service.pid)
    if years.ok:
        _audit(settings, years)
    return years


def _audit(settings: Settings, years: Years) -> None:
    """Export each year's log, and verify from files alone that each begins where the one before ended."""
    with closing(open_ledger(settings)) as ledger:
        trusted = "".join(f"log {log.signer.vkey}\n" for log in ledger.logs) + "quorum none\n"
        years.policy.write_text(trusted, encoding="utf-8")
        former: Report | None = None
        for log in ledger.logs:
            signed = log.published()
            if signed is None:
                raise LedgerDiffers("a log of the story was not published", origin=log.origin)
            pack = years.data / f"household-{log.origin.rpartition('/')[2]}.zip"
            export_pack(
                log.tiles, signed, 0, pack, log.signer, second=log.second, opening=opening_of(settings, log)
            )
            report = verify_pack(pack, trusted)
            if former is not None:
                report = follow(report, former)
            years.packs.append((pack, report))
            former = report
    years.lawful = audit_lawful(settings, years.packs)
    whole = all(report.ok for _, report in years.packs)
    years.ok = whole and not years.lawful.findings
    outcome = "VERIFIED" if years.ok else "DIFFERS"
    years.steps.append({"name": "years-logs", "outcome": outcome, "rules": []})


def _listen(years: Years, lines: Iterable[str], tell: Callable[[dict[str, Any]], None]) -> bool:
    end = heard(lines, years.steps, tell)
    if end is not None:
        years.bsns = end["bsns"]
    return end is not None
