"""Verifying the store against its own ledger: every difference is found and named by its position."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.store import verify as room
from exchange.store.standing import KEYS, said_in, stands_in_its_own
from exchange.store.verify import verify_store
from tests.store.builders import Store, event, leaf

if TYPE_CHECKING:
    from exchange.store.verify import StoreReport

GOLDEN: Final = Path(__file__).parents[1] / "golden" / "events"
# Cursors, counts, tables and lists of an organisation, a day, a year or a month: none decides about anybody.
SAY_NO_KEY: Final = frozenset({"delivery", "evaluation", "insight", "lookups"})
BYTES = "the event's bytes are not those the leaf was made of"
FRONTIER = "the stored frontier is not that of the leaves"
VERSION = "a version is missing or doubled in its stream"
MORE_EVENTS = "there are more events than the head counts"
ELSEWHERE = "the event stands in another stream than its own"
MORE_LEAVES = "there are more leaves than the head counts"
NO_BYTES = "the event or the leaf is not stored as bytes"
UNREADABLE = "the event cannot be read"
OTHER_LEAF = "UPDATE leaves SET entry = CAST(replace(CAST(entry AS TEXT), 'WMO', 'PW') AS BLOB)"


@pytest.fixture
def filled(store: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Eight events on three streams, verified in pages of three."""
    monkeypatch.setattr(room, "PAGE_ROWS", 3)
    store.add("plan-1", "case-1", "plan-1")
    store.add("plan-1", "plan-2", "plan-1", "case-1", "plan-2")
    return store


def verified(store: Store) -> StoreReport:
    return verify_store(store.reader)


def test_a_store_as_written_is_in_order(filled: Store) -> None:
    report = verified(filled)
    assert report.ok
    assert (report.position, report.events, report.leaves) == (8, 8, 8)
    assert report.root == filled.frontier.root().hex()


def test_an_empty_store_is_in_order(store: Store) -> None:
    report = verified(store)
    assert report.ok
    assert report.root == Frontier().root().hex()


@pytest.mark.parametrize(
    ("statements", "problems"),
    [
        (["UPDATE stored_events SET state = CAST(state || ' ' AS BLOB) WHERE position = 5"], [(5, BYTES)]),
        (
            ["UPDATE stored_events SET state = x'00ff' WHERE position = 5"],
            [(5, BYTES), (5, UNREADABLE)],
        ),
        (
            ['UPDATE stored_events SET state = CAST(\'{"id":"zz"}\' AS BLOB) WHERE position = 5'],
            [(5, BYTES), (5, UNREADABLE)],
        ),
        (
            ["UPDATE stored_events SET topic = 'case.opened.v1' WHERE position = 1"],
            [(1, "event and leaf have other topics"), (1, ELSEWHERE)],
        ),
        (
            [OTHER_LEAF + " WHERE leaf_index = 4"],
            [(8, FRONTIER)],
        ),
        (
            ["UPDATE leaves SET entry = x'7b7d' WHERE leaf_index = 4"],
            [(5, "the leaf cannot be read"), (8, FRONTIER)],
        ),
        (["DELETE FROM leaves WHERE leaf_index = 4"], [(5, "the leaf is missing"), (8, FRONTIER)]),
        (["DELETE FROM leaves WHERE leaf_index = 7"], [(8, "the leaf is missing"), (8, FRONTIER)]),
        (["DELETE FROM leaves WHERE leaf_index = 0"], [(1, "the leaf is missing"), (8, FRONTIER)]),
        (["DELETE FROM stored_events WHERE position = 3"], [(3, "the event is missing"), (4, VERSION)]),
        (["DELETE FROM stored_events WHERE position = 8"], [(8, "the event is missing")]),
        (
            [
                "DROP INDEX stored_events_stream",
                "UPDATE stored_events SET version = 2 WHERE position = 4",
            ],
            [(4, VERSION), (6, VERSION)],
        ),
        (
            ["UPDATE stored_events SET version = 9 WHERE position = 8"],
            [(8, VERSION)],
        ),
        # An event of a stream without a name belongs to nothing.
        (
            ["DELETE FROM streams WHERE number = (SELECT stream FROM stored_events WHERE position = 8)"],
            [(5, "the event is missing"), (8, "the event is missing")],
        ),
        (["UPDATE head SET frontier = x'0000000000000000'"], [(8, FRONTIER)]),
        (
            ["INSERT INTO stored_events VALUES (9, 9, 1, 'plan.opened.v1', x'7b7d')"],
            [(9, MORE_EVENTS)],
        ),
        (
            ["INSERT INTO stored_events VALUES (-4, 9, 1, 'plan.opened.v1', x'7b7d')"],
            [(9, MORE_EVENTS)],
        ),
        (["INSERT INTO leaves VALUES (8, x'7b7d')"], [(9, MORE_LEAVES)]),
        (["INSERT INTO leaves VALUES (-1, x'7b7d')"], [(9, MORE_LEAVES)]),
        (
            ["UPDATE head SET position = 9"],
            [(9, "the event is missing"), (9, "the leaf is missing")],
        ),
    ],
)
def test_every_change_behind_the_ledger_is_found_where_it_is(
    filled: Store, statements: list[str], problems: list[tuple[int, str]]
) -> None:
    filled.tamper(*statements)
    assert verified(filled).problems == problems


