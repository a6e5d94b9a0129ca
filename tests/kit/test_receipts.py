"""An adapter's own book of receipts: sealed, bounded, erased with the plan, verified by nobody's word."""

from __future__ import annotations

import io
import os
import signal
import sqlite3
import sys
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from adapters.cli import app
from adapters.kit import receipts
from adapters.kit.receipts import FILE, KEY, PROOF_WITHIN_MS, ReceiptsKept
from adapters.kit.steps import StillRead
from adapters.sdk.errors import (
    CredentialsInvalid,
    Invalid,
    ReceiptRefused,
    Refusal,
    Unreachable,
)
from adapters.sdk.trust import trusting
from exchange.v1.common_pb2 import Receipt
from exchange.v1.ledger_service_pb2 import GetReceiptResponse
from tests.forked import ended
from tests.sdk.log_fake import FakeLog

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RPC = "/exchange.v1.PlanService/AssignSupport"
PLAN, OTHER = "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0001", "0e0cbe7b-6ef2-4d29-a6c1-c8f6f0ef0002"


class Book:
    """A book, the log it is of, and the time."""

    def __init__(self, state: Path) -> None:
        self.state, self.log, self.now_ms = state, FakeLog(7), 1_000
        self.quorum = True
        self.asked: list[int] = []
        self.kept = self.opened()

    def opened(self, most: int = receipts.KEPT_MOST) -> ReceiptsKept:
        return ReceiptsKept(self.state, most=most, now_ms=lambda: self.now_ms)

    def keep(self, *indices: int, plan: str = PLAN) -> None:
        for index in indices:
            self.kept.keep(self.log.receipt_for(index), RPC, plan)

    def ask(self, index: int) -> GetReceiptResponse:
        self.asked.append(index)
        return GetReceiptResponse(tlog_proof=self.log.proof(index, whole=True), quorum=self.quorum)

    def indices(self, plan: str = "") -> list[int]:
        return [one.leaf_index for one in self.kept.listed(plan)]

    def policy(self) -> Path:
        file = self.state.parent / "policy.txt"
        file.write_text(f"log {self.log.vkey}\nquorum none\n")
        return file


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "state")
    yield made
    made.kept.close()


def ran(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["receipts", *map(str, words)])
    return done.exit_code, done.output


def test_what_was_promised_is_listed_proven_and_verified_offline(book: Book) -> None:
    book.keep(2, 5)
    book.keep(5)
    book.keep(3, plan=OTHER)
    book.kept.prove(book.ask)
    assert book.asked == [2, 3, 5]
    one = book.kept.find(5)
    assert one is not None
    assert (one.position, one.rpc, one.entry) == (6, RPC, book.log.entries[5])
    book.kept.close()
    assert ran("list", "--state", book.state) == (
        0,
        "".join(f"{number} {number + 1} {RPC} d proof\n" for number in (2, 3, 5)),
    )
    code, told = ran("list", "--state", book.state, "--plan", OTHER, "--json")
    assert (code, '"leaf_index": 3' in told, told.count("\n")) == (0, True, 1)
    verified = (0, "3 hold, 0 wait for their proof, 0 do not hold\n")
    assert ran("verify", "--state", book.state, "--policy", book.policy()) == verified
    book.kept = book.opened()
    book.kept.prove(book.ask)
    assert book.asked == [2, 3, 5], "what is proven is asked no more"


def test_on_disk_nothing_of_it_can_be_read_and_only_its_owner_may(book: Book) -> None:
    book.keep(2)
    book.kept.prove(book.ask)
    secrets = (book.log.entries[2], RPC.encode(), PLAN.encode(), b"tlog-proof")
    for path in book.state.iterdir():
        content = path.read_bytes()
        assert not any(secret in content for secret in secrets), path.name
        assert path.stat().st_mode & 0o077 == 0, path.name


def test_the_proof_is_asked_again_until_enough_witnesses_cosigned(book: Book) -> None:
    book.quorum = False
    book.keep(1)
    book.kept.prove(book.ask)
    book.keep(4)
    book.kept.prove(book.ask)
    # Those first that were asked for least.
    assert book.asked == [1, 4, 1]
    book.quorum = True
    book.kept.prove(book.ask)
    book.kept.prove(book.ask)
    assert book.asked == [1, 4, 1, 4, 1]


