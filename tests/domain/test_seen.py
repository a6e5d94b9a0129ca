"""What is decided by who is not shown all of a plan: as if what is kept from him had never been recorded.

Histories are random; those who see all decide on the plan as it is, the others on what they see of it. The
second telling of what they see is another fold: of the same events without those of the hidden collections.
"""

from __future__ import annotations

import random
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from types import UnionType
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

import pytest

from exchange.domain.kernel import evolve_at
from exchange.domain.plan import (
    PLAN,
    AgreeToPlan,
    AssessLens,
    AssignSupport,
    ChangeSupport,
    PlanState,
    RefuseSupport,
    StartSupport,
    StopSupport,
    as_seen,
)
from exchange.domain.plan.decide import ELEMENTS_MAX, UNSEEN_TIMES_MAX
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.errors import ExchangeError, RuleBroken
from tests.domain.builders import (
    A_DAY,
    AGREE,
    ASSESS,
    ASSIGN,
    CONSULENT,
    CONVERSE,
    DAY,
    DESCRIBE,
    GOAL_SET,
    NOON,
    PLAN_AGREED,
    PLAN_OPENED,
    PLANNER,
    REPORT,
    REPORT_RECEIVED,
    REQUEST_SUPPORT,
    RESIDENT,
    SET_GOAL,
    SITUATION_DESCRIBED,
    START,
    STOP,
    SUPPORT_ASSIGNED,
    SUPPORT_REQUESTED,
    SUPPORT_STARTED,
    fold,
)
from tests.domain.matching_builders import among_neighbours
from tests.domain.plan_builders import (
    ANSWER,
    INVITE,
    LOOK_BACK,
    LOOKED_AT,
    MARK_GOAL,
    MOVE_TRAJECTORY,
    PLAN_LOOKING_BACK,
    PREFER,
    RECEIVE_SIGNAL,
    RECORD_CONFLICT,
    RESOLVE_CONFLICT,
    SET_FUNDING,
    START_TRAJECTORY,
)

if TYPE_CHECKING:
    from exchange.domain.values import Author

DECISIONS = 1_000
STEPS_MAX = 14
COLLECTION_OF = {
    "plan.report_received.v1": "reports",
    "plan.conversation_recorded.v2": "conversations",
    "plan.situation_described.v4": "situations",
    "plan.goal_set.v1": "goals",
    "plan.lens_assessed.v1": "lens_assessments",
    "plan.rule_conflict_recorded.v1": "rule_conflicts",
    "plan.rule_conflict_resolved.v1": "rule_conflicts",
    "plan.support_requested.v1": "supports",
    "plan.support_assigned.v1": "supports",
    "plan.support_started.v1": "supports",
    "plan.support_stopped.v1": "supports",
    "plan.support_refused.v1": "supports",
    "plan.support_changed.v1": "supports",
    "plan.funding_set.v1": "funding",
    "plan.goal_marked.v1": "goals",
    "plan.evaluation_planned.v1": "evaluations",
    "plan.evaluation_held.v1": "evaluations",
    "plan.trajectory_started.v1": "trajectories",
    "plan.trajectory_moved.v1": "trajectories",
    "plan.agreed.v3": "agreements",
    "plan.disagreed.v1": "agreements",
    "plan.agreed_on_conditions.v2": "agreements",
    "plan.agreement_answered.v2": "answers",
    "plan.provider_preferred.v1": "preferences",
    "plan.provider_invited.v1": "preferences",
    "plan.signal_received.v1": "signals",
    "plan.contribution_offered.v1": "contributions",
    "plan.contribution_withdrawn.v1": "contributions",
    "plan.wish_opened.v1": "wishes",
    "plan.wish_closed.v1": "wishes",
    "plan.match_proposed.v1": "matches",
    "plan.match_answered.v1": "matches",
    "plan.match_ended.v1": "matches",
}
# Of an event: versions count what is kept too, and the other two are sealed in it, for evolve alone.
OF_THE_TRUE_PLAN = {"plan_version", "beside", "supports_unseen"}
NAMES = ("v-1", "v-1", "v-2")
GOALS = ("d-1", "d-1", "d-2")


