"""What was corrected counts as it was corrected, in tables too: the very element, and no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from exchange.domain.insight import Dated, corrected
from exchange.domain.plan import PlanCorrected
from exchange.domain.plan.events import SituationDescribed, SupportRequested, SupportStarted, SupportStopped
from exchange.domain.values import origin_of
from tests.domain.builders import MUNICIPALITY, NOON
from tests.domain.test_insight import OF_PLAN, START, score
from tests.golden.write_missing import sample

LATER = NOON + timedelta(hours=1)
ORIGIN = origin_of("college:WMO", MUNICIPALITY)


def correction(field: str, says: str, **changes: Any) -> Dated:  # noqa: ANN401 -- any field of the event
    facts: dict[str, Any] = {
        **OF_PLAN,
        "category": "WONEN",
        "collection": "situations",
        "name": "housing",
        "origin": ORIGIN,
        "recorded": NOON,
        "field": field,
        "values": (says,),
    }
    return Dated(PlanCorrected(**(facts | changes)), LATER)


def scores(*dated: Dated) -> list[int]:
    return [one.score for one in corrected(dated) if isinstance(one, SituationDescribed)]


def test_a_score_is_the_corrected_one_and_the_correction_is_no_event() -> None:
    first, second = Dated(score(2, START), NOON), Dated(score(4, START), LATER)
    assert scores(first, second, correction("score", "3")) == [3, 4]
    assert len(corrected((first, correction("score", "3")))) == 1
    (moved,) = corrected((first, correction("judge_date", "2025-01-02")))
    assert isinstance(moved, SituationDescribed)
    assert (moved.score, moved.judge_date) == (2, date(2025, 1, 2))
    assert scores(first, correction("score", "3"), correction("score", "1")) == [1]


@pytest.mark.parametrize(
    "other",
    [
        {"name": "finance"},
        {"origin": origin_of("college:JW", MUNICIPALITY)},
        {"recorded": LATER},
        {"collection": "goals"},
    ],
)
def test_what_is_of_another_element_or_field_changes_no_score(other: dict[str, Any]) -> None:
    assert scores(Dated(score(2, START), NOON), correction("score", "3", **other)) == [2]
    assert scores(Dated(score(2, START), NOON), correction("description", "anders")) == [2]


def test_a_day_of_care_is_of_its_last_start_and_of_its_own_support() -> None:
    day = START + timedelta(days=5)
    started = [
        Dated(SupportStarted(**OF_PLAN, support_id=name, care_start_date=START), NOON)
        for name in ("s-1", "s-1", "s-2")
    ]
    stopped = Dated(
        SupportStopped(**OF_PLAN, support_id="s-1", care_end_date=START, stop_reason="other"), NOON
    )
    of_support: dict[str, Any] = {"collection": "supports", "name": "s-1", "category": "WMO-PLAN"}
    told = corrected((*started, stopped, correction("care_start_date", day.isoformat(), **of_support)))
    days = [one.care_start_date for one in told if isinstance(one, SupportStarted)]
    assert days == [START, day, START]
    told = corrected((*started, stopped, correction("care_end_date", day.isoformat(), **of_support)))
    assert [one.care_end_date for one in told if isinstance(one, SupportStopped)] == [day]
    elsewhere = correction("care_end_date", day.isoformat(), **(of_support | {"plan_id": "p-2"}))
    assert [
        one.care_end_date for one in corrected((stopped, elsewhere)) if isinstance(one, SupportStopped)
    ] == [START]


def test_a_support_counts_under_the_category_it_was_corrected_to() -> None:
    event: Any = sample(SupportRequested)
    requested = replace(event, **OF_PLAN, support_id="s-1", product_category="15")
    moved = correction("product_category", "07", collection="supports", name="s-1", category="WMO-PLAN")
    (told,) = corrected((Dated(requested, NOON), moved))
    assert isinstance(told, SupportRequested)
    assert told == replace(requested, product_category="07")
