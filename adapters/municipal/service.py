"""The loop: take what happened and what was told, do what is to be done; and again.

Promises: everything is written down before it has an effect, so that a kill at any moment loses nothing and
doubles nothing; a system that is away holds up only what needs it, and is asked again no sooner than it said;
what no later attempt can do waits for a person, with its reason; nothing is dropped.
"""

from __future__ import annotations

import fcntl
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from adapters.kit.journal import wait_before_retry_ms
from adapters.kit.outward import NotNow, OutwardError, Refused
from adapters.municipal.desk import AUTHORITY, COPY, PLAN, SITUATION, UNREADABLE, ZAAK, Desk
from adapters.municipal.errors import AlreadyRunning, CatalogueUnfit, ForAPerson, MunicipalAdapterError
from adapters.municipal.intake import Intake
from adapters.municipal.limits import DENIED, Restraints
from adapters.municipal.situations import Situations
from adapters.municipal.telling import Telling
from adapters.sdk.errors import Denied, ExchangeRefused, Invalid, RuleBroken, SdkError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from adapters.kit.journal import Errand, Journal
    from adapters.municipal.config import Config
    from adapters.municipal.desk import Surroundings
    from adapters.municipal.exchange_port import ExchangePort, Happening
    from adapters.sdk.logs import AdapterLog

