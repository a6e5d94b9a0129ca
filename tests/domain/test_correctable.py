"""What a correction must fit: money adds up, scores stay on their scale, days keep their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import PLAN
from exchange.domain.plan.correctable import FIELDS
from exchange.domain.plan.corrections import ElementName
from exchange.domain.plan.fitting import leaves_changed
from exchange.domain.plan.rectified import NAMED_BY
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.test_corrections import AT, CITY, DESK, LATER, decided, order
from tests.golden.write_missing import sample

if TYPE_CHECKING:
    from exchange.domain.plan import PlanState

Told = tuple[str, dict[str, Any]]
KINDS = {one.TOPIC.rpartition(".v")[0].removeprefix("plan."): one for one in PLAN.events}
FIRST, LAST = date(2026, 2, 1), date(2026, 11, 30)
CHOSEN: dict[str, Any] = {
    "kind": "custom",
    "support_id": "s-1",
    "start_date": FIRST,
    "end_date": LAST,
    "product_category": "15",
    "product_code": "15A04",
    "volume": 3,
    "unit": "04",
    "frequency": "2",
}
SUPPORT: Told = ("support_requested", CHOSEN)
ASSIGNED: Told = ("support_assigned", {"support_id": "s-1", "assignment_number": "7"})
CARE: Told = ("support_started", {"support_id": "s-1", "care_start_date": date(2026, 2, 10)})
REFUSED: Told = ("support_refused", {"support_id": "s-1", "refuse_reason": "no_room"})
MONEY: dict[str, Any] = {
    "funding_id": "f-1",
    "support_id": "s-1",
    "cost_cents": 300,
    "sources": ("wmo_2015", "other"),
    "amounts_cents": ("100", "200"),
    "start_date": date(2026, 2, 5),
    "end_date": date(2026, 6, 30),
    "replaces": "",
}
SPLIT: Told = ("funding_set", MONEY)
NEXT_SPLIT: Told = (
    "funding_set",
    MONEY | {"funding_id": "f-2", "start_date": date(2026, 7, 1), "end_date": date(2026, 9, 30)},
)
PATH: Told = (
    "trajectory_started",
    {"trajectory_id": "t-1", "step": 2, "hours_a_week": 8, "start_date": date(2026, 2, 1)},
)
MOVED: Told = (
    "trajectory_moved",
    {
        "trajectory_id": "t-1",
        "state": "started",
        "step": 3,
        "hours_a_week": 12,
        "since_date": date(2026, 2, 10),
    },
)
ONCE_MORE: Told = ("trajectory_moved", MOVED[1] | {"step": 4, "since_date": date(2026, 2, 20)})
YES: Told = ("agreed", {"waits": False})
PLANNED: Told = ("evaluation_planned", {"evaluation_id": "e-1"})
HELD: Told = (
    "evaluation_held",
    {"evaluation_id": "e-1", "hold_date": AT.date(), "goal_ids": ("g-1", "g-2"), "scores": ("2", "3")},
)
SIGNAL: Told = (
    "signal_received",
    {"signal_id": "x-1", "partner": "landlord", "since_date": date(2026, 1, 1)},
)
CONFLICT: Told = ("rule_conflict_recorded", {"conflict_id": "c-1", "laws": ("wmo_2015", "jeugdwet")})
RESOLVED: Told = ("rule_conflict_resolved", {"conflict_id": "c-1"})
MARKED: Told = ("goal_marked", {"goal_id": "goal_id-1", "state": "reached", "carried_by": "resident"})
TALKED: Told = ("conversation_recorded", {"kind": "first", "outcome": "continue"})
DESCRIBED: Told = ("situation_described", {"score": 2, "beside": False})


def plan(*told: Told) -> PlanState:
    state: Any = None
    for topic, said in (("opened", {}), *told):
        event: Any = replace(sample(KINDS[topic]), **({"task": DESK.task, "organisation": CITY} | said))
        state = evolve_at(PLAN, state, event, AT)
    found: PlanState = state
    return found


def command(state: PlanState, path: str, *values: str) -> Any:  # noqa: ANN401 -- RectifyPlan
    collection, _, field = path.partition(".")
    element = getattr(state, collection)[0]
    name = ElementName(collection, getattr(element, NAMED_BY[collection]), element.origin)
    return replace(order(element=name, field=field), values=values)


def after(state: PlanState, path: str, *values: str) -> Any:  # noqa: ANN401 -- the first element of the collection
    return getattr(decided(command(state, path, *values), state), path.partition(".")[0])[0]


MONEYED = (SUPPORT, SPLIT, NEXT_SPLIT)
STEPPED = (PATH, MOVED, ONCE_MORE)
TABLE: tuple[tuple[tuple[Told, ...], str, tuple[Any, ...], tuple[Any, ...]], ...] = (
    ((("report_received", {}),), "reports.desk", ("wijkteam-west",), ("", "wijkteam west", ("a", "b"))),
    ((TALKED,), "conversations.kind", ("evaluation",), ("chat", "")),
    (
        (TALKED,),
        "conversations.present",
        (("resident", "interpreter"),),
        ("jan", ("resident", "resident"), ()),
    ),
    ((TALKED,), "conversations.outcome", ("solved_in_general_services",), ("over",)),
    ((DESCRIBED, DESCRIBED), "situations.earlier_scores", ("1", "5"), ("0", "6", ("2", "3"), (), "x")),
    ((DESCRIBED, DESCRIBED), "situations.earlier_judge_dates", ("2026-01-05",), ("2026-13-01", ())),
    ((DESCRIBED,), "situations.own_network", ("De buurman.", ()), ("x" * 4001, " ", ("a", "b"))),
    ((DESCRIBED,), "situations.source", ("brp", ()), ("the brp", ("a", "b"))),
    ((("goal_set", {}), MARKED), "goals.state_date", ("2026-03-03",), ("2026-03-04", "x")),
    ((("goal_set", {}), MARKED), "goals.carried_by", ("own_network",), ("nobody", ())),
    ((CONFLICT,), "rule_conflicts.laws", ("wgs", ("wgs", "jeugdwet")), (("wgs", "wgs"), "awb", ())),
    ((CONFLICT,), "rule_conflicts.rules", ("Wmo 2015 2.3.5(3)",), ((), " ", "r" * 201, ("a", "a"))),
    ((CONFLICT,), "rule_conflicts.analysis", ("Anders.",), ("", " ")),
    ((CONFLICT, RESOLVED), "rule_conflicts.resolution", ("Anders.",), ("",)),
    ((CONFLICT, RESOLVED), "rule_conflicts.resolve_reason", ("Anders.",), ("",)),
    ((SUPPORT,), "supports.product_category", ("07",), ("7", "007", "", ("01", "02"))),
    ((SUPPORT,), "supports.product_code", ("A",), ("", "123456")),
    (
        (*MONEYED, ASSIGNED, CARE),
        "supports.start_date",
        ("2026-02-05", "2025-12-01"),
        ("2026-02-06", "2026-02-11", "2026-12-01"),
    ),
    ((SUPPORT, ASSIGNED, CARE), "supports.start_date", ("2026-02-10",), ("2026-02-11", "x")),
    ((SUPPORT,), "supports.start_date", ("2026-11-30",), ("2026-12-01",)),
    (
        MONEYED,
        "supports.end_date",
        ("2026-09-30", ()),
        ("2026-09-29", "2026-01-31", ("2026-10-01", "2026-10-02")),
    ),
    ((SUPPORT,), "supports.end_date", ("2026-02-01",), ("2026-01-31",)),
    ((SUPPORT,), "supports.volume", ("1", "99999999"), ("0", "100000000", "-1", "2,5")),
    ((SUPPORT,), "supports.unit", ("01",), ("", "001")),
    ((SUPPORT,), "supports.frequency", ("4",), ("", "44")),
    (
        (
            SUPPORT,
            ASSIGNED,
            ("support_requested", CHOSEN | {"support_id": "s-2"}),
            ("support_assigned", {"support_id": "s-2", "assignment_number": "9"}),
        ),
        "supports.assignment_number",
        ("8", "123456789"),
        ("009", "9", "1234567890", "x"),
    ),
    (
        (SUPPORT, ASSIGNED, REFUSED),
        "supports.refuse_reason",
        ("by_resident",),
        ("no_budget", "", ("no_room", "by_resident")),
    ),
    (MONEYED, "funding.sources", (("jeugdwet", "wgs"),), ("wgs", ("wgs", "wgs"), ("wgs", "moon"))),
    (
        MONEYED,
        "funding.amounts_cents",
        (("1", "1"), ("999999999", "1")),
        ("300", ("0", "300"), ("1000000000", "1"), ("1", "x")),
    ),
    (
        MONEYED,
        "funding.start_date",
        ("2026-02-01", "2026-06-30"),
        ("2026-01-31", "2026-07-01"),
    ),
    (MONEYED, "funding.end_date", ("2026-02-05",), ("2026-02-04", "2026-07-01", (), "2026-12-01")),
    ((SUPPORT, SPLIT), "funding.end_date", ("2026-11-30",), ("2026-12-01", ())),
    ((PATH,), "trajectories.activity", ("Moestuin.",), ("",)),
    ((PATH,), "trajectories.step", ("1", "6"), ("0", "7")),
    ((PATH,), "trajectories.hours_a_week", ("0", "60"), ("61", "")),
    ((PATH,), "trajectories.place", ("Kwekerij", ()), (" ",)),
    ((PATH,), "trajectories.facility", ((),), (" ",)),
    ((PATH,), "trajectories.start_date", ("2027-01-01",), ("x",)),
    (STEPPED, "trajectories.start_date", ("2026-02-10", "2026-01-01"), ("2026-02-11",)),
    (STEPPED, "trajectories.since_date", ("2026-02-10",), ("2026-02-09",)),
    ((PATH,), "trajectories.since_date", (), ("2026-02-02",)),
    (STEPPED, "trajectories.earlier_steps", (("1", "6"),), ("2", ("2", "7"))),
    (
        STEPPED,
        "trajectories.earlier_dates",
        (("2026-02-01", "2026-02-20"), ("2026-02-01", "2026-02-01")),
        (("2026-02-01", "2026-02-21"), ("2026-01-31", "2026-02-10"), "2026-02-01", ("2026-02-01", "x")),
    ),
    ((YES, PLANNED), "evaluations.plan_date", ("2025-01-01",), ("x",)),
    ((YES, PLANNED, HELD), "evaluations.hold_date", ("2026-03-03",), ("2026-03-01", "2026-03-04")),
    ((YES, PLANNED, HELD), "evaluations.scores", (("1", "5"),), ("1", ("0", "5"), ("1", "6"))),
    ((YES, PLANNED, HELD), "evaluations.what_to_change", ("Meer hulp.", ()), (" ",)),
    ((SIGNAL,), "signals.partner", ("water",), ("bank",)),
    ((SIGNAL,), "signals.arrears_cents", ("1", "1000000000"), ("0", "1000000001")),
    ((SIGNAL,), "signals.since_date", ("2026-03-03",), ("2026-03-04",)),
)


def values_of(said: Any) -> tuple[str, ...]:  # noqa: ANN401 -- one value, or several
    return said if isinstance(said, tuple) else (said,)


@pytest.mark.parametrize(
    ("told", "path", "good", "bad"), TABLE, ids=[f"{path}-{len(told)}" for told, path, *_ in TABLE]
)
def test_values_on_both_sides_of_the_line(
    told: tuple[Told, ...], path: str, good: tuple[Any, ...], bad: tuple[Any, ...]
) -> None:
    state, (collection, _, field) = plan(*told), path.partition(".")
    for said in good:
        values = values_of(said)
        assert getattr(after(state, path, *values), field) == FIELDS[path].read(values)
    for said in bad:
        with pytest.raises(RequestInvalid) as refused:
            PLAN.decide(command(state, path, *values_of(said)), state)
        assert set(refused.value.fields) == {"values"}, (path, said)
    assert getattr(state, collection)


def test_the_table_knows_every_field_that_other_tests_do_not() -> None:
    earlier = {
        "reports.life_domains",
        "reports.own_words",
        "conversations.hold_date",
        "conversations.summary",
        "lens_assessments.finding",
        "lens_assessments.reason",
        "goals.own_words",
        "goals.desired_effect",
        "goals.life_domain",
        "goals.target_date",
        "situations.description",
        "situations.strengths",
        "situations.score",
        "situations.judge_date",
        "supports.care_start_date",
        "supports.care_end_date",
        "supports.stop_reason",
    }
    assert FIELDS.keys() - {path for _, path, *_ in TABLE} == earlier


def test_the_cost_is_what_the_amounts_add_up_to() -> None:
    funding = after(plan(SUPPORT, SPLIT), "funding.amounts_cents", "150", "100")
    assert (funding.amounts_cents, funding.cost_cents) == ((150, 100), 250)
    assert leaves_changed("funding.amounts_cents") == ("funding.amounts_cents", "funding.cost_cents")
    assert leaves_changed("funding.sources") == ("funding.sources",)


def test_the_first_day_of_a_trajectory_is_one_day_wherever_it_stands() -> None:
    never_moved = after(plan(PATH), "trajectories.start_date", "2026-01-15")
    assert never_moved.since_date == never_moved.start_date == date(2026, 1, 15)
    moved = after(plan(*STEPPED), "trajectories.start_date", "2026-01-15")
    assert (moved.start_date, moved.since_date) == (date(2026, 1, 15), date(2026, 2, 20))
    assert moved.earlier_dates == ("2026-01-15", "2026-02-10")


def test_a_yes_is_to_a_support_as_it_was_written_then() -> None:
    state = plan(("goal_set", {}), SUPPORT)
    agreed = replace(state, agreed_version=state.version)
    # What was agreed with says something else now; nothing of it says when it was chosen.
    support = after(agreed, "supports.volume", "4")
    assert support.requested_version == state.supports[0].requested_version <= agreed.agreed_version
    assert support.chosen_version == agreed.version + 1 > agreed.agreed_version
    assigned = plan(("goal_set", {}), SUPPORT, ASSIGNED)
    assert (
        after(assigned, "supports.assignment_number", "8").chosen_version
        == assigned.supports[0].chosen_version
    )


def test_how_a_conversation_ended_decides_whether_the_plan_is_closed() -> None:
    state = plan(TALKED)
    assert not state.closed
    shut = decided(command(state, "conversations.outcome", "solved_in_general_services"), state)
    assert shut.closed
    assert not decided(command(shut, "conversations.outcome", "continue"), shut).closed
    assert not decided(command(shut, "conversations.kind", "evaluation"), shut).closed
    # What was reported since keeps it open.
    reported: Any = replace(sample(KINDS["report_received"]), task=DESK.task, organisation=CITY)  # type: ignore[call-arg] # its own fields
    since: Any = evolve_at(PLAN, state, reported, LATER)
    assert not decided(command(since, "conversations.outcome", "solved_in_general_services"), since).closed


def test_a_correction_closes_no_plan_over_care_that_runs() -> None:
    state = plan(TALKED, SUPPORT, ASSIGNED)
    with pytest.raises(RequestInvalid):
        PLAN.decide(command(state, "conversations.outcome", "solved_in_general_services"), state)
    talked = plan(
        ("conversation_recorded", {"kind": "evaluation", "outcome": "solved_in_general_services"}),
        SUPPORT,
        ASSIGNED,
    )
    with pytest.raises(RequestInvalid):
        PLAN.decide(command(talked, "conversations.kind", "first"), talked)


@pytest.mark.parametrize("path", ["supports.end_date", "evaluations.hold_date", "goals.carried_by"])
def test_what_was_never_recorded_cannot_be_wrong(path: str) -> None:
    told = {
        "supports": ("support_requested", CHOSEN | {"end_date": None}),
        "evaluations": PLANNED,
        "goals": ("goal_set", {}),
    }[path.partition(".")[0]]
    state = plan(told)
    with pytest.raises(RuleBroken) as refused:
        PLAN.decide(
            command(state, path, *(["resident"] if path.startswith("goals") else ["2026-03-02"])), state
        )
    assert refused.value.metadata["rule"] == "NOTHING_RECORDED"


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ((SUPPORT,), "supports.kind"),
        ((SUPPORT,), "supports.provider_oin"),
        ((SUPPORT, SPLIT), "funding.cost_cents"),
        ((PATH,), "trajectories.state"),
    ],
)
def test_what_is_not_corrected_is_refused_and_named(told: tuple[Told, ...], path: str) -> None:
    state = plan(*told)
    with pytest.raises(RequestInvalid) as refused:
        PLAN.decide(command(state, path, "x"), state)
    assert set(refused.value.fields) == {"field"}
