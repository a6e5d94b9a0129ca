"""Long histories of a plan: every law holds in them, and between them everything happens.

What draws seldom reach is reached by histories of a hand: whether an event comes is no matter of chance.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from exchange.domain.plan import PLAN
from tests.domain.builders import AGREE, ASSESS, DESCRIBE, REPORT, REQUEST_SUPPORT, SET_GOAL
from tests.domain.matching_builders import ASK, END, OFFER, PROPOSE_TO_WHO_ASKS, SAY_YES
from tests.domain.plan_builders import (
    ANSWER,
    LOOK_BACK,
    MOVE_TRAJECTORY,
    PLAN_LOOKING_BACK,
    START_TRAJECTORY,
)
from tests.domain.test_plan_machine import QUICK, AnyPlan

LONG = settings(QUICK, max_examples=500, stateful_step_count=60)
# By each of these the machine gives commands of which one field in many fits what came before.
SELDOM = {
    "plan.agreed_on_conditions.v2",
    "plan.agreement_answered.v2",
    "plan.evaluation_held.v1",
    "plan.match_answered.v1",
    "plan.match_ended.v1",
    "plan.trajectory_moved.v1",
}


def by_hand() -> Counter[str]:
    """Return what happens in one history that goes where draws seldom get, every law held on the way."""
    machine = AnyPlan()
    for command in (REPORT, DESCRIBE, SET_GOAL, REQUEST_SUPPORT, ASSESS):
        machine.give(command)
    machine.give(AGREE, outcome="agreed_on_conditions", remarks="Als het mag.")
    assert machine.plan is not None
    machine.give(ANSWER, plan_version=machine.plan.agreements[-1].plan_version)
    machine.give(START_TRAJECTORY)
    machine.give(MOVE_TRAJECTORY)
    machine.give(PLAN_LOOKING_BACK)
    machine.give(LOOK_BACK, now=LOOK_BACK.now)
    for about_help in (OFFER, ASK, PROPOSE_TO_WHO_ASKS, SAY_YES, END):
        machine.give(about_help)
    machine.teardown()
    return Counter(event.TOPIC for event, _ in machine.history)


def test_what_draws_seldom_reach_is_reached_by_hand() -> None:
    assert by_hand().keys() >= SELDOM


@pytest.mark.slow
def test_long_histories_keep_every_law_and_get_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: Counter[str] = Counter()
    teardown = AnyPlan.teardown

    def counting(self: AnyPlan) -> None:
        happened.update(event.TOPIC for event, _ in self.history)
        teardown(self)

    monkeypatch.setattr(AnyPlan, "teardown", counting)
    run_state_machine_as_test(AnyPlan, settings=LONG)
    # Elements that come from elsewhere are no command's: tests/domain/test_handover.py.
    assert {event.TOPIC for event in PLAN.events} - happened.keys() - SELDOM == {"plan.elements_received.v1"}