def test_a_proof_of_another_entry_is_not_kept_and_is_told_after_a_day(book: Book) -> None:
    book.keep(1)
    book.kept.prove(lambda _: book.ask(2))
    book.kept.prove(lambda _: GetReceiptResponse(tlog_proof="nothing", quorum=True))
    book.now_ms += PROOF_WITHIN_MS
    assert book.kept.verify(trusting(book.log.vkey)).unproven == 1
    book.now_ms += 1
    assert book.kept.verify(trusting(book.log.vkey)).wrong == ((1, "no proof came within a day"),)
    book.kept.prove(book.ask)
    assert book.kept.verify(trusting(book.log.vkey)).hold == 1


def test_an_exchange_that_is_away_is_asked_at_the_next_look(book: Book) -> None:
    def away(_index: int) -> GetReceiptResponse:
        raise Unreachable(Refusal("", "nobody is there"))

    book.keep(1)
    book.kept.prove(away)
    book.kept.prove(book.ask)
    assert book.kept.verify(trusting(book.log.vkey)).hold == 1


def test_an_exchange_that_is_slow_holds_up_nothing_for_long(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    book.keep(1)
    monkeypatch.setattr(receipts, "PROVE_S", -1.0)
    book.kept.prove(book.ask)
    assert book.asked == []


def test_what_does_not_hold_is_named_by_its_leaf_and_ends_with_one(book: Book) -> None:
    book.keep(1, 2)
    book.kept.prove(book.ask)
    # The same size, another history, the same key: an exchange that shows two.
    book.log.entries[6] = b"another"
    book.keep(3)
    book.kept.prove(book.ask)
    book.kept.close()
    connection = sqlite3.connect(book.state / FILE)
    connection.execute("UPDATE receipt SET sealed = zeroblob(90) WHERE leaf_index = 1")
    connection.commit()
    connection.close()
    code, told = ran("verify", "--state", book.state, "--policy", book.policy())
    assert code == 1
    assert told.splitlines() == [
        "1 hold, 0 wait for their proof, 2 do not hold",
        "1: does not open with the key in the state folder",
        "3: its log showed two histories of one size",
    ]
    book.log = FakeLog(7, seed=b"o" * 32)
    code, told = ran("verify", "--state", book.state, "--policy", book.policy())
    assert (code, told.startswith("0 hold")) == (1, True)
    assert ran("list", "--state", book.state)[0] == 2


def test_two_entries_for_one_leaf_are_refused_and_the_first_stays(book: Book) -> None:
    book.keep(1)
    with pytest.raises(ReceiptRefused, match="leaf 1"):
        book.kept.keep(Receipt(leaf_index=1, leaf_entry=b"another"), RPC, PLAN)
    (one,) = book.kept.listed()
    assert one.entry == book.log.entries[1]


def test_the_oldest_make_room(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "_TRIM_EVERY", 0)
    book.kept.close()
    book.kept = book.opened(most=3)
    book.keep(0, 1, 2)
    assert book.indices() == [0, 1, 2]
    book.keep(3, 4)
    assert book.indices() == [2, 3, 4]


def test_those_of_a_plan_go_with_its_erasure_and_that_is_told_once_more_after_a_kill(book: Book) -> None:
    book.keep(1, 2)
    book.keep(3, plan=OTHER)
    book.kept.expect("e-1", [PLAN])
    assert book.indices() == [3]
    # Another look before it was answered.
    book.kept.expect("e-1", [PLAN])
    book.kept.close()
    book.kept = book.opened()
    assert book.kept.erase("e-1")
    assert not book.kept.erase("e-2")
    assert (book.indices(), book.indices(PLAN)) == ([3], [])


def test_while_somebody_reads_it_is_not_told_erased(book: Book) -> None:
    book.keep(1)
    reading = sqlite3.connect(book.state / FILE, isolation_level=None)
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM receipt").fetchall()
    book.kept._database.execute("PRAGMA busy_timeout = 1")
    book.kept.expect("e-1", [PLAN])
    with pytest.raises(StillRead):
        book.kept.erase("e-1")
    reading.close()
    assert book.kept.erase("e-1")


def test_the_book_is_written_anew_once_for_all_that_is_erased_and_for_nothing_never(book: Book) -> None:
    anew: list[str] = []
    book.kept._database.set_trace_callback(lambda text: anew.append(text) if text == "VACUUM" else None)
    book.keep(1, 2)
    book.keep(3, plan=OTHER)
    book.kept.expect("e-0", ["nobody's"])
    assert not book.kept.erase("e-0")
    book.kept.prove(book.ask)
    assert anew == []
    for _ in range(2):
        book.kept.expect("e-1", [PLAN])
        book.kept.expect("e-2", [OTHER])
        book.kept.prove(book.ask)
        assert book.kept.erase("e-1")
        assert book.kept.erase("e-2")
    assert len(anew) == 1
    # A kill may have come between the two: before anything is told, once more.
    book.kept.close()
    book.kept = book.opened()
    book.kept._database.set_trace_callback(lambda text: anew.append(text) if text == "VACUUM" else None)
    assert book.kept.erase("e-1")
    assert book.kept.erase("e-2")
    assert len(anew) == 2


@pytest.mark.parametrize("harm", ["gone", "open", "short"])
def test_without_its_key_it_is_not_opened_and_no_other_is_made(harm: str, book: Book) -> None:
    book.keep(1)
    book.kept.close()
    key = book.state / KEY
    if harm == "gone":
        key.unlink()
    else:
        key.chmod(0o644 if harm == "open" else 0o600)
        key.write_bytes(bytes(32 if harm == "open" else 31))
    with pytest.raises(CredentialsInvalid):
        book.opened()
    assert ran("list", "--state", book.state)[0] == 2
    assert key.exists() is (harm != "gone")


def test_a_wrong_call_is_told_so(book: Book, tmp_path: Path) -> None:
    assert ran("list", "--state", tmp_path / "nowhere")[0] == 2
    bad = tmp_path / "bad"
    for content in (b"log\n", b"\xff\n", b""):
        bad.write_bytes(content)
        assert ran("verify", "--state", book.state, "--policy", bad)[0] == 2
    assert ran("verify", "--state", book.state, "--policy", tmp_path / "none")[0] == 2


def test_what_was_kept_survives_a_kill(tmp_path: Path) -> None:
    def keep() -> None:
        sys.stderr = io.StringIO()
        Book(tmp_path / "state").keep(1)
        os.kill(os.getpid(), signal.SIGKILL)

    assert ended(keep) == -signal.SIGKILL
    again = Book(tmp_path / "state")
    assert again.indices() == [1]
    again.kept.close()


def test_another_key_is_told_at_once_and_nothing_is_kept_or_erased_under_it(book: Book) -> None:
    book.keep(1)
    book.kept.close()
    (book.state / KEY).write_bytes(bytes(range(32)))
    with pytest.raises(CredentialsInvalid, match="another"):
        book.opened()
    assert ran("list", "--state", book.state)[0] == 2
    code, told = ran("verify", "--state", book.state, "--policy", book.policy())
    assert (code, "another" in told) == (2, True)


def spoil(book: Book, index: int) -> None:
    connection = sqlite3.connect(book.state / FILE, isolation_level=None)
    connection.execute("UPDATE receipt SET sealed = zeroblob(90) WHERE leaf_index = ?", (index,))
    connection.close()


def test_one_that_opens_no_more_holds_up_no_proof_and_no_erasure(book: Book) -> None:
    book.keep(1, 2)
    spoil(book, 1)
    book.kept.prove(book.ask)
    assert book.asked == [1, 2]
    # The same command again, as after a lost answer, mends it.
    book.keep(1)
    book.kept.prove(book.ask)
    assert book.kept.verify(trusting(book.log.vkey)).hold == 2
    spoil(book, 1)
    book.kept.expect("e-1", [PLAN])
    assert book.kept.erase("e-1")


def test_a_leaf_that_is_refused_holds_up_no_other(book: Book) -> None:
    def refusing(index: int) -> GetReceiptResponse:
        if index == 1:
            raise Invalid(Refusal("NOT_FOUND", "no such leaf"))
        return book.ask(index)

    book.keep(1, 2)
    for _ in range(2):
        book.kept.prove(refusing)
    assert book.asked == [2]
    assert book.kept.verify(trusting(book.log.vkey)).hold == 1


@pytest.mark.parametrize(
    "content", [b"no database at all, but long enough", b"SQLite format 3\x00" + bytes(84)]
)
def test_a_file_that_is_no_book_is_told_so(content: bytes, book: Book) -> None:
    book.kept.close()
    (book.state / FILE).write_bytes(content)
    calls: tuple[tuple[object, ...], ...] = (("list",), ("verify", "--policy", book.policy()))
    for words in calls:
        code, told = ran(*words, "--state", book.state)
        assert (code, "Traceback" in told, "receipts.db" in told) == (2, False, True), told
