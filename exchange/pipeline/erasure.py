"""What the decision to erase rests on, read from the store: which laws hold it, and who got what.

Promises: opens nothing to see under which laws and categories something was recorded, and which duties about
who looked are open; opens the decisions of
this one resident to see what left, while they can still be opened. Reads all there is: the walk that asks is
alone. A recipient is told of what it was told of, and of nothing else.
Source: GDPR 17(2), 17(3)(b), 19; the design of the ledger, section 5.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.disclosure import DisclosureDecided, ObligationExecuted
from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.erasure.purge import ERASURE, PURGE_SUBJECTS_MAX, RequestPurges, ToPurge
from exchange.domain.limits.links import NO_LINKS
from exchange.domain.obligations import ABOUT_WHO_LOOKED, duties_of
from exchange.domain.resident import RESIDENT
from exchange.domain.values import law_of_task
from exchange.errors import HistoryUnreadable, KeyDestroyed
from exchange.gate.retention import binding_terms, record_end
from exchange.pipeline.facts import CASE_PREFIX, OWN_WORDS, PLAN_PREFIX
from exchange.pipeline.hot import DISCLOSURE_PREFIX
from exchange.pipeline.recall import facts_of
from exchange.pipeline.recipients import parted
from exchange.pipeline.walk import Steps

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from exchange.domain.erasure.decision import ApproveErasure, ErasureProposal
    from exchange.domain.kernel import Events
    from exchange.domain.resident import ResidentState
    from exchange.gate.register import Register
    from exchange.pipeline.walk import View
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

# Who watches over the log is no recipient of what stands in the plan.
REQUESTS: Final = "rights_request-"
# What was asked by right, and what recipients were told of it, is no recording of anybody.
OF_RIGHTS: Final = (REQUESTS, "restriction-")
EXECUTED: Final = "yes"
OVERSEERS: Final = frozenset({"fg"})
# That an erasure was asked and approved, or held up, begins no new term of what it is about.
DECISIONS: Final = ("resident.erasure_", "resident.hold_", "resident.key_destroyed")


class Holdings:
    """What the store holds of one resident."""

    def __init__(self, reader: EventReader, codec: Codec, resident: str, register: Register) -> None:
        self._reader = reader
        self._codec = codec
        self._resident = resident
        self._register = register

    def binding_terms(self, asked: ErasureProposal, now: datetime) -> tuple[str, ...]:
        """Return the terms of the law that forbid this erasure now: "<law> <last day>"."""
        return binding_terms(asked.article, self._ends(asked.categories), now)

    def open_duties(self) -> tuple[str, ...]:
        """Return the duties about who looked at this resident that nobody ended yet."""
        found: dict[tuple[str, str], None] = {}
        for row in self._reader.tail(stream_of("disclosure", self._resident)).rows:
            clear, _, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if row.topic == DisclosureDecided.TOPIC:
                duties = duties_of(clear["action"], clear["obligations"])
                found.update(((clear["decision_id"], one), None) for one in duties if one in ABOUT_WHO_LOOKED)
            elif row.topic == ObligationExecuted.TOPIC:
                found.pop((clear["decision_id"], clear["obligation"]), None)
        return tuple(sorted({duty for _, duty in found}))

    def recipients(self, categories: Collection[str] = ()) -> tuple[ToPurge, ...]:
        """Return every recipient something of these categories left to, or anything; in order.

        With each stand the streams it was told of. Who never got a category is not told that there was one.
        """
        known = {stream.partition("-")[2]: stream for stream in self._reader.scope(self._resident).streams}
        told: dict[tuple[str, str], set[str]] = {}
        for row in self._reader.tail(stream_of("disclosure", self._resident)).rows:
            if row.topic != DisclosureDecided.TOPIC:
                continue
            decided = self._opened(row)
            if decided is None or decided.task in OWN_WORDS | OVERSEERS or not _left(decided, categories):
                continue
            subjects = told.setdefault((decided.organisation, decided.task), set())
            if decided.subject in known:
                subjects.add(known[decided.subject])
            else:
                # Found by the resident, and told which case and plan there are.
                subjects.update(one for one in known.values() if one.startswith((CASE_PREFIX, PLAN_PREFIX)))
        return tuple(
            ToPurge(organisation, task, tuple(sorted(subjects)[:PURGE_SUBJECTS_MAX]))
            for (organisation, task), subjects in sorted(told.items())
            if subjects
        )

    def _ends(self, categories: Collection[str]) -> dict[str, datetime]:
        """Return when the last term ends of what was recorded, of these categories or of any, by law."""
        found: dict[str, datetime] = {}
        rules = rules_of(self._register)
        for row in self._rows():
            if row.topic.startswith(DECISIONS):
                continue
            outline = self._codec.outline(row.state, stream=row.stream, topic=row.topic)
            stand = self._codec.standing(outline)
            if (outline.parts and not stand) or (categories and stand.isdisjoint(categories)):
                continue
            law = law_of_task(outline.task)
            end = record_end(outline.at, law, rules.get(outline.legal_basis, ""))
            found[law] = max(found.get(law, end), end)
        return found

    def _rows(self) -> Iterator[Row]:
        """Return what was recorded of him; that it was asked for is no recording of it."""
        streams = (stream_of("resident", self._resident), *self._reader.scope(self._resident).streams)
        for stream in streams:
            if not stream.startswith((DISCLOSURE_PREFIX, *OF_RIGHTS)):
                yield from self._reader.tail(stream).rows

    def _opened(self, row: Row) -> DisclosureDecided | None:
        try:
            event = self._codec.decode(
                row.state, stream=row.stream, version=row.version, topic=row.topic
            ).event
        except KeyDestroyed:
            return None
        assert isinstance(event, DisclosureDecided)
        return event


def rules_of(register: Register) -> dict[str, str]:
    """Return what each version of each entry says of how long its records are kept: by "WMO-2.3.2@1"."""
    return {f"{one.id}@{one.version}": one.retention_rule for one in register.entries()}


def is_waiting(view: View, resident: str) -> bool:
    """Tell whether the resident asked something by right that nobody answered, or did not carry out, yet."""
    states = (view.state(stream) for stream in view.scope(resident) if stream.startswith(REQUESTS))
    return any(one is not None and one.waits for one in states)


def steps_of_approving(
    order: ApproveErasure,
    held: Holdings,
    view: View,
    state: ResidentState,
    links: frozenset[str] = NO_LINKS,
) -> Steps:
    """Return what an approval does, by all there is to know: the events, and what recipients are asked.

    `executed` and `recipients` are told with it: not of who is asked behind `links`. Raises RuleBroken.
    """
    asked = next((one for one in state.erasures if one.erasure_id == order.erasure_id), None)
    if asked is not None:
        order = replace(
            order,
            forbidden=held.binding_terms(asked, order.now),
            open_duties=held.open_duties(),
            waiting=is_waiting(view, state.resident),
        )
    events = RESIDENT.decide(order, state)
    purges: Events = ()
    destroyed, stream = events[-1], stream_of(ERASURE.name, order.erasure_id)
    if isinstance(destroyed, KeysDestroyed):
        asking = RequestPurges(
            now=order.now,
            erasure_id=destroyed.erasure_id,
            categories=destroyed.categories,
            recipients=held.recipients(destroyed.categories),
        )
        purges = ERASURE.decide(asking, view.state(stream))
    unseen, seen = parted(purges, links)
    # Last: then the receipt is that of the event that destroyed.
    appends = [(stream, seen), (stream_of(RESIDENT.name, state.resident), events)]
    executed = EXECUTED if isinstance(destroyed, KeysDestroyed) else ""
    told = {"executed": executed, "recipients": str(len(seen))}
    return Steps([one for one in appends if one[1]], told, [(stream, unseen)] if unseen else ())


def _left(decided: DisclosureDecided, categories: Collection[str]) -> bool:
    """Tell whether something of these categories left by a decision; where nobody can say, it did."""
    if not decided.released or not categories:
        return bool(decided.released)
    try:
        fields = facts_of(decided.request).fields or ()
    except HistoryUnreadable:
        return True
    return any(field.name in decided.released and field.category in categories for field in fields)
