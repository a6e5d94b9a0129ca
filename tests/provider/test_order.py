"""Messages about one person keep their order over one that fails: what came later waits, and is let go."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from adapters.kit.journal import PARK_AFTER_MS
from adapters.kit.outward import ANSWER_BYTES_MAX
from adapters.kit.serving import Serving
from adapters.provider.apart import behind, release, release_over
from adapters.provider.config import Side
from adapters.provider.delivering import BEHIND_MS
from adapters.provider.errors import ConfigInvalid
from adapters.provider.journal import Journal, Outgoing
from adapters.provider.stuf import Kind
from adapters.provider.stuf_writing import write_told
from adapters.provider.transport import Ggk, Http
from tests.provider.around import Adapter, Clock
from tests.provider.door import command
from tests.provider.envelopes import letter
from tests.provider.world import TODAY, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

WHO, OTHER = "p" * 64, "q" * 64
START, STOP, ANSWER, OF_OTHER = "WMO305-1.xml", "WMO307-2.xml", "WMO302-3.xml", "WMO305-4.xml"


class Sink:
    """Takes what is posted; of what `says` names it answers that instead of 202."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.says: dict[str, Response] = {}
        self._serving = Serving(Starlette(routes=[Route("/in", self._take, methods=["POST"])]))
        self._serving.start()
        self.url = f"{self._serving.url}/in"

    async def _take(self, request: Request) -> Response:
        name = (await request.body()).decode()
        said = self.says.get(name) or self.says.get("")
        if said is None:
            self.taken.append(name)
        return said or Response(status_code=202)

    @property
    def of_who(self) -> list[str]:
        return [name for name in self.taken if name != OF_OTHER]

    def close(self) -> None:
        self._serving.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


@pytest.fixture
def sink(shared: Sink) -> Sink:
    shared.taken, shared.says = [], {}
    return shared


class Sending:
    """A provider's adapter with four messages to send; each holds its own name."""

    def __init__(self, folder: Path, deliver_to: str = "", ggk: Ggk | None = None) -> None:
        self.clock, self._ggk = Clock(), ggk
        folder.mkdir(exist_ok=True)
        self._folder, self._http = folder, Http(deliver_to=deliver_to) if deliver_to else None
        self.adapter = self._opened()
        journal, now_ms = self.adapter.journal, self.adapter.desk.now_ms
        for name, whose in ((START, WHO), (STOP, WHO), (ANSWER, WHO), (OF_OTHER, OTHER)):
            due = None if name == ANSWER else TODAY
            kind, _, number = name.removesuffix(".xml").partition("-")
            journal.send(Outgoing(name, kind, number, name.encode(), due, whose), now_ms)

    def _opened(self) -> Adapter:
        world = World(self._folder / "world")
        return Adapter(self._folder, Side.PROVIDER, world, self.clock, http=self._http, ggk=self._ggk)

    def again(self) -> None:
        """Begin again on what the journal holds, as after a kill."""
        self.adapter.close()
        self.adapter = self._opened()

    def work(self, **passed: float) -> None:
        self.clock.pass_by(**passed)
        self.adapter.service.work()

    def parked(self) -> list[str]:
        return [one.name for one in self.adapter.journal.parked()]

    def release(self, *, settled: bool) -> None:
        release(self.adapter.config, START, self.adapter.desk.now_ms, settled=settled)


@pytest.fixture
def sending(tmp_path: Path, sink: Sink) -> Iterator[Sending]:
    made = Sending(tmp_path, sink.url)
    yield made
    made.adapter.close()


def unexpected() -> Response:
    """Return an answer of a system that is not what it says it is."""
    return Response(b"x" * (ANSWER_BYTES_MAX + 1))


def test_behind_an_answer_nobody_expects_nothing_of_the_person_goes_and_then_all_in_order(
    sending: Sending, sink: Sink
) -> None:
    sink.says[START] = unexpected()
    sending.work()
    assert sink.taken == [OF_OTHER]
    sending.again()
    sending.work(seconds=1)
    assert sink.taken == [OF_OTHER]
    del sink.says[START]
    sending.work(minutes=2)
    assert sink.taken == [OF_OTHER, START, STOP, ANSWER]


@pytest.mark.parametrize("why", ["turned down", "a day"])
def test_behind_a_parked_one_waits_what_wants_an_answer_until_it_is_sent_again(
    why: str, sending: Sending, sink: Sink
) -> None:
    sink.says[START] = Response(status_code=422 if why == "turned down" else 500)
    sending.work()
    if why == "a day":
        sending.work(milliseconds=PARK_AFTER_MS)
    sending.work(milliseconds=BEHIND_MS)
    sending.again()
    sending.work()
    # An answer of ours has its own term, and rests on nothing.
    assert (sink.of_who, sending.parked()) == ([ANSWER], [START])
    assert OF_OTHER in sink.taken
    assert behind(sending.adapter.journal) == (STOP,)
    assert '"event": "messages_behind", "count": 1' in sending.adapter.out.getvalue()
    sink.says.clear()
    sending.release(settled=False)
    sending.work()
    assert sink.of_who == [ANSWER, START, STOP]
    assert behind(sending.adapter.journal) == ()


