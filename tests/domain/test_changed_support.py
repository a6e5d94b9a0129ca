"""A support that is changed while it runs: by whom, from where, how far, and what it asks anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.plan import PLAN, SupportChanged
from exchange.domain.plan.seen import as_seen
from tests.domain.builders import (
    A_DAY,
    ASSIGN,
    CONSULENT,
    DAY,
    PLAN_AGREED,
    PLANNER,
    RESIDENT,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    SUPPORT_REQUESTED,
    SUPPORT_STARTED,
    fold,
    given,
)
from tests.domain.plan_builders import CHANGE, CHANGED, FUNDING_SET, LOOKED_AT, REFUSED
from tests.domain.test_support import STOPPED_EVENT

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

AGREED = (*SUPPORT_CHOSEN, PLAN_AGREED, *LOOKED_AT)
ASSIGNED = (*AGREED, SUPPORT_ASSIGNED)
STARTED = (*ASSIGNED, SUPPORT_STARTED)
PAUSED = (*STARTED, replace(STOPPED_EVENT, stop_reason="temporary"))
CARE_DAY = SUPPORT_STARTED.care_start_date


@pytest.mark.parametrize("before", [ASSIGNED, STARTED, PAUSED])
def test_what_runs_is_changed_and_a_yes_was_to_what_stood_before(before: tuple[Event, ...]) -> None:
    given(PLAN, *before).when(CHANGE).then(CHANGED)
    was, now = fold(PLAN, *before), fold(PLAN, *before, CHANGED)
    assert was.agreed_version >= was.supports[0].chosen_version
    assert now.agreed_version == was.agreed_version < now.supports[0].chosen_version == now.version
    assert now.supports[0] == replace(was.supports[0], volume=6, corrected_version=now.version)


@pytest.mark.parametrize("before", [AGREED, (*ASSIGNED, REFUSED), (*STARTED, STOPPED_EVENT)])
def test_what_does_not_run_is_not_changed(before: tuple[Event, ...]) -> None:
    given(PLAN, *before).when(CHANGE).refused("SUPPORT_STATE")


def test_only_the_college_that_requested_it_changes_it() -> None:
    for author in (PLANNER, RESIDENT):
        given(PLAN, *STARTED).when(replace(CHANGE, author=author)).refused("NOT_THE_COLLEGE")
    for other in (replace(CONSULENT, task="college:PW"), replace(CONSULENT, oin="00000009999999999000")):
        given(PLAN, *STARTED).when(replace(CHANGE, author=other)).refused("NOT_THE_PROVIDER")
    given(PLAN, *STARTED).when(replace(CHANGE, support_id="v-2")).refused("SUPPORT_UNKNOWN")
    given(PLAN).when(CHANGE).refused("NO_PLAN")


def test_a_change_that_changes_nothing_is_none() -> None:
    same = replace(CHANGE, volume=SUPPORT_REQUESTED.volume)
    given(PLAN, *STARTED).when(same).refused("NOTHING_CHANGED")
    given(PLAN, *STARTED, CHANGED).when(CHANGE).refused("NOTHING_CHANGED")
    back = replace(CHANGED, volume=SUPPORT_REQUESTED.volume)
    given(PLAN, *STARTED, CHANGED).when(same).then(back)


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"volume": 0}, "volume"),
        ({"volume": -1}, "volume"),
        ({"volume": 100_000_000}, "volume"),
        ({"unit": ""}, "volume"),
        ({"unit": "uur"}, "unit"),
        ({"frequency": "22"}, "frequency"),
        ({"end_date": CARE_DAY - A_DAY}, "end_date"),
        ({"end_date": DAY - A_DAY}, "end_date"),
    ],
)
def test_what_it_says_must_fit(said: dict[str, Any], field: str) -> None:
    given(PLAN, *STARTED).when(replace(CHANGE, **said)).invalid(field)


def test_the_last_day_moves_as_far_as_care_and_money_let_it() -> None:
    def to(day: Any) -> Any:  # noqa: ANN401 -- a day, or none
        return replace(CHANGE, end_date=day, volume=SUPPORT_REQUESTED.volume)

    def moved(day: Any) -> SupportChanged:  # noqa: ANN401 -- as above
        return replace(CHANGED, changed=("end_date",), end_date=day, volume=SUPPORT_REQUESTED.volume)

    given(PLAN, *STARTED).when(to(CARE_DAY)).then(moved(CARE_DAY))
    given(PLAN, *STARTED).when(to(None)).then(moved(None))
    given(PLAN, *PAUSED).when(to(STOPPED_EVENT.care_end_date)).then(moved(STOPPED_EVENT.care_end_date))
    given(PLAN, *PAUSED).when(to(STOPPED_EVENT.care_end_date - A_DAY)).invalid("end_date")
    paid = FUNDING_SET.end_date
    assert paid is not None
    given(PLAN, *ASSIGNED, FUNDING_SET).when(to(paid - A_DAY)).invalid("end_date")
    if paid != SUPPORT_REQUESTED.end_date:
        given(PLAN, *ASSIGNED, FUNDING_SET).when(to(paid)).then(moved(paid))
    given(PLAN, *ASSIGNED, FUNDING_SET).when(to(paid + 400 * A_DAY)).then(moved(paid + 400 * A_DAY))


def test_a_leaf_its_author_is_not_shown_is_not_replaced() -> None:
    plan = fold(PLAN, *STARTED)
    seen = as_seen(plan, (), frozenset({"supports.volume", "supports.unit", "supports.frequency"}))
    unsaid = replace(CHANGE, end_date=None, volume=0, unit="", frequency="")
    (event,) = PLAN.decide(unsaid, seen)
    (support,) = PLAN.evolve(plan, event).supports
    assert (support.end_date, support.volume, support.unit) == (None, 4, "04")


def test_a_change_of_what_is_not_there_changes_nothing_else() -> None:
    before = fold(PLAN, *STARTED)
    after = PLAN.evolve(before, replace(CHANGED, support_id="v-9", changed=("state", "volume")))
    assert (after.version, after.supports) == (before.version + 1, before.supports)
    # Whatever an event names, no other leaf is written.
    odd = PLAN.evolve(before, replace(CHANGED, changed=("state", "kind"))).supports[0]
    assert (odd.state, odd.kind, odd.volume) == ("started", "custom", 4)


def test_a_number_once_given_stays() -> None:
    given(PLAN, *ASSIGNED, CHANGED).when(ASSIGN).refused("SUPPORT_STATE")
