"""Whether a command costs as much with a million stored events as with ten thousand.

Promises: what fills the store is decided by the domain, sealed, left in the ledger and answered under request
ids like any command, by the writer's own parts; only the gate is not asked, and a commit takes thousands.
Then the whole walk is measured on both stores in turns, without gRPC: a door would hide part of what grows.
"""

from __future__ import annotations

import gc
import os
import shutil
import uuid
from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.intake import receive_report
from exchange.domain.limits.compartments import NOTHING_KEPT
from exchange.domain.plan import DescribeSituation, ReceiveReport
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author, LifeDomain
from exchange.ledger.leaf import Signed
from exchange.ledger.merkle import Frontier, hash_leaf
from exchange.pipeline.drafts import Drafts
from exchange.store.batch import Batch, Request
from exchange.store.codec import Meta
from exchange.wiring.bench import Bench, rate_and_cpu
from exchange.wiring.core import FreshIds, open_core, utc_now
from exchange.wiring.load.calls import WORDS
from exchange.wiring.load.figures import Found, figure, ratio

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from exchange.domain.kernel import Event
    from exchange.domain.plan import PlanState
    from exchange.settings import Settings
    from exchange.wiring.core import Core
    from exchange.wiring.load.place import Place
    from exchange.wiring.load.sizes import Sizes

EVENTS_OF_ONE: Final = 100
BATCH_EVENTS: Final = 4_000
BYTES_OF_ONE: Final = 2_500  # of disk; 1,800 were measured, leaf, answer and indexes among them
CONTENT_BYTES: Final = 32
ANSWER_BYTES: Final = 160  # as long as the stored form of an answer
KEY: Final = "flat_1e6_vs_1e4"
LONG_KEY: Final = "flat_1e7_vs_1e4"
NO_ROOM: Final = "not enough room on this disk for so many events"


class Written(NamedTuple):
    """One event of one resident, in the order it is written."""

    stream: str
    version: int
    event: Event
    resident: str


