"""One adapter on the bench: a real exchange behind a recording proxy, people around it, and its own folder.

Promises: waits for conditions, never for a time, but for the outages it makes; whatever becomes of a check,
the adapter is started again for the next one. Nothing here is printed: findings name rpcs, counts and places.
"""

from __future__ import annotations

import random
import secrets
import socket
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Final, NamedTuple

from adapters.conformance.adapter_process import Adapter, words_of_adapter
from adapters.conformance.bsn_forms import Forms
from adapters.conformance.contract import PORTS
from adapters.conformance.people import People
from adapters.conformance.proxy import Proxy
from adapters.conformance.recording import SUBSCRIBE, Recording
from adapters.sdk.credentials import Credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.conformance.contract import Contract
    from adapters.conformance.exchange_child import Exchange
    from adapters.conformance.people import Subject

LOOK_EVERY_S: Final = 0.02
LOOPBACK: Final = "127.0.0.1"
_PORTS: Final = range(10_000, 65_536)
_GIVEN_PORTS: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
OIN: Final = "00000003271543{:04d}00"
NAME: Final = "Adapter Onder Toets"


class Failed(Exception):
    """A check found what must not be. Says what, and holds no value."""


class NotTried(Exception):
    """A check needs what this adapter does not declare, or what an earlier check did not bring about."""


class Given(NamedTuple):
    """An input that was given."""

    subject: Subject
    name: str
    content: str


@dataclass(frozen=True, slots=True)
class Measure:
    """How hard it is tried. `outage_scale` is what an outage of so many seconds is multiplied by."""

    outage_scale: float = 0.01
    kills: int = 5
    seed: int = 1


@dataclass(slots=True)
class Bench:
    """What every check works with."""

    contract: Contract
    measure: Measure
    proxy: Proxy
    recording: Recording
    people: People
    adapter: Adapter
    credentials: Credentials
    words: dict[str, str]
    chance: random.Random
    subjects: list[Subject] = field(default_factory=list)
    erased: Subject | None = None
    asked_before: int = 0
    _number: int = 0
    _taken: int = 0

    # --- what is given ------------------------------------------------------------------------------------

    def subject(self) -> Subject:
        """Let somebody new have a case on which the adapter works."""
        made = self.people.subject()
        self.subjects.append(made)
        return made

    def give(self, subject: Subject, *, bad: bool = False) -> Given:
        """Give an input about somebody."""
        given = self.contract.input
        words = self._words(subject)
        content = Template(given.bad if bad else given.good).substitute(words)
        return self._give(Given(subject, Template(given.name).substitute(words), content), words)

    def give_again(self, given: Given) -> Given:
        """Give the very same input once more, under another name."""
        words = self._words(given.subject)
        name = Template(self.contract.input.name).substitute(words)
        return self._give(given._replace(name=name), words)

    def _words(self, subject: Subject) -> dict[str, str]:
        self._number += 1
        today = datetime.now(UTC).date().isoformat()
        return self.words | subject.words | {"number": str(100_000 + self._number), "today": today}

    def _give(self, given: Given, words: dict[str, str]) -> Given:
        self.adapter.give(given.name, given.content, words)
        return given

    def done(self) -> Subject:
        """Give a good input about somebody new, and wait until it had its effect."""
        subject = self.subject()
        self.give(subject)
        self.require_effect(subject, "a good input")
        return subject

    # --- what came of it ----------------------------------------------------------------------------------

    def effects(self, subject: Subject) -> int:
        """Return how many effects at the exchange inputs about somebody had."""
        return len(self.recording.effects(self.contract.input.effect, subject.ids))

    def require_effect(self, subject: Subject, what: str) -> None:
        """Wait until it had its one effect. Raises Failed."""
        if not self.wait(lambda: self.effects(subject) > 0):
            raise Failed(f"{what} had no effect within {self.contract.patience_s:g} s; {self._hint()}")
        self.require_once(subject, what)

    def _hint(self) -> str:
        """Return where its author looks first: what the exchange refused last, by rpc, reason and rules."""
        calls = self.recording.calls()
        # A stream ends for reasons that say nothing of its question.
        refused = [one for one in calls if one.reason and one.path != SUBSCRIBE]
        if refused:
            told = f"{refused[-1].reason} {refused[-1].rules}".strip()
            return f"{refused[-1].name} was refused last: {told}"
        return f"nothing it asked was refused ({len(calls)} calls)"

    def require_once(self, subject: Subject, what: str) -> None:
        """Raise Failed where it had more than one effect, or none."""
        found = self.effects(subject)
        if found != 1:
            raise Failed(f"{what} had {found} effects")

    def outputs(self) -> int:
        """Return how many outputs there were until now; what lies there is taken away, as by a receiver."""
        assert self.contract.event is not None
        for name in self.adapter.matching(self.contract.event.output):
            (self.adapter.home / name).unlink()
            self._taken += 1
        return self._taken

    def require_outputs(self, before: int, more: int, what: str) -> None:
        """Wait until there were so many more outputs, and no other came by then. Raises Failed."""
        self.wait(lambda: self.outputs() >= before + more)
        # Two inputs, one after the other: what was to be told before the second was taken is told by then.
        self.done()
        self.done()
        found = self.outputs() - before
        if found != more:
            raise Failed(f"{what}: {found} outputs, expected {more}")

    def wait(self, met: Callable[[], bool]) -> bool:
        """Tell whether a condition is met within the adapter's patience. Raises Failed where it ended."""
        until = time.monotonic() + self.contract.patience_s
        while not met():
            if not self.adapter.runs:
                raise Failed("it ended by itself")
            if time.monotonic() > until:
                return False
            time.sleep(LOOK_EVERY_S)
        return True

    # --- what is done to it -------------------------------------------------------------------------------

    def restart(self) -> None:
        """End it as its author would, and start it."""
        self.adapter.stop()
        self.adapter.start()

    @contextmanager
    def away(self) -> Iterator[None]:
        """Let the exchange be away for the length of the block."""
        self.proxy.shut()
        try:
            yield
        finally:
            self.proxy.open()

    @contextmanager
    def rewound(self) -> Iterator[None]:
        """Let every event come again on what is followed within the block."""
        self.proxy.rewind()
        try:
            yield
        finally:
            self.proxy.rewinds.clear()

    def forms(self) -> list[tuple[str, Forms]]:
        """Return the numbers of everybody there was, in every form."""
        return [(digits, Forms.of(digits)) for digits in (one.bsn.reveal() for one in self.subjects)]


