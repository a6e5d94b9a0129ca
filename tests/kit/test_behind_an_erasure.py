"""What comes behind an erasure that was followed is not written: receipts, and what a journal asks of it."""

from __future__ import annotations

import io
import json
import os
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest

from adapters.kit.erasures import Erasures
from adapters.kit.receipts import FILE, ReceiptsKept
from adapters.kit.steps import step
from adapters.sdk.errors import ReceiptRefused
from tests.forked import ended
from tests.sdk.log_fake import FakeLog

if TYPE_CHECKING:
    from pathlib import Path

    from exchange.v1.common_pb2 import Receipt

RPC = "/exchange.v1.PlanService/AssignSupport"
PLAN, OTHER = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001", "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0002"
LOG = FakeLog(7)


def recorded(leaf_index: int, at_ms: int = 0) -> Receipt:
    receipt = LOG.receipt_for(leaf_index)
    receipt.record_time.FromMilliseconds(at_ms)
    return receipt


def kept(book: ReceiptsKept) -> list[int]:
    return [one.leaf_index for one in book.listed()]


@pytest.mark.parametrize("held", [True, False])
def test_a_receipt_that_comes_behind_its_erasure_is_not_written(tmp_path: Path, *, held: bool) -> None:
    book = ReceiptsKept(tmp_path)
    if held:
        book.keep(recorded(1), RPC, PLAN)
    book.expect("e-1", [PLAN])
    assert book.erase("e-1") is held
    book.keep(recorded(2), RPC, PLAN)
    book.keep(recorded(3), RPC, OTHER)
    book.keep(recorded(4), RPC, "")
    assert kept(book) == [3, 4]
    # Also of one whose answer was lost: there is nothing new to tell of it.
    book.expect("e-1", [PLAN])
    assert book.erase("e-1") is held
    book.close()
    again = ReceiptsKept(tmp_path)
    again.keep(recorded(5), RPC, PLAN)
    assert kept(again) == [3, 4]
    again.close()
    assert PLAN.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())


def test_it_stays_away_after_a_kill(tmp_path: Path) -> None:
    def follow() -> None:
        sys.stderr = io.StringIO()
        book = ReceiptsKept(tmp_path)
        book.keep(recorded(1), RPC, PLAN)
        book.expect("e-1", [PLAN])
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(follow) == -signal.SIGKILL
    again = ReceiptsKept(tmp_path)
    again.keep(recorded(2), RPC, PLAN)
    assert kept(again) == []
    assert again.erase("e-1")
    again.close()


def test_it_stays_away_from_who_opened_the_book_before(tmp_path: Path) -> None:
    # A command beside the running adapter, whose answer was on its way.
    running, beside = ReceiptsKept(tmp_path), ReceiptsKept(tmp_path)
    beside.keep(recorded(1), RPC, PLAN)
    running.expect("e-1", [PLAN])
    running.erase("e-1")
    beside.keep(recorded(2), RPC, PLAN)
    assert kept(running) == []
    running.close()
    beside.close()


def test_of_a_part_what_was_recorded_before_it_stays_away_and_the_plan_goes_on(tmp_path: Path) -> None:
    book = ReceiptsKept(tmp_path)
    book.expect("e-1", [PLAN], until_ms=5_000)
    book.keep(recorded(1, 5_000), RPC, PLAN)
    book.keep(recorded(2, 5_001), RPC, PLAN)
    assert kept(book) == [2]
    # The next one is of the resident: no moment is later than that. It never becomes less.
    book.expect("e-2", [PLAN])
    book.expect("e-3", [PLAN], until_ms=6_000)
    book.keep(recorded(3, 9_000), RPC, PLAN)
    assert kept(book) == []
    book.close()


