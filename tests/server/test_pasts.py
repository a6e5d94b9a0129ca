"""A page of a timeline: of so many entries within their term, whatever past it lies between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import with_changes
from exchange.pipeline.collected import end_of
from exchange.pipeline.past_plans import Step
from exchange.server.contract.pasts import Happened, page_of
from tests.domain.test_corrections import plan

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = plan("plan.goal_set")
(GOAL,) = STATE.goals
ENDS = end_of(GOAL) or datetime.max.replace(tzinfo=UTC)
OLD, NEW = 0, 1


def timeline(*ages: int, now: datetime = ENDS) -> Iterator[Happened]:
    """Yield an entry for each: within its term at that moment by a day, or past it on the very line."""
    for version, age in enumerate(ages, start=1):
        recorded = None if GOAL.recorded is None else GOAL.recorded + age * timedelta(days=1)
        goal = with_changes(GOAL, recorded=recorded)
        step = Step(version, "plan.goal_set.v1", now, "", STATE.goals[0], STATE)  # type: ignore[arg-type] # its event is not looked at
        yield Happened(step, "plan.goal_set", "goals", goal)


@pytest.mark.parametrize(
    ("ages", "size", "versions", "more"),
    [
        ((), 2, [], False),
        ((OLD, OLD), 2, [1, 2], False),
        ((NEW, NEW), 2, [1, 2], False),
        ((NEW, NEW, NEW), 2, [1, 2], True),
        ((OLD, NEW, OLD, OLD, NEW, NEW), 2, [1, 2, 3, 4, 5], True),
        # There is a next page only if there is something on it that can be told.
        ((NEW, NEW, OLD, OLD), 2, [1, 2, 3, 4], False),
        ((NEW, NEW, OLD, NEW), 2, [1, 2, 3], True),
    ],
)
def test_what_is_past_its_term_takes_no_place_in_a_page(
    ages: tuple[int, ...], size: int, versions: list[int], *, more: bool
) -> None:
    page, another = page_of(timeline(*ages), size, ENDS)
    assert ([one.step.version for one in page], another) == (versions, more)


def test_pages_join_without_gap_or_overlap() -> None:
    ages = (NEW, OLD, OLD, NEW, NEW, OLD, NEW, OLD)
    for size in (1, 2, 3, 9):
        found: list[Any] = []
        more = True
        while more:
            page, more = page_of(
                (one for one in timeline(*ages) if one.place > (found[-1].place if found else (0, 0))),
                size,
                ENDS,
            )
            found += page
        assert [one.step.version for one in found] == list(range(1, len(ages) + 1))
        assert all(one.place < two.place for one, two in pairwise(found))