def test_what_is_not_bytes_is_found(filled: Store) -> None:
    table = "CREATE TABLE stored_events(position, stream, version, topic, state)"
    filled.tamper(
        "CREATE TABLE kept AS SELECT * FROM stored_events",
        "DROP TABLE stored_events",
        table,
        "INSERT INTO stored_events SELECT * FROM kept",
        "UPDATE stored_events SET state = CAST(state AS TEXT) WHERE position = 5",
    )
    assert verified(filled).problems == [(5, NO_BYTES)]


def test_a_swapped_event_and_leaf_are_found(filled: Store) -> None:
    rows = {row.position: row.state for row in filled.reader.page(3, 2)}
    filled.put(4, state=rows[5])
    filled.put(5, state=rows[4])
    ids = "event and leaf have other ids"
    assert verified(filled).problems == [
        *((4, what) for what in (BYTES, ids, ELSEWHERE)),
        *((5, what) for what in (BYTES, ids, ELSEWHERE)),
    ]


def test_an_event_that_was_moved_to_another_stream_is_found(filled: Store) -> None:
    # Both streams keep their versions in order, and every byte of events and leaves stays as it was.
    filled.tamper(
        "CREATE TABLE moved AS SELECT position, stream FROM stored_events WHERE position IN (2, 3)",
        "DROP INDEX stored_events_stream",
        "UPDATE stored_events SET stream = (SELECT stream FROM moved WHERE position = 3), version = 2"
        " WHERE position = 2",
        "UPDATE stored_events SET stream = (SELECT stream FROM moved WHERE position = 2), version = 1"
        " WHERE position = 3",
    )
    assert verified(filled).problems == [(2, ELSEWHERE), (3, ELSEWHERE)]


def test_whom_a_stream_is_linked_to_is_held_against_its_first_event(store: Store) -> None:
    of_whom = {"plan-1": "r-1", "case-1": "r-1", "plan-2": "r-2"}
    batch = store.batch(*of_whom, links=[(ref, stream) for stream, ref in of_whom.items()])
    batch.events = [event(stream, 1, resident=ref) for stream, ref in of_whom.items()]
    batch.leaves = [leaf(one) for one in batch.events]
    frontier = Frontier()
    frontier.extend(map(hash_leaf, batch.leaves))
    batch.frontier = frontier.to_bytes()
    store.commit(batch)
    assert verified(store).ok
    store.tamper(
        "DELETE FROM links WHERE resident = 'r-1' AND stream = 'case-1'",
        "INSERT INTO links (resident, stream) VALUES ('r-1', 'plan-2'), ('r-2', 'plan-that-is-not-there')",
    )
    assert sorted(verified(store).problems) == [
        (2, "a stream of a resident is not linked to him"),
        (3, "a stream is linked to somebody else"),
    ]


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.json")), ids=lambda file: file.stem)
def test_every_event_there_is_says_where_it_stands(file: Path) -> None:
    golden = json.loads(file.read_text("utf-8"))
    topic, said = golden["topic"], said_in(golden["stored"].encode())
    kind = topic.partition(".")[0]
    key = {"resident": said.r, "disclosure": said.r}.get(kind) or said.d.get(KEYS.get(kind, f"{kind}_id"))
    if key is None:
        assert kind in SAY_NO_KEY
        return
    assert stands_in_its_own(f"{kind}-{key}", topic, said)
    for stream in (f"{kind}-another", f"{kind}-{key}x", f"another-{key}", kind):
        assert not stands_in_its_own(stream, topic, said)


def test_a_rewritten_event_with_its_own_leaf_shows_in_the_frontier(filled: Store) -> None:
    forged = event("plan-2", 1, "forged")
    filled.put(5, state=forged.state, entry=leaf(forged))
    assert verified(filled).problems == [(8, FRONTIER)]


def test_a_rewritten_frontier_gives_another_root(filled: Store) -> None:
    root = verified(filled).root
    forged = event("plan-2", 1, "forged")
    entries = filled.reader.leaf_entries(0, 8)
    entries[4] = leaf(forged)
    frontier = Frontier()
    frontier.extend(map(hash_leaf, entries))
    filled.put(5, state=forged.state, entry=entries[4], frontier=frontier.to_bytes())
    report = verified(filled)
    # Consistent in itself: only the last signed checkpoint, kept elsewhere, tells it from the truth.
    assert report.ok
    assert report.root != root


def test_a_store_that_grows_while_it_is_verified_is_in_order(filled: Store) -> None:
    reader = filled.reader
    page = reader.page

    class Growing:
        def __getattr__(self, name: str) -> object:
            return getattr(reader, name)

        def page(self, after: int, limit: int) -> object:
            filled.add("plan-1")
            return page(after, limit)

    report = verify_store(Growing())  # type: ignore[arg-type] # the same reader, with a writer beside it
    assert report.problems == []
    assert report.position == 8
    assert filled.reader.head()[0] > 8


def test_no_more_problems_are_told_than_the_bound(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "PROBLEMS_MAX", 2)
    filled.tamper("UPDATE stored_events SET state = CAST(state || ' ' AS BLOB)")
    report = verified(filled)
    assert len(report.problems) == 2
    assert not report.ok


def test_a_problem_never_repeats_what_is_stored(filled: Store, tmp_path: Path) -> None:
    filled.tamper('UPDATE stored_events SET state = CAST(\'{"id":"GEHEIM"}\' AS BLOB)')
    assert "GEHEIM" not in str(verified(filled).problems)