def draw(chance: random.Random) -> Any:  # noqa: ANN401 -- any command of a plan
    """Return one command, often one that a plan of this size allows."""
    author = chance.choice((CONSULENT, CONSULENT, PLANNER, RESIDENT))
    support: dict[str, Any] = {"now": NOON, "author": author, "support_id": chance.choice(NAMES)}
    domain = chance.choice(("basic_adl", "work_and_education", "finance"))
    day = date(2026, 4, chance.randint(1, 28))
    refuse = RefuseSupport(**support, reason="no_room")
    change = ChangeSupport(**support, volume=chance.randint(1, 9), unit="04", frequency="2")
    return chance.choice(
        (
            replace(REPORT, author=author, life_domains=(domain,)),
            replace(CONVERSE, outcome=chance.choice(("continue", "solved_in_general_services"))),
            replace(DESCRIBE, author=author, life_domain=domain, score=chance.randint(1, 5)),
            replace(SET_GOAL, author=author, goal_id=chance.choice(GOALS), life_domain=domain),
            AssessLens(
                now=NOON,
                author=author,
                law=chance.choice(("wmo_2015", "participatiewet")),
                finding=chance.choice(("fits", "fits", "waived", "conflict")),
                reason="Past.",
            ),
            replace(
                REQUEST_SUPPORT,
                author=CONSULENT,
                support_id=chance.choice(NAMES),
                goal_ids=(chance.choice(GOALS),),
                kind=chance.choice(("custom", "custom", "general")),
            ),
            *later_parts(chance, author),
            chance.choice(among_neighbours(chance)),
            replace(RECORD_CONFLICT, author=author),
            replace(RESOLVE_CONFLICT, author=author),
            AgreeToPlan(
                now=NOON,
                author=RESIDENT,
                outcome=chance.choice(("agreed", "agreed", "agreed_on_conditions", "disagreed")),
                remarks="Besproken.",
            ),
            AssignSupport(**support, assignment_number=chance.choice(("7", "007", "8")), assign_date=day),
            # Seldom, or little care is left that runs.
            chance.choice((*(StartSupport(**support, care_start_date=day),) * 3, refuse, change)),
            StopSupport(**support, care_end_date=day, reason=chance.choice(("temporary", "completed"))),
        )
    )


def later_parts(chance: random.Random, author: Author) -> tuple[Any, ...]:
    """Return one command of each of the later parts of a plan."""
    day, goal = DAY + chance.randint(0, 90) * A_DAY, chance.choice(GOALS)
    state = chance.choice(("started", "paused", "stopped"))
    return (
        replace(
            SET_FUNDING,
            author=CONSULENT,
            support_id=chance.choice(NAMES),
            start_date=day,
            replaces=chance.choice(("", "f-1")),
        ),
        replace(MARK_GOAL, author=author, goal_id=goal, state=chance.choice(("active", "withdrawn"))),
        replace(PLAN_LOOKING_BACK, author=author),
        replace(LOOK_BACK, author=author, goal_ids=(goal,)),
        replace(START_TRAJECTORY, author=author, goal_ids=(goal,)),
        replace(ANSWER, plan_version=chance.randint(3, 9), met=chance.choice((True, False))),
        replace(PREFER, author=author),
        replace(INVITE, author=author),
        RECEIVE_SIGNAL,
        replace(MOVE_TRAJECTORY, author=author, state=state, since_date=day),
    )


def told(command: Any, state: Any) -> Any:  # noqa: ANN401 -- a command, a plan, and what is told
    """Return all that an answer can rest on: the events but for what is of the true plan, or the refusal."""
    try:
        events = PLAN.decide(command, state)
    except ExchangeError as error:
        return type(error).__name__, str(error), dict(error.metadata), dict(getattr(error, "fields", {}))
    return [
        (
            event.TOPIC,
            {one.name: getattr(event, one.name) for one in fields(event) if one.name not in OF_THE_TRUE_PLAN},
        )
        for event in events
    ]


def history(chance: random.Random, hidden: frozenset[str]) -> list[Any]:
    """Return the events of readers and of others, each of whom decided on what he sees."""
    events: list[Any] = [PLAN_OPENED, REPORT_RECEIVED]
    # Most histories get somewhere first, so that there is something to hide.
    steps: list[Any] = [SET_GOAL, REQUEST_SUPPORT, DESCRIBE, ASSESS, AGREE, ASSIGN]
    first = steps[: chance.randint(0, len(steps))]
    state = fold(PLAN, *events)
    for number in range(chance.randint(len(first), STEPS_MAX)):
        reader = number < len(first) or chance.random() < 0.6
        command = first[number] if number < len(first) else draw(chance)
        try:
            new = PLAN.decide(command, state if reader else as_seen(state, hidden, frozenset()))
        except ExchangeError:
            continue
        for event in new:
            state = PLAN.evolve(state, event)
        events += new
    return events


