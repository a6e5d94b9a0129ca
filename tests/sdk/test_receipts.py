"""The book of receipts: proofs that hold are kept, forged ones and rolled-back logs are refused."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from adapters.sdk.aio import AsyncExchangeClient
from adapters.sdk.client import ExchangeClient
from adapters.sdk.errors import LedgerRefused, QuorumRefused, RollbackRefused, Unreachable
from adapters.sdk.proofs import verify_receipt
from adapters.sdk.receipts import ReceiptBook
from adapters.sdk.trust import parse_trust
from exchange.v1.common_pb2 import Receipt
from exchange.v1.ledger_service_pb2 import GetCheckpointResponse, GetReceiptResponse
from tests.ledger.builders import second_signer, signer, witness_vkey
from tests.sdk.conftest import OIN, QUICK
from tests.sdk.log_fake import ORIGIN, FakeLog, entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from adapters.sdk.credentials import Credentials
    from tests.sdk.exchange_fake import FakeExchange


@pytest.fixture
def log(exchange: FakeExchange) -> FakeLog:
    log = FakeLog(7)
    log.serve(exchange)
    return log


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "receipts.sqlite"


@pytest.fixture
def book(log: FakeLog, path: Path) -> Iterator[ReceiptBook]:
    book = ReceiptBook(path, log.vkey, OIN)
    yield book
    book.close()


@pytest.fixture
def nobody(exchange: FakeExchange, credentials: Credentials) -> Iterator[ExchangeClient]:
    """A client without person: proofs ask for none."""
    with ExchangeClient(exchange.target, credentials, patience=QUICK) as client:
        yield client


def test_a_receipt_is_proven_and_the_proof_holds_offline(
    log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(log.receipt_for(3), "SetGoal")
    assert book.settle(nobody.ledger) == 1
    assert book.unproven() == []
    kept = book.find(3)
    assert kept is not None
    assert (kept.rpc, kept.position, kept.entry) == ("SetGoal", 4, log.entries[3])
    assert verify_receipt(kept.entry, kept.proof, log.vkey) == 3
    seen = book.seen()
    assert seen is not None
    assert seen.size == 7
    assert book.settle(nobody.ledger) == 0


def test_the_book_survives_a_restart(log: FakeLog, book: ReceiptBook, path: Path) -> None:
    book.keep(log.receipt_for(3))
    book.close()
    again = ReceiptBook(path, log.vkey, OIN)
    assert [kept.leaf_index for kept in again.unproven()] == [3]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again.close()


def test_nothing_to_prove_asks_nothing(
    exchange: FakeExchange, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    assert book.settle(nobody.ledger) == 0
    assert not exchange.requests


def test_a_growing_log_is_followed(log: FakeLog, book: ReceiptBook, nobody: ExchangeClient) -> None:
    for size in (8, 9, 16, 33):
        book.keep(log.receipt_for(len(log.entries) - 1))
        log.grow(size - len(log.entries))
        assert book.settle(nobody.ledger) == 1
        seen = book.seen()
        assert seen is not None
        assert seen.size == size


def test_a_log_that_grows_at_every_question_is_followed(
    log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    log.grow_at_each_call = 1
    for index in range(6):
        book.keep(log.receipt_for(index))
    # A join may have to wait for a quieter moment; nothing is refused and nothing is lost.
    assert book.settle(nobody.ledger) + len(book.unproven()) == 6
    log.grow_at_each_call = 0
    book.settle(nobody.ledger)
    assert book.unproven() == []
    assert book.evidence() == []


async def test_the_asyncio_client_settles_too(
    log: FakeLog, book: ReceiptBook, exchange: FakeExchange, credentials: Credentials
) -> None:
    book.keep(log.receipt_for(0))
    book.keep(log.receipt_for(6))
    async with AsyncExchangeClient(exchange.target, credentials, patience=QUICK) as client:
        assert await book.settle_async(client.ledger) == 2
        log.grow(5)
        book.keep(log.receipt_for(11))
        assert await book.settle_async(client.ledger) == 1


def test_the_same_receipt_twice_is_one(log: FakeLog, book: ReceiptBook, nobody: ExchangeClient) -> None:
    book.keep(log.receipt_for(3))
    book.keep(log.receipt_for(3))
    assert book.settle(nobody.ledger) == 1
    book.keep(log.receipt_for(3))
    assert book.unproven() == []


def test_two_promises_for_one_index_are_refused(log: FakeLog, book: ReceiptBook) -> None:
    book.keep(log.receipt_for(3))
    with pytest.raises(LedgerRefused, match="two entries"):
        book.keep(Receipt(leaf_index=3, position=4, leaf_entry=entry(5)))


@pytest.mark.parametrize("found", [b"", b"no json", b"[]", entry(3, oin="00000009876543210000")])
def test_an_entry_about_somebody_else_is_refused(book: ReceiptBook, found: bytes) -> None:
    with pytest.raises(LedgerRefused, match="not about this organisation"):
        book.keep(Receipt(leaf_index=3, position=4, leaf_entry=found))
    assert book.unproven() == []


def test_an_entry_the_log_does_not_hold_is_refused(
    log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(Receipt(leaf_index=3, position=4, leaf_entry=entry(3, history="never written")))
    with pytest.raises(LedgerRefused, match="inclusion proof"):
        book.settle(nobody.ledger)
    assert [kept.leaf_index for kept in book.unproven()] == [3]


def test_a_receipt_signed_with_another_key_is_refused(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    forger = FakeLog(7, seed=b"f" * 32)
    proof = GetReceiptResponse(tlog_proof=forger.proof(3))
    exchange.on("GetReceipt", lambda _request, _context: proof)
    book.keep(log.receipt_for(3))
    with pytest.raises(LedgerRefused, match="signature"):
        book.settle(nobody.ledger)


def test_a_proof_of_another_index_is_refused(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    # The same entry stands twice in the log: the promise was about one place.
    log.entries[5] = log.entries[3]
    proof = GetReceiptResponse(tlog_proof=log.proof(5))
    exchange.on("GetReceipt", lambda _request, _context: proof)
    book.keep(log.receipt_for(3))
    with pytest.raises(LedgerRefused, match="shown at 5"):
        book.settle(nobody.ledger)


def test_a_rolled_back_log_is_refused_and_kept_as_evidence(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(log.receipt_for(3))
    book.settle(nobody.ledger)
    restored = FakeLog(5)
    restored.serve(exchange)
    with pytest.raises(RollbackRefused, match="older than"):
        book.settle(nobody.ledger)
    seen = book.seen()
    assert seen is not None
    assert seen.size == 7
    assert [(before, shown) for _, before, shown in book.evidence()] == [(log.note(), restored.note())]


@pytest.mark.parametrize("size", [7, 8, 20])
def test_a_rewritten_log_is_refused(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient, size: int
) -> None:
    book.keep(log.receipt_for(3))
    book.settle(nobody.ledger)
    FakeLog(size, history="rewritten").serve(exchange)
    with pytest.raises(RollbackRefused):
        book.settle(nobody.ledger)
    assert len(book.evidence()) == 1


@pytest.mark.parametrize("size", [4, 7, 9])
def test_a_receipt_under_another_history_is_refused(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient, size: int
) -> None:
    book.keep(log.receipt_for(1))
    book.settle(nobody.ledger)
    # The log answers everybody alike, but this receipt stands under a checkpoint nobody else sees.
    hidden = FakeLog(9)
    hidden.entries[2] = entry(2, history="hidden")
    log.grow(2)
    proof = GetReceiptResponse(tlog_proof=hidden.proof(3, size))
    exchange.on("GetReceipt", lambda _request, _context: proof)
    book.keep(log.receipt_for(3))
    with pytest.raises(RollbackRefused):
        book.settle(nobody.ledger)
    assert [kept.leaf_index for kept in book.unproven()] == [3]


def test_a_log_that_shows_two_histories_is_caught(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(log.receipt_for(1))
    book.settle(nobody.ledger)
    # Each history is sound in itself; only the newest checkpoint of both cannot be the same.
    hidden = FakeLog(7)
    hidden.entries[2] = entry(2, history="hidden")
    hidden.serve(exchange)
    exchange.on("GetCheckpoint", lambda _request, _context: GetCheckpointResponse(checkpoint=log.note()))
    proof = GetReceiptResponse(tlog_proof=hidden.proof(3, 4))
    exchange.on("GetReceipt", lambda _request, _context: proof)
    book.keep(log.receipt_for(3))
    with pytest.raises(RollbackRefused, match="another history"):
        book.settle(nobody.ledger)
    assert book.evidence()[0][1:] == (log.note(), hidden.note(4))


def test_a_receipt_under_an_older_checkpoint_of_the_same_history_holds(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(log.receipt_for(1))
    book.settle(nobody.ledger)
    proof = GetReceiptResponse(tlog_proof=log.proof(3, 5))
    exchange.on("GetReceipt", lambda _request, _context: proof)
    book.keep(log.receipt_for(3))
    log.grow(4)
    assert book.settle(nobody.ledger) == 1


def test_an_outage_leaves_what_was_kept(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    book.keep(log.receipt_for(3))
    exchange.stop()
    with pytest.raises(Unreachable):
        book.settle(nobody.ledger)
    assert [kept.leaf_index for kept in book.unproven()] == [3]


def test_a_note_that_is_none_is_refused(
    exchange: FakeExchange, log: FakeLog, book: ReceiptBook, nobody: ExchangeClient
) -> None:
    exchange.on("GetReceipt", lambda _request, _context: GetReceiptResponse(tlog_proof="no proof"))
    book.keep(log.receipt_for(3))
    with pytest.raises(LedgerRefused, match="tlog-proof"):
        book.settle(nobody.ledger)


def test_a_log_key_that_is_none_is_refused(path: Path) -> None:
    with pytest.raises(LedgerRefused, match="not name"):
        ReceiptBook(path, "no key", OIN)


# --- a policy with witnesses ---------------------------------------------------------------------------

WITNESSES = [signer(f"w{number}.example", bytes([number]) * 32) for number in (1, 2, 3)]
NAMED = "".join(f"witness W{at} {witness_vkey(one)}\n" for at, one in enumerate(WITNESSES, 1))


def witnessed(log: FakeLog, least: int) -> str:
    """Return a policy that asks so many of three witnesses."""
    return f"log {log.vkey}\n{NAMED}group street {least} W1 W2 W3\nquorum street\n"


@pytest.mark.parametrize("least", [1, 2, 3])
@pytest.mark.parametrize("cosigned", range(4))
def test_a_receipt_is_relied_on_where_enough_witnesses_cosigned(
    log: FakeLog, path: Path, nobody: ExchangeClient, least: int, cosigned: int
) -> None:
    log.witnesses = WITNESSES[:cosigned]
    book = ReceiptBook(path, witnessed(log, least), OIN)
    book.keep(log.receipt_for(3))
    if cosigned >= least:
        assert book.settle(nobody.ledger) == 1
        kept = book.find(3)
        assert kept is not None
        assert parse_trust(witnessed(log, least)).verify_receipt(kept.entry, kept.proof) == 3
    else:
        with pytest.raises(QuorumRefused, match="leaf 3 is not relied on: quorum") as refused:
            book.settle(nobody.ledger)
        assert refused.value.missing == ("W1", "W2", "W3")[cosigned:]
        assert all(name in str(refused.value) for name in refused.value.missing)
        assert [one.leaf_index for one in book.unproven()] == [3]
        log.witnesses = WITNESSES
        assert book.settle(nobody.ledger) == 1
    assert set(log.awaited) == {True}
    book.close()


def test_who_asks_no_witness_waits_for_none(log: FakeLog, book: ReceiptBook, nobody: ExchangeClient) -> None:
    book.keep(log.receipt_for(3))
    assert book.settle(nobody.ledger) == 1
    assert log.awaited == [False]


def test_the_same_witness_twice_is_one(log: FakeLog, path: Path, nobody: ExchangeClient) -> None:
    log.witnesses = [WITNESSES[0], WITNESSES[0]]
    book = ReceiptBook(path, parse_trust(witnessed(log, 2)), OIN)
    book.keep(log.receipt_for(3))
    with pytest.raises(QuorumRefused, match="W2, W3"):
        book.settle(nobody.ledger)
    book.close()


def test_a_witness_key_under_the_right_name_that_is_another_refuses_nothing_and_counts_for_nothing(
    log: FakeLog, path: Path, nobody: ExchangeClient
) -> None:
    log.witnesses = [WITNESSES[0], signer("w2.example", b"x" * 32)]
    book = ReceiptBook(path, witnessed(log, 2), OIN)
    book.keep(log.receipt_for(3))
    with pytest.raises(QuorumRefused) as refused:
        book.settle(nobody.ledger)
    assert refused.value.missing == ("W2", "W3")
    book.close()


def test_who_asks_both_keys_of_the_log_gets_receipts_with_both(
    log: FakeLog, path: Path, nobody: ExchangeClient
) -> None:
    second = second_signer(ORIGIN)
    book = ReceiptBook(path, f"log {log.vkey}\nwitness pq {second.vkey}\nquorum pq\n", OIN)
    book.keep(log.receipt_for(3))
    with pytest.raises(QuorumRefused, match="without the cosignature of pq"):
        book.settle(nobody.ledger)
    log.second = second
    assert book.settle(nobody.ledger) == 1
    kept = book.find(3)
    assert kept is not None
    assert len(kept.proof.splitlines()[-1]) > 3_000
    book.close()


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        ("quorum none\n", "names 0"),
        (f"log {FakeLog(1).vkey}\nlog {signer('other.example', b'o' * 32).vkey}\nquorum none\n", "names 2"),
        (f"log {FakeLog(1).vkey}\n", "no quorum line"),
    ],
)
def test_a_policy_that_is_not_of_one_log_makes_no_book(path: Path, policy: str, says: str) -> None:
    with pytest.raises(LedgerRefused, match=says):
        ReceiptBook(path, policy, OIN)
    assert not path.exists()