class Benches:
    """Makes benches at one exchange: for one adapter, or for several one after another."""

    def __init__(self, exchange: Exchange, folder: Path) -> None:
        self._exchange: Final = exchange
        self._folder: Final = folder
        self._count = 0

    @contextmanager
    def bench(self, contract: Contract, measure: Measure) -> Iterator[Bench]:
        """Make a bench with a folder, credentials, a proxy and people of its own."""
        self._count += 1
        folder = self._folder / f"{self._count}-{contract.name}"
        home = folder / "home"
        home.mkdir(parents=True, mode=0o700)
        with ExitStack() as stack:
            credentials = self._credentials(contract, home)
            recording = Recording()
            proxy = Proxy(self._exchange.target, self._exchange.root.issue_server(), credentials, recording)
            stack.callback(proxy.close)
            people = People(self._exchange.target, self._exchange.operator, credentials, contract, folder)
            stack.callback(people.close)
            people.let_in()
            words = words_of_adapter(
                proxy.target, credentials.oin, self._exchange.operator.oin, _free_ports()
            )
            adapter = Adapter(contract, home, folder / "logs", words)
            stack.callback(adapter.close)
            adapter.start()
            chance = random.Random(measure.seed)  # noqa: S311 -- moments of a kill, to be had again by their seed
            yield Bench(contract, measure, proxy, recording, people, adapter, credentials, words, chance)

    def _credentials(self, contract: Contract, home: Path) -> Credentials:
        into = home / "credentials"
        if contract.is_municipal:
            into.mkdir(mode=0o700)
            for file in (self._exchange.data / "operator").iterdir():
                copy = into / file.name
                copy.touch(mode=0o600)
                copy.write_bytes(file.read_bytes())
        else:
            self._exchange.root.issue_organisation(OIN.format(self._count), NAME, into)
        return Credentials.load(into)


def _free_ports() -> list[int]:
    """Return ports that nobody holds, for what an adapter starts beside itself.

    None of those that the kernel gives to whoever names none: it would before they are opened. Source: ip(7).
    """
    first, last = 1, 0
    with suppress(OSError):
        first, last = map(int, _GIVEN_PORTS.read_text(encoding="ascii").split())
    mine = [port for port in _PORTS if not first <= port <= last] or list(_PORTS)
    free: list[int] = []
    while len(free) < PORTS:
        port = secrets.choice(mine)
        if port not in free:
            with suppress(OSError), socket.create_server((LOOPBACK, port)):
                free.append(port)
    return free
