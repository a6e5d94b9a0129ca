"""Laws of the floor, for any sequence of commands and events.

Whatever is ordered in whatever order: what a decision returns folds step by step into what all of it folds
into, the invariants hold after every step, and history once written is never refused.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from exchange.domain import AGGREGATES, TOPICS
from exchange.domain.case import CASE, CloseCase, JoinProfessional, LeaveCase, RecordReporter, has_relation
from exchange.domain.consent import CONSENT
from exchange.domain.organisation import (
    ORGANISATION,
    AddCertificate,
    EndTask,
    GrantTask,
    LeaveOrganisation,
    RevokeCertificate,
)
from exchange.domain.organisation_events import TaskEnded, TaskGranted
from exchange.domain.plan import PLAN, PlanState, lenses_missing
from exchange.domain.values import COLLEGE_PREFIX, Author
from exchange.errors import RequestInvalid, RuleBroken
from tests.domain.builders import (
    A_DAY,
    AGREE,
    ASSESS,
    ASSIGN,
    CONSULENT,
    CONVERSE,
    DAY,
    DESCRIBE,
    DISAGREE,
    GIVE,
    JOIN,
    JOIN_PLANNER,
    MANDATE,
    MANDATED,
    MUNICIPALITY,
    NOON,
    OPEN_CASE,
    ORGANISATION_JOINED,
    PLANNER,
    PROVIDER,
    REFUSE,
    REPORT,
    REQUEST,
    REQUEST_SUPPORT,
    SET_GOAL,
    START,
    STOP,
    STRANGER,
    UNMANDATED,
    WITHDRAW,
    fold,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exchange.domain.kernel import Aggregate, Command, Event
    from exchange.domain.plan.care import Support

STEPS_MAX = 25
ORDER = ("requested", "assigned", "started", "stopped")
VALUES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8) | st.sampled_from(["v-1", "d-1", "basic_adl", "given", "UPHELD"]),
    int: st.integers(-(2**40), 2**40),
    bool: st.booleans(),
    # The year 2200 and 1850 too: evolve judges nothing.
    datetime: st.datetimes(datetime(1850, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 -- hypothesis adds the zone
    date: st.dates(),
    date | None: st.none() | st.dates(),
    tuple[str, ...]: st.lists(st.text(max_size=5), max_size=3).map(tuple),
}


def any_event(kind: type[Event]) -> st.SearchStrategy[Event]:
    return st.builds(kind, **{field.name: VALUES[field.type] for field in fields(kind)})


ANY_EVENT = st.sampled_from(list(TOPICS.values())).flatmap(any_event)


# --- events -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("aggregate", AGGREGATES.values(), ids=AGGREGATES)
@for_all(data=st.data())
def test_evolve_takes_every_event_in_any_state(aggregate: Aggregate, data: st.DataObject) -> None:
    own = st.sampled_from(aggregate.events).flatmap(any_event)
    history = data.draw(st.lists(own, max_size=8))
    state = fold(aggregate, *history)
    after = aggregate.evolve(state, data.draw(ANY_EVENT))
    assert type(after) is type(state) or state is None


@for_all(event=ANY_EVENT)
def test_an_event_survives_being_stored(event: Event) -> None:
    kind = type(event)
    names = {field.name: getattr(event, field.name) for field in fields(kind)}
    stored = msgspec.json.decode(msgspec.json.encode(names))
    assert msgspec.convert(stored, kind) == event


@for_all(event=ANY_EVENT)
def test_what_is_sealed_is_a_field_of_the_event(event: Event) -> None:
    assert set(event.sealed_fields()) == set(event.SEALED)
    assert all(hasattr(event, name) for name in event.sealed_fields())


# --- commands ---------------------------------------------------------------------------------------


def obey(aggregate: Aggregate, commands: Sequence[Command], holds: Callable[[Any, Any], None]) -> list[Event]:
    """Give commands one after another; refusals change nothing; `holds` sees each state before and after."""
    state: Any = None
    history: list[Event] = []
    for command in commands:
        try:
            events = aggregate.decide(command, state)
        except (RuleBroken, RequestInvalid):
            continue
        before = state
        for event in events:
            state = aggregate.evolve(state, event)
        history += events
        holds(before, state)
        assert aggregate.decide(command, before) == events, "the same question has the same answer"
    assert fold(aggregate, *history) == state
    return history


AUTHORS = st.sampled_from([CONSULENT, PLANNER, Author(STRANGER, "wmo-aanbieder", "s-1")])
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
    st.sampled_from([AGREE, AGREE, DISAGREE]),
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
HAPPY = (REPORT, SET_GOAL, REQUEST_SUPPORT, AGREE, ASSIGN, START, STOP)
PLAN_SEQUENCES = st.lists(PLAN_COMMANDS, max_size=STEPS_MAX) | st.lists(
    st.lists(PLAN_COMMANDS, max_size=2), min_size=len(HAPPY), max_size=len(HAPPY)
).map(lambda between: [each for step, more in zip(HAPPY, between, strict=True) for each in (step, *more)])


def support_holds(plan: PlanState, support: Support) -> None:
    assert {goal.goal_id for goal in plan.goals} >= set(support.goal_ids)
    assert support.requested_version <= plan.version
    if support.state != "requested":
        assert support.kind == "custom"
        assert support.assignment_number.isdigit()
        assert any(
            each.outcome == "agreed" and each.plan_version >= support.requested_version
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
    for support in after.supports:
        support_holds(after, support)
        old = before.support(support.support_id) if before else None
        assert ORDER.index(support.state) >= (ORDER.index(old.state) if old else 0)
    if after.closed:
        assert all(each.state in {"requested", "stopped"} for each in after.supports)
    if before is not None and len(after.agreements) > len(before.agreements) and after.agreed_version:
        assert lenses_missing(before) == ()
        assert before.goals


@for_all(commands=PLAN_SEQUENCES)
def test_a_plan_keeps_its_invariants(commands: list[Command]) -> None:
    history = obey(PLAN, commands, plan_holds)
    state = fold(PLAN, *history)
    assert (state.version if state else 0) == len(history)


CONSENT_COMMANDS: st.SearchStrategy[Command] = st.builds(
    lambda command, hours: replace(command, now=NOON + timedelta(hours=hours)),
    st.sampled_from([GIVE, replace(GIVE, explicit=False), REFUSE, WITHDRAW]),
    st.integers(0, 400 * 24),
)
CONSENT_MOVES = {
    ("requested", "given"),
    ("requested", "refused"),
    ("requested", "withdrawn"),
    ("given", "withdrawn"),
    ("refused", "given"),
    ("refused", "withdrawn"),
}


@for_all(commands=st.lists(CONSENT_COMMANDS, max_size=STEPS_MAX))
def test_a_consent_moves_only_as_the_law_knows(commands: list[Command]) -> None:
    def holds(before: Any, after: Any) -> None:  # noqa: ANN401 -- the folded states
        if before is not None and before != after:
            assert (before.state, after.state) in CONSENT_MOVES
        assert (after.state == "withdrawn") == (after.withdrawn_at is not None)
        assert after.given_at is None or after.given_at < after.end_time

    history = obey(CONSENT, [REQUEST, *commands], holds)
    state = fold(CONSENT, *history)
    assert state.version == len(history)
    withdrawn = fold(CONSENT, *history, *CONSENT.decide(WITHDRAW, state))
    assert withdrawn.state == "withdrawn", "withdrawing works after anything"


PEOPLE = st.sampled_from(["p-1", "z-1", "z-2"])
CASE_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(
        lambda author, who, role, hours: JoinProfessional(
            now=NOON + timedelta(hours=hours),
            author=author,
            oin=PROVIDER,
            task="wmo-aanbieder",
            professional=who,
            role=role,
        ),
        AUTHORS,
        PEOPLE,
        st.sampled_from(["begeleider", "regisseur"]),
        st.integers(0, 50),
    ),
    st.builds(
        lambda author, who, hours: LeaveCase(
            now=NOON + timedelta(hours=hours),
            author=author,
            oin=PROVIDER,
            task="wmo-aanbieder",
            professional=who,
        ),
        AUTHORS,
        PEOPLE,
        st.integers(0, 50),
    ),
    st.builds(RecordReporter, now=st.just(NOON), author=AUTHORS),
    st.builds(CloseCase, now=st.just(NOON), author=st.just(PLANNER)),
)


@for_all(commands=st.lists(CASE_COMMANDS, max_size=STEPS_MAX))
def test_nobody_gets_into_a_case_but_through_who_is_in_it(commands: list[Command]) -> None:
    def holds(before: Any, after: Any) -> None:  # noqa: ANN401 -- the folded states
        open_ended = [
            (each.oin, each.task, each.professional) for each in after.professionals if each.end is None
        ]
        assert len(open_ended) == len(set(open_ended))
        assert len(after.reporters) == len(set(after.reporters))
        assert not before or len(after.professionals) >= len(before.professionals)

    history = obey(CASE, [OPEN_CASE, *commands], holds)
    state = fold(CASE, *history)
    # No command names the stranger, so reporting must not have let it in.
    assert not has_relation(state, STRANGER, "wmo-aanbieder", "s-1", NOON + timedelta(hours=60))
    outsider = replace(JOIN_PLANNER, author=Author(STRANGER, "wmo-aanbieder", "s-1"))
    with pytest.raises(RuleBroken):
        CASE.decide(outsider, state)


THUMBPRINTS = st.sampled_from([f"{n:064x}" for n in range(3)] + [JOIN.certificate_thumbprint])
TASKS = st.sampled_from(["college:WMO", "college:PW", "beheer", "no good"])
ORGANISATION_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(AddCertificate, now=st.just(NOON), certificate_thumbprint=THUMBPRINTS),
    st.builds(RevokeCertificate, now=st.just(NOON), certificate_thumbprint=THUMBPRINTS),
    st.builds(GrantTask, now=st.just(NOON), task=TASKS, mandate=st.sampled_from([None, MANDATE])),
    st.builds(EndTask, now=st.just(NOON), task=TASKS),
    st.just(LeaveOrganisation(now=NOON)),
)


@for_all(commands=st.lists(ORGANISATION_COMMANDS, max_size=STEPS_MAX), operator=st.booleans())
def test_a_revoked_certificate_stays_revoked_and_the_operator_stays(
    commands: list[Command], *, operator: bool
) -> None:
    def holds(before: Any, after: Any) -> None:  # noqa: ANN401 -- the folded states
        thumbprints = [each.thumbprint for each in after.certificates]
        assert len(thumbprints) == len(set(thumbprints))
        gone = {each.thumbprint for each in before.certificates if each.revoked} if before else set()
        assert gone <= {each.thumbprint for each in after.certificates if each.revoked}
        if operator:
            assert any(not each.revoked for each in after.certificates)
            assert after.tasks
            assert not after.left
        else:
            colleges = {task for task in after.tasks if task.startswith(COLLEGE_PREFIX)}
            assert colleges == {task for task, _ in after.mandates}

    mandate = None if operator else MANDATE
    history = obey(ORGANISATION, [replace(JOIN, operator=operator, mandate=mandate), *commands], holds)
    assert history[0].TOPIC == "organisation.joined.v2"


ORGANISATION_EVENTS = st.one_of(
    st.builds(
        TaskGranted,
        oin=st.just(MUNICIPALITY),
        task=TASKS,
        mandate_reference=st.just("gmb-1"),
        mandate_day=st.sampled_from([None, NOON.date()]),
        mandate_text=st.just("Toegang."),
    ),
    st.builds(TaskEnded, oin=st.just(MUNICIPALITY), task=TASKS),
)


@for_all(
    events=st.lists(ORGANISATION_EVENTS, max_size=STEPS_MAX), joined=st.sampled_from([MANDATED, UNMANDATED])
)
def test_whatever_was_ever_recorded_nobody_but_the_operator_is_its_college_without_a_mandate(
    events: list[Event], joined: dict[str, Any]
) -> None:
    other = fold(ORGANISATION, replace(ORGANISATION_JOINED, **joined), *events)
    colleges = {task for task in other.tasks if task.startswith(COLLEGE_PREFIX)}
    assert colleges == {task for task, _ in other.mandates}
    own = fold(ORGANISATION, replace(ORGANISATION_JOINED, operator=True, **UNMANDATED), *events)
    ended = {one.task for one in events if isinstance(one, TaskEnded)}
    assert own.tasks >= {"college:WMO", "college:PW"} - ended
