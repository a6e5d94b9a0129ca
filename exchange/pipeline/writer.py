"""The writer: walks a group one after another against folded state, then commits it as a whole.

Promises: serial, so a withdrawal and a read are totally ordered, and time never runs back in that order;
nobody gets an answer before its decision is committed. The next group may be walked while one is committed:
it stands on that one's effects, is committed after it or not at all, and when a commit fails nobody saw
anything of it, nor of what was built on it.
Source: group commit as in the design's walk; GDPR 5(2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from exchange.errors import ExchangeError, KeyUnavailable, StoreUnavailable, Unavailable
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.pipeline.answers import Answers
from exchange.pipeline.evaluation import run_evaluation
from exchange.pipeline.hot import Recent
from exchange.pipeline.overlay import Overlay
from exchange.pipeline.steps import run_command, run_read
from exchange.pipeline.verdicts import Verdicts
from exchange.pipeline.walk import (
    CommandOutcome,
    CommandWalk,
    EvaluationOutcome,
    EvaluationWalk,
    ReadOutcome,
)
from exchange.store.errors import HeadMoved, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.gate.register import Register
    from exchange.keys.keystore import KeyStore
    from exchange.pipeline.answers import Noted
    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.walk import Walk
    from exchange.store.codec import Codec, Meta
    from exchange.store.reader import SQLiteReader
    from exchange.store.sqlite import SQLiteRecorder

Outcome = CommandOutcome | ReadOutcome | EvaluationOutcome | ExchangeError
COMMIT_TRIES_MAX: Final = 4


@dataclass(slots=True)
class Walked:
    """A group that was walked. Nobody may see its outcomes before it is committed."""

    walks: Sequence[Walk]
    outcomes: list[Outcome]
    overlay: Overlay
    frontier: Frontier
    noted: Noted
    committed: bool = False  # set by the thread that commits, read by the writer thread


class Writer:
    """Owned by the writer thread, but for `commit`, which one other thread may call, group by group.

    `run` walks and commits. Who wants both at once walks a group, and the next while the first is committed;
    when that fails, everything walked since is given to `recover`, oldest first, with nothing under way.
    """

    def __init__(
        self,
        *,
        recorder: SQLiteRecorder,
        reader: SQLiteReader,
        codec: Codec,
        keys: KeyStore,
        hot: HotStates,
        loader: Loader,
        register: Register,
        fresh_id: Callable[[], bytes],
    ) -> None:
        self._recorder = recorder
        self._reader = reader
        self._codec = codec
        self._keys = keys
        self._hot = hot
        self._loader = loader
        self.register = register
        self._verdicts = Verdicts(register)
        self._fresh_id = fresh_id
        self._recent = Recent()
        self._answers = Answers(reader)
        self._synced = (
            False  # whether _position and _frontier are those of the store, or of what is unsettled
        )
        self._position = 0
        self._frontier = Frontier()
        self._unsettled: list[Walked] = []  # walked and perhaps committed, oldest first
        self._latest: datetime | None = None  # of the commands walked so far

    @property
    def position(self) -> int:
        """Last position this writer knows to be committed."""
        return self._position

    def run(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Walk, commit, answer: one outcome for each walk, in order. Raises only what nobody foresaw."""
        for _ in range(COMMIT_TRIES_MAX):
            try:
                return self._attempt(walks)
            except HeadMoved:
                continue
            except Taken:
                return self._bisect(walks)
            except (StoreUnavailable, KeyUnavailable) as error:
                return [error] * len(walks)
        busy = Unavailable("other writers kept the head moving; nothing was recorded")
        return [busy] * len(walks)

    def recover(self, walks: Sequence[Walk], error: BaseException | None = None) -> list[Outcome]:
        """Answer a group whose commit raised `error`, or that was walked and lost with another's.

        Raises only what nobody foresaw.
        """
        self._drop()
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
            walked = self._finished([], [], overlay, self._answers.start())
            self.commit(walked)
        except BaseException:
            self._drop()
            raise
        self._settle()
        return True

    # --- one group --------------------------------------------------------------------------------

    def walk(self, walks: Sequence[Walk]) -> Walked:
        """Walk a group over what is committed and over the one group that may still be being committed.

        Raises StoreUnavailable, KeyUnavailable, and what nobody foresaw: then nothing of it was kept.
        """
        self._settle()
        if not self._synced:
            self._sync()
        noted = self._answers.start()
        try:
            overlay = self._overlay()
            return self._finished(walks, self._walk_all(walks, overlay), overlay, noted)
        except BaseException:
            self._answers.drop(noted)
            self._keys.discard_pending()
            raise

    def commit(self, walked: Walked) -> None:
        """Commit the oldest group that is not. When it returned, its outcomes may be told.

        Raises HeadMoved, Taken, StoreUnavailable: then nothing of it was recorded, and it goes to `recover`.
        """
        overlay = walked.overlay
        batch = overlay.batch
        if batch.events or batch.requests:
            try:
                self._recorder.commit(batch)
            except StoreUnavailable:
                if not self._was_kept(overlay):
                    raise
        else:
            self._confirm_refusals(walked)
        # Before anybody is answered: who looks at the hot states next must find what was committed.
        self._hot.apply(overlay.changes, batch.head)
        walked.committed = True

    def _attempt(self, walks: Sequence[Walk]) -> list[Outcome]:
        try:
            walked = self.walk(walks)
            self.commit(walked)
        except BaseException:
            # Also for an error nobody foresaw: state that was not committed must not stay.
            self._drop()
            raise
        self._settle()
        return walked.outcomes

    def _walk_all(self, walks: Sequence[Walk], overlay: Overlay) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for asked in walks:
            walk = self._in_order(asked)
            try:
                if isinstance(walk, CommandWalk):
                    outcomes.append(run_command(walk, overlay, self._verdicts, self._answers, self._fresh_id))
                elif isinstance(walk, EvaluationWalk):
                    outcomes.append(run_evaluation(walk, overlay, self.register, self._fresh_id))
                else:
                    outcomes.append(run_read(walk, overlay, self.register, self._fresh_id))
            except StoreUnavailable:
                raise
            except ExchangeError as error:
                # A key that is gone or out of reach costs the walk that needs it, not its neighbours.
                outcomes.append(error)
        return outcomes

    def _in_order(self, walk: Walk) -> Walk:
        """Return the walk, not earlier than any command before it.

        It came in before that command, but is judged after it: by its own clock somebody who left would still
        be there, and a no would not have been said yet.
        """
        latest = self._latest
        if latest is not None and walk.now < latest:
            return replace(walk, now=latest)
        if isinstance(walk, CommandWalk):
            self._latest = walk.now
        return walk

    def _overlay(self) -> Overlay:
        below = self._unsettled[-1].overlay if self._unsettled else None
        return Overlay(
            self._position if below is None else below.batch.head,
            hot=self._hot,
            loader=self._loader,
            recent=self._recent,
            codec=self._codec,
            keys=self._keys,
            fresh_id=self._fresh_id,
            below=None if below is None else below.changes,
        )

    def _finished(
        self, walks: Sequence[Walk], outcomes: list[Outcome], overlay: Overlay, noted: Noted
    ) -> Walked:
        frontier = (self._unsettled[-1].frontier if self._unsettled else self._frontier).copy()
        frontier.extend(map(hash_leaf, overlay.batch.leaves))
        overlay.batch.frontier = frontier.to_bytes()
        # Keys first: an event whose key was lost could never be opened; a key without an event is harmless.
        self._keys.flush()
        walked = Walked(walks, outcomes, overlay, frontier, noted)
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
            self._hot.touch(overlay.used)
            self._answers.keep(walked.noted)

    def _confirm_refusals(self, walked: Walked) -> None:
        # No commit compares the head for these, so a refusal could rest on what another writer changed since.
        base = walked.overlay.batch.base
        if any(isinstance(one, ExchangeError) for one in walked.outcomes) and self._reader.head()[0] != base:
            raise HeadMoved("another writer moved the head", expected=str(base))

    def _was_kept(self, overlay: Overlay) -> bool:
        """Ask the store whether a commit that reported failure was kept: our first event is the proof."""
        batch = overlay.batch
        position, frontier = self._reader.head()
        if position < batch.head:
            return False
        if not batch.events:
            return False
        first = self._reader.page(batch.base, 1)
        mine = bool(first) and first[0].state == batch.events[0].state
        return mine and (position > batch.head or frontier == batch.frontier)

    # --- when things go wrong ---------------------------------------------------------------------

    def _sync(self) -> None:
        position, frontier = self._reader.head()
        if position != self._position:
            # Somebody else wrote, or this is the start: what is cached may be old.
            self._hot.clear()
            self._recent.forget_before(position)
        self._position, self._frontier = position, Frontier.from_bytes(frontier)
        self._hot.as_of = position
        self._synced = True

    def _drop(self) -> None:
        self._settle()
        self._unsettled.clear()
        self._synced = False
        self._keys.discard_pending()
        self._answers.drop()
        # The tentative state never reached the cache; clearing it guards against a store that moved under us.
        self._hot.clear()
        self._recent.forget_before(self._position)

    def _bisect(self, walks: Sequence[Walk]) -> list[Outcome]:
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
