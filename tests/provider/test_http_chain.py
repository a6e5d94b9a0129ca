"""The whole chain over HTTP: municipality, node, provider; faults, outages, and an adapter that dies."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from adapters.kit.outward import Outward
from adapters.provider import http_door
from adapters.provider.config import Side
from adapters.provider.http_door import BODIES_MAX, Listening
from adapters.provider.plan_seen import Stage
from adapters.provider.retour import read_retour
from adapters.provider.stuf import Told
from adapters.provider.transport import Ggk, Http
from adapters.provider.xml import emit
from adapters.sdk.logs import AdapterLog
from adapters.simulators.ggk.node import Node, wait_until_idle
from adapters.simulators.open_zaak.faults import Fault, Kind
from tests.provider.around import Adapter, Clock, keep, of
from tests.provider.builders import BSN, MUNICIPALITY, PROVIDER, SURNAME
from tests.provider.envelopes import envelope
from tests.provider.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from adapters.provider.journal import Waiting
    from adapters.provider.stuf_writing import Letter

WAIT_S = 30.0
KINDS = ["301", "302", "305", "306", "307", "308"]


class Chain:
    """Both adapters with their doors, the node between them, and the exchange they share."""

    def __init__(self, root: Path) -> None:
        self.world, self.clock = World(root / "world"), Clock()
        self.world.open_plan()
        self._root = root
        self.node = Node({}).start()
        self._doors: dict[Side, Listening] = {}
        self.municipality = self._adapter(Side.MUNICIPALITY)
        self.provider = self._adapter(Side.PROVIDER)
        for side in Side:
            self.open(side)

    def _adapter(self, side: Side) -> Adapter:
        http = Http(port=0, deliver_to=self.node.url)
        outbox = self._root / side.value / "outbox"
        return Adapter(self._root, side, self.world, self.clock, ggk=Ggk(), http=http, outbox=outbox)

    def adapter(self, side: Side) -> Adapter:
        return self.municipality if side is Side.MUNICIPALITY else self.provider

    def open(self, side: Side) -> None:
        adapter = self.adapter(side)
        assert adapter.config.http is not None
        door = Listening(adapter.config, adapter.config.http, AdapterLog(adapter.out), threading.Event())
        door.start()
        self._doors[side] = door
        self.node.connect(MUNICIPALITY if side is Side.MUNICIPALITY else PROVIDER, door.url)

    def shut(self, side: Side) -> None:
        """Let a door be gone: the node keeps what is for it."""
        self._doors.pop(side).close()

    def again(self, side: Side) -> None:
        """Start an adapter anew on what it left, as after a kill."""
        self.adapter(side).close()
        made = self._adapter(side)
        made.out.write(self.adapter(side).out.getvalue())
        setattr(self, side.value, made)

    def work(self, passes: int = 2, *, minutes: int = 2) -> None:
        for _ in range(passes):
            for side in (self.municipality, self.provider):
                side.work()
                if len(self._doors) == len(Side):
                    wait_until_idle(self.node, WAIT_S)
            self.clock.pass_by(minutes=minutes)

    def agree(self) -> None:
        keep(self.municipality)
        if self.world.held().plans["plan-1"].supports == {}:
            self.world.request()
            self.world.say(agreed=True)

    def live(self, passes: int = 4) -> None:
        """Let care be agreed, assigned, started and stopped; each step may take a few passes."""
        self.agree()
        self.work(passes)
        self.world.start()
        self.work(passes)
        self.world.stop()
        self.work(passes)

    def close(self) -> None:
        for door in self._doors.values():
            door.close()
        self.node.close()
        for side in (self.municipality, self.provider):
            side.close()

    @property
    def log(self) -> str:
        return self.municipality.out.getvalue() + self.provider.out.getvalue()

    def assert_whole(self) -> None:
        """Each message once on each side, each answered, nothing waiting, one assignment."""
        assert len(self.world.assigned) == 1
        assert self.world.support().stage is Stage.STOPPED
        went = {emit(one) for one in self.municipality.archived + self.provider.archived}
        numbers = [one.number for one in self.municipality.archived + self.provider.archived]
        assert sorted(set(numbers)) == KINDS
        assert len(went) == len(KINDS)
        for side in (self.municipality, self.provider):
            assert all(read_retour(one).accepted for one in side.archived if one.schema.answers)
            assert side.names("inbox") == side.names("rejected") == []
            assert side.service._desk.errands.undone() == ()
            assert side.journal.due(2**60) == side.journal.parked() == ()


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    made = Chain(tmp_path)
    yield made
    log = made.log
    made.close()
    for secret in (BSN, SURNAME):
        assert secret not in log


def test_care_is_agreed_started_and_stopped_over_http(chain: Chain) -> None:
    chain.live()
    chain.assert_whole()
    assert [function for function, _ in chain.node.passed] == [f"WMO{number}" for number in KINDS]


FAULTS = [
    Fault(Kind.REFUSE, status=500, times=2),
    Fault(Kind.REFUSE, status=429, retry_after_s=30, times=2),
    Fault(Kind.REFUSE, status=403),
    Fault(Kind.CUT, times=2),
    Fault(Kind.LOSE, times=2),
    Fault(Kind.DELAY, delay_s=0.05, times=3),
]


def test_whatever_the_node_does_nothing_is_lost_and_nothing_doubled(chain: Chain) -> None:
    chain.node.duplicate(2)
    for fault in FAULTS:
        chain.node.faults.order(fault)
    # The wait for one message doubles with each fault it meets.
    chain.live(passes=12)
    chain.assert_whole()
    assert chain.log.count("message_not_delivered") == 9


def test_a_wait_that_was_asked_for_is_kept(chain: Chain) -> None:
    chain.agree()
    chain.node.faults.order(Fault(Kind.REFUSE, status=429, retry_after_s=1_800))
    chain.work(1, minutes=29)
    assert of(chain.provider, "301") == []
    chain.work(1, minutes=2)
    assert of(chain.provider, "301") == []
    chain.work(1)
    assert len(of(chain.provider, "301")) == 1


def test_a_message_the_node_will_not_take_is_for_a_person_at_once(chain: Chain) -> None:
    chain.agree()
    chain.node.connect(PROVIDER, "")
    chain.node._doors.pop(PROVIDER)
    chain.work(1)
    (parked,) = chain.municipality.journal.parked()
    assert parked.kind == "WMO301"
    assert '"event": "message_parked", "message_type": "WMO301", "error": "TurnedDown", "code": "IB010"' in (
        chain.log
    )


def test_a_message_the_other_door_will_not_take_comes_back_as_a_fault(chain: Chain) -> None:
    chain.agree()
    # Somebody else's door: it says that the receiver is not known there.
    chain.node.connect(PROVIDER, chain._doors[Side.MUNICIPALITY].url)
    chain.work(2)
    (parked,) = chain.municipality.journal.parked()
    assert parked.kind == "WMO301"
    assert '"event": "envelope_refused", "message_type": "WMO301", "code": "IB005"' in chain.log


def test_out_of_order_it_is_all_the_same(chain: Chain) -> None:
    """A start and a stop at once: the stop goes only after its start, whatever the node does with them."""
    chain.agree()
    chain.work(3)
    chain.world.start()
    chain.world.stop()
    chain.node.hold()
    for _ in range(6):
        for side in (chain.provider, chain.municipality):
            side.work()
            until_quiet(chain.node)
        chain.clock.pass_by(minutes=10)
    chain.assert_whole()


def until_quiet(node: Node) -> None:
    ends = time.monotonic() + WAIT_S
    while node._waiting:
        assert time.monotonic() < ends, "it did not come to that in time"
        time.sleep(0.01)


@pytest.mark.parametrize("seconds", [10, 60, 300, 600])
@pytest.mark.parametrize("who", ["exchange", "provider", "node"])
def test_an_outage_loses_and_doubles_nothing(chain: Chain, who: str, seconds: int) -> None:
    chain.agree()
    if who == "exchange":
        chain.municipality.work()
        wait_until_idle(chain.node, WAIT_S)
        chain.world.away = True
    elif who == "provider":
        chain.shut(Side.PROVIDER)
    else:
        chain.node.faults.order(Fault(Kind.REFUSE, status=503, times=1_000))
    for _ in range(10):
        chain.municipality.work()
        chain.provider.work()
        chain.clock.pass_by(seconds=seconds / 10)
    assert chain.world.assigned == []
    chain.world.away = False
    chain.node.faults.clear()
    if who == "provider":
        chain.open(Side.PROVIDER)
    # After a growing pause each comes back by itself.
    chain.clock.pass_by(seconds=2 * seconds)
    chain.live()
    chain.assert_whole()


def test_an_adapter_killed_before_and_after_each_post_posts_the_same(chain: Chain) -> None:
    chain.agree()
    chain.node.faults.order(Fault(Kind.LOSE))
    chain.municipality.work()
    # The node has it and the adapter does not know; it is killed, and another life goes on.
    chain.again(Side.MUNICIPALITY)
    chain.clock.pass_by(minutes=1)
    chain.live()
    chain.assert_whole()
    assert len({emit(one) for one in of(chain.provider, "301")}) == 1


def test_an_answer_goes_in_one_envelope_also_where_what_it_answers_comes_again_meanwhile(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door takes it, under another number, between two looks of whoever sends the answer."""
    journal, envelopes = chain.provider.journal, chain.provider.service._desk.envelopes
    drawn = envelopes.letter

    def comes_again(waiting: Waiting, now: datetime) -> Letter:
        letter = drawn(waiting, now)
        if waiting.kind == "WMO302":
            (digest,) = journal.connection.execute("SELECT digest FROM envelopes_in").fetchone()
            envelopes.came(Told(reference=str(uuid4()), function="WMO301"), digest)
        return letter

    monkeypatch.setattr(envelopes, "letter", comes_again)
    chain.agree()
    chain.work(4)
    assert [function for function, _ in chain.node.passed] == ["WMO301", "WMO302"]
    assert "message_not_delivered" not in chain.log


def test_what_is_posted_while_the_loop_is_busy_is_taken_in_its_turn(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The door and the loop write to one journal from two threads, however long either keeps it."""
    monkeypatch.setattr(http_door, "JOURNAL_S", WAIT_S)
    door = chain._doors[Side.PROVIDER]
    assert door.url.startswith("http://127.0.0.1:")
    data = [envelope(b"<a/>", function="WMO301") for _ in range(BODIES_MAX)]
    senders = [threading.Thread(target=post, args=(door.url, one)) for one in data]
    for one in senders:
        one.start()
    for _ in range(10):
        chain.provider.work()
    for one in senders:
        one.join(WAIT_S)
    for _ in range(6):
        chain.provider.work()
    assert len([name for name in chain.provider.names("rejected") if name.endswith(".txt")]) == BODIES_MAX


def post(url: str, data: bytes) -> None:
    Outward("door", url, dict).post("", [data], {})
