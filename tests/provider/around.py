"""Both organisations around one exchange: their adapters, their folders, and the time that passes."""

from __future__ import annotations

import dataclasses
import io
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from adapters.kit.rates import Pace
from adapters.provider.config import Config, Side
from adapters.provider.desk import Desk, Surroundings
from adapters.provider.journal import Journal
from adapters.provider.mapping import write_assignments
from adapters.provider.person import RegisteredPerson
from adapters.provider.retour import read_retour
from adapters.provider.running import keep_person
from adapters.provider.schema import Law
from adapters.provider.service import Service, catch_up
from adapters.provider.xml import Message, emit, read
from adapters.sdk.bsn import Bsn
from adapters.sdk.logs import AdapterLog
from adapters.sdk.tokens import Person
from tests.provider.builders import (
    BSN,
    MUNICIPALITY,
    PROVIDER,
    assignment,
    assignment_notice,
    contact,
    resident,
)
from tests.provider.world import MUNICIPALITY_OIN, PROVIDER_OIN, START, TODAY, Port, World, support

if TYPE_CHECKING:
    import threading
    from pathlib import Path

    from adapters.provider.records import Assignment

BAD_BSN = "123456789"


class Clock:
    """Time that passes when told; chance that counts."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now
        self.set_back = 0.0
        # Not the same from one process to the next, as real chance is not.
        self._drawn = int.from_bytes(os.urandom(4), "big")

    def pass_by(self, **span: float) -> None:
        self.now += timedelta(**span)

    def surroundings(self) -> Surroundings:
        return Surroundings(lambda: self.now, self._below, Pace(self.steady, self._pause))

    def steady(self) -> float:
        return (self.now - START).total_seconds() + self.set_back

    def set_to(self, now: datetime) -> None:
        """Set the clock of the day; no time passes by that."""
        self.set_back += (self.now - now).total_seconds()
        self.now = now

    def _pause(self, _event: threading.Event, seconds: float) -> None:
        self.pass_by(seconds=seconds)

    def _below(self, bound: int) -> int:
        self._drawn += 7_919
        return self._drawn % bound


class Adapter:
    """One organisation's adapter and its folders."""

    def __init__(
        self,
        root: Path,
        side: Side,
        world: World,
        clock: Clock,
        **changes: Any,  # noqa: ANN401 -- the fields of the record
    ) -> None:
        self.config = config(root, side, **changes)
        oin = MUNICIPALITY_OIN if side is Side.MUNICIPALITY else PROVIDER_OIN
        self.port = Port(world, oin)
        self.journal = Journal(self.config.journal)
        self.out = io.StringIO()
        log = AdapterLog(self.out)
        self.service = Service(self.config, self.port, self.journal, log, clock.surroundings())
        self._world = world
        # Beside the running one, as the command line opens it.
        self.desk = Desk(self.config, self.port, self.journal, log, clock.surroundings())

    def work(self) -> None:
        if not self._world.away:
            catch_up(self.service, self.port)
        self.service.work()

    def close(self) -> None:
        self.journal.close()

    @property
    def archived(self) -> list[Message]:
        return [read(path.read_bytes()) for path in sorted(self.config.archive.iterdir())]

    def names(self, folder: str) -> list[str]:
        return sorted(path.name for path in getattr(self.config, folder).iterdir())

    def drop(self, name: str, message: Message | bytes) -> None:
        """Put a file in the inbox, as another program would."""
        content = message if isinstance(message, bytes) else emit(message)
        (self.config.inbox / name).write_bytes(content)


def config(root: Path, side: Side, **changes: Any) -> Config:  # noqa: ANN401 -- the fields of the record
    ours, theirs = ("m", "p") if side is Side.MUNICIPALITY else ("p", "m")
    own, other = (MUNICIPALITY, PROVIDER) if side is Side.MUNICIPALITY else (PROVIDER, MUNICIPALITY)
    whole = Config(
        side=side,
        law=Law.WMO,
        target="localhost:1",
        credentials=root / ours / "credentials",
        inbox=root / ours / "inbox",
        outbox=root / theirs / "inbox",
        archive=root / ours / "archive",
        rejected=root / ours / "rejected",
        state=root / ours / "state",
        own_code=own,
        counterparty_code=other,
        counterparty_oin=PROVIDER_OIN if side is Side.MUNICIPALITY else MUNICIPALITY_OIN,
        poll_ms=100,
        rejected_days=90,
        person=Person("iwmo-berichten", "college:WMO", "adapter"),
    )
    return dataclasses.replace(whole, **changes)


class Both:
    """Both adapters around one world; what one writes the other reads."""

    def __init__(
        self,
        root: Path,
        clock: Clock | None = None,
        **changes: Any,  # noqa: ANN401 -- the fields of the record
    ) -> None:
        self.world = World(root / "world")
        self.clock = clock or Clock()
        self.municipality = Adapter(root, Side.MUNICIPALITY, self.world, self.clock, **changes)
        self.provider = Adapter(root, Side.PROVIDER, self.world, self.clock, **changes)

    def register(self, bsn: str = BSN) -> None:
        keep(self.municipality, bsn)

    def work(self, passes: int = 1) -> None:
        for _ in range(passes):
            self.municipality.work()
            self.provider.work()
            self.clock.pass_by(minutes=2)

    def close(self) -> None:
        self.municipality.close()
        self.provider.close()

    @property
    def log(self) -> str:
        return self.municipality.out.getvalue() + self.provider.out.getvalue()


def keep(adapter: Adapter, bsn: str = BSN) -> None:
    """Put somebody in a municipality's register."""
    person = RegisteredPerson(resident(bsn=Bsn(bsn)), (contact(),))
    keep_person(adapter.port, adapter.journal, person)


def of(adapter: Adapter, number: str) -> list[Message]:
    """Return the messages of one kind that an adapter took."""
    return [message for message in adapter.archived if message.number == number]


def agreed(both: Both) -> None:
    """Let the resident be registered and agree with one support."""
    both.register()
    both.world.request()
    both.world.say(agreed=True)


ONE = assignment(starts_on=TODAY, ends_on=TODAY + timedelta(days=364), volume=3, product=support().product)


def sent(*assignments: Assignment, identification: str = "A1", bsn: str = BSN) -> Message:
    notice = assignment_notice(assignments=assignments or (ONE,), identification=identification)
    return write_assignments(dataclasses.replace(notice, resident=resident(bsn=Bsn(bsn))))


def answers(both: Both) -> list[tuple[str, ...]]:
    """Return the codes of every 302 that came back, in order of answering."""
    found = []
    for path in sorted(both.municipality.config.inbox.iterdir()):
        both_codes = read_retour(read_file(path)).codes
        found.append(tuple(dict.fromkeys(code for _, code in both_codes)))
    return found


def read_file(path: Path) -> Message:
    return read(path.read_bytes())


def planned(both: Both, **changes: Any) -> None:  # noqa: ANN401 -- the fields of the record
    both.world.request(**changes)
    both.world.say(agreed=True)
