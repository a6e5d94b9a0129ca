"""A plan of ten years: read beside a short one, its past looked up, and read models made anew.

Promises: the same twelve fields of two plans that show as many elements, asked in turns in one process
through the writer, with the answer built; any moment of ten years, first as after a start, with all that this
opens, then as it comes.
"""

from __future__ import annotations

import gc
import statistics
import time
import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.intake import receive_report
from exchange.domain.plan import DescribeSituation, ReceiveReport, SetGoal
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author, LifeDomain
from exchange.errors import ExchangeError
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.hot import EVENTS_PER_MARK, PAST_PREFIX
from exchange.pipeline.walk import Caller, Claim, CommandWalk, ReadOutcome, ReadWalk, Steps
from exchange.projections.follower import catch_up
from exchange.server.contract.plans import PLAN_LABELS, build_plan
from exchange.settings import throw_away_settings
from exchange.wiring.collecting import quiet_collector
from exchange.wiring.core import Core, genesis, open_core, utc_now
from exchange.wiring.following import models_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.domain import Command

AS_OF: Final = "plan_as_of_ms"
FIRST_AS_OF: Final = "plan_first_as_of_ms"
FIRST_AS_OF_CPU: Final = "plan_first_as_of_cpu_ms"
LONG_VS_SHORT: Final = "plan_read_long_vs_short"
REBUILD: Final = "rebuild_events_s"
EVENTS: Final = 5_000
YEARS: Final = 10
GOALS: Final = 5  # with 13 situations and the report, which is two, a plan of 20 events
READS: Final = 300
MOMENTS: Final = 200
FIRST_LOOKS: Final = 5
ROUNDS: Final = 3
GROUP: Final = 200
PATHS: Final = (
    *("situations.life_domain", "situations.description", "situations.strengths", "situations.score"),
    *("situations.judge_date", "goals.own_words", "goals.desired_effect", "goals.life_domain"),
    *("goals.target_date", "reports.own_words", "reports.life_domains", "reports.receive_time"),
)
WORDS: Final = "Wil weer onder de mensen komen en dan aan het werk."
THUMBPRINT: Final = "00" * 32
NECESSITY: Final = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"


