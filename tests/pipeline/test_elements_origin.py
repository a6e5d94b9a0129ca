"""Whose words an element holds: another organisation's are never one's own; who is bound keeps a secret."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.plan import Goal, PlanState
from exchange.gate.register import Register
from exchange.gate.vocabulary import KINDS, SECRECY_OF_KIND, SECRECY_YIELDS
from exchange.pipeline.elements import Asker, Label, PlanGroups
from exchange.pipeline.walk import Caller
from tests.registers import adopted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from exchange.pipeline.walk import Group

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
OURS, THEIRS = "0" * 19 + "1", "0" * 19 + "2"
CALLER = Caller(OURS, "wmo-aanbieder", "p", "begeleider", "", two_factor=True, mutual_tls=True)


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

    def derive(self, _stream: str, _name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- as views do
        return make({})


def groups(basis: str, *goals: Goal) -> Sequence[Group]:
    """Groups of the goals' words, asked by a provider under a basis."""
    state = PlanState(plan_id="p", case_id="c", resident="r", origin=f"college:WMO@{THEIRS}", goals=goals)
    found = PlanGroups({"goals.own_words": Label("WMO-PLAN", secret=True)}, adopted(Register.load()))
    return found.of_plan("plan-p", Asker(CALLER, basis, NOW))(One(state), ("goals.own_words",))


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


# --- professional secrecy ---------------------------------------------------------------------------


def secrets(basis: str, *tasks: str) -> list[bool]:
    """Tell of the words of each task whether they are a secret under a basis."""
    return [group.fact.secret for group in groups(basis, *(goal(THEIRS, task) for task in tasks))]


def test_words_are_secret_where_who_recorded_them_is_bound_to_secrecy() -> None:
    bound = ("jeugdhulpaanbieder", "zorgaanbieder-zvw", "wmo-aanbieder")
    free = ("college:WMO", "college:JW", "college:PW", "betrokkene", "reintegratiebedrijf", "school")
    assert secrets("AVG-6.1.a", *bound, *free) == [True] * len(bound) + [False] * len(free)


def test_the_law_that_binds_a_provider_demands_what_the_college_needs() -> None:
    bound = ("wmo-aanbieder", "jeugdhulpaanbieder", "zorgaanbieder-zvw")
    assert secrets("WMO-5.2.2-a", *bound) == [False, True, True]


def test_what_holds_no_words_is_no_secret() -> None:
    state = PlanState(
        plan_id="p", case_id="c", resident="r", origin=f"college:WMO@{THEIRS}", goals=(goal(THEIRS),)
    )
    labels = {"goals.goal_id": Label("WMO-PLAN"), "goals.own_words": Label("WMO-PLAN", secret=True)}
    asker = Asker(CALLER, "AVG-6.1.a", NOW)
    found = PlanGroups(labels, adopted(Register.load())).of_plan("plan-p", asker)(One(state), tuple(labels))
    assert [group.fact.secret for group in found] == [False, True]


def test_every_kind_that_is_bound_is_a_kind_of_the_register_and_has_its_article() -> None:
    assert set(SECRECY_OF_KIND) <= KINDS
    assert all(SECRECY_OF_KIND.values())
    known = {basis.id: basis for basis in Register.load().entries()}
    for kind, basis in SECRECY_YIELDS:
        # It opens what that kind of provider holds, and that kind is bound: else the line says nothing.
        assert kind in known[basis].providers
        assert kind in SECRECY_OF_KIND


def test_what_was_made_for_one_plan_and_claim_is_never_told_of_another() -> None:
    register = adopted(Register.load())
    labels = {"goals.own_words": Label("WMO-PLAN", secret=True), "goals.state": Label("WMO-PLAN")}
    shared, found = PlanGroups(labels, register), []
    callers = [CALLER, replace(CALLER, organisation=THEIRS), replace(CALLER, task="college:WMO")]
    plans = [(), (goal(OURS),), (goal(THEIRS),), (goal(OURS), goal(THEIRS))]
    asked = [("goals.own_words",), ("goals.own_words", "goals.state"), ("goals.state", "goals.own_words")]
    ends = [None, NOW.replace(year=NOW.year - 30)]
    cases = product(("WMO-5.1.2", "WMO-5.2.1-2a"), callers, plans, asked, ends)
    for basis, caller, goals, paths, recorded in list(cases) * 2:
        state = PlanState(
            plan_id="p",
            case_id="c",
            resident="r",
            origin=f"college:WMO@{THEIRS}",
            goals=tuple(replace(one, recorded=recorded) for one in goals),
        )
        asker = Asker(caller, basis, NOW)
        told, alone = (
            list(one.of_plan("plan-p", asker)(One(state), paths))
            for one in (shared, PlanGroups(labels, register))
        )
        assert told == alone
        found.append(tuple(told))
    assert len(set(found)) > len(found) // 8, "the cases differ"
