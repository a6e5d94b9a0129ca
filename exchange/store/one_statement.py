"""The one statement that writes a group: head, events, leaves and answers, row by row through a view.

Promises: what it writes stands whole or not at all; it refuses a head that moved before it writes anything.
The view and its triggers live in the connection, not in the file. Python's lock is given back when the
statement begins and asked again when it ended: with a statement for each table, a commit waited at every one
of them for the thread that walks the next group.
Source: sqlite.org/lang_createtrigger.html (INSTEAD OF, RAISE); exchange/decisions/0048-one-statement.md.
"""

from __future__ import annotations

from functools import cache
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.store.batch import Batch

ROWS_MAX: Final = 1_024
_COLUMNS: Final = (
    *("base", "position", "stream", "version", "topic", "state"),
    *("leaf_index", "entry", "name", "content", "answer"),
)
_BLANK: Final = (None,) * len(_COLUMNS)
_NO_EVENT: Final = (None,) * 6
_NO_LEAF: Final = (None,) * 2
_NO_ANSWER: Final = (None,) * 3
_INSERT: Final = "INSERT OR ROLLBACK INTO written VALUES "
_ROW: Final = f"({','.join('?' * len(_COLUMNS))})"
# A row of the view is a move of the head; or an event, a leaf and an answer, or fewer of these three.
VIEW: Final = (
    f"CREATE TEMP VIEW written AS SELECT {', '.join(f'NULL AS {name}' for name in _COLUMNS)}",
    """CREATE TEMP TRIGGER written_head INSTEAD OF INSERT ON written WHEN new.base IS NOT NULL BEGIN
        UPDATE head SET position = new.position, frontier = new.state WHERE one = 1 AND position = new.base;
        SELECT RAISE(ROLLBACK, 'head moved') WHERE changes() <> 1;
    END""",
    """CREATE TEMP TRIGGER written_event INSTEAD OF INSERT ON written WHEN new.version IS NOT NULL BEGIN
        INSERT INTO stored_events (position, stream, version, topic, state)
        VALUES (new.position, new.stream, new.version, new.topic, new.state);
    END""",
    """CREATE TEMP TRIGGER written_leaf INSTEAD OF INSERT ON written WHEN new.leaf_index IS NOT NULL BEGIN
        INSERT INTO leaves (leaf_index, entry) VALUES (new.leaf_index, new.entry);
    END""",
    """CREATE TEMP TRIGGER written_answer INSTEAD OF INSERT ON written WHEN new.name IS NOT NULL BEGIN
        INSERT INTO requests (name, content, answer) VALUES (new.name, new.content, new.answer);
    END""",
)

Row = tuple[object, ...]


def rows_of(batch: Batch, number_of: Callable[[str], int]) -> list[Row]:
    """Return the rows of a batch without its head; `number_of` gives the number of a stream."""
    events: Iterator[Row] = (
        (None, position, number_of(str(one.originator_id)), one.originator_version, one.topic, one.state)
        for position, one in enumerate(batch.events, batch.base + 1)
    )
    leaves: Iterator[Row] = enumerate(batch.leaves, batch.base)
    # Numbered rows, found by a short name: random ids then touch the pages of a small index only.
    answers: Iterator[Row] = ((one.name, one.content, one.answer) for one in batch.requests)
    return [
        (event or _NO_EVENT) + (leaf or _NO_LEAF) + (answer or _NO_ANSWER)
        for event, leaf, answer in zip_longest(events, leaves, answers)
    ]


def head_of(batch: Batch) -> Row:
    """Return the row that moves the head from the batch's base to behind it."""
    return (batch.base, batch.head, None, None, None, batch.frontier, *_BLANK[6:])


def statement_of(rows: list[Row]) -> tuple[str, list[object]]:
    """Return the statement for at most `ROWS_MAX` rows, and its values.

    Blank rows fill it up to the next of a few sizes, at most an eighth more, so that it is found prepared.
    """
    step = 1 << max(0, len(rows).bit_length() - 4)
    size = -(-len(rows) // step) * step
    values = list(chain.from_iterable(rows))
    values += _BLANK * (size - len(rows))
    return _insert(size), values


@cache
def _insert(rows: int) -> str:
    # OR ROLLBACK is said here: what a trigger writes follows the word of the statement that fired it.
    return _INSERT + ",".join([_ROW] * rows)
