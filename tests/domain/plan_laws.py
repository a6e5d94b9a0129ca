"""What holds of any plan after any event: of what it says, and of what is noted of when it came to say so."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from exchange.domain.plan import PlanState, lenses_missing
from exchange.domain.plan.changes import changes_since
from exchange.domain.plan.recorded import COLLECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Written anew in the place of what stood; all else stays for as long as the plan is there.
REPLACED = frozenset({"situations", "funding"})
MOVES = frozenset(
    {
        ("requested", "assigned"),
        ("assigned", "started"),
        ("started", "stopped"),
        ("stopped", "started"),
        ("requested", "refused"),
        ("assigned", "refused"),
    }
)


def noted(plan: Any) -> Iterator[tuple[int, Any]]:  # noqa: ANN401 -- PlanState, or None
    """Yield what is noted of each element: it counts in no comparison of two of them."""
    for name in COLLECTIONS:
        yield from ((one.written, one.rewritten) for one in getattr(plan, name, ()))


def stays(before: PlanState | None, after: PlanState) -> None:
    """Nothing that was recorded goes away, and what is over stays over."""
    for name in set(COLLECTIONS) - REPLACED:
        was: Sequence[Any] = getattr(before, name, ())
        still = getattr(after, name)[: len(was)]
        assert [(one.recorded, one.written) for one in still] == [(one.recorded, one.written) for one in was]
    if before is None:
        return
    for old, new in zip(before.supports, after.supports, strict=False):
        assert old.state == new.state or (old.state, new.state) in MOVES
        assert new.state != "started" or old.state != "stopped" or old.stop_reason == "temporary"
    for goal, now in zip(before.goals, after.goals, strict=False):
        assert goal.state != "withdrawn" or now.state == "withdrawn"
    if after.corrections == before.corrections:
        # What is over is wrong at times, and is corrected all the same.
        assert all(one.state != "stopped" or one in after.trajectories for one in before.trajectories)
        assert all(not one.scores or one in after.evaluations for one in before.evaluations)
    if len(after.agreements) > len(before.agreements) and after.agreements[-1].outcome != "disagreed":
        assert lenses_missing(before) == ()
        assert before.pursued
        assert all(each.resolution for each in before.rule_conflicts)


def notes_hold(before: PlanState | None, after: PlanState) -> None:
    """What is noted says exactly which elements this event wrote, and which leaves of them."""
    version = 0 if before is None else before.version
    for name in COLLECTIONS:
        was, elements = getattr(before, name, ()), getattr(after, name)
        everything = [
            one
            for one in elements
            if one.written > version or any(leaf.version > version for leaf in one.rewritten)
        ]
        assert not Counter(map(repr_of, elements)) - Counter(map(repr_of, [*was, *everything]))
        assert all(one not in was for one in everything if one.written <= version)
        told = list(changes_since(elements, version, lambda one: one.__slots__))
        assert len(told) == len(everything)
        assert all(change.version == after.version for change in told)
        assert list(changes_since(elements, after.version, lambda one: one.__slots__)) == []
        assert list(changes_since(elements, 0, lambda _one: ())) == []


def repr_of(element: object) -> str:
    """Return what an element says, without what is noted of it."""
    return repr(replace(element, written=0, rewritten=()))  # type: ignore[type-var] # every element is a dataclass


def holds(plan: PlanState) -> None:
    assert 0 <= plan.agreed_version < plan.version
    numbers = [int(each.assignment_number) for each in plan.supports if each.assignment_number]
    assert len(numbers) == len(set(numbers))
    assert len({(each.life_domain, each.origin) for each in plan.situations}) == len(plan.situations)
    assert all(1 <= each.score <= 5 for each in plan.situations)
    assert all(1 <= score <= 5 for one in plan.evaluations for score in one.scores)
    assert all(len(one.scores) in {0, len(one.goal_ids)} for one in plan.evaluations)
    assert all(1 <= one.step <= 6 for one in plan.trajectories)
    goals = {goal.goal_id for goal in plan.goals}
    assert all(goals.issuperset(one.goal_ids) for one in plan.supports)
    assert all(goals.issuperset(one.goal_ids) for one in plan.trajectories)
    assert all(goals.issuperset(one.goal_ids) for one in plan.evaluations)
    assert {one.plan_version for one in plan.answers} <= {one.plan_version for one in plan.agreements}
    assert not plan.closed or not plan.care_runs
    money_holds(plan)
    for support in plan.supports:
        # Refused it was perhaps never assigned: then nobody had to say yes to it.
        if support.state not in {"requested", "refused"} or support.assignment_number:
            yes_holds(plan, support.requested_version)
        if support.care_start_date is not None and support.care_end_date is not None:
            assert support.start_date <= support.care_start_date <= support.care_end_date


def money_holds(plan: PlanState) -> None:
    for split in plan.funding:
        assert sum(split.amounts_cents) == split.cost_cents
        assert plan.support(split.support_id) is not None
    days = sorted((one.support_id, one.start_date, one.end_date or date.max) for one in plan.funding)
    assert all(this[0] < later[0] or this[2] < later[1] for this, later in pairwise(days))


def yes_holds(plan: PlanState, version: int) -> None:
    met = {each.plan_version for each in plan.answers if each.met}
    yes = (one for one in plan.agreements if one.outcome == "agreed" or one.plan_version in met)
    assert any(one.plan_version >= version for one in yes)
