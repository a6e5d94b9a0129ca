"""The register of legal bases through time: what is in force now, and what was at any position.

Promises: the register at a position is the fold of the events up to it, and of nothing else; it is replaced
by the writer after a commit, never changed: a walk sees one register from its beginning to its end.
Source: GDPR 5(2); the gate's law P6 (same facts and policy hash, same decision).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Final

from exchange.domain.legal_basis import LEGAL_BASIS
from exchange.domain.obligations import Informing
from exchange.gate.recorded import entry_of, register_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exchange.domain.kernel import Event
    from exchange.domain.legal_basis import LegalBasisState
    from exchange.gate.register import Register
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

LEGAL_BASIS_PREFIX: Final = "legal_basis-"
REGISTERS_KEPT_MAX: Final = 64

Recorded = tuple[int, str, "Event"]  # (position, stream, event)


@dataclass(frozen=True, slots=True)
class Known:
    """What was recorded, and what it comes to. Never changed: another one takes its place."""

    events: tuple[Recorded, ...]
    states: Mapping[str, LegalBasisState]  # by stream, in the order the bases came
    register: Register

    @property
    def last(self) -> int:
        """Position of the newest of them, 0 where there is none."""
        return self.events[-1][0] if self.events else 0


@dataclass(slots=True)
class _Kept:
    """Registers of the past that were asked for lately, by how many events they rest on."""

    lock: Lock = field(default_factory=Lock)
    known: OrderedDict[int, Known] = field(default_factory=OrderedDict)  # owned by the holder of lock


class Registers:
    """Changed by the writer thread only (`take`, `catch_up`); read by any thread."""

    def __init__(self, recorded: Iterable[Recorded] = ()) -> None:
        """Raise HistoryUnreadable where an entry cannot be read."""
        self._known = _with((), {}, tuple(recorded))
        self._kept = _Kept()

    @classmethod
    def load(cls, reader: EventReader, codec: Codec) -> Registers:
        """Return what a store holds. Raises StoreUnavailable, HistoryUnreadable."""
        return cls(recorded_after(reader, codec, 0))

    @property
    def now(self) -> Register:
        """The register as of the last commit this process knows."""
        return self._known.register

    @property
    def states(self) -> tuple[LegalBasisState, ...]:
        """Every basis with all its versions, proposals too."""
        return tuple(self._known.states.values())

    @property
    def first(self) -> int:
        """Position of the first recorded event, 0 where nothing was recorded."""
        events = self._known.events
        return events[0][0] if events else 0

    def informing(self, basis_id: str, version: str) -> Informing | None:
        """Return what a version says of informing, standing or not since; None where it never stood."""
        state = self._known.states.get(LEGAL_BASIS_PREFIX + basis_id)
        for one in () if state is None else state.versions:
            if str(one.number) == version and one.enabled_at is not None:
                entry = entry_of(one)
                return Informing(entry.direction, entry.information_duty)
        return None

    def at(self, position: int) -> Register:
        """Return the register as of a position: what a walk judged there was judged by."""
        return self.known_at(position).register

    def known_at(self, position: int) -> Known:
        """Return what was recorded up to a position, proposals too, and what it came to."""
        known = self._known
        count = bisect_right(known.events, position, key=lambda one: one[0])
        if count == len(known.events):
            return known
        with self._kept.lock:
            found = self._kept.known.get(count)
            if found is None:
                found = self._kept.known[count] = _with((), {}, known.events[:count])
                if len(self._kept.known) > REGISTERS_KEPT_MAX:
                    self._kept.known.popitem(last=False)
        return found

    def after(self, recorded: Sequence[Recorded]) -> Known:
        """Return what these events would come to; nothing is taken over. Raises HistoryUnreadable."""
        known = self._known
        return _with(known.events, known.states, tuple(recorded))

    def take(self, known: Known) -> None:
        """Take over what was committed: one assignment, which cannot fail."""
        self._known = known

    def learn(self, recorded: Sequence[Recorded]) -> None:
        """Take over what was committed by somebody else, in order. Raises HistoryUnreadable."""
        self.take(self.after(recorded))

    def catch_up(self, reader: EventReader, codec: Codec) -> bool:
        """Read what another writer recorded; tell whether there was any. Raises as `load` does."""
        fresh = recorded_after(reader, codec, self._known.last)
        if fresh:
            self.learn(fresh)
        return bool(fresh)


class FollowedEntries:
    """What entries say of informing, for who follows the events: owned by the thread that follows.

    Apart from the writer's own register: in a process that writes nothing, that one stands still.
    """

    def __init__(self, reader: EventReader, codec: Codec) -> None:
        self._reader = reader
        self._codec = codec
        self._registers = Registers()

    def __call__(self, basis_id: str, version: str) -> Informing | None:
        """Return it, read anew where it is not known yet. Raises StoreUnavailable, HistoryUnreadable."""
        found = self._registers.informing(basis_id, version)
        if found is None and self._registers.catch_up(self._reader, self._codec):
            found = self._registers.informing(basis_id, version)
        return found


def recorded_after(reader: EventReader, codec: Codec, position: int) -> list[Recorded]:
    """Return the events of legal bases after a position, in order. Raises as `Registers.load` does."""
    return [
        (
            row.position,
            row.stream,
            codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic).event,
        )
        for row in reader.rows_of_streams(LEGAL_BASIS_PREFIX, position)
    ]


def _with(
    events: tuple[Recorded, ...], states: Mapping[str, LegalBasisState], more: tuple[Recorded, ...]
) -> Known:
    folded = dict(states)
    for _, stream, event in more:
        state: LegalBasisState | None = LEGAL_BASIS.evolve(folded.get(stream), event)
        if state is not None:
            folded[stream] = state
    return Known((*events, *more), folded, register_of(folded.values()))