def test_one_that_is_settled_goes_no_more_and_what_waits_behind_it_does(sending: Sending, sink: Sink) -> None:
    sink.says[START] = Response(status_code=422)
    sending.work()
    sending.release(settled=True)
    sending.work(minutes=2)
    assert sink.of_who == [ANSWER, STOP]
    assert sending.parked() == []


def test_an_answer_to_it_tells_that_it_arrived_whatever_was_said_then(sending: Sending, sink: Sink) -> None:
    sink.says[START] = unexpected()
    sending.work()
    assert sending.adapter.journal.answered("WMO305", "1", ())
    sending.work(minutes=2)
    assert sink.taken == [OF_OTHER, STOP, ANSWER]


@pytest.mark.parametrize(
    ("kind", "parked"), [(Kind.REFUSED, [START, OF_OTHER]), (Kind.TAKEN, []), (Kind.FAULT, [])]
)
def test_a_no_under_200_is_a_no_and_a_yes_to_something_else_is_none(
    kind: Kind, parked: list[str], tmp_path: Path, sink: Sink
) -> None:
    sending = Sending(tmp_path, sink.url, Ggk())
    code = {} if kind is Kind.TAKEN else {"code": "IB004"}
    sink.says[""] = Response(write_told(letter(kind, **code), soap=True))
    for _ in range(3):
        sending.work(minutes=2)
    assert [name for name in sending.parked() if name != ANSWER] == parked
    delivered = "SELECT count(*) FROM outbox WHERE state = 'sent'"
    assert sending.adapter.journal.connection.execute(delivered).fetchone() == (0,)
    sending.adapter.close()


def test_a_fault_that_comes_after_the_answer_changes_nothing(sending: Sending, sink: Sink) -> None:
    sending.work()
    sending.work(minutes=2)
    assert sending.adapter.journal.answered("WMO305", "1", ())
    sending.adapter.journal.refused(START, "IB003")
    assert sending.parked() == []
    # Before it, what was delivered is set apart.
    sending.adapter.journal.refused(STOP, "IB003")
    assert sending.parked() == [STOP]


def test_nobody_waits_for_the_answer_to_one_that_is_settled(sending: Sending, sink: Sink) -> None:
    sink.says[START] = Response(status_code=500)
    sending.work()
    sending.work(milliseconds=PARK_AFTER_MS)
    sending.release(settled=True)
    sending.clock.pass_by(days=8)
    late = sending.adapter.journal.unanswered(sending.adapter.desk.today)
    assert sorted(late) == [OF_OTHER, STOP]


def test_what_waited_behind_for_long_has_a_day_of_its_own(sending: Sending, sink: Sink) -> None:
    sink.says[START] = Response(status_code=422)
    sending.work()
    sending.clock.pass_by(days=3)
    sink.says[STOP] = Response(status_code=500)
    sending.release(settled=True)
    sending.work()
    assert sending.parked() == []
    sending.work(milliseconds=PARK_AFTER_MS)
    assert sending.parked() == [STOP]


def test_what_was_erased_holds_up_nobody(sending: Sending, sink: Sink) -> None:
    sink.says[START] = Response(status_code=422)
    sending.work()
    sending.adapter.desk.register.forget(WHO)
    sending.adapter.desk.register.files_gone(WHO)
    sending.work(minutes=2)
    assert (sink.of_who, behind(sending.adapter.journal)) == ([ANSWER], ())


def test_a_folder_keeps_the_order_too(tmp_path: Path) -> None:
    sending = Sending(tmp_path)
    taken = sending.adapter.config.outbox / START
    taken.write_bytes(b"somebody else's")
    sending.work()
    assert sending.adapter.names("outbox") == [START, OF_OTHER]
    taken.unlink()
    sending.work(minutes=2)
    assert sending.adapter.names("outbox") == sorted([START, STOP, ANSWER, OF_OTHER])
    sending.adapter.close()


def test_only_what_is_set_apart_is_released(sending: Sending, tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="set apart"):
        release_over(sending.adapter.journal, STOP, 1, settled=True)
    nowhere = Adapter(tmp_path / "new", Side.PROVIDER, World(tmp_path / "other"), Clock())
    nowhere.close()
    nowhere.config.journal.unlink()
    with pytest.raises(ConfigInvalid, match="never ran"):
        release(nowhere.config, STOP, 1, settled=True)


def test_a_person_releases_by_name(settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("release", "--config", str(settings), START)
    assert command(monkeypatch, *words) == 2
    sending = Sending(settings.parent / "elsewhere")
    state = settings.parent / "state"
    sending.adapter.journal.refused(START, "422")
    sending.adapter.close()
    sending.adapter.config.state.rename(state)
    writing = sqlite3.connect(state / "journal.db", isolation_level=None)
    writing.execute("BEGIN IMMEDIATE")
    monkeypatch.setattr(Journal.__init__, "__defaults__", (0.01,))
    assert command(monkeypatch, *words, "--settled") == 1
    writing.close()
    assert command(monkeypatch, *words, "--settled") == 0
    assert command(monkeypatch, *words) == 2
