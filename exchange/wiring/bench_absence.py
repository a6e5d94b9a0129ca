"""Whether the time of an answer tells what is sealed from what is not there: a statistic, not an assertion.

Promises: the same questions and the same command about residents who differ in nothing but what is sealed, in
one process, one after another in random order, of several such residents each, by somebody who is no named
reader; every answer that was timed counts, and every figure is of one run. What is told is how far two
distributions of times lie apart, and how far they would by chance. Residents of whom nothing is sealed are
compared with each other as well: what this tells of the measurement itself.
Source: Kolmogorov-Smirnov, two samples: the largest distance of the two empirical distributions; at 5 % by
chance no more than 1.358 * sqrt((n + m) / (n * m)) (Smirnov 1948); GDPR 32.
"""

from __future__ import annotations

import math
import os
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from exchange.settings import throw_away_settings
from exchange.wiring import bench_door
from exchange.wiring.bench_twins import ABSENT, ANOTHER, FIELDS, LINK, SETS, Twins, refuse_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exchange.pipeline.walk import Walk

ROUNDS: Final = 2_000
WARM_UP: Final = 200
CRITICAL_5_PERCENT: Final = 1.358
PLAN: Final = "plan"
CONSENTS: Final = "consents"
COMMAND: Final = "command"
# By figure: of whom something is sealed, and what is asked; the other one is always of whom nothing is.
COMPARED: Final[Mapping[str, tuple[str, str]]] = {
    "absence_fields_plan": (FIELDS, PLAN),
    "absence_fields_consents": (FIELDS, CONSENTS),
    "absence_fields_command": (FIELDS, COMMAND),
    "absence_link_plan": (LINK, PLAN),
    "absence_link_consents": (LINK, CONSENTS),
    "absence_link_command": (LINK, COMMAND),
    "absence_nothing_sealed_plan": (ANOTHER, PLAN),
    "absence_nothing_sealed_consents": (ANOTHER, CONSENTS),
    "absence_nothing_sealed_command": (ANOTHER, COMMAND),
}
BY_CHANCE: Final = "absence_distance_by_chance"


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
    """Return the report with each distance of sealed and absent among its results, beside that of chance."""
    found = run_absence_bench()
    for name in (*bench_door.COMPARED, *COMPARED):
        one = found[name]
        below = "above" if one["told_apart"] else "below"
        report["results"][name] = {
            "median": one["statistic"],
            "unit": "distance",
            "runs": [f"{below} chance", f"{one['sealed_us']} µs", f"{one['absent_us']} µs"],
            **one,
        }
    chance = found[BY_CHANCE]
    report["results"][BY_CHANCE] = {"median": chance, "unit": "distance", "runs": [chance]}
    return report


def run_absence_bench(rounds: int | None = None) -> dict[str, Any]:
    """Measure; return by figure the statistic, whether it passes chance, and both medians in microseconds."""
    with TemporaryDirectory(prefix="exchange-absence-") as name:
        twins = Twins.open(throw_away_settings(data=Path(name)), sets=SETS)
        try:
            times = _times_us(twins, rounds or ROUNDS)
        finally:
            twins.core.close()
    at_the_door = bench_door.times_at_the_door(rounds or ROUNDS)
    found: dict[str, Any] = {BY_CHANCE: round(by_chance(rounds or ROUNDS, rounds or ROUNDS), 4)}
    for name, whose in bench_door.COMPARED.items():
        found[name] = _compared(at_the_door[whose], at_the_door[ABSENT])
    for name, (whose, asked) in COMPARED.items():
        found[name] = _compared(times[whose, asked], times[ABSENT, asked])
    return found


def _compared(sealed: Sequence[float], absent: Sequence[float]) -> dict[str, Any]:
    apart, chance = distance(sealed, absent), by_chance(len(sealed), len(absent))
    return {
        "statistic": round(apart, 4),
        "by_chance_5_percent": round(chance, 4),
        "told_apart": apart > chance,
        "sealed_us": round(statistics.median(sealed), 1),
        "absent_us": round(statistics.median(absent), 1),
        "answers": len(sealed) + len(absent),
    }


def _times_us(twins: Twins, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Ask everything of everybody in each round, in an order drawn anew; return the times of each."""
    asks: dict[str, Callable[[Twins, str], Walk]] = {
        PLAN: Twins.plan_question,
        CONSENTS: Twins.consents_question,
        COMMAND: Twins.command,
    }
    turns = [(whose, asked) for whose in twins.residents for asked in asks]
    found: dict[tuple[str, str], list[float]] = {turn: [] for turn in turns}
    for number in range(WARM_UP + rounds):
        asked_of = twins.turn(number)
        # What is asked before leaves things warm: who comes after whom must be no pattern.
        for whose, asked in sorted(turns, key=lambda _: os.urandom(4)):
            walk = asks[asked](asked_of, whose)
            started = time.perf_counter()
            outcomes = twins.core.writer.run([walk])
            took = (time.perf_counter() - started) * 1e6
            refuse_errors(outcomes)
            if number >= WARM_UP:
                found[whose, asked].append(took)
    return found