def test_a_thousand_commands_are_decided_as_if_what_is_hidden_had_never_been_recorded() -> None:
    chance = random.Random(20260303)  # noqa: S311 -- a reproducible mixture, no secret
    seen_differently, answers = 0, set()
    for _ in range(DECISIONS):
        hidden = frozenset(chance.sample(COLLECTIONS, chance.randint(1, 4)))
        events = history(chance, hidden)
        plan = fold(PLAN, *events)
        without = fold(PLAN, *(one for one in events if COLLECTION_OF.get(one.TOPIC) not in hidden))
        command = draw(chance)
        answer = told(command, as_seen(plan, hidden, frozenset()))
        assert answer == told(command, without), (hidden, command, [one.TOPIC for one in events])
        seen_differently += answer != told(command, plan)
        answers.add(answer[2].get("rule", "") if isinstance(answer, tuple) else answer[0][0])
    # Not vacuous: without the sight many of them would have told.
    assert seen_differently > DECISIONS // 20
    assert {"NO_GOAL", "GOAL_UNKNOWN", "SUPPORT_UNKNOWN", "PLAN_CLOSED", "plan.agreed.v3"} <= answers


LEAVES = tuple(
    f"{collection}.{one.name}"
    for collection in COLLECTIONS
    for one in fields(get_args(get_type_hints(PlanState)[collection])[0])
    if one.name not in {"origin", "category", "recorded", "requested_version", "earlier_care", "of_provider"}
)


def otherwise(hint: Any, chance: random.Random) -> Any:  # noqa: ANN401 -- any annotation of an element
    """Return some other value of a leaf."""
    if isinstance(hint, UnionType):
        return chance.choice((None, otherwise(get_args(hint)[0], chance)))
    values: dict[Any, Any] = {
        str: chance.choice(("", "v-1", "d-1", "custom", "started", "7", "basic_adl", "agreed")),
        int: chance.randint(0, 9),
        tuple: chance.choice(((), ("basic_adl",), ("work_and_education", "d-2"))),
        bool: chance.choice((True, False)),
        date: date(2026, 4, chance.randint(1, 28)),
        datetime: datetime(2026, 4, chance.randint(1, 28), tzinfo=UTC),
    }
    return values[get_origin(hint) or hint]


def test_no_command_tells_what_a_sealed_leaf_says() -> None:
    chance = random.Random(20260303)  # noqa: S311 -- a reproducible mixture, no secret
    for _ in range(DECISIONS):
        leaves = frozenset(chance.sample(LEAVES, chance.randint(1, 6)))
        plan = fold(PLAN, *history(chance, frozenset()))
        other = plan
        for collection in COLLECTIONS:
            hints = get_type_hints(get_args(get_type_hints(PlanState)[collection])[0])
            names = [path.partition(".")[2] for path in leaves if path.startswith(f"{collection}.")]
            changed = tuple(
                replace(one, **{name: otherwise(hints[name], chance) for name in names})
                for one in getattr(other, collection)
            )
            other = replace(other, **{collection: changed})
        command = draw(chance)
        seen = told(command, as_seen(plan, frozenset(), leaves))
        assert seen == told(command, as_seen(other, frozenset(), leaves)), (leaves, command)


def test_who_is_shown_all_decides_on_the_plan_as_it_is() -> None:
    plan = fold(PLAN, PLAN_OPENED, REPORT_RECEIVED, GOAL_SET)
    assert as_seen(plan, frozenset(), frozenset({"decoy.1"})) == plan


# --- what is not seen is not lost -----------------------------------------------------------------------


def test_a_situation_that_is_not_seen_is_not_replaced() -> None:
    plan = fold(PLAN, PLAN_OPENED, SITUATION_DESCRIBED)
    again = replace(DESCRIBE, description="Woont nu bij haar zus.")
    for hidden, leaves, kept in (
        (frozenset({"situations"}), frozenset[str](), 2),
        (frozenset[str](), frozenset({"situations.description"}), 2),
        (frozenset({"goals"}), frozenset[str](), 1),
    ):
        (event,) = PLAN.decide(again, as_seen(plan, hidden, leaves))
        assert len(PLAN.evolve(plan, event).situations) == kept


RUNNING = (PLAN_OPENED, GOAL_SET, SUPPORT_REQUESTED, PLAN_AGREED, *LOOKED_AT, SUPPORT_ASSIGNED)