def test_of_a_part_what_was_recorded_after_it_was_asked_stays_at_each_look(tmp_path: Path) -> None:
    book, asked_ms = ReceiptsKept(tmp_path), 1_769_860_800_000
    for leaf_index, at in ((1, "12:00:00.000999Z"), (2, "12:00:00.001000Z"), (3, "")):
        receipt = recorded(leaf_index, asked_ms + leaf_index - 1)
        receipt.leaf_entry = json.dumps({"at": f"2026-01-31T{at}"} if at else {}).encode()
        book.keep(receipt, RPC, PLAN)
    # A look, one before it was answered, and the answer itself.
    book.expect("e-1", [PLAN], until_ms=asked_ms)
    # What does not tell when it was recorded goes.
    assert kept(book) == [2]
    late = recorded(4, asked_ms + 5)
    late.leaf_entry = b'{"at":"2026-01-31T12:00:00.005000Z"}'
    book.keep(late, RPC, PLAN)
    book.expect("e-1", [PLAN], until_ms=asked_ms)
    assert book.erase("e-1")
    assert kept(book) == [2, 4]
    book.expect("e-2", [PLAN])
    assert kept(book) == []
    book.close()


def test_it_takes_no_place_of_one_that_opens_no_more(tmp_path: Path) -> None:
    book = ReceiptsKept(tmp_path)
    book.keep(recorded(1), RPC, OTHER)
    harm = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    harm.execute("UPDATE receipt SET sealed = x'00'")
    book.expect("e-1", [PLAN])
    book.keep(recorded(1), RPC, PLAN)
    assert harm.execute("SELECT sealed FROM receipt").fetchall() == [(b"\x00",)]
    harm.close()
    book.close()


def test_one_that_is_another_at_its_leaf_is_refused_as_before(tmp_path: Path) -> None:
    book = ReceiptsKept(tmp_path)
    book.keep(recorded(1), RPC, OTHER)
    book.expect("e-1", [PLAN])
    other = recorded(1)
    other.leaf_entry = b"{}"
    with pytest.raises(ReceiptRefused):
        book.keep(other, RPC, OTHER)
    book.close()


def test_a_book_of_an_earlier_version_goes_on(tmp_path: Path) -> None:
    book = ReceiptsKept(tmp_path)
    book.keep(recorded(1), RPC, PLAN)
    book.close()
    earlier = sqlite3.connect(tmp_path / FILE, isolation_level=None)
    for table in ("erased", "erased_book"):
        earlier.execute(f"DROP TABLE {table}")
    earlier.close()
    again = ReceiptsKept(tmp_path)
    assert [one.leaf_index for one in again.listed(PLAN)] == [1]
    again.expect("e-1", [PLAN])
    again.keep(recorded(2), RPC, PLAN)
    assert kept(again) == []
    again.close()


def test_who_looks_before_a_step_sees_in_it_whether_an_erasure_came_between(tmp_path: Path) -> None:
    file = tmp_path / "journal.db"
    ours, theirs = (sqlite3.connect(file, isolation_level=None) for _ in range(2))
    here, there = Erasures(ours), Erasures(theirs)
    # Under one salt, whoever opened the file first.
    assert here.name(PLAN) == there.name(PLAN)
    before = here.followed
    with step(theirs):
        there.follow(())
    assert here.followed == before + 1
    theirs.execute("CREATE TRIGGER full BEFORE INSERT ON erased BEGIN SELECT RAISE(ABORT, 'full'); END")
    with pytest.raises(sqlite3.Error, match="full"), step(theirs):
        there.follow([PLAN])
    theirs.execute("DROP TRIGGER full")
    assert (here.followed, here.erased(PLAN)) == (before + 1, False)
    with step(theirs):
        there.follow([PLAN])
    assert (here.followed, here.erased(PLAN), here.erased(OTHER)) == (before + 2, True, False)
    ours.close()
    theirs.close()


def test_two_files_have_two_names_of_one_plan(tmp_path: Path) -> None:
    made = [sqlite3.connect(tmp_path / name, isolation_level=None) for name in ("one.db", "two.db")]
    one, two = (Erasures(each).name(PLAN) for each in made)
    assert one != two
    for each in made:
        each.close()
