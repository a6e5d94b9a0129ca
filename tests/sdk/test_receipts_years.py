"""The book of receipts over the end of a year: a log is taken over the very end of the former, or refused."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapters.sdk.completeness import complete
from adapters.sdk.errors import LedgerRefused, RollbackRefused
from adapters.sdk.openings import proven_first
from adapters.sdk.proofs import ProofRefused
from adapters.sdk.receipts import ReceiptBook
from adapters.sdk.trust import parse_trust
from exchange.ledger.checkpoint import Checkpoint, SignedCheckpoint, sign_checkpoint
from exchange.ledger.leaf import leaf_entry
from exchange.ledger.merkle import consistency_proof, hash_leaf, root_of
from exchange.ledger.receipt import make_receipt
from exchange.v1.common_pb2 import Receipt
from exchange.v1.ledger_service_pb2 import (
    GetCheckpointResponse,
    GetConsistencyProofResponse,
    GetReceiptResponse,
    LogOpening,
)
from tests.ledger.builders import signer
from tests.sdk.conftest import OIN
from tests.sdk.log_fake import entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAMES = [f"exchange.example/0363/{year}" for year in (2026, 2027, 2028)]


class Year:
    """One log: its entries, and the event that opened it, if any did."""

    def __init__(self, origin: str, first: int, entries: list[bytes], event: bytes = b"") -> None:
        self.origin, self.first, self.entries, self.event = origin, first, entries, event

    def signed(self) -> SignedCheckpoint:
        head = Checkpoint(self.origin, len(self.entries), root_of([*map(hash_leaf, self.entries)]))
        return sign_checkpoint(head, signer(self.origin))

    def hash_at(self, level: int, index: int) -> bytes:
        return root_of([hash_leaf(one) for one in self.entries[index << level : (index + 1) << level]])


class Exchange:
    """What the ledger answers, over as many logs as years were turned; told to lie by changing its logs."""

    def __init__(self) -> None:
        self.years = [Year(NAMES[0], 0, [entry(number) for number in range(5)])]

    def write(self, count: int) -> None:
        newest = self.years[-1]
        start = newest.first + len(newest.entries)
        newest.entries += [entry(number) for number in range(start, start + count)]

    def turn(self, **lies: Any) -> None:  # noqa: ANN401 -- fields of several types
        former = self.years[-1]
        head, first = former.signed().checkpoint, former.first + len(former.entries)
        said = {
            "oin": OIN,
            "origin": NAMES[len(self.years)],
            "first": first,
            "former_origin": head.origin,
            "former_size": head.size,
            "former_root": head.root.hex(),
        }
        event = json.dumps({"id": "00" * 16, "d": said | lies}).encode()
        opening = leaf_entry(
            event_id=bytes(16),
            topic="ledger.opened.v1",
            organisation=OIN,
            task="beheer",
            purpose="beheer",
            basis="LOG",
            at="2027-01-01T00:00:00Z",
            state=event,
            pseudonym=None,
        )
        self.years.append(Year(NAMES[len(self.years)], first, [opening], event))

    def of(self, origin: str) -> Year:
        return next(one for one in self.years if one.origin == (origin or self.years[-1].origin))

    def receipt(self, number: int) -> Receipt:
        year = next(one for one in reversed(self.years) if one.first <= number)
        leaf = year.entries[number - year.first]
        return Receipt(position=number + 1, leaf_index=number, leaves=1, leaf_entry=leaf, decision_id="d")

    # --- the calls ---

    def get_checkpoint(self, *, origin: str) -> GetCheckpointResponse:
        year = self.of(origin)
        opening = LogOpening(first_leaf=year.first, entry=year.entries[0], event=year.event)
        return GetCheckpointResponse(
            checkpoint=year.signed().note.decode(), opening=opening if year.event else None
        )

    def get_receipt(self, *, leaf_index: int, **_: bool) -> GetReceiptResponse:
        year = next(one for one in reversed(self.years) if one.first <= leaf_index)
        proof = make_receipt(leaf_index - year.first, year.signed(), year.hash_at)
        return GetReceiptResponse(tlog_proof=proof.decode())

    def get_consistency_proof(self, *, from_size: int, origin: str) -> GetConsistencyProofResponse:
        year = self.of(origin)
        hashes = consistency_proof(from_size, len(year.entries), year.hash_at)
        return GetConsistencyProofResponse(checkpoint=year.signed().note.decode(), hashes=hashes)


def settled(book: ReceiptBook, exchange: Exchange) -> int:
    return book.settle(cast("Any", exchange))


def policy(*names: str) -> str:
    return "".join(f"log {signer(name).vkey}\n" for name in names) + "quorum none\n"


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


@pytest.fixture
def book(tmp_path: Path) -> Iterator[ReceiptBook]:
    made = ReceiptBook(tmp_path / "book", policy(*NAMES), OIN)
    yield made
    made.close()


def test_receipts_of_both_sides_are_proven_and_the_chain_is_seen(
    book: ReceiptBook, exchange: Exchange
) -> None:
    book.keep(exchange.receipt(4))
    assert settled(book, exchange) == 1
    exchange.write(3)
    book.keep(exchange.receipt(7))
    exchange.turn()
    exchange.write(2)
    for number in (9, 10):
        book.keep(exchange.receipt(number))
    assert settled(book, exchange) == 3
    assert [book.first_of(name) for name in NAMES] == [0, 8, None]
    seen, newest = book.seen(), exchange.years[1].signed().checkpoint
    assert seen is not None
    assert (seen.origin, seen.size, seen.root) == (newest.origin, newest.size, newest.root)
    assert book.unproven() == []
    assert settled(book, exchange) == 0


def test_a_year_that_was_slept_through_is_looked_at_too(book: ReceiptBook, exchange: Exchange) -> None:
    book.keep(exchange.receipt(1))
    settled(book, exchange)
    for _ in range(2):
        exchange.turn()
        exchange.write(4)
    book.keep(exchange.receipt(12))
    assert settled(book, exchange) == 1
    assert [book.first_of(name) for name in NAMES] == [0, 5, 10]


def test_a_book_begun_later_takes_the_log_it_finds(tmp_path: Path, exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(2)
    book = ReceiptBook(tmp_path / "later", policy(NAMES[1]), OIN)
    book.keep(exchange.receipt(6))
    assert settled(book, exchange) == 1
    assert book.first_of(NAMES[1]) == 5
    book.close()


def test_a_log_whose_key_is_not_in_the_policy_is_named(tmp_path: Path, exchange: Exchange) -> None:
    book = ReceiptBook(tmp_path / "early", policy(NAMES[0]), OIN)
    book.keep(exchange.receipt(0))
    settled(book, exchange)
    exchange.turn()
    with pytest.raises(LedgerRefused, match="the log of another year"):
        settled(book, exchange)
    book.close()


@pytest.mark.parametrize(
    "lies", [{"former_root": "0a" * 32}, {"former_size": 4}, {"former_size": 3, "first": 3}, {"first": 6}]
)
def test_a_log_that_begins_over_another_end_is_refused_and_kept(
    book: ReceiptBook, exchange: Exchange, lies: dict[str, Any]
) -> None:
    book.keep(exchange.receipt(1))
    settled(book, exchange)
    exchange.turn(**lies)
    if "first" in lies:
        exchange.years[1].first = lies["first"]
    with pytest.raises(RollbackRefused):
        settled(book, exchange)
    assert book.evidence()
    assert book.first_of(NAMES[1]) is None


def test_a_former_log_that_went_on_after_its_end_is_refused(book: ReceiptBook, exchange: Exchange) -> None:
    book.keep(exchange.receipt(1))
    settled(book, exchange)
    exchange.write(1)
    exchange.turn()
    former = exchange.years[0]
    former.entries.append(entry(99))
    with pytest.raises(RollbackRefused, match="ended otherwise"):
        settled(book, exchange)
    former.entries[:] = [entry(number, history="other") for number in range(6)]
    with pytest.raises(RollbackRefused):
        settled(book, exchange)


def test_a_log_without_an_opening_does_not_follow_the_one_seen(book: ReceiptBook, exchange: Exchange) -> None:
    book.keep(exchange.receipt(1))
    settled(book, exchange)
    exchange.turn()
    exchange.years[1].event = b""
    with pytest.raises(RollbackRefused, match="does not follow"):
        settled(book, exchange)


def test_an_event_that_is_not_of_the_first_leaf_opens_nothing(book: ReceiptBook, exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(1)
    exchange.years[1].event += b" "
    book.keep(exchange.receipt(6))
    with pytest.raises(LedgerRefused, match="began does not hold"):
        settled(book, exchange)


def test_a_log_that_had_ended_does_not_come_back(book: ReceiptBook, exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(1)
    book.keep(exchange.receipt(6))
    settled(book, exchange)
    exchange.years.pop()
    exchange.write(3)
    with pytest.raises(RollbackRefused, match="had ended"):
        settled(book, exchange)


def test_a_number_that_is_not_that_of_its_place_is_refused(book: ReceiptBook, exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(3)
    wrong = exchange.receipt(7)
    wrong.leaf_index = 6
    book.keep(wrong)
    real = exchange.get_receipt

    def another(*, leaf_index: int, **more: bool) -> GetReceiptResponse:
        return real(leaf_index=7 if leaf_index == 6 else leaf_index, **more)

    exchange.get_receipt = another  # type: ignore[method-assign] # it lies from here on
    with pytest.raises(LedgerRefused, match="promised at index 6 is shown at 7"):
        settled(book, exchange)


def test_a_book_of_before_goes_on_from_what_it_saw(tmp_path: Path, exchange: Exchange) -> None:
    path = tmp_path / "before"
    ReceiptBook(path, policy(NAMES[0]), OIN).close()
    seen = exchange.years[0].signed()
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE log")
        row = (seen.checkpoint.size, seen.checkpoint.root, seen.note.decode())
        database.execute("INSERT INTO seen VALUES (1, ?, ?, ?)", row)
    database.close()
    book = ReceiptBook(path, policy(*NAMES[:2]), OIN)
    found = book.seen()
    assert found is not None
    assert (found.origin, found.size, found.root) == (NAMES[0], 5, seen.checkpoint.root)
    exchange.years[0].entries[:] = [entry(number, history="other") for number in range(6)]
    with pytest.raises(RollbackRefused):
        settled(book, exchange)
    book.close()


@pytest.mark.parametrize(
    "names",
    [(NAMES[1], NAMES[0]), (NAMES[0], "exchange.example/0344/2027"), (NAMES[0], "other.example/2027")],
)
def test_a_policy_of_other_logs_makes_no_book(tmp_path: Path, names: tuple[str, ...]) -> None:
    text = "".join(f"log {signer(name, name[-32:].encode().ljust(32)).vkey}\n" for name in names)
    with pytest.raises(LedgerRefused, match="oldest first"):
        ReceiptBook(tmp_path / "none", f"{text}quorum none\n", OIN)


# --- where no book is kept ----------------------------------------------------------------------------------


def test_where_a_log_begins_is_proven_by_its_first_leaf(exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(2)
    trust, ledger = parse_trust(policy(*NAMES)), cast("Any", exchange)
    assert [proven_first(ledger, trust, name) for name in NAMES[:2]] == [0, 5]
    exchange.years[1].event += b" "
    with pytest.raises(ProofRefused, match="first leaf"):
        proven_first(ledger, trust, NAMES[1])


def test_an_answer_is_held_against_each_log_apart(exchange: Exchange) -> None:
    exchange.turn()
    exchange.write(2)
    keys = [b"k" * 32]
    former, newest = ((year, year.signed().checkpoint) for year in exchange.years)
    asked: Any = {"keys": keys, "size": 8}
    for (year, head), more in ((former, {"ended": True}), (newest, {"first": 5})):
        checked = Checkpoint(head.origin, head.size, head.root)
        found = complete([], entries=year.entries, checkpoint=cast("Any", checked), **asked, **more)
        assert found.holds
        named = complete([5, 1], entries=year.entries, checkpoint=cast("Any", checked), **asked, **more)
        assert named.foreign == ((5,) if year.first else (1,))
    with pytest.raises(ProofRefused, match="older than the answer"):
        complete([], entries=former[0].entries, checkpoint=cast("Any", former[1]), **asked)