def test_care_goes_on_in_a_plan_that_was_closed_by_who_did_not_see_it() -> None:
    plan = fold(PLAN, *RUNNING)
    solved = replace(CONVERSE, outcome="solved_in_general_services")
    hidden = frozenset({"supports"})
    with pytest.raises(RuleBroken, match="not closed"):
        PLAN.decide(solved, plan)
    (event,) = PLAN.decide(solved, as_seen(plan, hidden, frozenset()))
    closed = PLAN.evolve(plan, event)
    # To who closed it, it is closed; to who sees the care, it is not until the care has stopped.
    assert told(SET_GOAL, as_seen(closed, hidden, frozenset()))[2]["rule"] == "PLAN_CLOSED"
    (started,) = PLAN.decide(START, closed)
    cared_for = PLAN.evolve(closed, started)
    (stopped,) = PLAN.decide(STOP, cared_for)
    assert told(SET_GOAL, PLAN.evolve(cared_for, stopped))[2]["rule"] == "PLAN_CLOSED"


def test_a_yes_is_to_no_support_that_was_not_shown_and_undoes_no_yes_that_was() -> None:
    asked = fold(PLAN, *RUNNING[:3], *LOOKED_AT)
    (blind,) = PLAN.decide(AGREE, as_seen(asked, frozenset({"supports"}), frozenset()))
    assert told(ASSIGN, PLAN.evolve(asked, blind))[2]["rule"] == "NOT_AGREED"
    agreed = PLAN.evolve(asked, PLAN.decide(AGREE, asked)[0])
    again = PLAN.evolve(agreed, PLAN.decide(AGREE, as_seen(agreed, frozenset({"supports"}), frozenset()))[0])
    assert [one.TOPIC for one in PLAN.decide(ASSIGN, again)] == ["plan.support_assigned.v2"]
    # A no is a no.
    no = replace(AGREE, outcome="disagreed", remarks="Liever niet.")
    refused = PLAN.evolve(agreed, PLAN.decide(no, as_seen(agreed, frozenset({"supports"}), frozenset()))[0])
    assert told(ASSIGN, refused)[2]["rule"] == "NOT_AGREED"


def test_a_number_that_is_not_seen_is_not_taken() -> None:
    plan = fold(
        PLAN,
        *RUNNING,
        replace(SUPPORT_REQUESTED, support_id="v-9"),
        replace(PLAN_AGREED, plan_version=9),
    )
    same = replace(ASSIGN, support_id="v-9", assignment_number=SUPPORT_ASSIGNED.assignment_number)
    assert told(same, plan)[2]["rule"] == "NUMBER_TAKEN"
    seen = as_seen(plan, frozenset(), frozenset({"supports.assignment_number"}))
    (assigned,) = PLAN.decide(same, seen)
    numbers = [one.assignment_number for one in PLAN.evolve(plan, assigned).supports]
    assert numbers == [SUPPORT_ASSIGNED.assignment_number] * 2


@pytest.mark.parametrize("held", [ELEMENTS_MAX - 1, ELEMENTS_MAX, ELEMENTS_MAX * UNSEEN_TIMES_MAX - 1])
def test_what_is_not_seen_takes_no_room(held: int) -> None:
    plan = full_of_goals(held)
    seen = as_seen(plan, frozenset({"goals"}), frozenset())
    assert [one.TOPIC for one in PLAN.decide(SET_GOAL, seen)] == ["plan.goal_set.v1"]
    refused = held >= ELEMENTS_MAX
    assert isinstance(told(SET_GOAL, plan), tuple) is refused


def test_but_there_is_a_bound() -> None:
    plan = full_of_goals(ELEMENTS_MAX * UNSEEN_TIMES_MAX)
    seen = as_seen(plan, frozenset({"goals"}), frozenset())
    assert told(SET_GOAL, seen)[2]["rule"] == "PLAN_FULL"


def full_of_goals(held: int) -> PlanState:
    plan: PlanState = fold(PLAN, PLAN_OPENED, GOAL_SET)
    return replace(plan, goals=plan.goals * held)


def test_care_that_started_is_hidden_with_what_it_was_for() -> None:
    state: Any = None
    for event in (*RUNNING, SUPPORT_STARTED):
        state = evolve_at(PLAN, state, event, NOON)
    seen = as_seen(state, frozenset({"supports", "agreements"}), frozenset())
    assert (seen.supports, seen.agreements, seen.agreed_version) == ((), (), 0)
    assert (seen.version, seen.goals) == (state.version, state.goals)
