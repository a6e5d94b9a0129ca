"""Fills a store with as many events as are asked for, in less time than callers would take.

Promises: what fills it is decided by the domain, sealed, left in the ledger and answered under request ids
like any command, by the writer's own parts; only the gate is not asked, and a commit takes thousands.
"""

from __future__ import annotations

import gc
import os
import uuid
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
from exchange.wiring.bench import Bench
from exchange.wiring.core import FreshIds, open_core, utc_now
from exchange.wiring.load.calls import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exchange.domain.kernel import Event
    from exchange.domain.plan import PlanState
    from exchange.settings import Settings
    from exchange.wiring.core import Core

EVENTS_OF_ONE: Final = 100
BATCH_EVENTS: Final = 4_000
CONTENT_BYTES: Final = 32
ANSWER_BYTES: Final = 160  # as long as the stored form of an answer


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