class Filler:
    """Fills a core that nothing else writes to."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._fresh = FreshIds()
        self._operator = core.settings.operator_oin
        self._said: dict[str, Any] = {
            "now": utc_now(),
            "author": Author(self._operator, "college:WMO", "bench", operator=True),
        }
        position, frontier = core.reader.head()
        self._batch, self._frontier = Batch(position), Frontier.from_bytes(frontier)
        self._drafts = Drafts(core.codec, core.keys)
        self.plans: list[str] = []

    def fill(self, events: int) -> None:
        """Write until the store holds so many events."""
        gc.disable()
        while self._batch.base + len(self._drafts) < events:
            self._live()
            if len(self._drafts) >= BATCH_EVENTS:
                self._commit()
        self._commit()
        gc.enable()

    def _live(self) -> None:
        """Draft all that is written of one resident, and an answer to each command."""
        meta = Meta(
            at=self._said["now"],
            organisation=self._operator,
            task="college:WMO",
            professional="bench",
            purpose="wmo-onderzoek",
            legal_basis="WMO-2.3.2@1",
            decision_id=self._fresh().hex(),
            policy_hash=self._core.register.policy_hash,
            facts_position=self._batch.base,
            signed=Signed(os.urandom(32), os.urandom(64)),
        )
        written = list(self._life())
        self._batch.links += {(one.resident, one.stream): None for one in written}
        self._drafts.add(
            [(one.stream, one.version, one.event, self._fresh(), NOTHING_KEPT) for one in written], meta
        )
        answer = os.urandom(ANSWER_BYTES)
        self._batch.requests += [
            Request(self._operator, self._fresh().hex(), answer[:CONTENT_BYTES], answer) for _ in written
        ]

    def _life(self) -> Iterator[Written]:
        resident, case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(4))
        register = RegisterResident(
            **self._said, resident=resident, birth_date=date(1984, 5, 17), capable=True
        )
        stream = stream_of("resident", resident)
        for version, event in enumerate(AGGREGATES["resident"].decide(register, None), 1):
            yield Written(stream, version, event, resident)
        report = ReceiveReport(
            **self._said,
            resident=resident,
            case_id=case_id,
            plan_id=plan_id,
            report_id=report_id,
            life_domains=("social_network",),
            own_words=WORDS,
            desk="bench",
        )
        plan, versions = AGGREGATES["plan"], dict[str, int]()
        state: Any = None
        for stream, events in receive_report(report, None, None):
            for event in events:
                versions[stream] = versions.get(stream, 0) + 1
                state = plan.evolve(state, event) if stream.startswith("plan-") else state
                yield Written(stream, versions[stream], event, resident)
        stream = stream_of("plan", plan_id)
        self.plans.append(plan_id)
        yield from self._described(stream, versions[stream], state, resident)

    def _described(self, stream: str, version: int, state: PlanState, resident: str) -> Iterator[Written]:
        plan, domains = AGGREGATES["plan"], tuple(LifeDomain)
        for number in range(EVENTS_OF_ONE):
            described = DescribeSituation(
                **self._said,
                life_domain=domains[number % len(domains)],
                description=WORDS,
                strengths=WORDS,
                score=1 + number % 5,
                judge_date=date(2026, 3, 2),
            )
            for event in plan.decide(described, state):
                version += 1
                state = plan.evolve(state, event)
                yield Written(stream, version, event, resident)

    def _commit(self) -> None:
        if not len(self._drafts):
            return
        self._core.keys.flush()
        self._drafts.finish(self._batch)
        self._frontier.extend(map(hash_leaf, self._batch.leaves))
        self._batch.frontier = self._frontier.to_bytes()
        self._core.recorder.commit(self._batch)
        self._batch, self._drafts = Batch(self._batch.head), Drafts(self._core.codec, self._core.keys)


def filled(settings: Settings, plans: int, events: int) -> tuple[Bench, list[str]]:
    """Return a shard of so many events, opened anew: plans to measure with, and those that fill it."""
    bench = Bench.made(settings, plans)
    try:
        filler = Filler(bench.core)
        filler.fill(events)
    finally:
        bench.core.close()
    return Bench(open_core(settings), bench.plans), filler.plans


def measure_growth(
    place: Place, folder: Path, sizes: Sizes, progress: Callable[[str], None], few: Bench
) -> Found:
    """Measure beside `few`, a shard of some thousand events."""
    found = Found()
    counts = {KEY: sizes.many_events}
    if sizes.most_events:
        counts[LONG_KEY] = sizes.most_events
    else:
        found.without(LONG_KEY, "measured with --long only: a quarter of an hour, and 25 GB of disk")
    for key, events in counts.items():
        if not place.dsn and shutil.disk_usage(folder).free < events * BYTES_OF_ONE:
            found.without(key, NO_ROOM)
            continue
        progress(f"a store of {events:,} events is filled")
        with ExitStack() as opened:
            settings = opened.enter_context(place.shard(folder / key))
            many, _ = filled(settings, len(few.plans), events)
            opened.callback(many.core.close)
            progress(f"commands on {events:,} events and on {few.core.reader.head()[0]:,}")
            found.add(_turns(key, few, many, sizes))
        shutil.rmtree(folder / key, ignore_errors=True)
    return found


def _turns(key: str, few: Bench, many: Bench, sizes: Sizes) -> Found:
    rates: Mapping[int, list[tuple[float, float]]] = {id(few): [], id(many): []}
    events = many.core.reader.head()[0]
    for side in (few, many):
        # What a store pays once for being opened is not what a command costs.
        _rate(side, 1)
    for number in range(sizes.flat_turns):
        for side in (few, many) if number % 2 else (many, few):
            rates[id(side)].append(_rate(side, sizes.flat_groups))
    (one, one_us), (other, other_us) = (list(zip(*rates[id(side)], strict=True)) for side in (few, many))
    return Found(
        # In processor time too: that holds on a machine that does other things as well.
        baselines={
            f"{key}_few": figure(one, "commands/s"),
            f"{key}_few_cpu_us": figure(one_us, "µs", 1),
        },
        results={
            f"{key}_many": figure(other, "commands/s") | {"events": events},
            f"{key}_many_cpu_us": figure(other_us, "µs", 1),
        },
        ratios={key: ratio(other, one, 3)},
    )


def _rate(bench: Bench, groups: int) -> tuple[float, float]:
    size = len(bench.plans)
    return rate_and_cpu(bench, size, [bench.steady_group(size) for _ in range(groups)])
