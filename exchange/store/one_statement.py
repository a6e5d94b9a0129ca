"""The one statement that writes a group: head, events, leaves and answers as one row of a view.

Promises: what it writes stands whole or not at all; it refuses a head that moved before it writes anything.
The view and its trigger live in the connection, not in the file. Python's lock is given back when the
statement begins and asked again when it ended: with a statement for each table, a commit waited at every one
of them for the thread that walks the next group. All bytes of a group are one value, and where each row has
its own in it is told in digits of a fixed width: SQLite looks them up in place, where rows of a statement
with a trigger are first copied to a table of their own.
Source: sqlite.org/lang_createtrigger.html (INSTEAD OF, RAISE), json1.html#jeach;
exchange/decisions/0048-one-statement.md, 0159-less-on-the-way-of-a-call.md.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exchange.store.batch import Batch

ROWS_MAX: Final = 1_024
BYTES_MAX: Final = 64 * 1024 * 1024  # of a statement; SQLite takes a thousand million
INSERT: Final = "INSERT OR ROLLBACK INTO written VALUES (?,?,?,?,?,?,?)"
# A place is where bytes begin, counted from one, and how many there are.
_EVENT: Final = "%010d%010d%019d%019d%s".__mod__  # place of the state, number of the stream, version, topic
_LEAF: Final = "%010d%010d".__mod__  # place of the entry
_ANSWER: Final = "%010d%010d%010d".__mod__  # where the name begins, its content and its answer follow
_encode: Final = msgspec.json.Encoder().encode
VIEW: Final = (
    """CREATE TEMP VIEW written AS SELECT NULL AS base, NULL AS head, NULL AS frontier,
        NULL AS events, NULL AS leaves, NULL AS answers, NULL AS bytes""",
    """CREATE TEMP TRIGGER written_group INSTEAD OF INSERT ON written BEGIN
        UPDATE head SET position = new.head, frontier = new.frontier
        WHERE one = 1 AND position = new.base AND new.head IS NOT NULL;
        SELECT RAISE(ROLLBACK, 'head moved') WHERE new.head IS NOT NULL AND changes() <> 1;
        INSERT INTO stored_events (position, stream, version, topic, state)
        SELECT new.base + 1 + key, CAST(substr(value, 21, 19) AS INTEGER),
            CAST(substr(value, 40, 19) AS INTEGER), substr(value, 59),
            substr(new.bytes, CAST(substr(value, 1, 10) AS INTEGER), CAST(substr(value, 11, 10) AS INTEGER))
        FROM json_each(new.events);
        INSERT INTO leaves (leaf_index, entry)
        SELECT new.base + key,
            substr(new.bytes, CAST(substr(value, 1, 10) AS INTEGER), CAST(substr(value, 11, 10) AS INTEGER))
        FROM json_each(new.leaves);
        INSERT INTO requests (name, content, answer)
        SELECT substr(new.bytes, CAST(substr(value, 1, 10) AS INTEGER), 16),
            substr(
                new.bytes,
                CAST(substr(value, 1, 10) AS INTEGER) + 16, CAST(substr(value, 11, 10) AS INTEGER)
            ),
            substr(
                new.bytes,
                CAST(substr(value, 1, 10) AS INTEGER) + 16 + CAST(substr(value, 11, 10) AS INTEGER),
                CAST(substr(value, 21, 10) AS INTEGER)
            )
        FROM json_each(new.answers);
    END""",
)


class Row(NamedTuple):
    """What `INSERT` takes: events, leaves and answers in JSON, each with where its `bytes` are.

    Without a `head` none is moved: whoever writes a group in several steps moved it before.
    """

    base: int
    head: int | None
    frontier: bytes | None
    events: str
    leaves: str
    answers: str
    bytes: bytes


def row_of(batch: Batch, number_of: Callable[[str], int]) -> Row:
    """Return a whole batch; `number_of` gives the number of a stream."""
    return _row(batch, number_of, 0, len(batch.events))._replace(head=batch.head, frontier=batch.frontier)


def rows_of(batch: Batch, number_of: Callable[[str], int]) -> Iterator[Row]:
    """Yield a batch without its head in as many rows as it takes, the answers with the first."""
    for start, end in _parts(batch):
        yield _row(batch, number_of, start, end)


def fits(batch: Batch) -> bool:
    """Tell whether one statement takes a batch."""
    return len(_parts(batch)) == 1


def _parts(batch: Batch) -> list[tuple[int, int]]:
    """Return which events go together: at most `ROWS_MAX`, of at most `BYTES_MAX` unless it is one."""
    found, start, held = [], 0, 0
    for number, one in enumerate(batch.events):
        size = len(one.state)
        held += size
        if number - start == ROWS_MAX or (held > BYTES_MAX and number > start):
            found.append((start, number))
            start, held = number, size
    return [*found, (start, len(batch.events))]


def _row(batch: Batch, number_of: Callable[[str], int], start: int, end: int) -> Row:
    events, entries = batch.events[start:end], batch.leaves[start:end]
    requests = () if start else batch.requests
    states = [one.state for one in events]
    answers = [(one.name, one.content, one.answer) for one in requests]
    pieces = [*states, *entries, *(b"".join(one) for one in answers)]
    # Where each begins; the last is where one more would.
    begins = list(accumulate(map(len, pieces), initial=1))
    of_leaves, of_answers = begins[len(states) :], begins[len(states) + len(entries) :]
    return Row(
        batch.base + start,
        None,
        None,
        _json(
            [
                _EVENT(
                    (begin, len(state), number_of(str(one.originator_id)), one.originator_version, one.topic)
                )
                for begin, state, one in zip(begins, states, events, strict=False)
            ]
        ),
        _json([_LEAF((begin, len(one))) for begin, one in zip(of_leaves, entries, strict=False)]),
        _json(
            [
                _ANSWER((begin, len(content), len(answer)))
                for begin, (_, content, answer) in zip(of_answers, answers, strict=False)
            ]
        ),
        b"".join(pieces),
    )


def _json(texts: Sequence[str]) -> str:
    return _encode(texts).decode()
