"""The queue before the writer: forms groups of the walks that wait, hands each to the writer thread.

Promises: bounded, also by walks whose callers hung up; a group closes by quiescence (thirty turns of the
loop without a new walk, at most 8 ms). One caller, where one was lately, waits for no group and is walked and
committed in one go, so an idle call pays nothing; else, while one group is committed the next is walked,
never a third, and none where the one being committed changes the register. An error nobody foresaw costs one
walk, not a group. An answer that was permitted and did not leave is recorded as lost, in the same order;
where that cannot be, it is counted.
Source: the design's walk; ARCHITECTURE decisions of group commit.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from functools import partial
from typing import TYPE_CHECKING, Final

from exchange.domain.disclosure import AbortReason
from exchange.errors import Draining, ExchangeError, Overloaded, StoreUnavailable
from exchange.pipeline.aside import Aside
from exchange.pipeline.at_once import AtOnce
from exchange.pipeline.bringing import Bringing
from exchange.pipeline.leaving import Leaving
from exchange.pipeline.lost import lost_answer
from exchange.pipeline.together import Place, Together
from exchange.pipeline.walk import (
    CommandWalk,
    EvaluationOutcome,
    LookWalk,
    LostAnswer,
    ReadOutcome,
    ReadWalk,
    WalkOutcome,
)
from exchange.store.errors import HeadMoved

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.pipeline.hot import HotStates, Loader
    from exchange.pipeline.together import Take
    from exchange.pipeline.walk import AnyWalk, Walk
    from exchange.pipeline.walked import Outcome, Walked
    from exchange.pipeline.writer import Writer

GROUP_WALKS_MAX: Final = 256
QUEUE_WALKS_MAX: Final = 4_096
QUIET_TURNS: Final = 30
ALONE_MAX: Final = 1  # walks under way that nobody joined lately
LINGER_MAX_S: Final = 0.008
FENCE_WAIT_MAX_S: Final = 2.0

Waiting = tuple["AnyWalk", "asyncio.Future[WalkOutcome] | Place"]
Group = list[Waiting]


class Pipeline:
    """Owned by one event loop. `submit` is the only door of the walk."""

    def __init__(
        self, writer: Writer, hot: HotStates, loader: Loader, now: Callable[[], datetime] | None = None
    ) -> None:
        """Without a clock, a lost answer is as old as its question."""
        self._now = now
        self._writer = writer
        self._bringing = Bringing(hot, loader)
        self._thread = Aside("writer")
        self._committer = Aside("committer")
        self._waiting: deque[Waiting] = deque()
        self._inside = 0  # walks accepted that have not ended, whether their callers still wait or not
        self._most = 0  # of them at once, since the last group was handed over
        self._crowd = 0  # the same lately: takes each new most, and forgets one walk with each group
        self._idle = asyncio.Event()  # set while _inside is 0
        self._idle.set()
        self._walking = False  # a group is with the writer thread
        self._committing = False  # a group is with the committer thread
        self._barrier = False  # and it changes the register, or erases: nothing is walked above it
        self._walked: tuple[Group, Walked] | None = None  # the group that waits for the one being committed
        self._failed: list[tuple[Group, BaseException | None]] = []  # to be run again, oldest first
        self._look: asyncio.Future[WalkOutcome] | None = None  # that waits, for all who wait for it
        self._pumping = False
        self._draining = False
        self._closed = False  # the threads are gone
        self._leaving = Leaving()
        self.committed = asyncio.Event()  # set and replaced after every group that wrote
        # Called after each, behind its answers: a task for each of them would have to be woken every time.
        self.when_committed: list[Callable[[], None]] = []  # they never wait, never fail
        self.counts: Counter[str] = Counter()

    # --- the door -------------------------------------------------------------------------------

    async def submit(self, walk: Walk) -> WalkOutcome:
        """Return the outcome, committed. Raises ExchangeError; a refusal is recorded before it is raised."""
        await self._accept((walk,))
        future = self._take_in(walk)
        try:
            # A caller who hangs up cancels his own wait: his walk goes on and ends with its group.
            outcome = await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:
                # He was answered, and gone before he heard.
                self._abandoned(walk, future.result())
            raise
        if isinstance(walk, CommandWalk) and walk.fence:
            await self._fence(walk)
        return outcome

    async def submit_all(self, walks: Sequence[ReadWalk], take: Take) -> None:
        """Walk questions of one caller, queued in their order; return when the last outcome was taken.

        What came of each is given to `take` at once, a refusal too. Raises ExchangeError: of none.
        """
        if not walks:
            return
        await self._accept(walks)
        together = Together(len(walks), take)
        self._waiting += [(walk, Place(together, number)) for number, walk in enumerate(walks)]
        self._most = max(self._most, self._inside)
        self._wake()
        await together.ended

    async def _accept(self, walks: Sequence[Walk]) -> None:
        """Count walks in, and bring what they name into memory. Raises Draining, Overloaded: then of none."""
        if self._draining:
            raise Draining("the service is stopping")
        if self._inside + len(walks) > QUEUE_WALKS_MAX:
            self.counts["overloaded"] += 1
            raise Overloaded("the queue is full")
        self._inside += len(walks)
        self._idle.clear()
        try:
            for walk in walks:
                if self._bringing.missing(walk):
                    self.counts["loaded"] += await self._bringing.bring(walk)
        except BaseException:
            self._leave(len(walks))
            raise

    async def look(self, now: datetime) -> int:
        """Know, when it returns, whatever any node had committed when it was called; return the position.

        Whoever asks while one waits shares it: who is not let in yet costs no more than one look at a time.
        Raises ExchangeError.
        """
        if self._draining:
            raise Draining("the service is stopping")
        if self._look is None:
            self._inside += 1
            self._idle.clear()
            self._look = self._take_in(LookWalk(now=now))
            # Its error is for whoever still waits; where nobody does, it is told to nobody.
            self._look.add_done_callback(lambda done: done.cancelled() or done.exception())
        return (await asyncio.shield(self._look)).position

    def _take_in(self, walk: AnyWalk) -> asyncio.Future[WalkOutcome]:
        future: asyncio.Future[WalkOutcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((walk, future))
        self._most = max(self._most, self._inside)
        self._wake()
        return future

    def _leave(self, count: int = 1) -> None:
        self._inside -= count
        if not self._inside:
            self._idle.set()

    def answering(
        self, outcome: ReadOutcome | EvaluationOutcome, walk: ReadWalk | None = None
    ) -> Callable[..., None]:
        """Tell that an answer about a resident is on its way out; call the result when it has left.

        The answer to `walk` is recorded as lost where the result is called with a reason, one of AbortReason.
        """
        left = self._leaving.one(outcome.resident)

        def done(lost: str = "") -> None:
            if left() and lost and walk is not None and isinstance(outcome, ReadOutcome):
                self._lose(walk, outcome, lost)

        return done

    # --- what did not arrive ------------------------------------------------------------------------

    def _abandoned(self, walk: AnyWalk, outcome: object) -> None:
        """Record the answer that came when its caller was gone."""
        if isinstance(walk, ReadWalk) and isinstance(outcome, ReadOutcome):
            self._lose(walk, outcome, AbortReason.CALLER_GONE)

    def _lose(self, walk: ReadWalk, outcome: ReadOutcome, reason: str) -> None:
        # Also while draining: it is the end of a walk that was accepted. Never more than there were walks.
        lost = lost_answer(walk, outcome, reason, walk.now if self._now is None else self._now())
        if lost is None:
            return
        if self._closed:
            self.counts["losses_unrecorded"] += 1
            return
        self._inside += 1
        self._idle.clear()
        self._take_in(lost)

    async def drain(self) -> None:
        """Refuse new walks, finish those accepted, stop the threads."""
        self._draining = True
        while self._inside:
            await self._idle.wait()
        self._closed = True
        self._thread.close()
        self._committer.close()
        self._bringing.close()

    @property
    def depth(self) -> int:
        """Walks accepted that have not ended."""
        return self._inside

    # --- forming groups -----------------------------------------------------------------------------

    def _wake(self) -> None:
        if not self._pumping and self._may_walk():
            self._pumping = True
            loop = asyncio.get_running_loop()
            loop.call_soon(self._pump, loop, len(self._waiting), 0, loop.time() + LINGER_MAX_S)

    def _may_walk(self) -> bool:
        return not (self._walking or self._walked is not None or self._barrier or self._failed)

    def _is_alone(self) -> bool:
        return max(self._inside, self._crowd) <= ALONE_MAX

    def _pump(self, loop: asyncio.AbstractEventLoop, seen: int, quiet: int, until: float) -> None:
        waiting = len(self._waiting)
        quiet = quiet + 1 if waiting == seen else 0
        # Who is alone, and was lately, waits for nobody.
        others = not self._is_alone() and waiting < GROUP_WALKS_MAX
        if others and quiet < QUIET_TURNS and loop.time() < until:
            loop.call_soon(self._pump, loop, waiting, quiet, until)
            return
        self._pumping = False
        # A commit may have failed since this began: who recovers it wakes whoever waits here.
        if self._may_walk():
            self._hand_over()

    def _hand_over(self) -> None:
        group = [self._waiting.popleft() for _ in range(min(len(self._waiting), GROUP_WALKS_MAX))]
        if self._look is not None and any(future is self._look for _, future in group):
            # It looks now: what is committed from here on is seen by the next one.
            self._look = None
        at_once = self._is_alone() and not self._committing
        self._crowd, self._most = max(self._most, self._crowd - 1), self._inside
        self._walking = True
        self.counts["groups"] += 1
        self.counts["walks"] += len(group)
        if at_once:
            self._committing = True
            job = AtOnce()
            self._thread.give(partial(self._take_done, group, job), job.run, self._writer, _walks(group))
        else:
            self._thread.give(partial(self._take_walked, group), self._writer.walk, _walks(group))

    def _take_walked(self, group: Group, walked: Walked | None, error: BaseException | None) -> None:
        self._walking = False
        if walked is not None and error is None and not self._failed:
            self._put_back(group[len(walked.outcomes) :])
            self._walked = group[: len(walked.outcomes)], walked
        else:
            # Walked over what was lost, or not walked at all: run again once nothing is under way.
            self._failed.append((group, None))
        self._go_on()

    def _take_done(self, group: Group, job: AtOnce, _done: None, error: BaseException | None) -> None:
        self._walking = False
        walked = job.walked
        if walked is None:
            self._committing = False
            self._failed.append((group, None))
            self._go_on()
            return
        self._put_back(group[len(walked.outcomes) :])
        self._take_committed(group[: len(walked.outcomes)], walked, None, error)

    def _put_back(self, rest: Group) -> None:
        """Let walks that were not walked wait again, before whatever came in since and in their order."""
        self._waiting.extendleft(reversed(rest))
        self.counts["walks"] -= len(rest)

    def _take_committed(self, group: Group, walked: Walked, _done: None, error: BaseException | None) -> None:
        self._committing = self._barrier = False
        if error is None:
            self.counts["committed"] += bool(walked.overlay.batch.events)
            self._answer_all(group, walked.outcomes)
        else:
            self.counts["overtaken"] += isinstance(error, HeadMoved)
            lost = [] if self._walked is None else [(self._walked[0], None)]
            self._walked = None
            self._failed = [(group, error), *lost, *self._failed]
        self._go_on()

    def _go_on(self) -> None:
        if self._failed:
            if not self._walking and not self._committing:
                group, error = self._failed[0]
                self._walking = True
                take = partial(self._take_recovered, group)
                self._thread.give(take, self._writer.recover, _walks(group), error)
            return
        if self._walked is not None and not self._committing:
            (group, walked), self._walked = self._walked, None
            self._committing = True
            self._barrier = walked.barrier
            self._committer.give(partial(self._take_committed, group, walked), self._writer.commit, walked)
        if self._waiting:
            self._wake()

    def _take_recovered(
        self, group: Group, outcomes: list[Outcome] | None, error: BaseException | None
    ) -> None:
        if error is not None and len(group) > 1 and not isinstance(error, ExchangeError):
            # A defect in one walk must not fail its neighbours: run them one by one.
            self._one_by_one(group)
            return
        if outcomes is not None:
            self.counts["store_faults"] += any(isinstance(one, StoreUnavailable) for one in outcomes)
            self._answer_all(group, outcomes)
        else:
            assert error is not None
            for waiting in group:
                self._end(*waiting, error)
        self._recovered()

    def _recovered(self) -> None:
        self._walking = False
        self._failed.pop(0)
        self._go_on()

    def _one_by_one(self, group: Group) -> None:
        self.counts["split_groups"] += 1
        left = deque(group)

        def next_one() -> None:
            if not left:
                self._recovered()
                return
            one = left.popleft()
            self._thread.give(partial(take_back, one), self._writer.run, _walks([one]))

        def take_back(one: Waiting, outcomes: list[Outcome] | None, error: BaseException | None) -> None:
            if outcomes is not None:
                self._answer_all([one], outcomes)
            else:
                assert error is not None
                self._end(*one, error)
            next_one()

        next_one()

    def _answer_all(self, group: Group, outcomes: Sequence[Outcome]) -> None:
        for (walk, future), outcome in zip(group, outcomes, strict=True):
            self.counts["refused" if isinstance(outcome, ExchangeError) else walk.rpc] += 1
            self._end(walk, future, outcome)
        self._tell_committed()

    def _end(
        self, walk: AnyWalk, future: asyncio.Future[WalkOutcome] | Place, outcome: Outcome | BaseException
    ) -> None:
        """Tell who waits, and count the walk no more; where he hung up not before it ended either."""
        if isinstance(walk, LostAnswer):
            # Nobody waits for it.
            self.counts["losses_unrecorded"] += isinstance(outcome, BaseException)
        elif future.done():
            self._abandoned(walk, outcome)
        elif isinstance(outcome, BaseException):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)
        self._leave()

    def _tell_committed(self) -> None:
        committed, self.committed = self.committed, asyncio.Event()
        committed.set()
        asyncio.get_running_loop().call_soon(self._tell_all)

    def _tell_all(self) -> None:
        for told in self.when_committed:
            told()

    # --- the fence ------------------------------------------------------------------------------------

    async def _fence(self, walk: CommandWalk) -> None:
        """Wait until every answer about the resident that was judged before this walk has left (bounded)."""
        # Evicted meanwhile, nobody can say about whom: then it waits for all of them rather than for none.
        open_answers = self._leaving.about(self._bringing.resident_of(walk))
        if open_answers:
            self.counts["fences"] += 1
            await asyncio.wait(open_answers, timeout=FENCE_WAIT_MAX_S)


def _walks(group: Group) -> list[AnyWalk]:
    return [walk for walk, _ in group]
