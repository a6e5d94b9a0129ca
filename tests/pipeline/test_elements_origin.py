"""What another organisation of the caller's own kind recorded never passes for the caller's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from exchange.domain.plan.state import Goal, PlanState
from exchange.gate.register import Register
from exchange.pipeline.elements import Asker, Label, PlanGroups
from exchange.pipeline.walk import Caller
from tests.registers import adopted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.pipeline.walk import Group

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
OURS, THEIRS = "0" * 19 + "1", "0" * 19 + "2"


def goal(organisation: str, task: str = "wmo-aanbieder") -> Goal:
    """A goal as the plan holds it."""
    return Goal(
        goal_id="g",
        own_words="w",
        desired_effect="e",
        life_domain="social_network",
        target_date=NOW.date(),
        origin=f"{task}@{organisation}",
    )


class One:
    """A view of one plan."""

    def __init__(self, state: PlanState) -> None:
        self._state = state

    def state(self, _stream: str) -> PlanState:
        return self._state

    def version(self, _stream: str) -> int:
        return 1

    def scope(self, _resident: str) -> tuple[str, ...]:
        return ()


def groups(basis: str, *goals: Goal) -> Sequence[Group]:
    """Groups of the goals' words, asked by a provider under a basis."""
    state = PlanState(plan_id="p", case_id="c", resident="r", origin=f"college:WMO@{THEIRS}", goals=goals)
    caller = Caller(OURS, "wmo-aanbieder", "p", "begeleider", "", two_factor=True, mutual_tls=True)
    found = PlanGroups({"goals.own_words": Label("WMO-PLAN")}, adopted(Register.load()))
    return found.of_plan("plan-p", Asker(caller, basis, NOW))(One(state), ("goals.own_words",))


def test_on_a_basis_for_ones_own_record_a_colleague_elsewhere_is_another_provider() -> None:
    own, other = groups("WMO-5.1.2", goal(OURS), goal(THEIRS))
    assert own.fact.provider == "wmo-aanbieder"
    assert other.fact.provider == "andere-organisatie:wmo-aanbieder"


@pytest.mark.parametrize("basis", ["WMO-5.2.1-2a", "JW-7.3.11-2a"])
def test_on_a_basis_for_disclosure_the_kind_is_told(basis: str) -> None:
    (other,) = groups(basis, goal(THEIRS))
    assert other.fact.provider == "wmo-aanbieder"


def test_another_kind_keeps_its_name() -> None:
    (municipal,) = groups("WMO-5.1.2", goal(THEIRS, "college:WMO"))
    assert municipal.fact.provider == "college:WMO"
