"""Opens what an adapter needs, lets it work, and closes it: for the command line.

Promises: one adapter at a time on one state folder; SIGTERM ends after the pass that is under way; what was
not done is done at the next start. What `status` and `register` print holds no BSN and no name.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from adapters.kit.ending import told_to_end
from adapters.kit.enduring import Enduring, Light
from adapters.kit.outward import OutwardError
from adapters.municipal.case_system import CaseSystem
from adapters.municipal.desk import Surroundings, limits_of, open_journal
from adapters.municipal.errors import ConfigInvalid
from adapters.municipal.exchange_port import Happening, SdkExchange
from adapters.municipal.intake import Intake
from adapters.municipal.links import Links
from adapters.municipal.rejected import Rejected
from adapters.municipal.service import FOLLOWED, Service, alone_at, catch_up
from adapters.municipal.webhook import Listening
from adapters.sdk.errors import Unavailable
from adapters.sdk.following import Cursor, FollowingThread, Trouble
from adapters.sdk.logs import AdapterLog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapters.kit.journal import Journal
    from adapters.kit.put_aside import PutAside
    from adapters.municipal.config import Config
    from adapters.municipal.exchange_port import ExchangePort
    from adapters.sdk.bsn import Bsn

    Opened = Callable[[Config], AbstractContextManager[tuple[ExchangePort, Journal]]]


@dataclass(frozen=True, slots=True)
class Status:
    """What waits, and what waits for a person. Names are those of cases and ids of the exchange."""

    followed_to: int
    cases_linked: int
    cases_without_part: int
    errands_due: tuple[str, ...]
    errands_parked: tuple[str, ...]
    files_rejected: int
    standing_still: str  # why, where the running adapter's own files fail it

    @property
    def well(self) -> bool:
        """Tell whether nothing waits for a person."""
        return not (self.errands_parked or self.standing_still)

    def rows(self) -> dict[str, object]:
        """Return it by name."""
        return asdict(self)


def run(
    config: Config, log: AdapterLog, stop: threading.Event | None = None, opened: Opened | None = None
) -> None:
    """Work until SIGTERM or SIGINT, or until `stop` is set by another thread.

    `opened` opens the exchange and the journal; it does so again after each fault of our own files.
    """
    stopping, wake = stop or threading.Event(), threading.Event()
    limits = limits_of(config, Surroundings(), stopping.is_set)
    with told_to_end(stopping, wake) if stop is None else nullcontext(), alone_at(config):
        enduring = Enduring(config.state, log, limits, stopping)
        # The door stays open while the loop stands still: it says so to whoever knocks.
        listening = _listening(config, log, wake)
        loop = _Loop(config, log, Surroundings(limits=limits), (stopping, wake), enduring.well)
        try:
            enduring.run(lambda: loop.work(opened or _opened, listening))
        finally:
            if listening is not None:
                listening.close()


class _Loop:
    """What happens between two faults of our own files: all is opened, and passes follow each other."""

    def __init__(
        self,
        config: Config,
        log: AdapterLog,
        surroundings: Surroundings,
        events: tuple[threading.Event, threading.Event],
        well: Callable[[], None],
    ) -> None:
        self._config: Final = config
        self._log: Final = log
        self._surroundings: Final = surroundings
        self._stopping, self._wake = events
        self._well: Final = well

    def work(self, opened: Opened, listening: Listening | None) -> None:
        """Work until the end."""
        with opened(self._config) as (exchange, journal):
            service = Service(self._config, exchange, journal, self._log, self._surroundings)
            follower = FollowingThread(exchange, service.cursor, self._wake)
            follower.start()
            self._log.info("adapter_started", position=service.cursor)
            try:
                self._passes(service, follower, listening)
            finally:
                follower.stop()
            self._log.info("adapter_stopped", position=service.cursor)

    def _passes(
        self, service: Service, follower: FollowingThread[Happening], listening: Listening | None
    ) -> None:
        subscribed = listening is None
        while True:
            # Cleared before looking: what comes from here on wakes the next pass, or ends this one.
            self._wake.clear()
            if self._stopping.is_set():
                return
            if not subscribed and listening is not None:
                subscribed = _subscribe(self._config, service, listening)
            _take(service, follower)
            service.work()
            self._well()
            self._wake.wait(self._config.poll_ms / 1_000)


def once(config: Config, log: AdapterLog) -> None:
    """Do one pass: catch up, look at every open case that is not linked, do what is due.

    Raises Unavailable where the exchange is away.
    """
    with alone_at(config), _opened(config) as (exchange, journal):
        service = Service(config, exchange, journal, log)
        away: Unavailable | None = None
        try:
            catch_up(service, exchange)
        except Unavailable as error:
            # What needs no exchange still goes on.
            away = error
        service.work()
        # What a case asked for, such as the telling of its plan, is part of this pass.
        service.work()
    if away is not None:
        raise away


def register(config: Config, bsn: Bsn, log: AdapterLog) -> bool:
    """Put a person in the adapter's register; return whether their case is known to the exchange."""
    with alone_at(config), _opened(config) as (exchange, journal):
        service = Service(config, exchange, journal, log)
        return Intake(service.desk).keep_person(bsn)


