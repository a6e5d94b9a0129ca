"""A group that was walked, and who destroys keys once it is committed.

Promises: nobody sees an outcome of it before it is committed; what it destroys is destroyed after the commit
and before anybody is answered.
Source: the design's walk; GDPR 17.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exchange.errors import ExchangeError, KeyDestroyed, OutcomeOpen, StoreUnavailable, Unavailable
from exchange.pipeline.walk import CommandOutcome, EvaluationOutcome, LookWalk, ReadOutcome, Recorded
from exchange.store.errors import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.domain.erasure.decision import KeysDestroyed
    from exchange.ledger.merkle import Frontier
    from exchange.pipeline.answers import Noted
    from exchange.pipeline.overlay import Overlay
    from exchange.pipeline.registers import Known, Registers
    from exchange.pipeline.walk import AnyWalk
    from exchange.store.batch import Batch
    from exchange.store.ports import EventReader, EventRecorder

Outcome = CommandOutcome | ReadOutcome | EvaluationOutcome | Recorded | ExchangeError


class Eraser(Protocol):
    """Destroys what opens a resident's data, once that is decided and committed."""

    def execute(self, destroyed: Sequence[KeysDestroyed]) -> None:
        """Destroy; what failed before is tried again. Raises ExchangeError while something is left."""

    def catch_up(self, after: int) -> None:
        """Destroy what was decided at a later position, by a commit nobody was sure of."""

    def passed(self, position: int) -> None:
        """Hear that everything up to a position is committed, and what it destroys was given to `execute`."""


@dataclass(slots=True)
class Walked:
    """A group, up to the first walk above which nothing may be walked.

    `register` is the one it leads to, None where it changes nothing; `destroyed` are the erasures it decides.
    """

    walks: Sequence[AnyWalk]
    outcomes: list[Outcome]
    overlay: Overlay
    frontier: Frontier
    noted: Noted
    register: Known | None = None
    destroyed: Sequence[KeysDestroyed] = ()
    committed: bool = False  # set by the thread that commits, read by the writer thread

    @property
    def barrier(self) -> bool:
        """Nothing may be walked above it before it is committed."""
        return self.register is not None or bool(self.destroyed)


def register_after(
    overlay: Overlay, registers: Registers, reader: EventReader, position: int
) -> Known | None:
    """Return the register a group leads to, before anything is written; None where it changes nothing.

    That a register cannot be made must not be found out after the commit. `position` is the writer's own.
    """
    if not overlay.of_register:
        return None
    try:
        return registers.after(overlay.of_register)
    except ExchangeError as error:
        # Built on a register that another writer changed: the commit would have been refused as well.
        # The group below, which changes no register, may be committed by now or not.
        if reader.head()[0] not in {position, overlay.batch.base}:
            raise HeadMoved("another writer moved the head", expected=str(position)) from error
        raise


def told_of(error: ExchangeError) -> ExchangeError:
    """Return what a walk that failed is answered with: who was erased a moment ago is told to nobody."""
    if isinstance(error, KeyDestroyed):
        return Unavailable("what this is about changed at the same moment; nothing was recorded")
    return error


def kept(batch: Batch, reader: EventReader, recorder: EventRecorder) -> None:
    """Commit a group; where the store reports failure, look whether it was kept all the same.

    Raises HeadMoved, Taken, StoreUnavailable, OutcomeOpen.
    """
    try:
        recorder.commit(batch)
    except StoreUnavailable:
        if not was_kept(batch, reader, recorder):
            raise


def was_kept(batch: Batch, reader: EventReader, recorder: EventRecorder) -> bool:
    """Ask the store whether a commit that reported failure was kept, for good: our first event is the proof.

    Raises OutcomeOpen where it does not answer that either.
    """
    try:
        recorder.settle()
        position, frontier = reader.head()
        if position < batch.head or not batch.events:
            return False
        first = reader.page(batch.base, 1)
    except StoreUnavailable as error:
        raise OutcomeOpen("the event store did not say whether it committed") from error
    mine = bool(first) and first[0].state == batch.events[0].state
    return mine and (position > batch.head or frontier == batch.frontier)


def refuse_moved(walked: Walked, reader: EventReader) -> None:
    """Raise HeadMoved where what was walked and writes nothing rests on what another node changed since.

    No commit compares the head for these: a refusal, and a look at how far the store is.
    """
    base = walked.overlay.batch.base
    rests = any(isinstance(one, ExchangeError) for one in walked.outcomes) or any(
        isinstance(one, LookWalk) for one in walked.walks
    )
    if rests and reader.head()[0] != base:
        raise HeadMoved("another writer moved the head", expected=str(base))
