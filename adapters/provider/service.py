"""The loop: take what happened and what came, do what is to be told, deliver what is to go; and again.

Promises: everything is written down before it has an effect, so that a kill at any moment loses nothing and
doubles nothing; a bad file is put aside with its reason and the rest goes on; an exchange that is away holds
up only what needs it; nothing is ever dropped, and what a person must look at is an error line in the log.
Source: OP090 (a retour within three working days).
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from adapters.provider.config import Side
from adapters.provider.delivering import Delivering
from adapters.provider.desk import Desk, Surroundings
from adapters.provider.errors import AlreadyRunning, MappingImpossible, MessageRefused
from adapters.provider.municipal_side import MunicipalSide
from adapters.provider.pausing import NOT_NOW, Pausing
from adapters.provider.provider_side import ProviderSide
from adapters.provider.purging import Purging
from adapters.provider.rectifying import Rectifying
from adapters.provider.restricting import Restricting
from adapters.provider.taking import Taking
from adapters.sdk.errors import CredentialsInvalid, Denied

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from adapters.provider.config import Config
    from adapters.provider.desk import Held, Party
    from adapters.provider.errands import Errand
    from adapters.provider.exchange_port import ExchangePort
    from adapters.provider.journal import Journal
    from adapters.provider.plan_seen import Happening
    from adapters.sdk.logs import AdapterLog

FOLLOWED: Final = "plans"


class Service:
    """One adapter at work. Owned by the thread that opened the journal."""

    def __init__(
        self,
        config: Config,
        exchange: ExchangePort,
        journal: Journal,
        log: AdapterLog,
        surroundings: Surroundings | None = None,
    ) -> None:
        desk = Desk(config, exchange, journal, log, surroundings or Surroundings())
        self._desk: Final = desk
        self._party: Final[Party] = (
            MunicipalSide(desk) if config.side is Side.MUNICIPALITY else ProviderSide(desk)
        )
        self._pausing: Final = Pausing(desk)
        self._taking: Final = Taking(desk, self._party, self._pausing)
        self._delivering: Final = Delivering(desk)
        self._purging: Final = Purging(desk)
        self._rectifying: Final = Rectifying(desk)
        self._restricting: Final = Restricting(desk)
        self._overdue_told_on: date | None = None

    @property
    def cursor(self) -> int:
        """Return after which position of the exchange we go on."""
        return self._desk.journal.position(FOLLOWED)

    # --- what happened ------------------------------------------------------------------------------------

    def take(self, happening: Happening) -> None:
        """Take a happening: what it means and that it was taken are one transaction."""
        with self._desk.journal.transaction():
            if happening.position <= self.cursor:
                return
            # What comes behind an erasure that was followed is of nobody.
            erased = self._desk.errands.erased(happening.plan_id)
            if not erased and not self._rectifying.notice(happening):
                self._party.notice(happening)
            self._desk.journal.advance(FOLLOWED, happening.position)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Make one step of what is taken inside: flushed once, or not taken."""
        with self._desk.journal.transaction():
            yield

    def advance(self, position: int) -> None:
        """Remember that everything up to here was taken."""
        self._desk.journal.advance(FOLLOWED, position)

    def trouble(self, error: Exception, attempt: int, wait_ms: int) -> None:
        """Tell that following stopped for a while."""
        self._desk.log.warning(
            "following_interrupted", error=type(error).__name__, attempt=attempt, wait_ms=wait_ms
        )

    # --- one pass -----------------------------------------------------------------------------------------

    def work(self) -> None:
        """Do once what can be done now: inbox, errands, outbox."""
        self._renew()
        # First: what is restricted goes out no more.
        self._restricting.work()
        try:
            self._taking.work(self._delivering.meanwhile)
        except OSError as error:
            self._desk.alarm("inbox_failed", error=type(error).__name__)
        self._settle()
        self._delivering.work()
        self._purging.work()
        self._rectifying.work()
        self._tell_overdue()

    def _renew(self) -> None:
        """Go on with renewed credentials; what is half written is looked at again when it changes."""
        try:
            if self._desk.exchange.renew():
                self._desk.log.info("credentials_renewed")
        except CredentialsInvalid as error:
            self._desk.alarm("credentials_not_usable", error=type(error).__name__)

    # --- errands ------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        for errand in self._desk.errands.due(self._desk.now_ms):
            if self._pausing.paused:
                return
            self._settle_one(errand)

    def _settle_one(self, errand: Errand) -> None:
        desk = self._desk
        # What was stopped with its plan a moment ago is no longer to be done.
        if desk.errands.state(errand.support_id, errand.kind, errand.care, errand.occasion) != "due":
            return
        try:
            held = self._party.settle(errand)
        except Denied as denied:
            # We have no part in this plan any more: nothing of it leaves the house from here on.
            reason = f"denied {','.join(denied.rules)}".strip()
            for kind in desk.errands.park_plan(errand.plan_id, reason):
                desk.alarm("errand_parked", message_type=kind, reason=reason)
        except (MessageRefused, MappingImpossible) as broken:
            findings = getattr(broken, "findings", ())
            desk.errands.park(errand, f"{broken.code} {','.join(one.rule for one in findings)}".strip())
            desk.alarm("errand_parked", message_type=errand.kind, reason=broken.code)
        except NOT_NOW as error:
            self._pausing.pause(error)
        else:
            self._pausing.well()
            self._note(errand, held)

    def _note(self, errand: Errand, held: Held | None) -> None:
        desk = self._desk
        if held is None:
            desk.log.info("errand_done", message_type=errand.kind)
        elif held.parked:
            desk.errands.park(errand, held.reason)
            desk.alarm("errand_parked", message_type=errand.kind, reason=held.reason)
        else:
            desk.errands.later(errand, held.reason, desk.now_ms, desk.jitter())
            desk.log.warning(
                "errand_waits", message_type=errand.kind, reason=held.reason, attempt=errand.attempts + 1
            )

    # --- terms ------------------------------------------------------------------------------------------

    def _tell_overdue(self) -> None:
        """Once a day, tell of terms that passed: ours and theirs."""
        today = self._desk.today
        if self._overdue_told_on == today:
            return
        self._overdue_told_on = today
        for event, late in (
            ("retours_overdue", self._desk.journal.overdue(today)),
            ("retours_not_received", self._desk.journal.unanswered(today)),
        ):
            if late:
                self._desk.alarm(event, count=len(late))


@contextmanager
def alone_at(config: Config) -> Iterator[None]:
    """Keep a second adapter off the same state. Raises AlreadyRunning."""
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with config.lock.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another adapter works on this state folder") from None
        yield


def catch_up(service: Service, exchange: ExchangePort) -> None:
    """Take everything that happened until now. Raises the SDK's errors."""
    for happening in exchange.follow(service.cursor, service.advance, until_caught_up=True):
        service.take(happening)
