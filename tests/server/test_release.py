"""What may leave: groups of a plan's elements, and answers copied from released groups only."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.domain.plan import Agreement, Goal, PlanState, Report, Situation, Support
from exchange.domain.values import CATEGORY_OF_LIFE_DOMAIN
from exchange.gate.register import Register
from exchange.pipeline.elements import Asker, PlanGroups
from exchange.pipeline.walk import Caller
from exchange.server.contract.plans import PLAN_LABELS, build_change, build_plan
from exchange.v1 import plan_pb2
from exchange.v1.common_pb2 import LIFE_DOMAIN_JUSTICE
from tests.registers import adopted

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

NOON = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
REGISTERS = adopted(Register.load())
SECRET = "not released"


class View:
    """A view of one plan."""

    def __init__(self, plan: PlanState | None) -> None:
        self.plan = plan

    def state(self, stream: str) -> Any:  # noqa: ANN401 -- as the walk's view
        assert stream == "plan-p1"
        return self.plan

    def version(self, stream: str) -> int:
        return 0 if self.state(stream) is None else 1

    def scope(self, resident: str) -> tuple[str, ...]:
        return (resident,)

    def derive(self, _stream: str, _name: Hashable, make: Callable[[dict[str, Any]], Any]) -> Any:  # noqa: ANN401 -- whatever is made
        return make({})


def asker(task: str = "college:WMO", basis: str = "WMO-2.3.2") -> Asker:
    caller = Caller("0" * 20, task, "p", "r", "t", two_factor=True, mutual_tls=True)
    return Asker(caller, basis, NOON)


def goal(words: str = "Koken.", origin: str = "college:WMO") -> Goal:
    return Goal(
        goal_id="g",
        own_words=words,
        desired_effect=SECRET,
        life_domain="housing",
        target_date=date(2027, 1, 31),
        origin=origin,
    )


def situation(life_domain: str, origin: str = "college:WMO") -> Situation:
    return Situation(
        life_domain=life_domain,
        description=f"over {life_domain}",
        strengths="",
        score=2,
        judge_date=date(2026, 11, 1),
        origin=origin,
        category=CATEGORY_OF_LIFE_DOMAIN[life_domain],
    )


def plan(**changes: Any) -> PlanState:  # noqa: ANN401 -- fields of any type
    return replace(
        PlanState(plan_id="p1", case_id="c1", resident="r1", version=5, origin="college:WMO"), **changes
    )


def groups(state: PlanState | None, *paths: str, of: Asker | None = None) -> list[Any]:
    found = PlanGroups(PLAN_LABELS, REGISTERS).of_plan("plan-p1", of or asker())(View(state), paths)
    return list(found)


def names(found: list[Any]) -> list[str]:
    return [group.fact.name for group in found]


# --- groups ---------------------------------------------------------------------------------------------


def test_elements_of_one_origin_are_one_group_named_by_its_path() -> None:
    state = plan(goals=(goal(), goal("Lopen.")))
    assert names(groups(state, "goals.own_words")) == ["goals.own_words"]


def test_elements_of_two_origins_are_two_groups_with_law_and_provider() -> None:
    state = plan(goals=(goal(), goal("Werken.", "college:PW")))
    found = groups(state, "goals.own_words")
    assert names(found) == ["goals.own_words[WMO-PLAN|college:WMO]", "goals.own_words[WMO-PLAN|college:PW]"]
    assert [(group.fact.provider, group.fact.acquired_for) for group in found] == [
        ("college:WMO", "wmo"),
        ("college:PW", "pw"),
    ]


def test_situations_are_grouped_by_the_category_of_their_life_domain() -> None:
    state = plan(situations=(situation("housing"), situation("justice"), situation("mental_health")))
    found = groups(state, "situations.description")
    assert {group.fact.category for group in found} == {"WONEN", "STRAFRECHT", "GEZONDHEID-FUNCTIONEEL"}


def test_a_path_without_elements_has_a_group_all_the_same() -> None:
    assert names(groups(plan(), "situations.description", "goals.own_words")) == [
        "situations.description",
        "goals.own_words",
    ]
    assert names(groups(None, "goals.own_words", "version")) == ["goals.own_words", "version"]


@pytest.mark.parametrize(
    ("opened_by", "also", "asks", "basis", "provider"),
    [
        ("college:WMO", "college:PW", "college:WMO", "WMO-2.3.2", "college:WMO"),
        ("college:PW", "college:PW", "college:WMO", "WMO-2.3.2", "college:WMO"),
        ("college:PW", "college:WMO", "wmo-aanbieder", "WMO-5.2.1-2a", "college:WMO"),
        ("college:PW", "college:PW", "wmo-aanbieder", "WMO-5.2.1-2a", "college:PW"),
        ("college:PW", "college:WMO", "college:WMO", "NO-SUCH-BASIS", "college:PW"),
    ],
)
def test_the_plans_own_fields_are_provided_by_whom_the_basis_names(
    opened_by: str, also: str, asks: str, basis: str, provider: str
) -> None:
    state = plan(origin=opened_by, goals=(goal(origin=also),))
    (group,) = groups(state, "version", of=asker(asks, basis))
    assert group.fact.provider == provider


def test_a_changed_collection_is_looked_at_again() -> None:
    made = PlanGroups(PLAN_LABELS, REGISTERS)
    first, second = plan(goals=(goal(),)), plan(goals=(goal(), goal(origin="college:PW")))
    of_plan = made.of_plan("plan-p1", asker())
    assert len(of_plan(View(first), ("goals.own_words",))) == 1
    # The same version number, as after a dropped group: what counts is the elements themselves.
    assert len(of_plan(View(second), ("goals.own_words",))) == 2
    assert len(of_plan(View(first), ("goals.own_words",))) == 1


# --- answers --------------------------------------------------------------------------------------------


def released(found: list[Any], *wanted: str) -> frozenset[str]:
    return frozenset(name for name in names(found) if name in wanted)


def test_only_released_leaves_are_copied() -> None:
    state = plan(goals=(goal(),))
    found = groups(state, "goals.own_words", "goals.desired_effect", "version", "plan_id")
    answer = build_plan(state, found, released(found, "goals.own_words", "version"))
    assert answer == plan_pb2.Plan(version=5, goals=[plan_pb2.Goal(own_words="Koken.")])


def test_an_element_of_which_nothing_is_released_does_not_appear() -> None:
    state = plan(goals=(goal(), goal("Werken.", "college:PW")))
    found = groups(state, "goals.own_words")
    answer = build_plan(state, found, frozenset({"goals.own_words[WMO-PLAN|college:PW]"}))
    assert [one.own_words for one in answer.goals] == ["Werken."]


def test_an_element_of_a_category_that_was_not_judged_never_appears() -> None:
    before = plan(situations=(situation("housing"),))
    found = groups(before, "situations.description")
    after = plan(situations=(situation("housing"), situation("justice")))
    answer = build_plan(after, found, frozenset(names(found)))
    assert [one.description for one in answer.situations] == ["over housing"]


def test_nothing_of_no_plan() -> None:
    found = groups(None, "goals.own_words", "version")
    assert build_plan(None, found, frozenset(names(found))) == plan_pb2.Plan()


def test_every_kind_of_value_is_translated() -> None:
    support = Support(
        support_id="s",
        kind="custom",
        provider_oin="1" * 20,
        product_category="02",
        product_code="02A05",
        start_date=date(2027, 1, 1),
        end_date=None,
        volume=3,
        unit="04",
        frequency="2",
        goal_ids=("g1", "g2"),
        state="stopped",
        stop_reason="by_agreement",
        requested_version=3,
        origin="college:WMO",
    )
    report = Report(
        report_id="m",
        desk="balie",
        life_domains=("housing", "justice"),
        own_words="Hulp.",
        receive_time=NOON,
        origin="college:WMO",
    )
    agreement = Agreement(outcome="agreed", remarks="", plan_version=4, say_time=NOON, origin="college:WMO")
    state = plan(supports=(support,), reports=(report,), agreements=(agreement,))
    found = groups(state, *sorted(PLAN_LABELS))
    answer = build_plan(state, found, frozenset(names(found)))
    told = answer.supports[0]
    assert (told.start_date, told.end_date, told.volume) == ("2027-01-01", "", 3)
    assert (told.kind, told.state) == (plan_pb2.SUPPORT_KIND_CUSTOM, plan_pb2.SUPPORT_STATE_STOPPED)
    assert told.stop_reason == plan_pb2.STOP_REASON_BY_AGREEMENT
    assert list(told.goal_ids) == ["g1", "g2"]
    assert answer.reports[0].receive_time.ToDatetime(UTC) == NOON
    assert answer.reports[0].life_domains[1] == LIFE_DOMAIN_JUSTICE
    assert answer.agreements[0].plan_version == 4


def test_a_change_holds_one_element_and_of_that_what_was_released() -> None:
    state = plan(goals=(goal(), goal("Lopen.")))
    made = PlanGroups(PLAN_LABELS, REGISTERS)
    key = ("WMO-PLAN", "college:WMO")
    asked = ("goals.own_words", "goals.desired_effect", "version")
    found = made.of_change("plan-p1", "goals", key, asker())(View(state), asked)
    answer = build_change(state.goals[1], state, "goals", found, frozenset({"goals.own_words"}))
    assert answer == plan_pb2.Plan(goals=[plan_pb2.Goal(own_words="Lopen.")])
    assert build_change(None, state, "", found, frozenset({"version"})) == plan_pb2.Plan(version=5)


def leaves(message: Any, before: str = "") -> set[str]:  # noqa: ANN401 -- any message
    found = set()
    for field, value in message.ListFields():
        if field.message_type is not None and field.is_repeated:
            found |= {path for one in value for path in leaves(one, f"{before}{field.name}.")}
        else:
            found.add(before + field.name)
    return found


@given(
    st.lists(st.sampled_from(sorted(CATEGORY_OF_LIFE_DOMAIN)), unique=True, max_size=6),
    st.lists(st.sampled_from(["college:WMO", "college:PW", "wmo-aanbieder"]), max_size=4),
    st.sets(st.sampled_from(sorted(PLAN_LABELS)), min_size=1),
    st.data(),
)
def test_no_leaf_leaves_that_was_not_asked_and_released(
    domains: list[str], origins: list[str], asked: set[str], data: st.DataObject
) -> None:
    state = plan(
        situations=tuple(situation(str(one)) for one in domains),
        goals=tuple(goal(origin, origin) for origin in origins),
    )
    found = groups(state, *sorted(asked))
    given_names = data.draw(st.sets(st.sampled_from(names(found))))
    answer = build_plan(state, found, frozenset(given_names))
    assert leaves(answer) <= {group.path for group in found if group.fact.name in given_names}
    given_keys = {
        (group.fact.category, group.fact.provider) for group in found if group.fact.name in given_names
    }
    for told in answer.goals:
        if told.own_words:
            assert ("WMO-PLAN", told.own_words) in given_keys
