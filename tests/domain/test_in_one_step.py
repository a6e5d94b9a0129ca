"""A description folded and stamped in one step leaves what folding it, and then stamping, leaves.

What is written into is the state that a fold made itself: any other stays as it was.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import PLAN, PlanState
from exchange.domain.plan.events import SituationDescribed
from exchange.domain.plan.recorded import stamped
from tests.domain.builders import DESCRIBE, GOAL_SET, PLAN_OPENED

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
DOMAINS = ("basic_adl", "finance", "housing")


def described(domain: str, desk: str = "college:WMO", *, beside: bool = False) -> SituationDescribed:
    opened: Any = evolve_at(PLAN, None, PLAN_OPENED, NOON)
    (event,) = PLAN.decide(replace(DESCRIBE, now=NOON, life_domain=domain), opened)
    assert isinstance(event, SituationDescribed)
    return replace(event, task=desk, beside=beside)


# Descriptions by three desks of three domains, some beside another, and what is no description between them.
EVENTS = st.lists(
    st.builds(
        described,
        st.sampled_from(DOMAINS),
        st.sampled_from(["college:WMO", "college:PW", "wmo-aanbieder"]),
        beside=st.sampled_from([False, False, True]),
    )
    | st.just(GOAL_SET),
    max_size=40,
)


def told(state: Any) -> Any:  # noqa: ANN401 -- any part of a state
    """Return all that is held, also what does not count when two are compared."""
    if isinstance(state, tuple):
        return [told(one) for one in state]
    if hasattr(state, "__dataclass_fields__"):
        return {one.name: told(getattr(state, one.name)) for one in fields(state)}
    return state


def in_two_steps(state: Any, event: Any, at: datetime) -> Any:  # noqa: ANN401 -- a plan, or none yet
    after: Any = PLAN.evolve(state, event)
    return stamped(state, after, event, at)


@given(EVENTS, st.sets(st.integers(0, 40)))
def test_one_step_leaves_what_two_leave(events: list[Any], kept_at: set[int]) -> None:
    plain: Any = in_two_steps(None, PLAN_OPENED, NOON)
    once: Any = evolve_at(PLAN, None, PLAN_OPENED, NOON)
    mine: Any = evolve_at(PLAN, None, PLAN_OPENED, NOON)
    own, kept = True, []
    for number, event in enumerate(events):
        at = NOON + timedelta(minutes=number)
        plain, once = in_two_steps(plain, event, at), evolve_at(PLAN, once, event, at)
        after = PLAN.fold(mine, event, at, own)
        own, mine = own or after is not mine, after
        assert told(plain) == told(once) == told(mine)
        if number in kept_at:
            # As a mark does: who keeps a state has it no more for himself.
            kept.append((mine, told(mine)))
            own = False
    for state, was in kept:
        assert told(state) == was


def test_what_others_have_is_not_written_into() -> None:
    opened: Any = evolve_at(PLAN, None, PLAN_OPENED, NOON)
    before = told(opened)
    after = evolve_at(PLAN, opened, described("finance"), NOON)
    assert isinstance(after, PlanState)
    assert after is not opened
    assert told(opened) == before


@pytest.mark.parametrize("own", [False, True])
def test_what_was_described_before_a_plan_was_opened_founds_none(own: bool) -> None:  # noqa: FBT001 -- of a table
    assert PLAN.fold(None, described("finance"), NOON, own) is None
