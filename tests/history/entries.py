"""The log as a checker sees it: one flat entry for each event, opened with the keys of the data folder.

Promises: reads what is stored, beside a running service or without one; keeps no state of the service.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003 -- msgspec reads the annotations of its structs at run time
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.consent_events import ConsentGiven, ConsentRequested, ConsentWithdrawn
from exchange.domain.disclosure import DisclosureDecided
from exchange.wiring.history import ROWS_PER_PAGE, open_history

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.settings import Settings
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.wiring.history import History

# Elements that hold words of a caller, by the kind of event that makes them.
ELEMENTS: Final = {"plan.goal_set": "goals", "plan.report_received": "reports"}
PLAN: Final = "plan-"


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One event at its position. `leaf` is the SHA-256 of its leaf, in hexadecimal."""

    position: int
    kind: str  # "plan.goal_set"
    at: datetime
    decision: str
    event: str
    leaf: str = ""
    plan: str = ""
    version: int = 0
    mark: str = ""  # words that no other event has
    case: str = ""
    consent: str = ""
    start: datetime | None = None
    end: datetime | None = None
    outcome: str = ""  # of a decision
    released: tuple[str, ...] = ()
    action: str = ""


def entries_of(settings: Settings) -> list[Entry]:
    """Return the whole log of a data folder."""
    with open_history(settings) as history:
        return list(_entries(history))


def _entries(history: History) -> Iterator[Entry]:
    after = 0
    while rows := history.reader.page(after, ROWS_PER_PAGE):
        leaves = dict(history.reader.leaf_rows(rows[0].position - 1, rows[-1].position))
        for row in rows:
            leaf = leaves.get(row.position - 1)
            yield entry_of(history.codec, row, "" if leaf is None else sha256(leaf).hexdigest())
        after = rows[-1].position


def entry_of(codec: Codec, row: Row, leaf: str = "") -> Entry:
    """Return the entry of one row."""
    opened = codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
    entry = Entry(
        position=row.position,
        kind=row.topic.rpartition(".v")[0],
        at=opened.meta.at,
        decision=opened.meta.decision_id,
        event=opened.event_id.hex(),
        leaf=leaf,
    )
    if row.stream.startswith(PLAN):
        entry.plan, entry.version = row.stream.removeprefix(PLAN), row.version
    _fill(entry, opened.event)
    return entry


def _fill(entry: Entry, event: Any) -> None:  # noqa: ANN401 -- any event of the domain
    if entry.kind in ELEMENTS:
        entry.mark = event.own_words
    elif entry.kind == "plan.opened":
        entry.case = event.case_id
    elif isinstance(event, ConsentRequested):
        entry.consent, entry.case = event.consent_id, event.case_id
        entry.start, entry.end = event.start_time, event.end_time
        entry.mark = asked(event.consent_id)
    elif isinstance(event, ConsentGiven):
        entry.consent, entry.mark = event.consent_id, given(event.consent_id)
    elif isinstance(event, ConsentWithdrawn):
        entry.consent, entry.mark = event.consent_id, withdrawn(event.consent_id)
    elif isinstance(event, DisclosureDecided):
        entry.decision, entry.outcome = event.decision_id, event.outcome
        entry.released, entry.action = event.released, event.action
        entry.plan = event.subject.removeprefix(PLAN)


def asked(consent: str) -> str:
    """Return the mark of the question of a consent."""
    return f"asked {consent}"


def given(consent: str) -> str:
    """Return the mark of a consent that is given."""
    return f"given {consent}"


def withdrawn(consent: str) -> str:
    """Return the mark of its withdrawal."""
    return f"withdrawn {consent}"
