"""The writer: walks a group one after another against folded state, then commits it as a whole.

Promises: serial, so a withdrawal and a read are totally ordered, and time never runs back in that order;
nobody gets an answer before its decision is committed. The next group may be walked while one is committed:
it stands on that one's effects, is committed after it or not at all, and when a commit fails nobody saw
anything of it, nor of what was built on it. A walk that changes the register ends its group: what comes after
is judged by the new one, once it is committed. So does a walk that erases a resident: his keys are destroyed
after the commit and before anybody is answered. A group ends before the first walk of a new year, whose log
is opened by a group of its own.
Source: group commit as in the design's walk; GDPR 5(2).
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from exchange.errors import (
    ExchangeError,
    HistoryUnreadable,
    KeyMadeElsewhere,
    KeyUnavailable,
    OutcomeOpen,
    RegisterInvalid,
    StoreUnavailable,
    Unavailable,
)
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.pipeline.answers import Answers
from exchange.pipeline.hot import Recent
from exchange.pipeline.in_order import InOrder
from exchange.pipeline.lost import outcome_of
from exchange.pipeline.overlay import Overlay
from exchange.pipeline.overtaken import follow
from exchange.pipeline.verdicts import Verdicts
from exchange.pipeline.walk import CommandWalk
from exchange.pipeline.walked import Walked, kept, refuse_moved, register_after, told_of
from exchange.store.errors import HeadMoved, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.gate.register import Register
    from exchange.keys.keystore import KeyStore
    from exchange.pipeline.answers import Noted
    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.opening import Years
    from exchange.pipeline.registers import Registers
    from exchange.pipeline.walk import AnyWalk, View
    from exchange.pipeline.walked import Eraser, Outcome
    from exchange.store.codec import Codec, Meta
    from exchange.store.ports import EventReader, EventRecorder

COMMIT_TRIES_MAX: Final = 16


class Writer:
    """Owned by the writer thread, but for `commit`, which one other thread may call, group by group.

    `run` walks and commits. Who wants both at once walks a group, and the next while the first is committed;
    when that fails, everything walked since is given to `recover`, oldest first, with nothing under way.
    """

    overlays: ClassVar[type[Overlay]] = Overlay

    def __init__(
        self,
        *,
        recorder: EventRecorder,
        reader: EventReader,
        codec: Codec,
        keys: KeyStore,
        hot: HotStates,
        loader: Loader,
        registers: Registers,
        eraser: Eraser,
        years: Years,
        fresh_id: Callable[[], bytes],
    ) -> None:
        self._eraser = eraser
        self._years = years
        self._recorder = recorder
        self._reader = reader
        self._codec = codec
        self._keys = keys
        self._hot = hot
        self._loader = loader
        self._registers = registers
        self._verdicts = Verdicts(registers.now)
        self._fresh_id = fresh_id
        self._recent = Recent()
        self._answers = Answers(reader, recorder)
        self._synced = False  # whether _position and _frontier are the store's, or of what is unsettled
        self._position = 0
        self._frontier = Frontier()
        self._unsettled: list[Walked] = []  # walked and perhaps committed, oldest first
        self._order = InOrder()

    @property
    def position(self) -> int:
        """Last position this writer knows to be committed."""
        return self._position

    @property
    def register(self) -> Register:
        """The register as of the last commit that was settled."""
        return self._registers.now

    def run(self, walks: Sequence[AnyWalk]) -> list[Outcome]:
        """Walk, commit, answer: one outcome for each walk, in order. Raises only what nobody foresaw."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(walks):
            outcomes += self._run_group(walks[len(outcomes) :])
        return outcomes

    def _run_group(self, walks: Sequence[AnyWalk]) -> list[Outcome]:
        """Return the outcomes of the walks up to the first that changes the register, or of all."""
        for number in range(COMMIT_TRIES_MAX):
            try:
                # Who lost twice to another node takes a turn, or the other would always be the quicker one.
                with self._recorder.turn() if number > 1 else nullcontext():
                    return self._attempt(walks)
            except (HeadMoved, KeyMadeElsewhere):
                continue
            except Taken:
                return self._bisect(walks)
            except (StoreUnavailable, KeyUnavailable, HistoryUnreadable, RegisterInvalid) as error:
                # Also where another writer recorded a register this version cannot read: nobody is judged.
                return [error] * len(walks)
        busy = Unavailable("other writers kept the head moving; nothing was recorded")
        return [busy] * len(walks)

    def recover(self, walks: Sequence[AnyWalk], error: BaseException | None = None) -> list[Outcome]:
        """Answer a group whose commit raised `error`, or that was walked and lost with another's.

        Raises only what nobody foresaw.
        """
        self._drop(error)
        if isinstance(error, Taken):
            return self._bisect(walks)
        if isinstance(error, StoreUnavailable) and not isinstance(error, HeadMoved):
            return [error] * len(walks)
        return self.run(walks)

    def genesis(self, appends: Sequence[tuple[str, Sequence[Event]]], meta: Meta) -> bool:
        """Commit the first events of an empty store; False where there is history. Nobody to ask: no gate."""
        self._sync()
        if self._position:
            return False
        overlay = self._overlay()
        overlay.append(appends, meta)
        try:
            self._commit_alone(partial(self._finished, [], [], overlay))
        except HeadMoved:
            # Another node began: by then there is history.
            return False
        # From now on there is something that a year can end.
        self._synced = False
        return True

    def record(self, appends_of: Callable[[View], Sequence[tuple[str, Sequence[Event]]]], meta: Meta) -> int:
        """Commit what the service itself has to say, seen from the head; return how many events.

        With nothing under way. Nobody asked, so there is no gate: only for what opens nothing, and for the
        first register. Raises StoreUnavailable, Unavailable, and what the domain refuses.
        """
        for _ in range(COMMIT_TRIES_MAX):
            self._sync()
            overlay = self._overlay()
            appends = appends_of(overlay)
            if not appends:
                return 0
            try:
                if meta.at.year > self._years.year:
                    self._commit_alone(lambda noted: self._open_year(meta.at, noted))
                    continue
                count = overlay.append(appends, meta)
                self._commit_alone(partial(self._finished, [], [], overlay))
            except HeadMoved:
                continue
            return count
        raise Unavailable("other writers kept the head moving; nothing was recorded")

    def _commit_alone(self, made: Callable[[Noted], Walked]) -> None:
        try:
            self.commit(made(self._answers.start()))
        except BaseException as error:
            self._drop(error)
            raise
        self._settle()

    # --- one group --------------------------------------------------------------------------------

    def walk(self, walks: Sequence[AnyWalk]) -> Walked:
        """Walk a group over what is committed and over the one group that may still be being committed.

        Of the outcomes there are fewer than walks where one of them changed the register: the rest is walked
        once that group was committed, as whatever comes after is. And where a walk is the first of a year:
        what opens its log is a group without walks. Raises StoreUnavailable, KeyUnavailable,
        HeadMoved, RegisterInvalid, and what nobody foresaw: then nothing of it was kept.
        """
        self._settle()
        assert not (self._unsettled and self._unsettled[-1].barrier), "nothing is walked above a barrier"
        if not self._synced:
            self._sync()
        noted = self._answers.start()
        try:
            if walks and (now := self._order.placed(walks[0]).now).year > self._years.year:
                return self._open_year(now, noted)
            overlay = self._overlay()
            return self._finished(walks, self._walk_all(walks, overlay), overlay, noted)
        except BaseException as error:
            self._answers.drop(noted)
            self._keys.discard_pending()
            if not isinstance(error, ExchangeError):
                self._forget()
            raise

    def commit(self, walked: Walked) -> None:
        """Commit the oldest group that is not. When it returned, its outcomes may be told.

        Raises HeadMoved, Taken, StoreUnavailable: then nothing of it was recorded, and it goes to `recover`.
        """
        overlay = walked.overlay
        batch = overlay.batch
        if batch.events or batch.requests:
            kept(batch, self._reader, self._recorder)
        else:
            refuse_moved(walked, self._reader)
        # Before anybody is answered: who looks at the hot states next must find what was committed.
        self._hot.apply(overlay.changes, batch.head)
        if walked.destroyed:
            self._erase(walked)
        self._eraser.passed(batch.head)
        walked.committed = True

    def _erase(self, walked: Walked) -> None:
        """Destroy what the group decided. It is committed: what fails now is told, and done later."""
        try:
            self._eraser.execute(walked.destroyed)
        except ExchangeError as error:
            # The walk that erases ends its group. Asked again under its id, it is answered as recorded.
            walked.outcomes[-1] = OutcomeOpen(
                "it is recorded, and what it erases is destroyed later", because=error.code
            )
        # Folded before, or by a loader meanwhile: read again without what is gone.
        self._hot.evict(walked.overlay.outdated)

    def _attempt(self, walks: Sequence[AnyWalk]) -> list[Outcome]:
        try:
            walked = self.walk(walks)
            self.commit(walked)
        except BaseException as error:
            # Also for an error nobody foresaw: state that was not committed must not stay.
            self._drop(error)
            raise
        self._settle()
        return walked.outcomes

    def _walk_all(self, walks: Sequence[AnyWalk], overlay: Overlay) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for asked in walks:
            walk = self._order.placed(asked)
            if walk.now.year > self._years.year:
                break
            if isinstance(walk, CommandWalk) and walk.alone and self._is_over_something(overlay):
                break
            try:
                outcomes.append(outcome_of(walk, overlay, self._verdicts, self._answers, self._fresh_id))
            except StoreUnavailable:
                raise
            except ExchangeError as error:
                # A key that is gone or out of reach costs the walk that needs it, not its neighbours.
                outcomes.append(told_of(error))
            if overlay.of_register or overlay.destroyed:
                break
        return outcomes

    def _is_over_something(self, overlay: Overlay) -> bool:
        """Tell whether a walk would stand on what is not in the store yet."""
        first = self._unsettled[0].overlay if self._unsettled else overlay
        return overlay.position != first.batch.base

    def _overlay(self) -> Overlay:
        below = self._unsettled[-1].overlay if self._unsettled else None
        return self.overlays(
            self._position if below is None else below.batch.head,
            hot=self._hot,
            loader=self._loader,
            recent=self._recent,
            codec=self._codec,
            keys=self._keys,
            fresh_id=self._fresh_id,
            below=None if below is None else below.changes,
        )

    def _end(self) -> Frontier:
        """Return the frontier of the newest log, after everything walked so far."""
        return self._unsettled[-1].frontier if self._unsettled else self._frontier

    def _open_year(self, now: datetime, noted: Noted) -> Walked:
        """Return the group that opens the log of a new year, and does nothing else."""
        overlay = self._overlay()
        frontier = self._years.open(overlay, now, self._end(), self.register.policy_hash)
        return self._finished([], [], overlay, noted, frontier)

    def _finished(
        self,
        walks: Sequence[AnyWalk],
        outcomes: list[Outcome],
        overlay: Overlay,
        noted: Noted,
        fresh: Frontier | None = None,
    ) -> Walked:
        overlay.finish()
        frontier = self._end().copy() if fresh is None else fresh
        frontier.extend(map(hash_leaf, overlay.batch.leaves))
        overlay.batch.frontier = frontier.to_bytes()
        register = register_after(overlay, self._registers, self._reader, self._position)
        # Keys first: an event whose key was lost could never be opened; a key without an event is harmless.
        self._keys.flush()
        done = walks[: len(outcomes)]
        walked = Walked(done, outcomes, overlay, frontier, noted, register, overlay.destroyed)
        self._unsettled.append(walked)
        return walked

    def _settle(self) -> None:
        """Take over what was committed since."""
        while self._unsettled and self._unsettled[0].committed:
            walked = self._unsettled.pop(0)
            overlay = walked.overlay
            self._position = overlay.batch.head
            self._frontier = walked.frontier
            for stream, entry in overlay.changes.items():
                self._recent.note(stream, entry.as_of)
            for stream in overlay.outdated:
                self._recent.note(stream, overlay.batch.head)
            self._hot.touch(overlay.used)
            self._answers.keep(walked.noted)
            if walked.register is not None:
                self._registers.take(walked.register)
            if walked.barrier:
                # What it remembers was judged by another register, or holds states of who was erased.
                self._verdicts = Verdicts(self._registers.now)

    # --- when things go wrong ---------------------------------------------------------------------

    def _sync(self) -> None:
        heads = self._reader.heads()
        position = heads.position
        if position != self._position:
            self._follow(position)
        self._position, self._frontier = position, Frontier.from_bytes(heads.frontier)
        self._years.take(heads)
        self._hot.as_of = position
        self._synced = True

    def _follow(self, position: int) -> None:
        """Take over what another node wrote up to a position; at the start, all there is."""
        followed = follow(
            self._hot, self._recent, self._position, position, reader=self._reader, codec=self._codec
        )
        if self._position:  # what the last start found was executed then
            self._eraser.catch_up(self._position)
        if followed.latest is not None:
            self._order.not_before(followed.latest)
        if self._registers.catch_up(self._reader, self._codec) or followed.destroyed:
            self._verdicts = Verdicts(self._registers.now)

    def _drop(self, error: BaseException | None = None) -> None:
        self._settle()
        self._unsettled.clear()
        self._synced = False
        self._keys.discard_pending()
        self._answers.drop()
        if error is not None and not isinstance(error, HeadMoved):
            self._forget()

    def _forget(self) -> None:
        # The tentative state never reached the cache; clearing it guards against a store that moved under us.
        self._hot.clear()
        self._recent.forget_before(self._position)

    def _bisect(self, walks: Sequence[AnyWalk]) -> list[Outcome]:
        """Answer the walks whose request id was taken, run the others again, in halves if none was."""
        try:
            told = [self._answers.recorded(walk) if isinstance(walk, CommandWalk) else None for walk in walks]
        except StoreUnavailable as error:
            return [error] * len(walks)
        rest = [walk for walk, answer in zip(walks, told, strict=True) if answer is None]
        if len(rest) == len(walks):
            if len(walks) == 1:
                return [StoreUnavailable("a version was taken by another writer; nothing was recorded")]
            middle = len(walks) // 2
            return self.run(walks[:middle]) + self.run(walks[middle:])
        fresh = iter(self.run(rest) if rest else [])
        return [answer if answer is not None else next(fresh) for answer in told]
