"""What two do at one moment: a command beside the running adapter, two commands, a signal; step by step."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from adapters.provider import by_hand
from adapters.provider.codes import RequestRefusal
from adapters.provider.desk import Desk
from adapters.provider.errors import MessageInvalid
from adapters.provider.journal import Journal
from adapters.provider.municipal_requests import MunicipalRequests
from adapters.provider.request_book import RequestState
from adapters.provider.running import _Loop
from adapters.provider.xml import emit
from tests.provider.around import Both, keep, of
from tests.provider.test_requests import INVESTIGATED, REJECTED, answer, asked, send, states
from tests.provider.world import MUNICIPALITY_OIN, Port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from adapters.provider.config import Config
    from adapters.provider.exchange_port import ExchangePort
    from adapters.provider.plan_seen import Happening

WAIT_S = 20.0


def test_two_hands_cannot_answer_one_request_twice(both: Both) -> None:
    send(both, asked())
    both.work(2)
    (waiting,) = both.municipality.desk.requests.under_way()
    answer(both, REJECTED, RequestRefusal.BUDGET)
    with pytest.raises(MessageInvalid):
        MunicipalRequests(both.municipality.desk).answer(waiting, INVESTIGATED)
    both.work(2)
    assert states(both) == {RequestState.REJECTED}
    assert len(of(both.provider, "319")) == 1


def test_what_was_honoured_while_a_person_thought_is_not_refused_any_more(both: Both) -> None:
    both.register()
    send(both, asked())
    both.work(2)
    (waiting,) = both.municipality.desk.requests.under_way()
    both.world.request()
    both.world.say(agreed=True)
    both.work(3)
    with pytest.raises(MessageInvalid):
        MunicipalRequests(both.municipality.desk).answer(waiting, REJECTED, RequestRefusal.BUDGET)
    assert states(both) == {RequestState.HONOURED}


def test_two_hands_cannot_ask_for_one_person_twice(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each judges by what was asked before, while the other one asks (TR374)."""
    desk = both.provider.desk
    other = Journal(both.provider.config.journal, wait_s=0.0)
    hand = Desk(both.provider.config, both.provider.port, other, desk.log, both.clock.surroundings())
    under_way, turned_away = desk.requests.has_under_way, []

    def meanwhile(*person: Any) -> bool:  # noqa: ANN401 -- as it is asked
        found = under_way(*person)
        try:
            by_hand.send_over(hand, emit(asked("Q2", "R-2")))
        except sqlite3.OperationalError as locked:
            turned_away.append(locked.sqlite_errorcode)
        return found

    monkeypatch.setattr(desk.requests, "has_under_way", meanwhile)
    send(both, asked())
    monkeypatch.undo()
    assert turned_away == [sqlite3.SQLITE_BUSY]
    with pytest.raises(MessageInvalid):
        by_hand.send_over(hand, emit(asked("Q2", "R-2")))
    other.close()
    assert [one.reference for one in desk.requests.under_way()] == ["R-1"]


def test_who_is_registered_while_the_adapter_looks_for_them_is_not_waited_for(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The adapter found nobody; before it wrote down that it waits, the command had written who it is."""
    both.world.request()
    both.world.say(agreed=True)
    errands = both.municipality.service._desk.errands
    later = errands.later

    def registered_first(*told: Any) -> None:  # noqa: ANN401 -- as it is told
        keep(both.municipality)
        later(*told)

    monkeypatch.setattr(errands, "later", registered_first)
    both.municipality.work()
    monkeypatch.undo()
    assert [one.state for one in errands.undone()] == ["due"]
    # Not a moment later.
    both.municipality.work()
    assert errands.undone() == ()


class _Still(Port):
    """Nothing happens until the end."""

    def __init__(self, both: Both) -> None:
        super().__init__(both.world, MUNICIPALITY_OIN)
        self._ended = threading.Event()

    def follow(
        self, _cursor: int, _keep: Callable[[int], None], *, until_caught_up: bool
    ) -> Iterator[Happening]:
        assert not until_caught_up
        assert self._ended.wait(WAIT_S)
        return iter(())

    def stop_following(self) -> None:
        self._ended.set()


class Late(threading.Event):
    """A signal comes right behind the first look whether there was one."""

    def __init__(self, also: threading.Event) -> None:
        super().__init__()
        self._also = also

    def is_set(self) -> bool:
        was = super().is_set()
        self.set()
        self._also.set()
        return was


class Waited(threading.Event):
    """Notes of each wait whether it was over at once."""

    def __init__(self) -> None:
        super().__init__()
        self.over: list[bool] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.over.append(self.is_set())
        return super().wait(timeout)


def test_a_signal_right_behind_the_look_for_one_is_not_slept_through(both: Both) -> None:
    @contextmanager
    def opened(_config: Config) -> Iterator[tuple[ExchangePort, Journal]]:
        yield _Still(both), both.municipality.journal

    wake = Waited()
    stopping = Late(wake)
    desk = both.municipality.desk
    loop = _Loop(desk.config, desk.log, both.clock.surroundings(), (stopping, wake), lambda: None)
    loop.work(opened)
    assert wake.over == [True]
