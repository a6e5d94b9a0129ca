"""The statistic itself, on samples whose distance is known; and one short run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exchange.settings import throw_away_settings
from exchange.wiring import bench_absence, bench_door
from exchange.wiring.bench_absence import (
    BY_CHANCE,
    COMPARED,
    by_chance,
    distance,
    run_absence_bench,
    with_absence,
)
from exchange.wiring.bench_twins import ABSENT, ANOTHER, FIELDS, LINK, Twins

if TYPE_CHECKING:
    from pathlib import Path

ROUNDS = 5


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 0.0),
        ([3.0, 1.0, 2.0], [2.0, 3.0, 1.0], 0.0),
        ([1.0, 2.0], [3.0, 4.0], 1.0),
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0, 3.0, 4.0], [3.0, 4.0, 5.0, 6.0], 0.5),
        ([1.0], [1.0, 2.0], 0.5),
        ([1.0, 1.0, 1.0, 2.0], [1.0, 2.0, 2.0, 2.0], 0.5),
    ],
)
def test_the_distance_of_two_samples(one: list[float], other: list[float], apart: float) -> None:
    assert distance(one, other) == apart
    assert distance(other, one) == apart


def test_an_empty_sample_has_no_distance() -> None:
    with pytest.raises(ValueError, match="empty"):
        distance([], [1.0])


def test_chance_shrinks_with_the_samples() -> None:
    # 1.358 * sqrt(2 / 50), as in the tables for two samples of fifty.
    assert by_chance(50, 50) == pytest.approx(0.2716)
    assert by_chance(2_000, 2_000) < by_chance(50, 50)


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    """A short run, with a service of its own."""
    return run_absence_bench(rounds=ROUNDS)


@pytest.mark.slow
def test_a_short_run_reports_what_it_found_of_each(found: dict[str, Any]) -> None:
    assert found[BY_CHANCE] == round(by_chance(ROUNDS, ROUNDS), 4)
    assert set(found) == {BY_CHANCE, *bench_door.COMPARED, *COMPARED}
    for one in (found[name] for name in (*bench_door.COMPARED, *COMPARED)):
        assert one["answers"] == 2 * ROUNDS
        assert 0 <= one["statistic"] <= 1
        assert one["told_apart"] is (one["statistic"] > one["by_chance_5_percent"])
        assert min(one["sealed_us"], one["absent_us"]) > 0


@pytest.mark.slow
def test_the_report_says_of_each_whether_it_is_below_chance(
    found: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench_absence, "run_absence_bench", lambda: found)
    results = with_absence({"results": {}})["results"]
    assert list(results) == [*bench_door.COMPARED, *COMPARED, BY_CHANCE]
    for name in COMPARED:
        said = "above chance" if results[name]["told_apart"] else "below chance"
        assert results[name]["runs"][0] == said


def test_nobody_who_is_asked_about_is_answered_otherwise_than_the_one_of_whom_nothing_is_sealed(
    tmp_path: Path,
) -> None:
    twins = Twins.open(throw_away_settings(data=tmp_path))
    try:
        told = {}
        for whose in twins.residents:
            asked = [twins.plan_question(whose), twins.consents_question(whose)]
            answers: list[Any] = twins.core.writer.run(asked)
            plan, consents = answers
            counts = {name: len(getattr(plan.captured, name)) for name in twins.groups.collections}
            told[whose] = (plan.withheld_paths, counts, plan.rules, len(consents.captured), consents.released)
        # What is sealed is there all the same: the state has it.
        state = twins.core.loader.load(f"plan-{twins.residents[LINK].plan_id}").state
    finally:
        twins.core.close()
    assert told[FIELDS] == told[LINK] == told[ANOTHER] == told[ABSENT]
    assert len(state.supports) == 1
    assert told[LINK][1]["supports"] == 0
