"""Laws of the plan, for any sequence of commands: money sums, lenses and agreement hold, versions count.

Whatever is ordered in whatever order: what a decision returns folds step by step into what all of it folds
into, and the invariants hold after every step.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain.plan import PLAN, PlanState, lenses_missing
from tests.domain.builders import (
    A_DAY,
    AGREE,
    ASSESS,
    ASSIGN,
    CONVERSE,
    DAY,
    DESCRIBE,
    DISAGREE,
    PROVIDER,
    REPORT,
    REQUEST_SUPPORT,
    SET_GOAL,
    START,
    STOP,
    fold,
)
from tests.domain.plan_builders import (
    AGREE_IF,
    ANSWER,
    INVITE,
    LOOK_BACK,
    MARK_GOAL,
    MOVE_TRAJECTORY,
    PLAN_LOOKING_BACK,
    PREFER,
    RECORD_CONFLICT,
    RESOLVE_CONFLICT,
    SET_FUNDING,
    START_TRAJECTORY,
)
from tests.domain.test_laws import AUTHORS, STEPS_MAX, obey

if TYPE_CHECKING:
    from exchange.domain.kernel import Command
    from exchange.domain.plan.elements import Support

ORDER = ("requested", "assigned", "started", "stopped")
DAYS = st.integers(-3, 3).map(lambda days: DAY + days * A_DAY)
DOMAINS = st.sampled_from(["basic_adl", "work_and_education", "finance", "nonsense"])
SUPPORT_IDS = st.sampled_from(["v-1", "v-2", "v-3"])
GOAL_IDS = st.sampled_from(["d-1", "d-2"])
PLAN_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda domain, author: replace(REPORT, life_domains=(domain,), author=author), DOMAINS, AUTHORS
    ),
    st.builds(
        lambda kind, outcome: replace(CONVERSE, kind=kind, outcome=outcome),
        st.sampled_from(["first", "evaluation"]),
        st.sampled_from(["continue", "solved_in_general_services"]),
    ),
    st.builds(
        lambda domain, score: replace(DESCRIBE, life_domain=domain, score=score), DOMAINS, st.integers(0, 6)
    ),
    st.builds(lambda goal, domain: replace(SET_GOAL, goal_id=goal, life_domain=domain), GOAL_IDS, DOMAINS),
    st.builds(
        lambda law: replace(ASSESS, law=law), st.sampled_from(["wmo_2015", "participatiewet", "jeugdwet"])
    ),
    st.builds(
        lambda support, goal, kind: replace(
            REQUEST_SUPPORT,
            support_id=support,
            goal_ids=(goal,),
            kind=kind,
            provider_oin="" if kind == "own_network" else PROVIDER,
        ),
        SUPPORT_IDS,
        GOAL_IDS,
        st.sampled_from(["custom", "custom", "own_network"]),
    ),
    st.sampled_from([AGREE, AGREE, DISAGREE, AGREE_IF, PREFER, INVITE]),
    st.builds(lambda version: replace(ANSWER, plan_version=version), st.integers(1, STEPS_MAX)),
    st.sampled_from([RECORD_CONFLICT, RESOLVE_CONFLICT, MARK_GOAL, PLAN_LOOKING_BACK, LOOK_BACK]),
    st.sampled_from([START_TRAJECTORY, MOVE_TRAJECTORY, replace(MOVE_TRAJECTORY, state="stopped")]),
    st.builds(
        lambda days, more: replace(SET_FUNDING, start_date=DAY + days * A_DAY, cost_cents=10_001 + more),
        st.integers(-2, 95),
        st.integers(0, 1),
    ),
    st.builds(
        lambda support, number, author: replace(
            ASSIGN, support_id=support, assignment_number=number, author=author
        ),
        SUPPORT_IDS,
        st.sampled_from(["1", "01", "2"]),
        AUTHORS,
    ),
    st.builds(
        lambda support, day, author: replace(START, support_id=support, care_start_date=day, author=author),
        SUPPORT_IDS,
        DAYS,
        AUTHORS,
    ),
    st.builds(
        lambda support, day, author: replace(STOP, support_id=support, care_end_date=day, author=author),
        SUPPORT_IDS,
        DAYS,
        AUTHORS,
    ),
)
# Histories that get somewhere: the steps to an agreed plan, with anything in between.
HAPPY = (REPORT, DESCRIBE, SET_GOAL, REQUEST_SUPPORT, ASSESS, AGREE, ASSIGN, START, STOP)
PLAN_SEQUENCES = st.lists(PLAN_COMMANDS, max_size=STEPS_MAX) | st.lists(
    st.lists(PLAN_COMMANDS, max_size=2), min_size=len(HAPPY), max_size=len(HAPPY)
).map(lambda between: [each for step, more in zip(HAPPY, between, strict=True) for each in (step, *more)])


def support_holds(plan: PlanState, support: Support) -> None:
    assert {goal.goal_id for goal in plan.goals} >= set(support.goal_ids)
    assert support.requested_version <= plan.version
    met = {each.plan_version for each in plan.answers if each.met}
    if support.state != "requested":
        assert support.kind == "custom"
        assert support.assignment_number.isdigit()
        assert any(
            each.plan_version >= support.requested_version
            and (each.outcome == "agreed" or each.plan_version in met)
            for each in plan.agreements
        )
    if support.care_start_date is not None:
        assert support.care_start_date >= support.start_date
        if support.care_end_date is not None:
            assert support.care_end_date >= support.care_start_date


def plan_holds(before: PlanState | None, after: PlanState) -> None:
    assert before is None or after.version > before.version
    assert 0 <= after.agreed_version < after.version
    numbers = [int(each.assignment_number) for each in after.supports if each.assignment_number]
    assert len(numbers) == len(set(numbers))
    assert len({(each.life_domain, each.origin) for each in after.situations}) == len(after.situations)
    assert all(1 <= each.score <= 5 for each in after.situations)
    for split in after.funding:
        assert sum(split.amounts_cents) == split.cost_cents
    days = sorted((one.support_id, one.start_date, one.end_date or date.max) for one in after.funding)
    assert all(this[0] < later[0] or this[2] < later[1] for this, later in pairwise(days))
    for support in after.supports:
        support_holds(after, support)
        old = before.support(support.support_id) if before else None
        assert ORDER.index(support.state) >= (ORDER.index(old.state) if old else 0)
    if after.closed:
        assert all(each.state in {"requested", "stopped"} for each in after.supports)
    if before is not None and len(after.agreements) > len(before.agreements) and after.agreed_version:
        assert lenses_missing(before) == ()
        assert before.goals
        assert all(each.resolution for each in before.rule_conflicts)


@for_all(commands=PLAN_SEQUENCES)
def test_a_plan_keeps_its_invariants(commands: list[Command]) -> None:
    history = obey(PLAN, commands, plan_holds)
    state = fold(PLAN, *history)
    assert (state.version if state else 0) == len(history)
