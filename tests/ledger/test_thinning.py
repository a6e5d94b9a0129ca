"""Old notes go, but for the last of each hour; sizes and roots, the newest note, and every refusal stay."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from exchange.errors import ForkRefused, StoreOutdated, StoreUnavailable
from exchange.ledger.checkpoint import Checkpoint
from exchange.ledger.checkpoints import CheckpointStore, Thinned
from tests.databases.kept import Faulty, line_to
from tests.ledger.builders import NOON, ORIGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exchange.databases.place import Place

OTHER = "exchange.example/0014/2025"
# Minutes from noon; each a checkpoint of that many leaves and one.
MINUTES = (0, 20, 59, 60, 119, 120, 185, 186)
LAST_OF_HOURS = (59, 119, 120, 186)
KEPT = (sqlite3.IntegrityError, psycopg.errors.IntegrityConstraintViolation)


@pytest.fixture
def place(place_of: Callable[[str], Place]) -> Place:
    return place_of("checkpoints.sqlite")


@pytest.fixture
def store(place: Place) -> Iterator[CheckpointStore]:
    made = CheckpointStore(place)
    yield made
    made.close()


def at(minute: float) -> datetime:
    return NOON + timedelta(minutes=minute)


def head(minute: int, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, minute + 1, bytes((minute,)) * 32)


def sign(store: CheckpointStore, minutes: Sequence[int] = MINUTES, origin: str = ORIGIN) -> None:
    for minute in minutes:
        last = store.last(origin)
        store.claim(last and last[0], head(minute, origin), at(minute))
        store.keep_note(head(minute, origin), b"note %d" % minute)


def noted(store: CheckpointStore, origin: str = ORIGIN) -> list[int]:
    """Return the minutes whose notes are there, by the list that is shown."""
    found = store.signed_below(origin, 2**62, 1000)
    assert [one.note for one in found] == [b"note %d" % (one.size - 1) for one in found]
    return [one.size - 1 for one in reversed(found)]


def thin(store: CheckpointStore, before: datetime, limit: int = 2) -> int:
    behind: int | None = 0
    gone = 0
    while behind is not None:
        part = store.thin(ORIGIN, behind, before, limit)
        gone, behind = gone + part.gone, part.behind
    return gone


@pytest.mark.parametrize("limit", [1, 2, 3, len(MINUTES), 100])
def test_the_last_of_each_hour_stays_and_every_size_and_root(store: CheckpointStore, limit: int) -> None:
    sign(store)
    sign(store, (0, 20), OTHER)
    assert thin(store, at(10_000), limit) == len(MINUTES) - len(LAST_OF_HOURS)
    assert noted(store) == list(LAST_OF_HOURS)
    assert noted(store, OTHER) == [0, 20], "another log is another pass"
    assert [one for one, _ in store.history(ORIGIN)] == [head(minute) for minute in MINUTES]
    assert all(store.claimed(head(minute)) for minute in MINUTES)
    assert thin(store, at(10_000), limit) == 0, "done again it changes nothing"
    assert noted(store) == list(LAST_OF_HOURS)


@pytest.mark.parametrize(("before", "gone"), [(20, [0]), (20 + 1e-6, [0, 20]), (0, [])])
def test_what_is_younger_stays_to_the_moment(store: CheckpointStore, before: float, gone: list[int]) -> None:
    sign(store)
    thin(store, at(before))
    assert noted(store) == [one for one in MINUTES if one not in gone]


def test_the_newest_stays_though_a_later_one_was_claimed_and_not_signed(store: CheckpointStore) -> None:
    sign(store, (0, 1, 2))
    store.claim(head(2), head(3), at(3))
    thin(store, at(10_000))
    assert noted(store) == [2]
    assert store.signed(ORIGIN) == (head(2), b"note 2")
    assert store.last(ORIGIN) == (head(3), b"")
    # And it is signed after all, by whoever comes back.
    assert store.keep_note(head(3), b"note 3") == b"note 3"
    thin(store, at(10_000))
    assert noted(store) == [3]


def test_a_fork_is_refused_as_before(store: CheckpointStore) -> None:
    sign(store)
    thin(store, at(10_000))
    for minute in (0, 59, 186):
        with pytest.raises(ForkRefused):
            store.claim(head(186), Checkpoint(ORIGIN, minute + 1, b"x" * 32), at(200))
    assert not store.claimed(Checkpoint(ORIGIN, 1, b"x" * 32))


def test_who_signed_what_went_meanwhile_keeps_his_own_and_puts_none_back(store: CheckpointStore) -> None:
    sign(store)
    thin(store, at(10_000))
    assert store.keep_note(head(0), b"late") == b"late"
    assert noted(store) == list(LAST_OF_HOURS)


def test_a_clock_that_was_stepped_lets_more_stay_and_never_less(store: CheckpointStore) -> None:
    last = None
    for size, minute in enumerate((0, 1, 500_000, 2, 3, 61, 4, 5), start=1):
        claimed = Checkpoint(ORIGIN, size, b"r" * 32)
        store.claim(last, claimed, at(minute))
        store.keep_note(claimed, b"note")
        last = claimed
    thin(store, at(10_000))
    assert [one.size for one in store.signed_below(ORIGIN, 99, 99)] == [8, 6, 5, 3, 2]


def test_a_part_of_the_new_alone_ends_the_pass(store: CheckpointStore) -> None:
    sign(store)
    assert store.thin(ORIGIN, 0, at(1), 2) == Thinned(1, 21)
    assert store.thin(ORIGIN, 21, at(1), 2) == Thinned(0, None)


@pytest.mark.parametrize("persisted", [False, True], ids=["lost", "kept"])
def test_a_part_reported_lost_is_done_again(
    store: CheckpointStore, monkeypatch: pytest.MonkeyPatch, *, persisted: bool
) -> None:
    sign(store)
    database = store._database
    with monkeypatch.context() as fault:
        fault.setattr(database, "_connection", Faulty(database._connection, persisted=persisted))
        with pytest.raises(StoreUnavailable):
            store.thin(ORIGIN, 0, at(10_000), 2)
    assert noted(store) == list(MINUTES[2:] if persisted else MINUTES)
    assert thin(store, at(10_000)) == (2 if persisted else 4)
    assert noted(store) == list(LAST_OF_HOURS)


def test_two_that_look_alike_and_write_after_one_another_leave_the_last(
    store: CheckpointStore, place: Place
) -> None:
    sign(store)
    with closing(CheckpointStore(place)) as other:
        sizes = [minute + 1 for minute in MINUTES if minute not in LAST_OF_HOURS]
        assert [one._emptied(ORIGIN, sizes[:many]) for one, many in ((store, 3), (other, 4), (store, 4))] == [
            3,
            1,
            0,
        ]
        assert noted(other) == list(LAST_OF_HOURS)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE signed SET note = {nothing} WHERE size = 187",  # the newest
        "UPDATE signed SET note = {nothing} WHERE size = 60",  # the last of its hour
        "UPDATE signed SET note = {nothing} WHERE size = 1",  # once more
        "UPDATE signed SET note = {other} WHERE size = 1",  # put back
        "UPDATE signed SET note = NULL WHERE size = 1",
        "UPDATE signed SET note = {nothing} WHERE size = 201",  # never signed
        "UPDATE signed SET claimed_at = '2030-01-01T00:00:00+00:00' WHERE size = 1",
        "UPDATE signed SET root = {other} WHERE size = 1",
        "DELETE FROM signed WHERE size = 1",
    ],
)
def test_the_database_refuses_whatever_else_would_go(
    store: CheckpointStore, place: Place, statement: str
) -> None:
    sign(store)
    thin(store, at(10_000))
    store.claim(head(186), head(200), at(200))
    before = store.history(ORIGIN)
    in_sqlite = isinstance(place, Path)
    words = {"nothing": "x''" if in_sqlite else "''::bytea"}
    words["other"] = "zeroblob(32)" if in_sqlite else "decode(repeat('00', 32), 'hex')"
    with closing(line_to(place)) as beside, pytest.raises(KEPT):
        beside.execute(statement.format_map(words))
    assert store.history(ORIGIN) == before


def test_what_went_is_not_read_on_the_way_to_what_is_there(place: Place) -> None:
    """Of 20,000 notes of one hour one is left: both questions for it take fewer steps than a hundred rows."""
    if not isinstance(place, Path):
        pytest.skip("PostgreSQL plans by its statistics, which a new schema lacks")
    with closing(CheckpointStore(place)) as store:
        with closing(line_to(place)) as beside:
            beside.execute(
                "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
                " INSERT INTO signed SELECT ?, i, zeroblob(32), iif(i = 20000, x'01', x''), ? FROM n",
                (ORIGIN, NOON.isoformat()),
            )
        ticks: list[int] = []
        connection = store._database._connection
        assert isinstance(connection, sqlite3.Connection)
        connection.set_progress_handler(lambda: ticks.append(1), 100)
        assert store.thin(ORIGIN, 0, at(1), 2) == Thinned(0, None)
        assert [one.size for one in store.signed_below(ORIGIN, 2**62, 2)] == [20_000]
        assert len(ticks) < 10
        connection.execute("SELECT count(*) FROM signed WHERE length(note) = 0").fetchall()
        assert len(ticks) > 10, "the steps are counted"


def test_a_store_of_version_1_is_taken_forward(store: CheckpointStore, place: Place) -> None:
    sign(store)
    with closing(line_to(place)) as line:
        line.execute("DROP INDEX signed_noted")
        if isinstance(place, Path):
            line.execute("DROP TRIGGER note_stays")
            line.execute(
                "CREATE TRIGGER signed_is_fixed BEFORE UPDATE ON signed WHEN OLD.note IS NOT NULL"
                " BEGIN SELECT RAISE(ABORT, 'a signed checkpoint never changes'); END"
            )
            line.execute("PRAGMA user_version = 1")
        else:
            line.execute("DROP TRIGGER signed_is_fixed ON signed; DROP FUNCTION note_stays")
            line.execute(
                "CREATE TRIGGER signed_is_fixed BEFORE UPDATE ON signed FOR EACH ROW"
                " WHEN (OLD.note IS NOT NULL) EXECUTE FUNCTION is_kept()"
            )
            line.execute("UPDATE checkpoint_store SET version = 1")
    if not isinstance(place, Path):
        with pytest.raises(StoreOutdated):
            CheckpointStore(place)
        place = place._replace(forward=True)
    with closing(CheckpointStore(place)) as newer:
        thin(newer, at(10_000))
        assert noted(newer) == list(LAST_OF_HOURS)
