"""The store of signed checkpoints: compare and swap, nothing deleted, nothing changed."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import ExchangeError, ForkRefused, HistoryUnreadable, StoreUnavailable, VersionConflict
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.checkpoints import ORIGINS, CheckpointStore
from tests.databases.kept import Faulty, line_to
from tests.ledger.builders import NOON, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.databases.place import Place


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("checkpoints.sqlite")


@pytest.fixture
def store(place: Place) -> Iterator[CheckpointStore]:
    made = CheckpointStore(place)
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


def test_the_names_of_the_logs_are_found_without_reading_every_checkpoint(
    store: CheckpointStore, place: Place
) -> None:
    assert store.origins() == frozenset()
    others = [f"exchange.example/0014/{year}" for year in (2024, 2025, 2026)]
    for origin in (ORIGIN, *others):
        for size in (1, 2):
            before = store.last(origin)
            store.claim(before and before[0], Checkpoint(origin, size, b"r" * 32), NOON)
    assert store.origins() == {ORIGIN, *others}
    if isinstance(place, Path):
        with closing(sqlite3.connect(place)) as c:
            steps = [step for *_, step in c.execute(f"EXPLAIN QUERY PLAN {ORIGINS}")]
        assert [step for step in steps if step.startswith("SCAN")] == ["SCAN name", "SCAN name"]
        assert sum(step.startswith("SEARCH signed") for step in steps) == 2


def test_a_claim_survives_a_restart(place: Place) -> None:
    first = CheckpointStore(place)
    first.claim(None, head(3), NOON)
    first.close()
    second = CheckpointStore(place)
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
    assert store.keep_note(head(5), b"first") == b"first"
    # Who signed it too gives out the one that everybody else does.
    assert store.keep_note(head(5), b"second") == b"first"
    store.keep_note(replace(head(5), root=b"x" * 32), b"third")
    assert store.last(ORIGIN) == (head(5), b"first")


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM signed",
        "UPDATE signed SET root = (SELECT note FROM signed)",
        "UPDATE signed SET note = NULL",
        "UPDATE signed SET size = 4",
        "DELETE FROM kept_line",
        "UPDATE kept_line SET number = 2",
    ],
)
def test_sql_beside_us_cannot_change_what_is_kept(
    store: CheckpointStore, place: Place, statement: str
) -> None:
    store.claim(None, head(5), NOON)
    store.keep_note(head(5), b"n" * 32)
    store.add_line("erasures", 1, b"one")
    kept = (sqlite3.IntegrityError, psycopg.errors.IntegrityConstraintViolation)
    with closing(line_to(place)) as beside, pytest.raises(kept):
        beside.execute(statement)
    assert store.history(ORIGIN) == [(head(5), b"n" * 32)]
    assert store.lines("erasures") == [b"one"]


def test_of_several_at_once_one_wins(place: Place) -> None:
    stores = [CheckpointStore(place) for _ in range(4)]
    start = Barrier(4)

    def race(number: int) -> str:
        start.wait(timeout=10)
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


def test_a_closed_store_answers_with_our_error(place: Place) -> None:
    store = CheckpointStore(place)
    store.close()
    with pytest.raises(StoreUnavailable):
        store.last(ORIGIN)


def test_two_that_sign_two_histories_of_one_size_cannot_both(place: Place) -> None:
    """Each tries to claim its own root for every size, as nodes of which one is wrong would."""
    stores = [CheckpointStore(place) for _ in range(2)]
    start = Barrier(2)

    def sign(number: int) -> list[tuple[int, bytes]]:
        mine, root = [], bytes((number,)) * 32
        start.wait(timeout=10)
        for size in range(1, 26):
            last = stores[number].last(ORIGIN)
            try:
                stores[number].claim(None if last is None else last[0], head(size, root), NOON)
            except (ForkRefused, VersionConflict):
                continue
            mine.append((size, root))
        return mine

    with ThreadPoolExecutor(2) as pool:
        signed = [one for of_node in pool.map(sign, range(2)) for one in of_node]
    assert len({size for size, _ in signed}) == len(signed) > 0
    assert sorted(signed) == [(one.size, one.root) for one, _ in stores[0].history(ORIGIN)]
    for store in stores:
        store.close()


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept"])
def test_a_claim_reported_lost_is_looked_at_and_made_once(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    database = store._database
    with monkeypatch.context() as fault:
        fault.setattr(database, "_connection", Faulty(database._connection, persisted=persisted))
        with pytest.raises(StoreUnavailable):
            store.claim(None, head(5), NOON)
    assert store.last(ORIGIN) == ((head(5), b"") if persisted else None)
    if persisted:
        with pytest.raises(VersionConflict):
            store.claim(None, head(5, b"x" * 32), NOON)
    else:
        store.claim(None, head(5), NOON)
    assert store.history(ORIGIN) == [(head(5), b"")]


def test_lines_are_appended_one_after_another_by_whoever_is_first(
    store: CheckpointStore, place: Place
) -> None:
    with closing(CheckpointStore(place)) as other:
        store.add_line("erasures", 1, b"one")
        for number in (1, 3):
            with pytest.raises(VersionConflict):
                other.add_line("erasures", number, b"another")
        other.add_line("erasures", 2, b"two")
        other.add_line("names", 1, b"of another list")
    assert (store.lines("erasures"), store.lines("erasures", 1)) == ([b"one", b"two"], [b"two"])
    assert store.lines("nothing") == []


def test_a_store_of_a_newer_version_is_left_alone(store: CheckpointStore, place: Place) -> None:
    store.claim(None, head(5), NOON)
    with closing(line_to(place)) as line:
        line.execute(
            "PRAGMA user_version = 3"
            if isinstance(place, Path)
            else "UPDATE checkpoint_store SET version = 3"
        )
    with pytest.raises(HistoryUnreadable, match="newer"):
        CheckpointStore(place)
    assert store.last(ORIGIN) == (head(5), b"")