@dataclass(slots=True)
class _Shard:
    """One shard with a plan of ten years and a short one."""

    core: Core
    groups: PlanGroups  # as in the door: made once
    begin: datetime
    long: str = ""
    short: str = ""

    @classmethod
    def open(cls, folder: Path) -> _Shard:
        core = open_core(throw_away_settings(data=folder))
        genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
        shard = cls(core, PlanGroups(PLAN_LABELS, core.registers), utc_now() - timedelta(days=365 * YEARS))
        shard.short, shard.long = shard._plan(), shard._plan()
        shard._live_through(EVENTS - len(LifeDomain) - GOALS - 2)
        return shard

    def read(self, plan_id: str) -> float:
        """Ask twelve fields; return the seconds it took, the answer built."""
        stream, now, caller = stream_of("plan", plan_id), utc_now(), self._caller()
        groups = self.groups
        walk = ReadWalk(
            rpc="GetPlan",
            caller=caller,
            claim=Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY),
            now=now,
            anchor=stream,
            fields=PATHS,
            groups=groups.of_plan(stream, Asker(caller, "WMO-2.3.2", now)),
            capture=lambda view: groups.within_term(stream, view.state(stream), now),
            collections=groups.collections,
            bulk=False,
            allow_partial=True,
        )
        started = time.perf_counter()
        (outcome,) = self.core.writer.run([walk])
        if isinstance(outcome, ExchangeError):
            raise outcome
        assert isinstance(outcome, ReadOutcome)
        build_plan(outcome.captured, outcome.groups, outcome.released)
        return time.perf_counter() - started

    def look(self, number: int) -> float:
        """Look up the long plan at one of its moments; return the seconds it took."""
        # Spread over ten years in no order.
        moment = self.begin + (number * 7_919 % MOMENTS) / MOMENTS * timedelta(days=365 * YEARS)
        started = time.perf_counter()
        self.core.past.as_of(stream_of("plan", self.long), moment)
        return time.perf_counter() - started

    def first_look(self) -> tuple[float, float]:
        """Look up the long plan as after a start; return the seconds it took, and those of a processor.

        Nothing of it is remembered, and the plan as it is now is opened first, as the door does. The moment
        is as far from the mark before it as one can be.
        """
        core, stream = self.core, stream_of("plan", self.long)
        core.hot.evict((PAST_PREFIX + stream, stream))
        beyond = EVENTS % EVENTS_PER_MARK + 1
        moment = self.begin + (1 - beyond / EVENTS) * timedelta(days=365 * YEARS)
        started, busy = time.perf_counter(), time.process_time()
        core.hot.put(stream, core.loader.load(stream))
        core.past.as_of(stream, moment)
        return time.perf_counter() - started, time.process_time() - busy

    def rebuild(self) -> float:
        """Make every read model anew; return events a second, all of them counted once."""
        started = time.perf_counter()
        for model in models_of(self.core):
            model.database.forget()
            catch_up(model, self.core.reader, self.core.codec)
        return self.core.reader.head()[0] / (time.perf_counter() - started)

    # --- what there is to read --------------------------------------------------------------------------

    def _plan(self) -> str:
        resident, case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(4))
        said: dict[str, Any] = {"now": self.begin, "author": self._author()}
        register = RegisterResident(**said, resident=resident, birth_date=date(1984, 5, 17), capable=True)
        self._run([self._decided("resident", resident, register)], relation=False)
        report = ReceiveReport(
            **said,
            resident=resident,
            case_id=case_id,
            plan_id=plan_id,
            report_id=report_id,
            life_domains=("social_network",),
            own_words=WORDS,
            desk="bench",
        )
        reported = (stream_of("resident", resident), lambda _: Steps(receive_report(report, None, None)))
        self._run([reported], relation=False)
        goals = [
            SetGoal(
                **said,
                goal_id=str(uuid.uuid4()),
                own_words=WORDS,
                desired_effect=WORDS,
                life_domain="social_network",
                target_date=date(2027, 1, 1),
            )
            for _ in range(GOALS)
        ]
        self._run([self._decided("plan", plan_id, one) for one in goals])
        self._run([self._described(plan_id, number, self.begin) for number in range(len(LifeDomain))])
        return plan_id

    def _live_through(self, events: int) -> None:
        """Describe the long plan's life domains again and again, through ten years."""
        step = timedelta(days=365 * YEARS) / (events + 1)
        for start in range(0, events, GROUP):
            numbers = range(start, min(start + GROUP, events))
            self._run(
                [self._described(self.long, number, self.begin + (number + 1) * step) for number in numbers],
                now=self.begin + (numbers[-1] + 1) * step,
            )

    def _described(self, plan_id: str, number: int, now: datetime) -> tuple[str, Callable[[Any], Steps]]:
        described = DescribeSituation(
            now=now,
            author=self._author(),
            life_domain=tuple(LifeDomain)[number % len(LifeDomain)],
            description=WORDS,
            strengths=WORDS,
            score=1 + number % 5,
            judge_date=now.date(),
        )
        return self._decided("plan", plan_id, described)

    @staticmethod
    def _decided(aggregate: str, key: str, command: Command) -> tuple[str, Callable[[Any], Steps]]:
        stream = stream_of(aggregate, key)
        decide = AGGREGATES[aggregate].decide
        return stream, lambda view: Steps([(stream, decide(command, view.state(stream)))])

    def _run(
        self,
        steps: Sequence[tuple[str, Callable[[Any], Steps]]],
        *,
        relation: bool = True,
        now: datetime | None = None,
    ) -> None:
        walks = []
        for anchor, process in steps:
            request_id = str(uuid.uuid4())
            walks.append(
                CommandWalk(
                    rpc="Bench",
                    caller=self._caller(),
                    claim=Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY),
                    now=now or self.begin,
                    request_id=request_id,
                    content=request_id.encode(),
                    anchor=anchor,
                    fields=(("own_words", "WMO-PLAN"),),
                    process=process,
                    relation=relation,
                )
            )
        for outcome in self.core.writer.run(walks):
            if isinstance(outcome, ExchangeError):
                raise outcome

    def _author(self) -> Author:
        return Author(self.core.settings.operator_oin, "college:WMO", "bench")

    def _caller(self) -> Caller:
        operator = self.core.settings.operator_oin
        return Caller(
            operator, "college:WMO", "bench", "regisseur", THUMBPRINT, two_factor=True, mutual_tls=True
        )


def with_plan(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report with what a plan of ten years costs."""
    with TemporaryDirectory(prefix="exchange-bench-") as name:
        shard = _Shard.open(Path(name))
        try:
            found = _measure(shard)
        finally:
            shard.core.close()
    ratio = found.pop(LONG_VS_SHORT)
    return report | {
        "results": report["results"] | found,
        "ratios": report["ratios"] | {LONG_VS_SHORT: ratio["median"]},
    }


def _measure(shard: _Shard) -> dict[str, Any]:
    ratios, looks, firsts, busy, rates = [], [], [], [], []
    for _ in range(ROUNDS):
        took: dict[str, list[float]] = {shard.long: [], shard.short: []}
        for number in range(READS):
            # Each goes first as often: what a first one pays for both must fall on both alike.
            for plan_id in (shard.long, shard.short) if number % 2 else (shard.short, shard.long):
                took[plan_id].append(shard.read(plan_id))
        ratios.append(statistics.median(took[shard.long]) / statistics.median(took[shard.short]))
        # As while serving: garbage is collected in idle moments.
        quiet_collector()
        first = [shard.first_look() for _ in range(FIRST_LOOKS)]
        firsts.append(statistics.median(took for took, _ in first))
        busy.append(statistics.median(took for _, took in first))
        gc.enable()
        looks.append(max(shard.look(number) for number in range(MOMENTS)))
        rates.append(shard.rebuild())
    return {
        LONG_VS_SHORT: _figure(ratios, "times", 2),
        AS_OF: _figure([1_000 * one for one in looks], "ms", 1),
        FIRST_AS_OF: _figure([1_000 * one for one in firsts], "ms", 1),
        FIRST_AS_OF_CPU: _figure([1_000 * one for one in busy], "ms", 1),
        REBUILD: _figure(rates, "events/s", 0),
    }


def _figure(runs: list[float], unit: str, digits: int) -> dict[str, Any]:
    told = [round(one, digits) if digits else round(one) for one in runs]
    return {"median": round(statistics.median(told), 2), "unit": unit, "runs": told}
