"""What the parts of this adapter share: both systems, the journal, the clock.

Promises: whoever asks for the moment, or for chance, asks here; what is done with the case system is done by
one thread.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from adapters.kit.journal import Journal
from adapters.municipal.case_system import CaseSystem, zgw_api
from adapters.municipal.links import SCHEMA, Links
from adapters.municipal.registers import Brp, Objects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from adapters.municipal.config import Config
    from adapters.municipal.documents import Documents
    from adapters.municipal.exchange_port import ExchangePort
    from adapters.sdk.logs import AdapterLog, Value

LOCAL: Final = ZoneInfo("Europe/Amsterdam")
ZAAK: Final = "zaak"  # look at a case; its subject is a url
PLAN: Final = "plan"  # bring the case of a plan to what the plan is; its subject is a plan
SITUATION: Final = "situatie"  # tell the plan what its case says; its subject is a url
AUTHORITY: Final = "gezag"  # record who has authority over the resident of a plan
COPY: Final = "copy"  # take the copy of a plan away
_JITTER_STEPS: Final = 1_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clock and chance; a test has its own."""

    now: Callable[[], datetime] = _utc_now
    below: Callable[[int], int] = secrets.randbelow


def open_journal(path: Path) -> Journal:
    """Open the journal with the tables of this adapter."""
    return Journal(path, SCHEMA)


class Desk:
    """Owned by the thread that opened the journal."""

    def __init__(
        self,
        config: Config,
        exchange: ExchangePort,
        journal: Journal,
        log: AdapterLog,
        surroundings: Surroundings | None = None,
    ) -> None:
        self._surroundings: Final = surroundings or Surroundings()
        self.config: Final = config
        self.exchange: Final = exchange
        self.journal: Final = journal
        self.links: Final = Links(journal)
        self.log: Final = log
        self.cases: Final = CaseSystem(config, self._seconds)
        self.documents: Final = self._documents(config)
        self.brp: Final = Brp(config, config.brp)
        self.objects: Final = Objects(config, config.objects) if config.objects else None

    def _documents(self, config: Config) -> Documents | None:
        if config.documents is None:
            return None
        return self.cases.documents(zgw_api(config, "documenten", config.documents.url, self._seconds))

    def _seconds(self) -> float:
        return self._surroundings.now().timestamp()

    @property
    def now(self) -> datetime:
        """Return the moment, UTC."""
        return self._surroundings.now()

    @property
    def now_ms(self) -> int:
        """Return the moment in milliseconds since 1970 UTC."""
        return int(self.now.timestamp() * 1_000)

    @property
    def today(self) -> date:
        """Return the day of today in the Netherlands."""
        return self.now.astimezone(LOCAL).date()

    def jitter(self) -> float:
        """Return a number by chance in [0, 1)."""
        return self._surroundings.below(_JITTER_STEPS) / _JITTER_STEPS

    def ask(self, kind: str, subject: str, plan_id: str = "") -> None:
        """Write down that something is to be done."""
        self.journal.ask(kind, subject, self.now_ms, plan_id)

    def alarm(self, event: str, **keys: Value) -> None:
        """Tell of something that a person must look at."""
        self.log.error(event, **keys)
