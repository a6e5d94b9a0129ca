"""Plans that were handed over, brought in: the product's bulk import beside rows of the same size.

Promises: what is measured is `FinishHandover` as the queue lets the writer run it, each command judged,
decided, folded and answered under its request id, each event sealed and leaved, a group in one durable commit
while the next one is walked; beside it, in turns, rows as long as those events with their leaves, a hundred
in a transaction (PostgreSQL: copied). Taking up and receiving are done before the clock runs. Nothing is
asserted.
Source: the design of performance, section 3 (`batch_vs_raw`).
"""

from __future__ import annotations

import gc
import json
import statistics
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import stream_of
from exchange.domain.handover import HANDOVER, FinishHandover, ReceivePart, TakeUpHandover, finish_handover
from exchange.domain.plan.received import content_of
from exchange.errors import ExchangeError
from exchange.pipeline.walk import Steps
from exchange.server.contract.handover_parts import ELEMENTS_PER_PART
from exchange.wiring.core import utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future
    from contextlib import AbstractContextManager

    from exchange.domain.values import Author
    from exchange.pipeline.walk import CommandWalk, View
    from exchange.wiring.core import Core
    from exchange.wiring.load.place import Rows

    Process = Callable[[View], Steps]

PLANS: Final = 64
GROUP_PLANS: Final = 16  # some two hundred events in a commit
PARTS: Final = 12
ROUNDS: Final = 3
GIVER: Final = "00000001003214345001"
CATEGORY: Final = "WMO-PLAN"
WORDS: Final = "Ik wil weer onder de mensen komen en dan aan het werk."
RATIO: Final = "batch_vs_raw"
RATIO_CPU: Final = "batch_vs_raw_cpu"


class Turn(NamedTuple):
    """Events and rows a second, and the microseconds of a processor each took."""

    events_s: float
    event_us: float
    rows_s: float
    row_us: float


class Arrivals:
    """Of one shard: `new_plan` makes a resident with a plan, `walk` a command that one process does."""

    def __init__(
        self,
        core: Core,
        author: Author,
        new_plan: Callable[[], str],
        walk: Callable[[str, Process], CommandWalk],
    ) -> None:
        self._core = core
        self._author = author
        self._new_plan = new_plan
        self._walk = walk

    def measured(self, rows_of: Callable[[int], AbstractContextManager[Rows]]) -> list[Turn]:
        """Bring plans in `ROUNDS` times, each between two times of raw rows; `rows_of` a size makes those."""
        self._brought_in()  # to warm up, and to know how long a row is
        with rows_of(self._row_bytes()) as raw:
            raw.insert()
            turns = []
            for _ in range(ROUNDS):
                before, before_us = self._rows(raw)
                events, event_us = self._brought_in()
                after, after_us = self._rows(raw)
                turns.append(Turn(events, event_us, (before + after) / 2, (before_us + after_us) / 2))
            return turns

    def _brought_in(self) -> tuple[float, float]:
        walks = [self._received() for _ in range(PLANS)]
        groups = [walks[start : start + GROUP_PLANS] for start in range(0, PLANS, GROUP_PLANS)]
        reader = self._core.reader
        before = reader.head()[0]
        took, busy = _timed(lambda: self._as_the_queue_does(groups))
        count = reader.head()[0] - before
        return count / took, busy / count * 1e6

    @staticmethod
    def _rows(raw: Rows) -> tuple[float, float]:
        count, took, busy = raw.insert()
        return count / took, busy / count * 1e6

    def _row_bytes(self) -> int:
        """Return how long what the last plan brought is, on average: event and leaf."""
        reader, events = self._core.reader, PARTS + 1
        head = reader.head()[0]
        rows = reader.page(head - events, events)
        return (
            sum(len(row.state) for row in rows) + sum(map(len, reader.leaf_entries(head - events, head)))
        ) // events

    def _received(self) -> CommandWalk:
        """Return the command that brings a plan in of which every part was received."""
        plan_id, handover_id = self._new_plan(), str(uuid.uuid4())
        plan_stream, stream = stream_of("plan", plan_id), stream_of(HANDOVER.name, handover_id)
        plan = self._core.loader.load(plan_stream).state
        said: dict[str, Any] = {"now": utc_now(), "author": self._author}
        take_up = TakeUpHandover(
            **said,
            handover_id=handover_id,
            resident=plan.resident,
            case_id=plan.case_id,
            plan_id=plan_id,
            giver_oin=GIVER,
            plan_version=1,
            collections=("goals",) * PARTS,
        )
        self._run([self._walk(plan_stream, _decided(stream, take_up))])
        for number in range(1, PARTS + 1):
            contents = content_of(_element() for _ in range(ELEMENTS_PER_PART))
            receive = ReceivePart(
                **said,
                number=number,
                handover_id=handover_id,
                plan_version=1,
                collection="goals",
                total=PARTS * ELEMENTS_PER_PART,
                sha256=sha256(contents.encode()).hexdigest(),
                contents={CATEGORY: contents},
                withheld=(),
            )
            self._run([self._walk(stream, _decided(stream, receive))])
        finish = FinishHandover(**said, other_entry=json.dumps({}), other_proof="")
        return self._walk(
            stream, lambda view: Steps(finish_handover(finish, view.state(stream), view.state(plan_stream)))
        )

    def _as_the_queue_does(self, groups: Sequence[Sequence[CommandWalk]]) -> None:
        """Walk each group while the one before it is committed."""
        writer = self._core.writer
        with ThreadPoolExecutor(1) as committer:
            under_way: Future[None] | None = None
            for group in groups:
                walked = writer.walk(group)
                _refuse_errors(walked.outcomes)
                if under_way is not None:
                    under_way.result()
                under_way = committer.submit(writer.commit, walked)
            if under_way is not None:
                under_way.result()

    def _run(self, walks: Sequence[CommandWalk]) -> None:
        _refuse_errors(self._core.writer.run(walks))


