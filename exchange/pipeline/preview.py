"""What a proposed register would have opened or closed of what was decided, had it been in force.

Promises: nothing is written and nothing is enabled; each stored decision is judged twice on its own facts, by
the register of today and by the proposed one, both as if they had stood at that moment, so that a version
that begins next year can be looked at now; a permitted command on the facts of then, found again in the
streams. Told by recipient and category, never by whom it was about.
Source: GDPR 5(2), 25, 35: who changes a policy knows beforehand what it does.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.obligations import EVALUATE
from exchange.errors import HistoryUnreadable, KeyDestroyed
from exchange.gate.judge import judge
from exchange.gate.model import Outcome
from exchange.pipeline.asked import facts_again
from exchange.pipeline.hot import DISCLOSURE_PREFIX
from exchange.pipeline.past import Past
from exchange.pipeline.recall import facts_of
from exchange.pipeline.replay import DECISIONS, PARTS, basis_stands
from exchange.pipeline.telling import WHOLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exchange.gate.model import Facts, FieldVerdict
    from exchange.gate.register import Register
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader

# More than any walk waits: calls end within their deadline.
GROUP_MAX: Final = timedelta(minutes=5)
# What a command wrote that kept nothing of what it asked, or that has no category: counted under this word.
RECORDING: Final = "RECORDING"


class Change(NamedTuple):
    """One decision that would come out another way: categories that open, and that close.

    No rules are told of an old command that would be denied: what it asked was not kept, so it is not judged.
    """

    position: int
    decision_id: str
    at: datetime
    recipient: str
    opens: tuple[str, ...]
    closes: tuple[str, ...]
    rules_now: tuple[str, ...]
    rules_proposed: tuple[str, ...]


@dataclass(slots=True)
class Effect:
    """By (recipient, category): decisions that open, decisions that close; and each of them."""

    decisions: int = 0
    commands: int = 0
    words_erased: int = 0
    unreadable: int = 0
    opens: Counter[tuple[str, str]] = field(default_factory=Counter)
    closes: Counter[tuple[str, str]] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)

    def add(self, change: Change) -> None:
        """Count a change."""
        self.opens.update((change.recipient, category) for category in change.opens)
        self.closes.update((change.recipient, category) for category in change.closes)
        self.changes.append(change)


def first_since(reader: EventReader, codec: Codec, since: datetime) -> int:
    """Return a position before the first event of a moment on. Raises StoreUnavailable.

    Time does not run back in the order of commits but within one group, so it is found by halving.
    """
    low, high = 0, reader.head()[0]
    before = since - GROUP_MAX
    while low < high:
        middle = (low + high) // 2
        (row,) = reader.page(middle, 1)
        _, meta, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        if meta.at < before:
            low = middle + 1
        else:
            high = middle
    return low


class Preview:
    """Judges rows by two registers, in the order of commits. One run at a time: it moves through the past."""

    def __init__(self, reader: EventReader, codec: Codec, now: Register, proposed: Register) -> None:
        self._codec = codec
        self._past = Past(reader, codec)
        self._now = now
        self._proposed = proposed
        self._walk = ""  # of the last row that was looked at: its other events are no command of their own

    def after(self, row: Row) -> None:
        """Begin behind a row: what its walk wrote more is counted where the first of it was."""
        _, meta, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        self._walk = meta.decision_id

    def run(
        self,
        rows: Iterable[Row],
        effect: Effect,
        *,
        since: datetime,
        organisation: str = "",
        opened_max: int | None = None,
    ) -> int:
        """Look at rows in order, at those from a moment on; with an organisation, only at what it asked.

        Returns the position of the last row looked at: it stops after `opened_max` events of the past.
        """
        position = 0
        for row in rows:
            if opened_max is not None and self._past.opened >= opened_max:
                break
            position = row.position
            _, meta, _ = self._codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
            if meta.at < since or organisation not in {"", meta.organisation}:
                continue
            if row.topic.startswith(DECISIONS):
                effect.decisions += 1
                # A command that has a decision of its own is counted by that.
                self._walk = meta.decision_id
                change = self._decision(row, effect)
            elif not row.stream.startswith(DISCLOSURE_PREFIX):
                seen, self._walk = self._walk == meta.decision_id, meta.decision_id
                counts = bool(self._walk) and not seen
                effect.commands += counts
                change = self._command(row, meta, effect) if counts else None
            else:
                change = None
            if change is not None:
                effect.add(change)
        return position

    def _decision(self, row: Row, effect: Effect) -> Change | None:
        try:
            event = self._codec.decode(
                row.state, stream=row.stream, version=row.version, topic=row.topic
            ).event
            assert isinstance(event, DisclosureDecided)
            facts = facts_of(event.request)
        except KeyDestroyed:
            effect.words_erased += 1
            return None
        except HistoryUnreadable:
            effect.unreadable += 1
            return None
        if event.action == EVALUATE:
            # A question about a right gave nothing, and would give nothing.
            return None
        now, then = judge(facts, self._now), judge(facts, self._proposed)
        # Whoever asked for all or nothing and was refused a part would again get nothing of a part.
        whole = event.outcome == Outcome.DENY and event.rules == now.rules
        before, after = (
            frozenset() if whole and one.outcome in PARTS else _released(facts, one.fields)
            for one in (now, then)
        )
        opens, closes = _categories(facts, after - before), _categories(facts, before - after)
        if not opens and not closes:
            return None
        return Change(
            row.position,
            event.decision_id,
            event.at,
            facts.recipient or "",
            opens,
            closes,
            now.rules,
            then.rules,
        )

    def _command(self, row: Row, meta: Meta, effect: Effect) -> Change | None:
        """Tell of a permitted command that would be refused, or of one refused today that would not be."""
        if meta.asked is None:
            return self._by_basis(row.position, meta)
        past = self._past.at(meta.facts_position)
        try:
            # Each on its own facts: which consent counts, and whose word, is said by the basis as well.
            now, then = (
                judge(facts_again(meta, meta.asked, row.stream, past, register), register)
                for register in (self._now, self._proposed)
            )
        except KeyDestroyed:
            effect.words_erased += 1
            return None
        except HistoryUnreadable:
            effect.unreadable += 1
            return None
        done, would = now.outcome in WHOLE, then.outcome in WHOLE
        if done == would:
            return None
        # A command writes all of it or nothing.
        written = meta.asked.categories or (RECORDING,)
        return Change(
            row.position,
            meta.decision_id,
            meta.at,
            meta.task,
            written if would else (),
            written if done else (),
            now.rules,
            then.rules,
        )

    def _by_basis(self, position: int, meta: Meta) -> Change | None:
        """Tell of a command that kept nothing of what it asked, by whether its basis lets it happen."""
        name = meta.legal_basis.rpartition("@")[0]
        stood, stands = _lets(meta, name, self._now), _lets(meta, name, self._proposed)
        if stood == stands:
            return None
        word = (RECORDING,)
        opens, closes = ((), word) if stood else (word, ())
        permit = (f"P-{name}",)
        return Change(
            position,
            meta.decision_id,
            meta.at,
            meta.task,
            opens,
            closes,
            permit if stood else (),
            permit if stands else (),
        )


def _lets(meta: Meta, name: str, register: Register) -> bool:
    basis = register.find(name, meta.at)
    version = 0 if basis is None else basis.version
    return basis_stands(msgspec.structs.replace(meta, legal_basis=f"{name}@{version}"), register)


def _released(facts: Facts, fields: Mapping[str, FieldVerdict]) -> frozenset[str]:
    return frozenset(
        one.name for one in facts.fields or () if one.name in fields and fields[one.name].release
    )


def _categories(facts: Facts, names: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted({one.category for one in facts.fields or () if one.name in names}))
