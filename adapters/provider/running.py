"""Opens what an adapter needs, lets it work, and closes it: for the command line.

Promises: one adapter at a time on one state folder; SIGTERM ends after the pass that is under way; what was
not done is done at the next start. What `status` and `register` print holds no BSN and no name.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Final

from adapters.kit.ending import told_to_end
from adapters.kit.enduring import Enduring, Light
from adapters.kit.erasures import Erasures
from adapters.provider.apart import behind
from adapters.provider.assigned_care import AssignedCare
from adapters.provider.config import Side
from adapters.provider.desk import LOCAL, Surroundings, limits_of
from adapters.provider.errands import Errands
from adapters.provider.errors import ConfigInvalid, ErasedMeanwhile
from adapters.provider.exchange_port import SdkExchange
from adapters.provider.holding import Holding
from adapters.provider.http_door import Listening
from adapters.provider.journal import Journal
from adapters.provider.person import write_contacts
from adapters.provider.register import Register
from adapters.provider.request_book import RequestBook, RequestState
from adapters.provider.schema import all_schemas
from adapters.provider.service import FOLLOWED, Service, alone_at, catch_up
from adapters.sdk.errors import Denied, Unavailable
from adapters.sdk.following import Cursor, FollowingThread, Trouble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapters.provider.config import Config
    from adapters.provider.exchange_port import ExchangePort
    from adapters.provider.person import RegisteredPerson
    from adapters.provider.plan_seen import Happening
    from adapters.sdk.logs import AdapterLog

    Opened = Callable[[Config], AbstractContextManager[tuple[ExchangePort, Journal]]]

TAKEN_TOGETHER: Final = 256


@dataclass(frozen=True, slots=True)
class Status:
    """What waits, and what waits for a person. Names are those of files of ours and ids of the exchange."""

    side: str
    followed_to: int
    errands_due: tuple[str, ...]
    errands_parked: tuple[str, ...]
    messages_parked: tuple[str, ...]
    messages_behind: tuple[str, ...]  # that wait for one that is parked
    messages_held: tuple[str, ...]  # that came, and may not be acted on yet
    retours_overdue: tuple[str, ...]
    retours_not_received: tuple[str, ...]
    files_rejected: int
    requests_under_way: tuple[str, ...]
    requests_overdue: tuple[str, ...]
    requests_to_answer: int
    standing_still: str  # why, where the running adapter's own files fail it

    @property
    def well(self) -> bool:
        """Tell whether nothing waits for a person."""
        return not (
            self.errands_parked
            or self.messages_parked
            or self.messages_held
            or self.retours_overdue
            or self.retours_not_received
            or self.requests_overdue
            or self.requests_to_answer
            or self.standing_still
        )

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
        # Made before anything comes, not while the first message waits.
        all_schemas()
        loop = _Loop(config, log, Surroundings(limits=limits), (stopping, wake), enduring.well)
        try:
            enduring.run(lambda: loop.work(opened or _opened))
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

    def work(self, opened: Opened) -> None:
        """Work until the end."""
        with opened(self._config) as (exchange, journal):
            service = Service(self._config, exchange, journal, self._log, self._surroundings)
            follower = FollowingThread(exchange, service.cursor, self._wake)
            follower.start()
            self._log.info("adapter_started", mode=self._config.side.value, position=service.cursor)
            try:
                while True:
                    # Cleared before looking: what comes from here on wakes the next pass, or ends this one.
                    self._wake.clear()
                    if self._stopping.is_set():
                        break
                    _take(service, follower)
                    service.work()
                    self._well()
                    self._wake.wait(self._config.poll_ms / 1_000)
            finally:
                follower.stop()
            self._log.info("adapter_stopped", mode=self._config.side.value, position=service.cursor)


def once(config: Config, log: AdapterLog) -> None:
    """Do one pass: catch up, inbox, errands, outbox. Raises Unavailable where the exchange is away."""
    with alone_at(config), _opened(config) as (exchange, journal):
        service = Service(config, exchange, journal, log)
        away: Unavailable | None = None
        try:
            catch_up(service, exchange)
        except Unavailable as error:
            # What needs no exchange still goes on.
            away = error
        service.work()
    if away is not None:
        raise away


def register(config: Config, person: RegisteredPerson) -> bool:
    """Put a person in the municipality's register; return whether their case is known to the exchange.

    The same person again replaces what was known. Raises ErasedMeanwhile, the SDK's errors.
    """
    if config.side is not Side.MUNICIPALITY:
        raise ConfigInvalid("only the municipality registers people; a provider learns of them by 301")
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    exchange = SdkExchange.connect(config)
    journal = Journal(config.journal)
    try:
        return keep_person(exchange, journal, person)
    finally:
        journal.close()
        exchange.close()


def keep_person(exchange: ExchangePort, journal: Journal, person: RegisteredPerson) -> bool:
    """Write a person down under our pseudonym, with their plan where there is one.

    Raises ErasedMeanwhile where an erasure was followed since this began, whoever it was of: before it this
    person was known, and that they are to be known after it nobody has decided yet. The SDK's errors.
    """
    erasures = Erasures(journal.connection)
    before = erasures.followed
    blinded = exchange.pseudonym(person.resident.bsn)
    pseudonym = blinded.hex()
    try:
        plan_id = exchange.find_case(blinded).plan_id
    except Denied:
        plan_id = ""
    # Made before the transaction: they bring their tables.
    residents, care, errands = Register(journal), AssignedCare(journal), Errands(journal)
    requests = RequestBook(journal)
    with journal.transaction():
        if erasures.followed != before or erasures.erased(plan_id):
            raise ErasedMeanwhile
        residents.remember(pseudonym, person.resident)
        requests.link(pseudonym, person.resident.bsn)
        care.keep_contacts(pseudonym, write_contacts(person.contacts))
        if plan_id:
            errands.plan_is_of(plan_id, pseudonym)
            errands.hurry(plan_id)
    return bool(plan_id)


def status(config: Config) -> Status:
    """Look at the journal; asks nobody. Raises ConfigInvalid where there is none yet."""
    if not config.journal.exists():
        raise ConfigInvalid("there is no journal yet in the state folder: this adapter never ran")
    journal = Journal(config.journal)
    try:
        today = Surroundings().now().astimezone(LOCAL).date()
        undone = Errands(journal).undone()
        requests = RequestBook(journal)
        asked = requests.under_way()
        to_answer = sum(one.state is RequestState.OPEN for one in asked)
        rejected = config.rejected.glob("*.reason.txt") if config.rejected.is_dir() else ()
        return Status(
            side=config.side.value,
            followed_to=journal.position(FOLLOWED),
            errands_due=tuple(
                f"{one.kind} {one.support_id} {one.reason}".strip() for one in undone if one.state == "due"
            ),
            errands_parked=tuple(
                f"{one.kind} {one.support_id} {one.reason}" for one in undone if one.state == "parked"
            ),
            messages_parked=tuple(waiting.name for waiting in journal.parked()),
            messages_behind=behind(journal),
            messages_held=tuple(one.line() for one in Holding(journal, config.seal_key).waiting()),
            retours_overdue=journal.overdue(today),
            retours_not_received=journal.unanswered(today),
            files_rejected=sum(1 for _ in rejected),
            requests_under_way=tuple(one.line() for one in asked),
            requests_overdue=tuple(one.line() for one in requests.overdue(today)),
            # What a provider asked lies with a person of the municipality; what we asked lies with theirs.
            requests_to_answer=to_answer if config.side is Side.MUNICIPALITY else 0,
            standing_still=Light(config.state).seen(),
        )
    finally:
        journal.close()


@contextmanager
def _opened(config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
    exchange = SdkExchange.connect(config)
    try:
        journal = Journal(config.journal)
        try:
            yield exchange, journal
        finally:
            journal.close()
    finally:
        exchange.close()


def _listening(config: Config, log: AdapterLog, wake: threading.Event) -> Listening | None:
    if config.http is None or config.http.port is None:
        return None
    listening = Listening(config, config.http, log, wake)
    listening.start()
    return listening


def _take(service: Service, follower: FollowingThread[Happening]) -> None:
    """Take what happened since the last time; many are flushed once."""
    while items := tuple(islice(follower.taken(), TAKEN_TOGETHER)):
        with service.together():
            for item in items:
                match item:
                    case Cursor(position):
                        service.advance(position)
                    case Trouble(error, attempt, wait_ms):
                        service.trouble(error, attempt, wait_ms)
                    case _:
                        service.take(item)