FOLLOWED: Final = "plans"
# A token that was refused, a right that was not given yet, a clash of two writers: a later attempt may do.
_PERHAPS_LATER: Final = frozenset({401, 403, 409})
PAUSE_ATTEMPTS_MAX: Final = 6  # the wait for an exchange that is away doubles from one second to 32
_EXCHANGE: Final = "exchange"


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
        self.desk: Final = Desk(config, exchange, journal, log, surroundings)
        self.intake: Final = Intake(self.desk)
        self.telling: Final = Telling(self.desk)
        self._situations: Final = Situations(self.desk)
        self._limits: Final = Restraints(self.desk, self.telling)
        self._paused_until_ms: Final[dict[str, int]] = {}
        self._pauses: Final[dict[str, int]] = {}
        self._next_sweep_ms = 0

    @property
    def cursor(self) -> int:
        """Return after which position of the exchange we go on."""
        return self.desk.journal.position(FOLLOWED)

    # --- what happened ------------------------------------------------------------------------------------

    def take(self, happening: Happening) -> None:
        """Take a happening: what is to be done because of it and that it was taken are one transaction."""
        with self.desk.journal.transaction():
            if happening.position <= self.cursor:
                return
            # What comes behind an erasure that was followed is of nobody.
            if not self.desk.erasures.erased(happening.plan_id):
                self.desk.ask(PLAN, happening.plan_id, happening.plan_id)
            self.desk.journal.advance(FOLLOWED, happening.position)

    def advance(self, position: int) -> None:
        """Remember that everything up to here was taken."""
        self.desk.journal.advance(FOLLOWED, position)

    def trouble(self, error: Exception, attempt: int, wait_ms: int) -> None:
        """Tell that following stopped for a while."""
        self.desk.log.warning(
            "following_interrupted", error=type(error).__name__, attempt=attempt, wait_ms=wait_ms
        )

    # --- one pass -----------------------------------------------------------------------------------------

    def work(self) -> None:
        """Do once what can be done now."""
        self._limits.work()
        self.desk.rejected.tidy()
        self._sweep()
        for errand in self.desk.journal.due(self.desk.now_ms):
            if self._paused:
                return
            self._settle(errand)

    def _sweep(self) -> None:
        desk = self.desk
        if desk.steady_ms < self._next_sweep_ms or self._paused:
            return
        self._next_sweep_ms = desk.steady_ms + desk.config.sweep_s * 1_000
        try:
            self.intake.sweep()
        except OutwardError as error:
            self._next_sweep_ms = desk.steady_ms + self._wait(error.system, error)
            desk.log.warning("sweep_not_now", code=error.code)
        except CatalogueUnfit as unfit:
            desk.alarm("catalogue_unfit", reason=str(unfit))

    @property
    def _paused(self) -> bool:
        return any(self.desk.steady_ms < until for until in self._paused_until_ms.values())

    # --- errands ------------------------------------------------------------------------------------------

    def _settle(self, errand: Errand) -> None:
        desk = self.desk
        try:
            self._do(errand)
        except ForAPerson as person:
            with desk.journal.transaction():
                if self._park(errand, person.reason):
                    person.note()
        except MunicipalAdapterError as unfit:
            self._later(errand, unfit.code, wait_before_retry_ms(errand.attempts + 1, desk.jitter()))
        except OutwardError as error:
            self._outward_failed(errand, error)
        except Denied as denied:
            self._denied(errand, denied)
        except (RuleBroken, Invalid) as broken:
            reason = broken.refusal.rule or broken.reason
            self._park(errand, f"exchange {reason}")
        except SdkError as error:
            wait_ms = self._wait(_EXCHANGE, error)
            self._paused_until_ms[_EXCHANGE] = desk.steady_ms + wait_ms
            self._later(errand, f"exchange {type(error).__name__}", wait_ms)
        else:
            desk.journal.done(errand)
            desk.refusals.settled(f"{errand.kind} {errand.subject}")
            self._pauses.clear()

    def _do(self, errand: Errand) -> None:
        if errand.kind == ZAAK:
            self.intake.look_at(errand.subject)
        elif errand.kind == PLAN:
            self.telling.tell(errand.subject)
        elif errand.kind == SITUATION:
            self._situations.tell(errand.subject)
        elif errand.kind == UNREADABLE:
            raise ForAPerson("case_unreadable")
        elif errand.kind == AUTHORITY:
            self.intake.record_authority(errand.subject)
        else:
            assert errand.kind == COPY
            self.telling.take_copy_away(errand.subject)

    def _outward_failed(self, errand: Errand, error: OutwardError) -> None:
        desk = self.desk
        reason = f"{error.system} {error.code}"
        if isinstance(error, NotNow):
            wait_ms = self._wait(error.system, error)
            # A fault of one case is its own; a wait that was asked, and a line that is down, are everybody's.
            if error.retry_after_s or not error.code.startswith("status_500"):
                self._paused_until_ms[error.system] = desk.steady_ms + wait_ms
            self._later(errand, reason, wait_ms)
        elif isinstance(error, Refused) and error.status in _PERHAPS_LATER:
            self._later(errand, reason, wait_before_retry_ms(errand.attempts + 1, desk.jitter()))
        else:
            self._park(errand, reason)

    def _wait(self, system: str, error: Exception) -> int:
        """Return how long to wait: doubling, with jitter, and never shorter than we were asked."""
        self._pauses[system] = self._pauses.get(system, 0) + 1
        wait_ms = wait_before_retry_ms(min(self._pauses[system], PAUSE_ATTEMPTS_MAX), self.desk.jitter())
        asked_s = 0.0
        if isinstance(error, NotNow):
            asked_s = error.retry_after_s
        elif isinstance(error, ExchangeRefused) and isinstance(error, Unavailable):
            asked_s = error.refusal.retry_after_s or 0.0
        return max(wait_ms, int(asked_s * 1_000))

    def _later(self, errand: Errand, reason: str, wait_ms: int) -> None:
        desk = self.desk
        if desk.journal.later(errand, reason, desk.now_ms, wait_ms):
            desk.alarm("errand_parked", message_type=errand.kind, reason=reason)
        else:
            desk.log.warning(
                "errand_waits",
                message_type=errand.kind,
                reason=reason,
                attempt=errand.attempts + 1,
                wait_ms=wait_ms,
            )

    def _park(self, errand: Errand, reason: str) -> bool:
        """Set an errand apart; tell whether it is. Asked again meanwhile, it is done again, and told then."""
        desk = self.desk
        if not desk.journal.park(errand, reason):
            return False
        if reason != DENIED:
            # It is no restriction that stops it now: the next one has its own month.
            desk.refusals.settled(f"{errand.kind} {errand.subject}")
        desk.alarm("errand_parked", message_type=errand.kind, reason=reason)
        if errand.kind not in (ZAAK, SITUATION):
            return True
        # The name of a case in the case system: no name of anybody.
        name = f"zaak-{errand.subject.rpartition('/')[2][:36]}"
        try:
            desk.rejected.keep(name, f"{errand.subject}\n".encode(), reason)
        except OSError as error:
            # The reason stands in the journal and in `status` too; the rest goes on.
            desk.alarm("reason_not_kept", error=type(error).__name__)
        return True

    def _denied(self, errand: Errand, denied: Denied) -> None:
        """Stop: we have no part in this plan, or not now; and what we hold of it in copy goes."""
        desk = self.desk
        reason = f"denied {','.join(denied.rules)}".strip()
        with desk.journal.transaction():
            self._park(errand, reason)
            if reason == DENIED:
                desk.refusals.refused(f"{errand.kind} {errand.subject}", errand.plan_id, desk.now_ms)
            if errand.kind == PLAN:
                desk.journal.park_plan(errand.plan_id, reason)
                # A restriction is no reason to erase: the resident may want what is kept (GDPR 18(1)(b)).
                if reason != DENIED:
                    desk.ask(COPY, errand.subject)


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
