"""The store of signed checkpoints: compare and swap, nothing deleted, nothing changed."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.errors import ExchangeError, ForkRefused, StoreUnavailable, VersionConflict
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.checkpoints import CheckpointStore
from tests.ledger.builders import NOON, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> Iterator[CheckpointStore]:
    made = CheckpointStore(tmp_path / "checkpoints.sqlite")
    yield made
    made.close()


def head(size: int, root: bytes = b"r" * 32) -> Checkpoint:
    return Checkpoint(ORIGIN, size, root)


def test_claims_follow_one_another_and_are_all_kept(store: CheckpointStore) -> None:
    assert store.last(ORIGIN) is None
    store.claim(None, head(1), NOON)
    assert store.last(ORIGIN) == (head(1), b"")
    store.keep_note(head(1), b"note")
    store.claim(head(1), head(5), NOON)
    assert store.history(ORIGIN) == [(head(1), b"note"), (head(5), b"")]
    assert store.last("exchange.example/0014/2026") is None


def test_a_claim_survives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.sqlite"
    first = CheckpointStore(path)
    first.claim(None, head(3), NOON)
    first.close()
    second = CheckpointStore(path)
    assert second.last(ORIGIN) == (head(3), b"")
    second.close()


@pytest.mark.parametrize("size", [1, 4, 5])
def test_a_size_that_is_not_larger_is_a_fork(store: CheckpointStore, size: int) -> None:
    store.claim(None, head(5), NOON)
    with pytest.raises(ForkRefused):
        store.claim(head(5), head(size, b"x" * 32), NOON)
    assert store.history(ORIGIN) == [(head(5), b"")]


def test_a_claim_on_what_is_no_longer_last_is_refused(store: CheckpointStore) -> None:
    store.claim(None, head(5), NOON)
    for expected in (None, head(4), replace(head(5), root=b"x" * 32)):
        with pytest.raises(VersionConflict):
            store.claim(expected, head(6), NOON)
    store.claim(head(5), head(6), NOON)


def test_what_another_claimed_meanwhile_is_no_fork(store: CheckpointStore) -> None:
    store.claim(None, head(5), NOON)
    store.claim(head(5), head(9), NOON)
    # Whoever publishes beside it looks again, and goes on from there.
    for size in (6, 9):
        with pytest.raises(VersionConflict):
            store.claim(head(5), head(size), NOON)
    store.claim(head(9), head(12), NOON)


def test_the_first_note_stays(store: CheckpointStore) -> None:
    store.claim(None, head(5), NOON)
    store.keep_note(head(5), b"first")
    store.keep_note(head(5), b"second")
    store.keep_note(replace(head(5), root=b"x" * 32), b"third")
    assert store.last(ORIGIN) == (head(5), b"first")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM signed",
        "UPDATE signed SET root = zeroblob(32)",
        "UPDATE signed SET note = 'other'",
        "UPDATE signed SET size = 4",
    ],
)
def test_sql_beside_us_cannot_change_a_signed_checkpoint(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "checkpoints.sqlite"
    store = CheckpointStore(path)
    store.claim(None, head(5), NOON)
    store.keep_note(head(5), b"note")
    with sqlite3.connect(path) as beside, pytest.raises(sqlite3.IntegrityError):
        beside.execute(statement)
    beside.close()
    assert store.history(ORIGIN) == [(head(5), b"note")]
    store.close()


def test_of_two_at_once_one_wins(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.sqlite"
    stores = [CheckpointStore(path) for _ in range(4)]

    def race(number: int) -> str:
        try:
            stores[number].claim(None, head(number + 1), NOON)
        except ExchangeError as error:
            return error.code
        return "won"

    with ThreadPoolExecutor(4) as pool:
        outcomes = list(pool.map(race, range(4)))
    assert outcomes.count("won") == 1
    assert set(outcomes) <= {"won", "VERSION_CONFLICT", "FORK_REFUSED"}
    assert len(stores[0].history(ORIGIN)) == 1
    for store in stores:
        store.close()


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints.sqlite"
    path.write_bytes(b"this is not a database, and long enough to be read as one" * 20)
    with pytest.raises(StoreUnavailable):
        CheckpointStore(path)


def test_a_closed_store_answers_with_our_error(tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints.sqlite")
    store.close()
    with pytest.raises(StoreUnavailable):
        store.last(ORIGIN)
