"""The writer: runs a group of walks one after another against folded state, then commits them together.

Promises: serial, so a withdrawal and a read are totally ordered, and time never runs back in that order;
nobody gets an answer before its decision is committed; when the commit fails nobody saw anything of the
group, and the state built on it is dropped. A walk that changes the register ends its group: what comes after
it is judged by the new register, and only once that is committed.
Source: group commit as in the design's walk; GDPR 5(2).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from exchange.errors import (
    ExchangeError,
    HistoryUnreadable,
    KeyUnavailable,
    RegisterInvalid,
    StoreUnavailable,
    Unavailable,
)
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.pipeline.answers import Answers
from exchange.pipeline.hot import Recent
from exchange.pipeline.overlay import Overlay
from exchange.pipeline.steps import run_command, run_read
from exchange.pipeline.verdicts import Verdicts
from exchange.pipeline.walk import CommandOutcome, CommandWalk, ReadOutcome
from exchange.store.errors import HeadMoved, Taken

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.domain.kernel import Event
    from exchange.gate.register import Register
    from exchange.keys.keystore import KeyStore
    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.registers import Known, Registers
    from exchange.pipeline.walk import View, Walk
    from exchange.store.codec import Codec, Meta
    from exchange.store.reader import SQLiteReader
    from exchange.store.sqlite import SQLiteRecorder

Outcome = CommandOutcome | ReadOutcome | ExchangeError
COMMIT_TRIES_MAX: Final = 4


class Writer:
    """Owned by one thread at a time. `run` is the whole of it; the loop reaches it through the queue."""

    def __init__(
        self,
        *,
        recorder: SQLiteRecorder,
        reader: SQLiteReader,
        codec: Codec,
        keys: KeyStore,
        hot: HotStates,
        loader: Loader,
        registers: Registers,
        fresh_id: Callable[[], bytes],
    ) -> None:
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
        self._answers = Answers(reader)
        self._synced = False  # whether _position and _frontier are those of the store
        self._position = 0
        self._frontier = Frontier()
        self._latest: datetime | None = None  # of the commands walked so far

    @property
    def position(self) -> int:
        """Last position this writer knows to be committed."""
        return self._position

    @property
    def register(self) -> Register:
        """The register as of the last commit."""
        return self._registers.now

    def run(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Walk, commit, answer: one outcome for each walk, in order. Raises only what nobody foresaw."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(walks):
            outcomes += self._run_group(walks[len(outcomes) :])
        return outcomes

    def _run_group(self, walks: Sequence[Walk]) -> list[Outcome]:
        """Return the outcomes of the walks up to and with the first that changes the register, or of all."""
        for _ in range(COMMIT_TRIES_MAX):
            try:
                return self._attempt(walks)
            except HeadMoved:
                continue
            except Taken:
                return self._bisect(walks)
            except (StoreUnavailable, KeyUnavailable, HistoryUnreadable, RegisterInvalid) as error:
                # Also where another writer recorded a register this version cannot read: nobody is judged.
                return [error] * len(walks)
        busy = Unavailable("other writers kept the head moving; nothing was recorded")
        return [busy] * len(walks)

    def genesis(self, appends: Sequence[tuple[str, Sequence[Event]]], meta: Meta) -> bool:
        """Commit the first events of an empty store; False where there is history. Nobody to ask: no gate."""
        self._sync()
        if self._position:
            return False
        overlay = self._overlay()
        overlay.append(appends, meta)
        try:
            self._commit([], overlay)
        except BaseException:
            self._drop()
            raise
        return True

    def record(self, appends_of: Callable[[View], Sequence[tuple[str, Sequence[Event]]]], meta: Meta) -> int:
        """Commit what the service itself has to say, seen from the head; return how many events.

        Nobody asked, so there is no gate: only for what opens nothing, and for the first register. Raises
        StoreUnavailable, Unavailable, and what the domain refuses.
        """
        for _ in range(COMMIT_TRIES_MAX):
            try:
                self._sync()
                overlay = self._overlay()
                appends = appends_of(overlay)
                if not appends:
                    return 0
                count, _ = overlay.append(appends, meta)
                self._commit([], overlay)
            except HeadMoved:
                self._drop()
                continue
            except BaseException:
                self._drop()
                raise
            return count
        raise Unavailable("other writers kept the head moving; nothing was recorded")

    # --- one group --------------------------------------------------------------------------------

    def _attempt(self, walks: Sequence[Walk]) -> list[Outcome]:
        try:
            if not self._synced:
                self._sync()
            outcomes, overlay = self._walk_all(walks)
            self._commit(outcomes, overlay)
        except BaseException:
            # Also for an error nobody foresaw: state that was not committed must not stay.
            self._drop()
            raise
        return outcomes

    def _walk_all(self, walks: Sequence[Walk]) -> tuple[list[Outcome], Overlay]:
        overlay = self._overlay()
        outcomes: list[Outcome] = []
        for asked in walks:
            walk = self._in_order(asked)
            try:
                if isinstance(walk, CommandWalk):
                    outcomes.append(run_command(walk, overlay, self._verdicts, self._answers, self._fresh_id))
                else:
                    outcomes.append(run_read(walk, overlay, self.register, self._fresh_id))
            except StoreUnavailable:
                raise
            except ExchangeError as error:
                # A key that is gone or out of reach costs the walk that needs it, not its neighbours.
                outcomes.append(error)
            if overlay.of_register:
                break
        return outcomes, overlay

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
        return Overlay(
            self._position,
            hot=self._hot,
            loader=self._loader,
            recent=self._recent,
            codec=self._codec,
            keys=self._keys,
            fresh_id=self._fresh_id,
        )

    def _commit(self, outcomes: Sequence[Outcome], overlay: Overlay) -> None:
        batch = overlay.batch
        if not batch.events and not batch.requests:
            self._confirm_refusals(outcomes)
            return
        frontier = self._frontier.copy()
        frontier.extend(map(hash_leaf, batch.leaves))
        batch.frontier = frontier.to_bytes()
        known = self._register_after(overlay)
        # Keys first: an event whose key was lost could never be opened; a key without an event is harmless.
        self._keys.flush()
        try:
            self._recorder.commit(batch)
        except (HeadMoved, Taken):
            raise
        except StoreUnavailable:
            if not self._was_kept(overlay):
                raise
        self._position = batch.head
        self._frontier = frontier
        for stream, entry in overlay.changes.items():
            self._recent.note(stream, entry.as_of)
        self._hot.touch(overlay.used)
        self._hot.apply(overlay.changes)
        self._answers.keep()
        if known is not None:
            self._registers.take(known)
            self._verdicts = Verdicts(self._registers.now)

    def _register_after(self, overlay: Overlay) -> Known | None:
        """Return the register this group leads to, before anything is written; None where it changes nothing.

        That a register cannot be made must not be found out after the commit.
        """
        if not overlay.of_register:
            return None
        try:
            return self._registers.after(overlay.of_register)
        except ExchangeError as error:
            # Built on a register that another writer changed: the commit would have been refused as well.
            if self._reader.head()[0] != self._position:
                raise HeadMoved("another writer moved the head", expected=str(self._position)) from error
            raise

    def _confirm_refusals(self, outcomes: Sequence[Outcome]) -> None:
        # No commit compares the head for these, so a refusal could rest on what another writer changed since.
        if (
            any(isinstance(one, ExchangeError) for one in outcomes)
            and self._reader.head()[0] != self._position
        ):
            raise HeadMoved("another writer moved the head", expected=str(self._position))

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
            if self._registers.catch_up(self._reader, self._codec):
                self._verdicts = Verdicts(self._registers.now)
        self._position, self._frontier = position, Frontier.from_bytes(frontier)
        self._synced = True

    def _drop(self) -> None:
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
