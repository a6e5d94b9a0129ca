"""A 301 within a restriction, over the real exchange: it waits, goes on once, and an erasure takes it away.

Source: GDPR 17, 18, 19; iWmo 3.2: 301, 302.
"""

from __future__ import annotations

import dataclasses
import io
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from adapters.kit.receipts import ReceiptsKept
from adapters.provider.config import Config, Side, load_config
from adapters.provider.desk import Surroundings
from adapters.provider.exchange_port import SdkExchange
from adapters.provider.journal import Journal
from adapters.provider.records import Product
from adapters.provider.retour import read_retour
from adapters.provider.running import status
from adapters.provider.service import Service
from adapters.provider.xml import emit, read
from adapters.sdk.logs import AdapterLog
from adapters.sdk.tokens import Person
from exchange.v1 import plan_pb2
from tests.provider.around import config, sent
from tests.provider.builders import MUNICIPALITY, PROVIDER, assignment
from tests.provider.papers import written
from tests.server.test_erasure import Erasure
from tests.server.test_restriction_told import lift, restrict
from tests.server.test_support import Steps, support_of
from tests.server.town import CARE, CITY, DELIVER, INVESTIGATE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.provider.plan_seen import AssignOrder
    from tests.server.story import Story
    from tests.server.town import Town

NUMBER = 7_001
WAIT_S = 60.0
ME = "iwmo-"


class House:
    """The provider's adapter on the case of a story, and a support that its 301 is to assign."""

    def __init__(self, town: Town, story: Story, root: Path) -> None:
        self.town, self.story, self.hours, self.lines = town, story, 0, io.StringIO()
        self.restricted: list[str] = []
        steps = Steps(town, story)
        professional = f"{ME}{story.bsn[-5:]}"
        who: dict[str, Any] = {"oin": CARE, "task": "wmo-aanbieder", "professional": professional}
        story.wmo.case.join_professional(claim=INVESTIGATE, case_id=story.case_id, role="adapter", **who)
        steps.of(
            story.wmo,
            "request_support",
            INVESTIGATE,
            kind=plan_pb2.SUPPORT_KIND_CUSTOM,
            provider_oin=CARE,
            product_category="02",
            product_code="02A05",
            start_date="2027-01-01",
            end_date="2027-12-31",
            volume=3,
            unit="04",
            frequency="2",
            goal_ids=[story.goal()],
        )
        steps.agree()
        steps.look()
        one = assignment(
            number=NUMBER,
            product=Product("02", "02A05"),
            starts_on=date(2027, 1, 1),
            ends_on=date(2027, 12, 31),
            volume=3,
        )
        self.content = emit(sent(one, bsn=story.bsn))
        self.person = Person(professional, "wmo-aanbieder", "adapter")
        self.config: Config = config(
            root,
            Side.PROVIDER,
            target=town.target,
            credentials=town.settings.data / f"of-{CARE}",
            person=self.person,
        )
        self.config.inbox.mkdir(parents=True)

    def got(self) -> None:
        """Let the adapter's organisation get something of the plan: it is told of what comes of it."""
        client = self.town.client(self.person, self.town.care())
        client.plan.get_plan(claim=DELIVER, plan_id=self.story.plan_id, fields=["supports.state"])

    def drop(self, name: str = "a.xml") -> None:
        (self.config.inbox / name).write_bytes(self.content)

    def work(self, passes: int = 1, exchange: type[SdkExchange] = SdkExchange) -> None:
        """Start the adapter, let it work, and close it."""
        port = exchange.connect(self.config)
        journal = Journal(self.config.journal)
        later = timedelta(hours=self.hours)
        try:
            around = Surroundings(lambda: self.town.now() + later)
            service = Service(self.config, port, journal, AdapterLog(self.lines), around)
            for _ in range(passes):
                service.work()
        finally:
            journal.close()
            port.close()

    @property
    def waiting(self) -> int:
        return len(status(self.config).messages_held)

    @property
    def answers(self) -> list[bool]:
        """Return of each 302 that went out whether it accepts."""
        return [read_retour(read(one.read_bytes())).accepted for one in self.config.outbox.iterdir()]

    def receipts(self) -> int:
        """Return how many commands about the plan the adapter can show."""
        kept = ReceiptsKept(self.config.state, make=False)
        try:
            return len(list(kept.listed(self.story.plan_id)))
        finally:
            kept.close()

    def assert_assigned_once(self) -> None:
        seen = support_of(self.story, "state", "assignment_number")
        assigned = (plan_pb2.SUPPORT_STATE_ASSIGNED, str(NUMBER))
        assert (seen.state, seen.assignment_number) == assigned, self.lines.getvalue()
        assert (self.answers, self.waiting, self.receipts()) == ([True], 0, 1)
        assert list(self.config.inbox.iterdir()) == []
        assert [one.read_bytes() for one in self.config.archive.iterdir()] == [self.content]