def _refuse_errors(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, ExchangeError):
            raise outcome


def batch_vs_raw(turns: Sequence[Turn]) -> float:
    """Return events a second as a share of rows a second, the median of the turns."""
    return statistics.median(turn.events_s / turn.rows_s for turn in turns)


def batch_vs_raw_cpu(turns: Sequence[Turn]) -> float:
    """Return the same in processor time: what other work beside it does not change."""
    return statistics.median(turn.row_us / turn.event_us for turn in turns)


def with_handover(report: dict[str, Any], turns: Sequence[Turn]) -> dict[str, Any]:
    """Return the report with what was found.

    Processor time is told of SQLite alone: of PostgreSQL the work of a row is in the server's processes.
    """
    report["baselines"]["raw_rows_received"] = _rates([one.rows_s for one in turns], "rows/s")
    report["results"]["received_events"] = _rates([one.events_s for one in turns], "events/s")
    report["ratios"][RATIO] = round(batch_vs_raw(turns), 3)
    if report["store"] == "sqlite":
        report["ratios"][RATIO_CPU] = round(batch_vs_raw_cpu(turns), 3)
    return report


def _rates(rates: Sequence[float], unit: str) -> dict[str, Any]:
    return {"median": round(statistics.median(rates)), "unit": unit, "runs": [round(rate) for rate in rates]}


def _decided(stream: str, order: TakeUpHandover | ReceivePart) -> Process:
    return lambda view: Steps([(stream, HANDOVER.decide(order, view.state(stream)))])


def _element() -> dict[str, Any]:
    return {
        "origin": f"college:WMO@{GIVER}",
        "category": CATEGORY,
        "recorded": utc_now().isoformat(),
        "values": {
            "goal_id": str(uuid.uuid4()),
            "own_words": WORDS,
            "desired_effect": WORDS,
            "life_domain": "social_network",
            "target_date": "2027-01-01",
            "state": "active",
        },
    }


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds it took by the clock, and of a processor; the collector rests, as while serving."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        started, busy = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - started, time.process_time() - busy
    finally:
        gc.enable()
