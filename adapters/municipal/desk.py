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

from adapters.kit.erasures import Erasures
from adapters.kit.journal import Journal
from adapters.kit.rates import REAL, Limits, Pace
from adapters.kit.refusals import Refusals
from adapters.municipal.case_system import CaseSystem, zgw_api
from adapters.municipal.links import SCHEMA, Links
from adapters.municipal.registers import Brp, Objects
from adapters.municipal.rejected import Rejected

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
UNREADABLE: Final = "onleesbaar"  # what a list held that is no case; its subject is what it is known by
COPY: Final = "copy"  # take the copy of a plan away
# The systems whose calls are counted: all ZGW APIs are one.
ZGW: Final = "zgw"
BRP: Final = "brp"
OBJECTS: Final = "objects"
_JITTER_STEPS: Final = 1_000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Clock, chance, a clock nobody sets, and whose turn it is; a test has its own."""

    now: Callable[[], datetime] = _utc_now
    below: Callable[[int], int] = secrets.randbelow
    pace: Pace = REAL
    limits: Limits | None = None


def open_journal(path: Path) -> Journal:
    """Open the journal with the tables of this adapter."""
    return Journal(path, SCHEMA)


def limits_of(
    config: Config, surroundings: Surroundings, stopped: Callable[[], bool] = lambda: False
) -> Limits:
    """Return who says when each system may be asked; one for as long as the process lives."""
    rates = {ZGW: config.zgw.rate, BRP: config.brp.rate}
    if config.objects is not None:
        rates[OBJECTS] = config.objects.rate
    return Limits(
        rates,
        config.waits,
        surroundings.pace,
        now=lambda: surroundings.now().timestamp(),
        stopped=stopped,
    )


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
        self.limits: Final = self._surroundings.limits or limits_of(config, self._surroundings)
        self.config: Final = config
        self.exchange: Final = exchange
        self.journal: Final = journal
        self.links: Final = Links(journal)
        self.refusals: Final = Refusals(journal.connection)
        self.erasures: Final = Erasures(journal.connection)
        self.log: Final = log
        self.rejected: Final = Rejected(config, log, lambda: self.now_ms)
        self.cases: Final = CaseSystem(config, self._seconds, self.limits[ZGW])
        self.documents: Final = self._documents(config)
        self.brp: Final = Brp(config, config.brp, self.limits[BRP])
        self.objects: Final = (
            Objects(config, config.objects, self.limits[OBJECTS]) if config.objects else None
        )

    def _documents(self, config: Config) -> Documents | None:
        if config.documents is None:
            return None
        api = zgw_api(config, "documenten", config.documents.url, self._seconds, self.limits[ZGW])
        return self.cases.documents(api)

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
    def steady_ms(self) -> int:
        """Return milliseconds of a clock that nobody sets: how long to wait, never what day it is."""
        return int(self._surroundings.pace.steady() * 1_000)

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
