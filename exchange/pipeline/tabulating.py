"""Makes a table: opens what the read model points at, counts, and lets nothing out without noise.

Promises: what was counted never leaves `make`; a resident is in one cell at most, or in the number of those
whose plan was handed over; who restricted or objected to this, who has a seal, who was erased and what is
past its term are in none, each by what is known of that resident alone; what was corrected counts as it was
corrected.
Source: GDPR 5(1)(d)-(e), 16, 17, 18, 21, 89(1); the domain's design section 2 (P15).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from exchange.domain import stream_of
from exchange.domain.insight import Dated, cell_of, changes_of, corrected
from exchange.domain.insight.cells import Noised, published_cells, published_handed_over
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.events import PlanEvent
from exchange.domain.values import Objection, Purpose
from exchange.errors import KeyDestroyed
from exchange.gate.retention import retention_end
from exchange.pipeline.facts import law_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from exchange.domain.insight import Question
    from exchange.pipeline.hot import Loader
    from exchange.projections.insight import InsightIndex, Places
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

STATISTICS: Final = Purpose.STATISTIEK


class Noise(Protocol):
    """Draws noise; the only chance in a table."""

    def __call__(self, residents: Sequence[int], steps: Sequence[int], spend_thousandths: int) -> Noised:
        """Return the numbers with noise of this epsilon over both together."""


class Asking(NamedTuple):
    """Who has a table made, and when: limits are about recipients, terms about time."""

    recipient_id: str
    now: datetime


class Made(NamedTuple):
    """A table ready to be published, of the events up to a position."""

    cells: tuple[str, ...]
    as_of: int
    handed_over: str = ""


class Counted(NamedTuple):
    """Every cell of a question as it is, in its order; and how many are in none: they were handed over."""

    residents: list[int]
    steps: list[int]
    handed_over: int


class Tabulator:
    """Safe between threads: it holds nothing."""

    def __init__(
        self, index: InsightIndex, reader: EventReader, codec: Codec, loader: Loader, noise: Noise
    ) -> None:
        self._index = index
        self._reader = reader
        self._codec = codec
        self._loader = loader
        self._noise = noise

    def make(self, question: Question, spend_thousandths: int, asking: Asking) -> Made:
        """Count, add noise, leave out what is small. Raises StoreUnavailable, KeyUnavailable."""
        as_of = self._index.database.position()
        counted = self.counted(question, asking)
        # One resident more or less changes one of these numbers by one, the last like the others.
        residents = [*counted.residents, counted.handed_over]
        noised = self._noise(residents, counted.steps, spend_thousandths)
        *in_cells, handed_over = noised.residents
        cells = published_cells(question, Noised(in_cells, noised.steps), spend_thousandths)
        return Made(cells, as_of, published_handed_over(handed_over, spend_thousandths))

    def counted(self, question: Question, asking: Asking) -> Counted:
        """Return residents and steps of every cell, as they are: for `make`, and to attack in a test."""
        places = {cell: number for number, cell in enumerate(question.cells())}
        residents, steps, handed_over = [0] * len(places), [0] * len(places), 0
        for one in self._index.of_year(question.year):
            if not self._counts(one.resident, asking):
                continue
            events = corrected(self._events(one, asking.now))
            kept = [event for event in events if event.plan_id not in one.gone]
            cell = cell_of(one.resident, changes_of(kept, question.year), question)
            if cell is None and one.gone:
                went = cell_of(one.resident, changes_of(events, question.year), question)
                handed_over += went is not None
            elif cell is not None:
                number = places[cell.row, cell.life_domain]
                residents[number] += 1
                steps[number] += cell.steps
        return Counted(residents, steps, handed_over)

    def _counts(self, resident: str, asking: Asking) -> bool:
        state = self._loader.load(stream_of("resident", resident)).state
        if state is None or state.seals:
            # Erased, and the read model does not know yet; or hidden from most who would count him.
            return False
        scope = (STATISTICS, asking.recipient_id)
        if any(one.reaches(*scope) for one in state.restrictions):
            return False
        return not any(one.reaches(*scope) and one.status != Objection.REJECTED for one in state.objections)

    def _events(self, places: Places, now: datetime) -> Iterator[Dated]:
        for row in self._reader.rows_at(places.positions):
            try:
                opened = self._codec.decode(
                    row.state, stream=row.stream, version=row.version, topic=row.topic
                )
            except KeyDestroyed:
                # Erased since the read model was looked at.
                continue
            event = opened.event
            assert isinstance(event, PlanEvent)
            # A correction says something of what is within its term only, however old it is itself.
            if isinstance(event, PlanCorrected) or now < retention_end(opened.meta.at, law_of(event.task)):
                yield Dated(event, opened.meta.at)
