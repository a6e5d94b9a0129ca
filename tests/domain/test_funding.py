"""The money: it sums to the cent, covers no day twice, and never touches the support."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.domain.plan import PLAN, SetFunding
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.funding import COST_CENTS_MAX
from exchange.domain.values import Author
from tests.domain.builders import (
    A_DAY,
    DAY,
    MUNICIPALITY,
    PLAN_AGREED,
    PLANNER,
    RESIDENT,
    SUPPORT_CHOSEN,
    SUPPORT_REQUESTED,
    fold,
    given,
)
from tests.domain.plan_builders import AIMED_AT, DECIDED, FUNDING_SET, SET_FUNDING

AT_WORK = Author(MUNICIPALITY, "college:PW", "w-1", operator=True)
LAST = DAY + 90 * A_DAY
FIRST_HALF = replace(SET_FUNDING, end_date=DAY + 44 * A_DAY)
HALF_SET = replace(FUNDING_SET, end_date=DAY + 44 * A_DAY)
SECOND = replace(SET_FUNDING, funding_id="f-2", start_date=DAY + 45 * A_DAY)
SECOND_SET = replace(FUNDING_SET, funding_id="f-2", start_date=DAY + 45 * A_DAY)


def test_a_cost_is_split_over_sources() -> None:
    given(PLAN, *DECIDED).when(SET_FUNDING).then(FUNDING_SET)
    (split,) = fold(PLAN, *DECIDED, FUNDING_SET).funding
    assert dict(zip(split.sources, split.amounts_cents, strict=True)) == {
        "wmo_2015": 6_000,
        "participatiewet": 4_001,
    }


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(SET_FUNDING, cost_cents=10_000), "amounts_cents"),
        (replace(SET_FUNDING, cost_cents=10_002), "amounts_cents"),
        (replace(SET_FUNDING, amounts_cents=(10_001,)), "amounts_cents"),
        (replace(SET_FUNDING, amounts_cents=(10_001, 0)), "amounts_cents[1]"),
        (replace(SET_FUNDING, amounts_cents=(-1, 10_002)), "amounts_cents[0]"),
        (replace(SET_FUNDING, sources=("wmo_2015",) * 2), "sources"),
        (replace(SET_FUNDING, sources=("wmo_2015", "awbz")), "sources"),
        (replace(SET_FUNDING, funding_id=""), "funding_id"),
        (replace(SET_FUNDING, end_date=DAY - A_DAY), "end_date"),
        # The support is given from its first day to its last.
        (replace(SET_FUNDING, start_date=DAY - A_DAY), "start_date"),
        (replace(SET_FUNDING, end_date=LAST + A_DAY), "end_date"),
        (replace(SET_FUNDING, end_date=None), "end_date"),
    ],
)
def test_a_split_with_a_fault_names_the_field(command: SetFunding, path: str) -> None:
    given(PLAN, *DECIDED).when(command).invalid(path)


def test_the_least_and_the_most_a_support_costs() -> None:
    one = replace(SET_FUNDING, sources=("other",))
    for cents in (1, COST_CENTS_MAX):
        split = replace(one, cost_cents=cents, amounts_cents=(cents,))
        PLAN.decide(split, fold(PLAN, *DECIDED))
    for cents in (0, COST_CENTS_MAX + 1):
        split = replace(one, cost_cents=cents, amounts_cents=(cents,))
        given(PLAN, *DECIDED).when(split).invalid("cost_cents", "amounts_cents[0]")


def test_no_day_is_paid_for_twice() -> None:
    given(PLAN, *DECIDED, HALF_SET).when(SECOND).then(SECOND_SET)
    given(PLAN, *DECIDED, SECOND_SET).when(FIRST_HALF).then(HALF_SET)
    for start in (DAY, DAY + 44 * A_DAY):
        given(PLAN, *DECIDED, HALF_SET).when(replace(SECOND, start_date=start)).invalid("start_date")
    given(PLAN, *DECIDED, SECOND_SET).when(SET_FUNDING).invalid("start_date")
    # Of another support the same days are other days.
    other = (replace(SUPPORT_REQUESTED, support_id="v-2", kind="general_service"),)
    agreed = replace(PLAN_AGREED, plan_version=10)
    history = (*DECIDED, HALF_SET, *other, agreed)
    given(PLAN, *history).when(replace(FIRST_HALF, funding_id="f-2", support_id="v-2")).then(
        replace(HALF_SET, funding_id="f-2", support_id="v-2")
    )


def test_open_ends_overlap() -> None:
    unending = replace(SUPPORT_REQUESTED, end_date=None)
    history = tuple(unending if event is SUPPORT_REQUESTED else event for event in DECIDED)
    forever = replace(SET_FUNDING, end_date=None)
    given(PLAN, *history).when(forever).then(replace(FUNDING_SET, end_date=None))
    for later in (SECOND, replace(SECOND, end_date=None)):
        given(PLAN, *history, replace(FUNDING_SET, end_date=None)).when(later).invalid("start_date")


def test_changing_the_split_never_touches_the_support() -> None:
    before = fold(PLAN, *DECIDED, FUNDING_SET)
    anew = replace(SET_FUNDING, funding_id="f-2", sources=("other",), amounts_cents=(10_001,), replaces="f-1")
    (event,) = PLAN.decide(anew, before)
    after = PLAN.evolve(before, event)
    assert [(one.funding_id, one.sources) for one in after.funding] == [("f-2", ("other",))]
    assert after.supports == before.supports
    assert after.agreed_version == before.agreed_version


def test_only_the_desk_that_split_the_cost_splits_it_anew() -> None:
    anew = replace(SET_FUNDING, funding_id="f-2", replaces="f-1")
    given(PLAN, *DECIDED).when(anew).refused("FUNDING_UNKNOWN")
    given(PLAN, *DECIDED, replace(FUNDING_SET, support_id="v-9")).when(anew).refused("FUNDING_UNKNOWN")
    given(PLAN, *DECIDED, FUNDING_SET).when(replace(anew, author=AT_WORK)).refused("NOT_THE_AUTHOR")


def test_the_money_comes_after_the_decision() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(SET_FUNDING).refused("NOT_DECIDED")
    given(PLAN, *SUPPORT_CHOSEN, PLAN_AGREED).when(SET_FUNDING).refused("NOT_DECIDED")
    general = replace(SUPPORT_REQUESTED, kind="general_service")
    given(PLAN, *AIMED_AT, general).when(SET_FUNDING).refused("NOT_DECIDED")
    given(PLAN, *AIMED_AT, general, replace(PLAN_AGREED, plan_version=3)).when(SET_FUNDING).refused(
        "NOT_DECIDED"
    )
    given(PLAN, *AIMED_AT, general, PLAN_AGREED).when(SET_FUNDING).then(FUNDING_SET)


def test_what_the_own_network_does_costs_nothing() -> None:
    own = replace(SUPPORT_REQUESTED, kind="own_network", provider_oin="")
    given(PLAN, *AIMED_AT, own, PLAN_AGREED).when(SET_FUNDING).refused("NO_COST")


@pytest.mark.parametrize("author", [PLANNER, RESIDENT])
def test_nobody_but_a_college_splits_the_cost(author: Author) -> None:
    given(PLAN, *DECIDED).when(replace(SET_FUNDING, author=author)).refused("NOT_THE_COLLEGE")


def test_money_is_for_a_support_of_this_plan() -> None:
    given(PLAN, *DECIDED).when(replace(SET_FUNDING, support_id="v-9")).refused("SUPPORT_UNKNOWN")


def test_the_most_splits() -> None:
    many = tuple(replace(FUNDING_SET, funding_id=f"g-{n}", support_id="v-9") for n in range(ELEMENTS_MAX))
    given(PLAN, *DECIDED, *many[1:]).when(SET_FUNDING).then(FUNDING_SET)
    given(PLAN, *DECIDED, *many).when(SET_FUNDING).refused("PLAN_FULL")
    anew = replace(SET_FUNDING, funding_id="f-x", replaces="f-1")
    given(PLAN, *DECIDED, *many[1:-1], FUNDING_SET).when(anew).then(
        replace(FUNDING_SET, funding_id="f-x", replaces="f-1")
    )
