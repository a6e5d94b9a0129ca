"""Whether the time of an answer tells what is sealed from what is not there: a statistic, not an assertion.

Promises: the same question about two residents who differ in nothing but a sealed part of the plan, asked in
turns in one process by somebody who is no named reader; what is told is how far the two distributions of
times lie apart, and how far they would lie apart by chance.
Source: Kolmogorov-Smirnov, two samples: the largest distance of the two empirical distributions; at 5 % by
chance no more than 1.358 * sqrt((n + m) / (n * m)) (Smirnov 1948); GDPR 32.
"""

from __future__ import annotations

import math
import statistics
import time
import uuid
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from exchange.domain import AGGREGATES, stream_of
from exchange.domain.intake import receive_report
from exchange.domain.limits.seals import ConfirmSeal, SealCompartment
from exchange.domain.plan import DescribeSituation, ReceiveReport
from exchange.domain.resident import RegisterResident
from exchange.domain.values import Author
from exchange.errors import ExchangeError
from exchange.pipeline.elements import Asker, Label, PlanGroups
from exchange.pipeline.walk import Caller, Claim, CommandWalk, ReadWalk, Steps
from exchange.settings import throw_away_settings
from exchange.wiring.core import Core, genesis, open_core, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.domain import Command

PAIRS: Final = 2_000
WARM_UP: Final = 200
CRITICAL_5_PERCENT: Final = 1.358
PATHS: Final = ("situations.description", "situations.score", "goals.own_words")
WORDS: Final = "Wil zonder zorgen de dag door kunnen komen."
THUMBPRINT: Final = "00" * 32
NECESSITY: Final = "Nodig voor het onderzoek; niet op minder ingrijpende wijze te verkrijgen"
_LABELS: Final = {path: Label("WMO-PLAN") for path in PATHS}


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the Kolmogorov-Smirnov statistic of two samples: 0 is the same distribution, 1 is apart.

    Raises ValueError for an empty sample.
    """
    if not one or not other:
        raise ValueError("a sample is empty")
    left, right = sorted(one), sorted(other)
    passed_left = passed_right = 0
    most = 0.0
    for value in sorted({*left, *right}):
        while passed_left < len(left) and left[passed_left] <= value:
            passed_left += 1
        while passed_right < len(right) and right[passed_right] <= value:
            passed_right += 1
        most = max(most, abs(passed_left / len(left) - passed_right / len(right)))
    return most


def by_chance(one: int, other: int) -> float:
    """Return the distance that two samples of one distribution pass in one of twenty times."""
    return CRITICAL_5_PERCENT * math.sqrt((one + other) / (one * other))


def with_absence(report: dict[str, Any]) -> dict[str, Any]:
    """Return the report with the distance of sealed and absent among its results, beside that of chance."""
    found = run_absence_bench()
    for name, value in (
        ("absence_distance", found["statistic"]),
        ("absence_distance_by_chance", found["by_chance_5_percent"]),
    ):
        report["results"][name] = {
            "median": value,
            "unit": "distance",
            "runs": [value],
            "answers": found["answers"],
        }
    return report


def run_absence_bench(pairs: int | None = None) -> dict[str, Any]:
    """Measure; return the statistic, what chance would give, and both medians in microseconds."""
    with TemporaryDirectory(prefix="exchange-absence-") as name:
        twins = _Twins.open(Path(name))
        try:
            sealed, absent = twins.times_us(pairs or PAIRS)
        finally:
            twins.core.close()
    found = distance(sealed, absent)
    return {
        "statistic": round(found, 4),
        "by_chance_5_percent": round(by_chance(len(sealed), len(absent)), 4),
        "told_apart": found > by_chance(len(sealed), len(absent)),
        "sealed_us": round(statistics.median(sealed), 1),
        "absent_us": round(statistics.median(absent), 1),
        "answers": len(sealed) + len(absent),
    }


@dataclass(slots=True)
class _Twins:
    """One shard with two residents; one of them has a situation that two persons sealed."""

    core: Core
    sealed: str  # plan ids
    absent: str
    groups: PlanGroups

    @classmethod
    def open(cls, folder: Path) -> _Twins:
        core = open_core(throw_away_settings(data=folder))
        genesis(core, utc_now(), thumbprint=THUMBPRINT, signing_key=THUMBPRINT)
        twins = cls(core, "", "", PlanGroups(_LABELS, core.registers))
        twins.sealed, twins.absent = twins._plan(with_seal=True), twins._plan(with_seal=False)
        return twins

    def times_us(self, pairs: int) -> tuple[list[float], list[float]]:
        """Ask both in turns; return the times of each."""
        found: dict[str, list[float]] = {self.sealed: [], self.absent: []}
        for number in range(WARM_UP + pairs):
            # Who is asked first changes with every pair: what the first leaves warm helps both alike.
            for plan_id in (self.sealed, self.absent) if number % 2 else (self.absent, self.sealed):
                walk = self._question(plan_id)
                started = time.perf_counter()
                outcomes = self.core.writer.run([walk])
                took = (time.perf_counter() - started) * 1e6
                _refuse_errors(outcomes)
                if number >= WARM_UP:
                    found[plan_id].append(took)
        return found[self.sealed], found[self.absent]

    def _question(self, plan_id: str) -> ReadWalk:
        stream, now, caller = stream_of("plan", plan_id), utc_now(), self._caller("bench")
        return ReadWalk(
            rpc="GetPlan",
            caller=caller,
            claim=Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY),
            now=now,
            anchor=stream,
            fields=PATHS,
            groups=self.groups.of_plan(stream, Asker(caller, "WMO-2.3.2", now)),
            capture=lambda view: view.state(stream),
            collections=self.groups.collections,
            bulk=False,
        )

    def _plan(self, *, with_seal: bool) -> str:
        resident, case_id, plan_id, report_id = (str(uuid.uuid4()) for _ in range(4))
        said: dict[str, Any] = {"now": utc_now(), "author": self._author("bench")}
        register = RegisterResident(**said, resident=resident, birth_date=date(1984, 5, 17), capable=True)
        self._decide("resident", resident, register, anchor=stream_of("resident", resident))
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
        self._run(lambda _: Steps(receive_report(report, None, None)), stream_of("resident", resident))
        if with_seal:
            self._seal_a_part(resident, plan_id, said)
        return plan_id

    def _seal_a_part(self, resident: str, plan_id: str, said: dict[str, Any]) -> None:
        described = DescribeSituation(
            **said,
            life_domain="social_network",
            description=WORDS,
            strengths=WORDS,
            score=2,
            judge_date=date(2026, 3, 2),
        )
        self._decide("plan", plan_id, described, anchor=stream_of("plan", plan_id))
        proposal = str(uuid.uuid4())
        order = SealCompartment(
            **said, proposal_id=proposal, paths=PATHS[:2], readers=("0" * 20 + "/veilig-thuis",), reason=WORDS
        )
        confirm = ConfirmSeal(now=said["now"], author=self._author("second"), proposal_id=proposal)
        for command in (order, confirm):
            self._decide("resident", resident, command, anchor=stream_of("resident", resident))

    def _decide(self, aggregate: str, key: str, command: Command, *, anchor: str) -> None:
        stream = stream_of(aggregate, key)

        def process(view: Any) -> Steps:  # noqa: ANN401 -- a view
            return Steps([(stream, AGGREGATES[aggregate].decide(command, view.state(stream)))])

        self._run(process, anchor)

    def _run(self, process: Callable[[Any], Steps], anchor: str) -> None:
        request_id = str(uuid.uuid4())
        walk = CommandWalk(
            rpc="Bench",
            caller=self._caller("bench"),
            claim=Claim("wmo-onderzoek", "WMO-2.3.2", NECESSITY),
            now=utc_now(),
            request_id=request_id,
            content=request_id.encode(),
            anchor=anchor,
            fields=(("own_words", "WMO-PLAN"),),
            process=process,
            relation=False,
        )
        _refuse_errors(self.core.writer.run([walk]))

    def _author(self, professional: str) -> Author:
        return Author(self.core.settings.operator_oin, "college:WMO", professional, operator=True)

    def _caller(self, professional: str) -> Caller:
        return Caller(
            self.core.settings.operator_oin,
            "college:WMO",
            professional,
            "regisseur",
            THUMBPRINT,
            two_factor=True,
            mutual_tls=True,
        )


def _refuse_errors(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, ExchangeError):
            raise outcome