@pytest.fixture
def house(town: Town, story: Story, tmp_path: Path) -> House:
    return House(town, story, tmp_path)


def test_it_waits_and_a_lifting_that_is_told_lets_it_go_on_once(house: House) -> None:
    house.got()
    restriction_id = restrict(house.story).restriction_id
    house.drop()
    house.work(2)
    assert (house.waiting, list(house.config.inbox.iterdir())) == (1, []), house.lines.getvalue()
    assert list(house.config.outbox.iterdir()) == []
    house.drop("again.xml")
    house.work()
    lift(house.story, restriction_id)
    house.work(2)
    house.assert_assigned_once()
    house.hours = 5
    house.work()
    house.assert_assigned_once()


def test_who_got_nothing_yet_hears_of_no_lifting_and_asks_again_by_itself(house: House) -> None:
    restriction_id = restrict(house.story).restriction_id
    house.drop()
    house.work()
    lift(house.story, restriction_id)
    house.work()
    assert house.waiting == 1
    house.hours = 5
    house.work()
    house.assert_assigned_once()


def late(house: House) -> type[SdkExchange]:
    """Let a restriction come when all was read and nothing is recorded yet."""

    class Late(SdkExchange):
        def assign(self, order: AssignOrder) -> None:
            house.restricted.append(restrict(house.story).restriction_id)
            super().assign(order)

    return Late


def test_after_a_command_that_was_refused_within_it_another_one_counts(house: House) -> None:
    house.drop()
    house.work(exchange=late(house))
    assert house.waiting == 1
    (restriction_id,) = house.restricted
    lift(house.story, restriction_id)
    house.work()
    house.assert_assigned_once()


@pytest.mark.parametrize("known", [True, False])
def test_an_erasure_takes_it_away_where_its_plan_is_known_and_else_it_is_refused(
    house: House, *, known: bool
) -> None:
    if not known:
        restrict(house.story)
    house.drop()
    house.work(exchange=late(house) if known else SdkExchange)
    assert house.waiting == 1
    Erasure(house.town, house.story).executed()
    house.work(2)
    assert house.waiting == int(not known)
    house.hours = 5
    house.work()
    assert (house.waiting, house.answers) == (0, [] if known else [False])
    # What nothing leads to goes with its time, as all that is refused about nobody known.
    for path in house.config.state.iterdir() if known else ():
        assert house.story.bsn.encode() not in path.read_bytes(), path.name


# --- kill -9 ------------------------------------------------------------------------------------------------


@contextmanager
def running(settings: Path) -> Iterator[subprocess.Popen[bytes]]:
    words = ["provider", "run", "--config", str(settings)]
    program = "from adapters.cli import main; main()"
    with subprocess.Popen([sys.executable, "-c", program, *words], stdout=subprocess.DEVNULL) as process:  # noqa: S603 -- our own program
        try:
            yield process
        finally:
            process.kill()


def until(holds: Any) -> None:  # noqa: ANN401 -- a look
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def held_in(config: Config) -> int:
    if not config.journal.exists():
        return 0
    try:
        with sqlite3.connect(config.journal) as connection:
            (found,) = connection.execute("SELECT count(*) FROM held").fetchone()
    except sqlite3.OperationalError:
        return 0
    return int(found)


@pytest.mark.slow
def test_killed_while_it_waits_it_goes_on_once(house: House, tmp_path: Path) -> None:
    house.got()
    restriction_id = restrict(house.story).restriction_id
    told = {
        "side": "provider",
        "target": house.town.target,
        "credentials": str(house.config.credentials),
        "own_code": PROVIDER,
        "counterparty_code": MUNICIPALITY,
        "counterparty_oin": CITY,
        "poll_ms": 100,
        **{
            name: str(getattr(house.config, name))
            for name in ("inbox", "outbox", "archive", "rejected", "state")
        },
        "person": {
            "professional": house.person.professional,
            "task": house.person.task,
        },
    }
    settings = written(tmp_path, told)
    house.config = dataclasses.replace(load_config(settings), person=house.config.person)
    house.drop()
    with running(settings) as process:
        until(lambda: held_in(house.config) == 1)
        process.send_signal(signal.SIGKILL)
    house.drop("again.xml")
    with running(settings):
        until(lambda: not any(house.config.inbox.iterdir()))
    assert (house.waiting, list(house.config.outbox.iterdir())) == (1, [])
    lift(house.story, restriction_id)
    with running(settings) as process:
        until(lambda: house.config.outbox.exists() and any(house.config.outbox.glob("*.xml")))
        until(lambda: any(house.config.archive.iterdir()))
        process.terminate()
        process.wait(WAIT_S)
    house.assert_assigned_once()
