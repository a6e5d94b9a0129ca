"""Opens what the adapter needs, lets it work, and closes it: for the command line.

Promises: one adapter at a time on one state folder; SIGTERM ends after the pass that is under way; what was
not done is done at the next start.
"""

from __future__ import annotations

import fcntl
import threading
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapters.kit.ending import told_to_end
from adapters.kit.enduring import Enduring, Light
from adapters.kit.put_aside import PutAside
from adapters.work_income.errors import AlreadyRunning, ConfigInvalid
from adapters.work_income.exchange_port import SdkExchange
from adapters.work_income.journal import Journal
from adapters.work_income.sealing import Seal
from adapters.work_income.service import Others, Service, Surroundings, limits_of
from adapters.work_income.suwinet_port import HttpsSuwinet, load_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from adapters.sdk.logs import AdapterLog
    from adapters.work_income.config import Config

    Opened = Callable[[Config], AbstractContextManager[tuple[Others, Journal]]]


@dataclass(frozen=True, slots=True)
class Status:
    """How many orders stand where, and what waits for a person."""

    counts: dict[str, int]
    parked: tuple[str, ...]
    rejected: int
    standing_still: str = ""  # why, where the running adapter's own files fail it

    @property
    def well(self) -> bool:
        """Tell whether nothing waits for a person."""
        return not (self.parked or self.standing_still)


def run(
    config: Config, log: AdapterLog, stop: threading.Event | None = None, opened: Opened | None = None
) -> None:
    """Work until SIGTERM or SIGINT, or until `stop` is set by another thread.

    `opened` opens both sides and the journal; it does so again after each fault of our own files.
    """
    stopping = stop or threading.Event()
    limits = limits_of(config, Surroundings(), stopping.is_set)

    def work() -> None:
        with (opened or _opened)(config) as (others, journal):
            service = Service(config, others, journal, log, Surroundings(limits=limits))
            log.info("adapter_started")
            while not stopping.is_set():
                service.work()
                enduring.well()
                stopping.wait(config.poll_ms / 1_000)
            log.info("adapter_stopped")

    with told_to_end(stopping) if stop is None else nullcontext(), _alone_at(config):
        enduring = Enduring(config.state, log, limits, stopping)
        enduring.run(work)


def once(config: Config, log: AdapterLog) -> None:
    """Do one pass and end."""
    with _alone_at(config), _opened(config) as (others, journal):
        Service(config, others, journal, log).work()


def status(config: Config) -> Status:
    """Look at the journal; asks nobody. Raises ConfigInvalid where there is none yet."""
    if not config.journal.exists():
        raise ConfigInvalid("there is no journal yet in the state folder: this adapter never ran")
    journal = Journal(config.journal, _seal(config))
    try:
        reasons = config.rejected.glob("*.reason.txt") if config.rejected.is_dir() else ()
        return Status(journal.counts(), journal.parked(), sum(1 for _ in reasons), Light(config.state).seen())
    finally:
        journal.close()


def rejected(config: Config) -> PutAside:
    """Look at the orders that were refused. Raises ConfigInvalid where there is no key yet."""
    if not config.seal_key.exists():
        raise ConfigInvalid("there is no key yet in the state folder: this adapter never ran")
    return PutAside(config.rejected, Seal.at(config.seal_key), lambda: time.time_ns() // 1_000_000)


def _seal(config: Config) -> Seal:
    """Return the seal. A new key opens nothing of a journal that is there: then it is not made."""
    return Seal.at(config.seal_key, make=not config.journal.exists())


@contextmanager
def _opened(config: Config) -> Iterator[tuple[Others, Journal]]:
    line = load_line(config.suwinet_credentials, config.endpoints, config.suwinet_oin, config.timeout_s)
    exchange = SdkExchange.connect(config)
    try:
        journal = Journal(config.journal, _seal(config))
        try:
            yield Others(exchange, HttpsSuwinet(line, papers=config.suwinet_credentials)), journal
        finally:
            journal.close()
    finally:
        exchange.close()


@contextmanager
def _alone_at(config: Config) -> Iterator[None]:
    """Keep a second adapter off the same state. Raises AlreadyRunning."""
    config.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with config.lock.open("a", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning("another adapter works on this state folder") from None
        yield
