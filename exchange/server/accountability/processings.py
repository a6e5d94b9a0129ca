"""What was processed, of whom: each recorded decision once for every resident it is about.

Promises: derived from what was committed before an answer left, so that nothing leaves without it; the same
store gives the same processings, in the order of their commits, wherever reading begins; nothing is opened.
Source: GDPR 5(2), 30; Logboek Dataverwerkingen, core (one line for each action and data subject, no sampling,
every write confirmed).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.obligations import COMMAND, EVALUATE, GIVEN, NOTHING
from exchange.gate.model import Outcome
from exchange.server.traces import Trace, place_in_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from exchange.gate.entry import LegalBasis
    from exchange.pipeline.registers import Registers
    from exchange.store.batch import Row
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader

ROWS_PER_LOOK: Final = 500
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Read(NamedTuple):
    """One stored event and what is not sealed of it."""

    row: Row
    clear: Mapping[str, Any]
    meta: Meta


@dataclass(frozen=True, slots=True, kw_only=True)
class Processing:
    """One decision about one resident, empty where it is about nobody known.

    `answered`: whether its caller got what was asked, as the caller was told. `basis` is None where the claim
    names nothing in the register of its moment. `decided` is the event of the decision about this resident,
    None for a command that was let through without one: then `rows`, its events, tell what it was about.
    """

    position: int
    at: datetime
    decision_id: str
    organisation: str
    task: str
    professional: str
    purpose: str
    claimed: str
    policy_hash: str
    action: str
    answered: bool
    resident: str
    trace: Trace
    basis: LegalBasis | None
    rules: tuple[str, ...]
    obligations: tuple[str, ...]
    consent_id: str
    decided: Row | None
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Trail:
    """Reads processings. Owned by one thread at a time."""

    reader: EventReader
    codec: Codec
    registers: Registers
    _bases: dict[tuple[str, str], LegalBasis | None] = field(default_factory=dict)

    def processings(self, after: int, until: int) -> Iterator[Processing]:
        """Yield those after one position, up to and with another.

        Each stands at the position of its first event, and can be gone on after: also within a decision.
        """
        events = self._events(self._begin_of_decision(after), until)
        for decision_id, group in groupby(events, key=lambda one: one.meta.decision_id):
            if decision_id:
                yield from (one for one in self._of_decision(tuple(group)) if one.position > after)

    def _events(self, after: int, until: int) -> Iterator[_Read]:
        while after < until:
            rows = self.reader.page(after, min(ROWS_PER_LOOK, until - after))
            if not rows:
                return
            yield from map(self._read, rows)
            after = rows[-1].position

    def _begin_of_decision(self, position: int) -> int:
        """Return the position before the decision whose event stands at `position`."""
        decision_id: str | None = None
        while position > 0:
            (row,) = self.reader.page(position - 1, 1) or (None,)
            if row is None:
                break
            found = self._read(row).meta.decision_id
            if decision_id is not None and found != decision_id:
                break
            decision_id, position = found, position - 1
        return position

    def _read(self, row: Row) -> _Read:
        clear, meta, _ = self.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        return _Read(row, clear, meta)

    def _of_decision(self, events: Sequence[_Read]) -> Iterator[Processing]:
        by_resident: dict[str, list[_Read]] = {}
        for one in events:
            by_resident.setdefault(one.clear.get("resident", ""), []).append(one)
        # What a command does beside a resident's own is no processing of somebody else's.
        residents = [name for name in by_resident if name] or [""]
        decided = next((one for one in events if one.row.topic == DisclosureDecided.TOPIC), None)
        for nth, resident in enumerate(residents):
            own = by_resident[resident]
            yield self._processing(decided, own, resident, nth)

    def _processing(
        self, decided: _Read | None, events: Sequence[_Read], resident: str, nth: int
    ) -> Processing:
        meta = events[0].meta
        clear: Mapping[str, Any] = {} if decided is None else decided.clear
        # Its facts are of one resident: of another they say nothing.
        own = clear.get("resident", "") == resident
        return Processing(
            position=events[0].row.position,
            at=meta.at,
            decision_id=meta.decision_id,
            organisation=meta.organisation,
            task=meta.task,
            professional=meta.professional,
            purpose=meta.purpose,
            claimed=meta.legal_basis,
            policy_hash=meta.policy_hash,
            action=clear.get("action", COMMAND),
            answered=_answered(clear, (events[0] if decided is None else decided).meta),
            resident=resident,
            trace=place_in_trace(meta.trace, meta.decision_id, nth),
            basis=self._basis(meta),
            rules=tuple(clear.get("rules", (f"P-{meta.legal_basis.partition('@')[0]}",))),
            obligations=tuple(clear.get("obligations", ())),
            consent_id=clear.get("consent_id", ""),
            decided=decided.row if decided is not None and own else None,
            rows=tuple(one.row for one in events),
        )

    def _basis(self, meta: Meta) -> LegalBasis | None:
        """Return the entry and version by which it was judged, as it stood at its moment."""
        register = self.registers.at(meta.facts_position)
        key = (register.policy_hash, meta.legal_basis)
        if key not in self._bases:
            found = (one for one in register.written if f"{one.id}@{one.version}" == meta.legal_basis)
            self._bases[key] = next(found, None)
        return self._bases[key]


def _answered(clear: Mapping[str, Any], meta: Meta) -> bool:
    if clear.get("action") == EVALUATE and meta.evaluated:
        told: bool = _decode(meta.evaluated)["decision"]
        return told
    if meta.answered:
        return {GIVEN: True, NOTHING: False}[meta.answered]
    return bool(clear.get("outcome", Outcome.PERMIT) != Outcome.DENY)