def status(config: Config) -> Status:
    """Look at the journal; asks nobody. Raises ConfigInvalid where there is none yet."""
    if not config.journal.exists():
        raise ConfigInvalid("there is no journal yet in the state folder: this adapter never ran")
    journal = open_journal(config.journal)
    try:
        rejected = config.rejected.glob("*.reason.txt") if config.rejected.is_dir() else ()
        linked, without = Links(journal).counts()
        return Status(
            followed_to=journal.position(FOLLOWED),
            cases_linked=linked,
            cases_without_part=without,
            errands_due=tuple(f"{one.kind} {one.subject} {one.reason}".strip() for one in journal.waiting()),
            errands_parked=tuple(f"{one.kind} {one.subject} {one.reason}" for one in journal.parked()),
            files_rejected=sum(1 for _ in rejected),
            standing_still=Light(config.state).seen(),
        )
    finally:
        journal.close()


def rejected(config: Config) -> PutAside:
    """Look at what was refused. Raises ConfigInvalid where there is no key yet."""
    return Rejected(config, AdapterLog(adapter="municipal"), lambda: time.time_ns() // 1_000_000).look()


@contextmanager
def _opened(config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
    exchange = SdkExchange.connect(config)
    try:
        journal = open_journal(config.journal)
        try:
            yield exchange, journal
        finally:
            journal.close()
    finally:
        exchange.close()


def _listening(config: Config, log: AdapterLog, wake: threading.Event) -> Listening | None:
    if config.webhook is None:
        return None
    clock = Surroundings()
    made = Listening(
        config,
        config.webhook,
        CaseSystem(config).holds,
        log=log,
        now_ms=lambda: int(clock.now().timestamp() * 1_000),
        wake=wake,
    )
    made.start()
    return made


def _subscribe(config: Config, service: Service, listening: Listening) -> bool:
    """Let the case system tell us; return False where it could not be asked, and then the sweep goes on."""
    assert config.webhook is not None
    try:
        fresh = service.desk.cases.subscribe(listening.url, config.webhook.auth.text)
    except OutwardError as error:
        service.desk.log.warning("subscription_not_now", code=error.code)
        return False
    service.desk.log.info("subscribed" if fresh else "subscription_stands")
    return True


def _take(service: Service, follower: FollowingThread[Happening]) -> None:
    for item in follower.taken():
        match item:
            case Cursor(position):
                service.advance(position)
            case Trouble(error, attempt, wait_ms):
                service.trouble(error, attempt, wait_ms)
            case Happening():
                service.take(item)
