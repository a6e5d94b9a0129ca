"""What kinds of data a processing was about: for the forms that name them, and for an officer only.

Promises: categories, never a field's value; of an erased resident it says that they are not known any more.
Source: GDPR 4(15), 9, 30(1)(c); the recorded facts of the decision.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.errors import HistoryUnreadable
from exchange.pipeline.recall import facts_of

if TYPE_CHECKING:
    from exchange.server.accountability.processings import Processing
    from exchange.server.contract.decisions import DecisionReader
    from exchange.store.codec import Codec


class Contents(NamedTuple):
    """Categories that were given or recorded, and those asked for. `known` is False once they were erased."""

    given: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()  # kinds of party the asked data come from
    on_case: bool | None = None  # whether who asked works on the case; None where that is not on record
    known: bool = True


UNKNOWN: Final = Contents(known=False)


def contents_of(one: Processing, decisions: DecisionReader, codec: Codec) -> Contents:
    """Open the facts of one decision, or tell the categories a permitted command recorded under."""
    if one.decided is None:
        named = (codec.categories(row.state, stream=row.stream, topic=row.topic) for row in one.rows)
        written = frozenset().union(*named)
        return Contents(written, written)
    event = decisions.event(one.decided)
    if not event.request:
        return UNKNOWN
    try:
        facts = facts_of(event.request)
    except HistoryUnreadable:
        return UNKNOWN
    fields = facts.fields or ()
    providers = {field.provider or facts.provider or "" for field in fields}
    return Contents(
        given=frozenset(field.category for field in fields if field.name in event.released),
        asked=frozenset(field.category for field in fields),
        providers=frozenset(providers - {""}),
        on_case=facts.case_relation,
    )
