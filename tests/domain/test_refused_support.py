"""A support that is refused before care: by whom, from where, and what stays as it was said."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan import PLAN
from exchange.domain.plan.words import RefuseReason
from exchange.domain.values import Author
from tests.domain.builders import (
    AGREE,
    ASSIGN,
    CONSULENT,
    PLAN_AGREED,
    PLANNER,
    PROVIDER,
    REQUEST_SUPPORT,
    RESIDENT,
    SET_GOAL,
    START,
    STRANGER,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    SUPPORT_REQUESTED,
    SUPPORT_STARTED,
    fold,
    given,
)
from tests.domain.plan_builders import FUNDING_SET, LOOKED_AT, REFUSE, REFUSED, SET_FUNDING
from tests.domain.test_plan import SOLVE, SOLVED
from tests.domain.test_support import STOPPED_EVENT

if TYPE_CHECKING:
    from exchange.domain.kernel import Event

AGREED = (*SUPPORT_CHOSEN, PLAN_AGREED, *LOOKED_AT)
ASSIGNED = (*AGREED, SUPPORT_ASSIGNED)


@pytest.mark.parametrize("before", [SUPPORT_CHOSEN, ASSIGNED])
@pytest.mark.parametrize("reason", list(RefuseReason))
def test_what_is_requested_or_assigned_is_refused_for_each_reason(
    before: tuple[Event, ...], reason: RefuseReason
) -> None:
    event = replace(REFUSED, refuse_reason=reason)
    given(PLAN, *before).when(replace(REFUSE, reason=reason)).then(event)
    (support,) = fold(PLAN, *before, event).supports
    assert (support.state, support.refuse_reason) == ("refused", reason)


@pytest.mark.parametrize("reason", ["", "no_budget", "NO_ROOM"])
def test_the_money_and_what_is_on_no_list_are_no_reason(reason: str) -> None:
    given(PLAN, *ASSIGNED).when(replace(REFUSE, reason=reason)).invalid("reason")


@pytest.mark.parametrize("after", [(SUPPORT_STARTED,), (SUPPORT_STARTED, STOPPED_EVENT), (REFUSED,)])
def test_care_that_started_is_stopped_instead_and_a_refusal_is_once(after: tuple[Event, ...]) -> None:
    given(PLAN, *ASSIGNED, *after).when(REFUSE).refused("SUPPORT_STATE")


def test_a_refusal_is_for_good() -> None:
    given(PLAN, *AGREED, REFUSED).when(ASSIGN).refused("SUPPORT_STATE")
    given(PLAN, *ASSIGNED, REFUSED).when(START).refused("SUPPORT_STATE")
    given(PLAN, *ASSIGNED, REFUSED).when(replace(SET_FUNDING, replaces="")).refused("SUPPORT_REFUSED")


def test_its_provider_refuses_it_and_nobody_else_but_who_requested_it() -> None:
    theirs = replace(REFUSED, organisation=PROVIDER, task="wmo-aanbieder")
    given(PLAN, *ASSIGNED).when(replace(REFUSE, author=PLANNER)).then(theirs)
    elsewhere = Author(STRANGER, "wmo-aanbieder", "s-1")
    of_another_law = replace(CONSULENT, task="college:PW")
    for author in (RESIDENT, elsewhere, of_another_law):
        given(PLAN, *ASSIGNED).when(replace(REFUSE, author=author)).refused("NOT_THE_PROVIDER")
    given(PLAN, *ASSIGNED).when(replace(REFUSE, support_id="v-2")).refused("SUPPORT_UNKNOWN")
    given(PLAN).when(REFUSE).refused("NO_PLAN")


def test_the_yes_and_the_money_stand_as_they_were_said() -> None:
    before = fold(PLAN, *ASSIGNED, FUNDING_SET)
    after = PLAN.evolve(before, REFUSED)
    assert (after.agreed_version, after.funding) == (before.agreed_version, before.funding)
    assert after.supports[0].assignment_number == before.supports[0].assignment_number
    again = replace(SUPPORT_REQUESTED, support_id="v-2")
    # Another one asks a yes of its own, and a number of its own.
    second = replace(ASSIGN, support_id="v-2", assignment_number="418")
    given(PLAN, *ASSIGNED, REFUSED).when(replace(REQUEST_SUPPORT, support_id="v-2")).then(again)
    given(PLAN, *ASSIGNED, REFUSED, again).when(second).refused("NOT_AGREED")
    agreed = replace(PLAN_AGREED, plan_version=after.version)
    taken = replace(second, assignment_number="417")
    given(PLAN, *ASSIGNED, REFUSED, again, agreed).when(taken).refused("NUMBER_TAKEN")
    given(PLAN, *ASSIGNED, REFUSED).when(AGREE).then(replace(PLAN_AGREED, plan_version=9))


def test_a_refused_support_keeps_no_plan_open() -> None:
    given(PLAN, *ASSIGNED).when(SOLVE).refused("SUPPORT_RUNS")
    given(PLAN, *ASSIGNED, REFUSED).when(SOLVE).then(SOLVED)
    # Who did not see it may have closed the plan over it: refused, it is closed indeed.
    shut = (*SUPPORT_CHOSEN, SOLVED, PLAN_AGREED, SUPPORT_ASSIGNED)
    given(PLAN, *shut).when(REFUSE).then(REFUSED)
    given(PLAN, *shut, REFUSED).when(SET_GOAL).refused("PLAN_CLOSED")


def test_a_refusal_of_what_is_not_there_changes_nothing_else() -> None:
    before = fold(PLAN, *ASSIGNED)
    after = PLAN.evolve(before, replace(REFUSED, support_id="v-9"))
    assert (after.version, after.supports) == (before.version + 1, before.supports)
