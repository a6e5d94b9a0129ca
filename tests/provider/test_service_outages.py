"""First, twice, and not now: races, redelivery and outages; nothing doubled, nothing dropped."""

from __future__ import annotations

import dataclasses
import shutil
from typing import TYPE_CHECKING

import pytest

from adapters.kit.journal import PARK_AFTER_MS
from adapters.provider.config import Side
from adapters.provider.errors import AlreadyRunning
from adapters.provider.service import alone_at
from adapters.sdk.bsn import Bsn
from adapters.sdk.errors import ReceiptRefused
from exchange.v1.common_pb2 import Receipt
from tests.provider.around import ONE, Both, agreed, answers, config, of, planned, sent
from tests.provider.builders import (
    BSN,
    MUNICIPALITY,
)
from tests.provider.world import MUNICIPALITY_OIN

if TYPE_CHECKING:
    from pathlib import Path


# --- twice, first, and not now -----------------------------------------------------------------------------


def test_who_was_second_reads_again_and_assigns_once(both: Both) -> None:
    planned(both)
    left = [1, 1, 1]

    def somebody_is_first() -> None:
        if left:
            left.pop()
            both.world.bump()

    both.world.before_assign = somebody_is_first
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == [()]
    assert len(both.world.assigned) == 1
    assert both.world.calls.count("assign") == 4


def test_a_plan_that_never_holds_still_is_tried_later(both: Both) -> None:
    planned(both)
    both.world.before_assign = both.world.bump
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == []
    assert both.provider.names("inbox") == ["a.xml"]
    both.world.before_assign = lambda: None
    both.clock.pass_by(minutes=5)
    both.provider.work()
    assert answers(both) == [()]


def test_a_receipt_of_something_else_stops_the_work_until_somebody_looked(both: Both) -> None:
    planned(both)

    def another() -> None:
        raise ReceiptRefused("the leaf of this receipt is not of the command", Receipt(leaf_index=7))

    both.world.before_assign = another
    both.provider.drop("a.xml", sent())
    both.provider.work()
    assert answers(both) == []
    assert both.provider.names("inbox") == ["a.xml"]
    both.world.before_assign = lambda: None
    both.provider.work()
    assert answers(both) == [], "it waits first"
    both.clock.pass_by(minutes=5)
    both.provider.work()
    assert answers(both) == [()]


def test_a_message_that_comes_again_is_answered_again_and_assigned_once(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    (first,) = both.municipality.config.inbox.iterdir()
    given = first.read_bytes()
    first.unlink()
    both.provider.drop("again.xml", sent())
    both.provider.work()
    (second,) = both.municipality.config.inbox.iterdir()
    assert (second.name, second.read_bytes()) == (first.name, given)
    assert len(both.world.assigned) == 1


def test_an_identification_used_for_something_else_is_refused(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    both.provider.drop("b.xml", sent(dataclasses.replace(ONE, number=102)))
    both.provider.work()
    assert sorted(answers(both)) == [(), ("9056",)]
    assert len(both.world.assigned) == 1


def test_an_outage_holds_up_what_needs_the_exchange_and_loses_nothing(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.world.away = True
    for _ in range(20):
        both.provider.work()
        both.clock.pass_by(seconds=30)
    assert answers(both) == []
    # Asking is not repeated without end: the wait doubles up to half a minute.
    assert both.world.calls.count("pseudonym") <= 20
    assert '"event": "exchange_not_now"' in both.provider.out.getvalue()
    both.world.away = False
    both.clock.pass_by(minutes=1)
    both.provider.work()
    assert answers(both) == [()]
    assert len(both.world.assigned) == 1


def test_while_the_exchange_is_away_an_answer_is_still_taken(both: Both) -> None:
    agreed(both)
    both.municipality.work()
    both.provider.work()
    both.world.away = True
    both.municipality.work()
    assert len(of(both.municipality, "302")) == 1


def test_a_term_that_passed_is_told_once_a_day(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.world.away = True
    both.provider.work()
    both.clock.pass_by(days=6)
    both.provider.work()
    both.provider.work()
    told = both.provider.out.getvalue()
    assert told.count('"event": "retours_overdue"') == 1
    both.world.away = False
    agreed(both)
    both.municipality.work()
    both.clock.pass_by(days=6)
    both.municipality.work()
    assert both.municipality.out.getvalue().count('"event": "retours_not_received"') == 1


# --- the outbox --------------------------------------------------------------------------------------------


def test_what_cannot_be_delivered_is_tried_again_then_parked_with_an_alarm(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    shutil.rmtree(both.municipality.config.inbox)
    both.provider.work()
    assert '"event": "message_not_delivered"' in both.provider.out.getvalue()
    both.clock.pass_by(milliseconds=PARK_AFTER_MS)
    both.provider.work()
    assert '"event": "message_parked"' in both.provider.out.getvalue()
    (parked,) = both.provider.journal.parked()
    both.municipality.config.inbox.mkdir()
    both.clock.pass_by(hours=2)
    both.provider.work()
    assert answers(both) == []
    # A person looked at it.
    both.provider.journal.revive(parked.name, both.provider.service._desk.now_ms)
    both.provider.work()
    assert answers(both) == [()]


def test_what_was_held_up_for_a_moment_goes_by_itself(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    shutil.rmtree(both.municipality.config.inbox)
    both.provider.work()
    both.municipality.config.inbox.mkdir()
    both.clock.pass_by(minutes=1)
    both.provider.work()
    assert answers(both) == [()]


def test_an_inbox_that_is_gone_stops_nothing_else(both: Both) -> None:
    agreed(both)
    both.work(2)
    shutil.rmtree(both.provider.config.inbox)
    both.world.start()
    both.provider.work()
    assert [path.name[:6] for path in both.municipality.config.inbox.iterdir()] == ["WMO305"]
    assert '"event": "inbox_failed"' in both.provider.out.getvalue()


# --- one at a time, and a kill between archiving and noting it -------------------------------------------


def test_one_adapter_at_a_time_works_on_a_state(tmp_path: Path) -> None:
    settings = config(tmp_path, Side.PROVIDER)
    with alone_at(settings), pytest.raises(AlreadyRunning), alone_at(settings):
        pass
    with alone_at(settings):
        assert settings.lock.exists()


def test_a_purge_finds_the_file_of_a_message_whose_archiving_was_not_noted(both: Both) -> None:
    planned(both)
    both.provider.drop("a.xml", sent())
    both.provider.work()
    journal = both.provider.journal
    journal.connection.execute("UPDATE inbox SET archived = NULL")
    (both.provider.config.archive / "of-last-year").mkdir()
    both.provider.service._taking._find_archived()
    register = both.provider.service._desk.register
    whose = register.pseudonym(Bsn(BSN))
    assert whose is not None
    assert register.purge(whose) == ("a.xml",)


def test_the_two_sides_know_each_other_by_code(both: Both) -> None:
    assert both.municipality.port.own_oin == MUNICIPALITY_OIN
    assert both.municipality.config.own_code == MUNICIPALITY == both.provider.config.counterparty_code
