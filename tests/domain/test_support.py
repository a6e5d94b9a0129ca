"""Supports: requested for goals, assigned after the resident's yes, started and stopped in order."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from exchange.domain.plan import (
    PLAN,
    AssignSupport,
    PlanEvent,
    RequestSupport,
    StartSupport,
    StopSupport,
    SupportStopped,
)
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.support import GOALS_OF_SUPPORT_MAX, VOLUME_MAX
from exchange.domain.values import Author, StopReason
from tests.domain.builders import (
    A_DAY,
    ASSIGN,
    CONSULENT,
    DAY,
    DISAGREE,
    GOAL_SET,
    LATER,
    PLAN_AGREED,
    PLAN_ID,
    PLAN_OPENED,
    PLANNER,
    PROVIDER,
    REPORT_RECEIVED,
    REQUEST_SUPPORT,
    RESIDENT,
    RESIDENT_REF,
    START,
    STOP,
    STRANGER,
    SUPPORT_ASSIGNED,
    SUPPORT_CHOSEN,
    SUPPORT_REQUESTED,
    SUPPORT_STARTED,
    fold,
    given,
)
from tests.domain.plan_builders import LOOKED_AT

WITH_GOAL = (PLAN_OPENED, REPORT_RECEIVED, GOAL_SET)
AGREED = (*SUPPORT_CHOSEN, PLAN_AGREED, *LOOKED_AT)
ASSIGNED = (*AGREED, SUPPORT_ASSIGNED)
STARTED = (*ASSIGNED, SUPPORT_STARTED)
STOPPED_EVENT = SupportStopped(
    resident=RESIDENT_REF,
    plan_id=PLAN_ID,
    organisation=PROVIDER,
    task="wmo-aanbieder",
    support_id="v-1",
    care_end_date=DAY + A_DAY,
    stop_reason="according_to_plan",
)
STOPPED = (*STARTED, STOPPED_EVENT)
OWN_NETWORK = replace(
    REQUEST_SUPPORT,
    kind="own_network",
    provider_oin="",
    product_category="",
    product_code="",
    volume=0,
    unit="",
    frequency="",
    end_date=None,
)
OWN_NETWORK_REQUESTED = replace(
    SUPPORT_REQUESTED,
    kind="own_network",
    provider_oin="",
    product_category="",
    product_code="",
    volume=0,
    unit="",
    frequency="",
    end_date=None,
)
STRANGE_PROVIDER = Author(STRANGER, "wmo-aanbieder", "s-1")
Move = AssignSupport | StartSupport | StopSupport
WORK_DESK = Author(STRANGER, "college:PW", "w-1")


# --- requesting -------------------------------------------------------------------------------------


def test_requesting_custom_support() -> None:
    given(PLAN, *WITH_GOAL).when(REQUEST_SUPPORT).then(SUPPORT_REQUESTED)


def test_the_own_network_needs_neither_provider_nor_product() -> None:
    given(PLAN, *WITH_GOAL).when(OWN_NETWORK).then(OWN_NETWORK_REQUESTED)


def test_a_general_service_may_name_its_provider() -> None:
    for provider in ("", PROVIDER):
        command = replace(OWN_NETWORK, kind="general_service", provider_oin=provider)
        requested = replace(OWN_NETWORK_REQUESTED, kind="general_service", provider_oin=provider)
        given(PLAN, *WITH_GOAL).when(command).then(requested)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(REQUEST_SUPPORT, support_id=""), "support_id"),
        (replace(REQUEST_SUPPORT, kind="magic"), "kind"),
        (replace(REQUEST_SUPPORT, provider_oin=""), "provider_oin"),
        (replace(REQUEST_SUPPORT, provider_oin="123"), "provider_oin"),
        (replace(OWN_NETWORK, provider_oin=PROVIDER), "provider_oin"),
        (replace(REQUEST_SUPPORT, product_category=""), "product_category"),
        (replace(REQUEST_SUPPORT, product_category="2"), "product_category"),
        (replace(OWN_NETWORK, product_category="xx"), "product_category"),
        (replace(REQUEST_SUPPORT, product_code="02A055"), "product_code"),
        (replace(REQUEST_SUPPORT, start_date=date(2101, 1, 1), end_date=None), "start_date"),
        (replace(REQUEST_SUPPORT, end_date=DAY - A_DAY), "end_date"),
        (replace(REQUEST_SUPPORT, end_date=date(2101, 1, 1)), "end_date"),
        (replace(REQUEST_SUPPORT, volume=0), "volume"),
        (replace(REQUEST_SUPPORT, unit=""), "volume"),
        (replace(REQUEST_SUPPORT, frequency=""), "volume"),
        (replace(OWN_NETWORK, volume=1), "volume"),
        (replace(REQUEST_SUPPORT, volume=-1), "volume"),
        (replace(REQUEST_SUPPORT, volume=VOLUME_MAX + 1), "volume"),
        (replace(REQUEST_SUPPORT, unit="004"), "unit"),
        (replace(REQUEST_SUPPORT, frequency="22"), "frequency"),
        (replace(REQUEST_SUPPORT, goal_ids=()), "goal_ids"),
        (replace(REQUEST_SUPPORT, goal_ids=("d-1", "d-1")), "goal_ids"),
        (
            replace(REQUEST_SUPPORT, goal_ids=tuple(f"d-{n}" for n in range(GOALS_OF_SUPPORT_MAX + 1))),
            "goal_ids",
        ),
    ],
)
def test_a_request_with_a_fault_names_the_field(command: RequestSupport, path: str) -> None:
    given(PLAN, *WITH_GOAL).when(command).invalid(path)


@pytest.mark.parametrize("author", [PLANNER, RESIDENT, replace(CONSULENT, task="college-andere-gemeente:PW")])
def test_only_a_college_chooses_custom_support(author: Author) -> None:
    given(PLAN, *WITH_GOAL).when(replace(REQUEST_SUPPORT, author=author)).refused("NOT_THE_COLLEGE")
    others = PLAN.decide(replace(OWN_NETWORK, author=author), fold(PLAN, *WITH_GOAL))
    assert [event.task for event in others if isinstance(event, PlanEvent)] == [author.task]


def test_one_day_of_support_and_an_open_end() -> None:
    for end in (DAY, None):
        given(PLAN, *WITH_GOAL).when(replace(REQUEST_SUPPORT, end_date=end)).then(
            replace(SUPPORT_REQUESTED, end_date=end)
        )


@pytest.mark.parametrize("volume", [1, VOLUME_MAX])
def test_the_least_and_most_volume(volume: int) -> None:
    given(PLAN, *WITH_GOAL).when(replace(REQUEST_SUPPORT, volume=volume)).then(
        replace(SUPPORT_REQUESTED, volume=volume)
    )


def test_a_support_serves_goals_of_this_plan() -> None:
    command = replace(REQUEST_SUPPORT, goal_ids=("d-1", "d-9"))
    given(PLAN, *WITH_GOAL).when(command).refused("GOAL_UNKNOWN")
    given(PLAN, *WITH_GOAL, replace(GOAL_SET, goal_id="d-9")).when(command).then(
        replace(SUPPORT_REQUESTED, goal_ids=("d-1", "d-9"))
    )


def test_a_support_id_is_used_once() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(REQUEST_SUPPORT).refused("SUPPORT_EXISTS")


def test_the_most_supports() -> None:
    others = tuple(replace(SUPPORT_REQUESTED, support_id=f"v-{n + 2}") for n in range(ELEMENTS_MAX))
    given(PLAN, *WITH_GOAL, *others[:-1]).when(REQUEST_SUPPORT).then(SUPPORT_REQUESTED)
    given(PLAN, *WITH_GOAL, *others).when(REQUEST_SUPPORT).refused("PLAN_FULL")


# --- assigning --------------------------------------------------------------------------------------


def test_assigning_after_the_residents_yes() -> None:
    given(PLAN, *AGREED).when(ASSIGN).then(SUPPORT_ASSIGNED)


def test_assigning_before_the_residents_yes_is_refused() -> None:
    given(PLAN, *SUPPORT_CHOSEN).when(ASSIGN).refused("NOT_AGREED")


def test_the_yes_covers_what_the_plan_held_then() -> None:
    early = replace(PLAN_AGREED, plan_version=3)
    given(PLAN, *WITH_GOAL, early, SUPPORT_REQUESTED).when(ASSIGN).refused("NOT_AGREED")
    now = (SUPPORT_REQUESTED, replace(PLAN_AGREED, plan_version=5), *LOOKED_AT)
    given(PLAN, *WITH_GOAL, early, *now).when(ASSIGN).then(SUPPORT_ASSIGNED)


def test_a_later_goal_does_not_undo_the_yes() -> None:
    given(PLAN, *AGREED, replace(GOAL_SET, goal_id="d-2")).when(ASSIGN).then(SUPPORT_ASSIGNED)


def test_a_later_no_does() -> None:
    sentence = given(PLAN, *AGREED)
    (disagreed,) = PLAN.decide(DISAGREE, sentence.state)
    given(PLAN, *AGREED, disagreed).when(ASSIGN).refused("NOT_AGREED")


@pytest.mark.parametrize("kind", ["own_network", "general_service"])
def test_only_custom_support_is_assigned(kind: str) -> None:
    other = replace(SUPPORT_REQUESTED, kind=kind)
    given(PLAN, *WITH_GOAL, other, PLAN_AGREED).when(ASSIGN).refused("NOT_CUSTOM")


@pytest.mark.parametrize("number", ["", "4a", "-1", "4 1", "1234567890", "\u0664"])
def test_an_assignment_number_is_digits(number: str) -> None:
    given(PLAN, *AGREED).when(replace(ASSIGN, assignment_number=number)).invalid("assignment_number")


@pytest.mark.parametrize("number", ["0", "999999999"])
def test_the_least_and_most_assignment_number(number: str) -> None:
    given(PLAN, *AGREED).when(replace(ASSIGN, assignment_number=number)).then(
        replace(SUPPORT_ASSIGNED, assignment_number=number)
    )


@pytest.mark.parametrize("number", ["417", "000417"])
def test_an_assignment_number_is_used_once(number: str) -> None:
    second = replace(SUPPORT_REQUESTED, support_id="v-2")
    history = (*SUPPORT_CHOSEN, second, replace(PLAN_AGREED, plan_version=5), *LOOKED_AT, SUPPORT_ASSIGNED)
    command = replace(ASSIGN, support_id="v-2", assignment_number=number)
    given(PLAN, *history).when(command).refused("NUMBER_TAKEN")


def test_assigning_on_an_absurd_day_is_refused() -> None:
    given(PLAN, *AGREED).when(replace(ASSIGN, assign_date=date(1899, 12, 31))).invalid("assign_date")


# --- starting and stopping --------------------------------------------------------------------------


def test_starting() -> None:
    given(PLAN, *ASSIGNED).when(START).then(SUPPORT_STARTED)


def test_care_does_not_start_before_the_support() -> None:
    given(PLAN, *ASSIGNED).when(replace(START, care_start_date=DAY - A_DAY)).invalid("care_start_date")
    later = replace(START, care_start_date=DAY + A_DAY)
    given(PLAN, *ASSIGNED).when(later).then(replace(SUPPORT_STARTED, care_start_date=DAY + A_DAY))


def test_care_does_not_start_on_an_absurd_day() -> None:
    given(PLAN, *ASSIGNED).when(replace(START, care_start_date=date(2101, 1, 1))).invalid("care_start_date")


def test_care_starts_again_the_day_after_a_stop_for_a_while() -> None:
    for_a_while = replace(STOPPED_EVENT, stop_reason="temporary")
    again = replace(START, care_start_date=DAY + 2 * A_DAY)
    started = replace(SUPPORT_STARTED, care_start_date=DAY + 2 * A_DAY)
    given(PLAN, *STARTED, for_a_while).when(again).then(started)
    for early in (DAY, DAY + A_DAY):
        given(PLAN, *STARTED, for_a_while).when(replace(START, care_start_date=early)).invalid(
            "care_start_date"
        )
    support = fold(PLAN, *STARTED, for_a_while, started).support("v-1")
    assert (support.state, support.care_start_date) == ("started", DAY + 2 * A_DAY)
    assert (support.care_end_date, support.stop_reason) == (None, "")
    # Each step can still be told as it was: of which days it spoke, whatever came after.
    before = fold(PLAN, *STARTED, for_a_while).support("v-1")
    assert replace(support.as_stopped(DAY + A_DAY, "temporary"), earlier_care=()) == before
    assert replace(support.as_started(DAY), earlier_care=()) == fold(PLAN, *STARTED).support("v-1")
    stop = replace(STOP, care_end_date=DAY + 2 * A_DAY)
    stopped = replace(STOPPED_EVENT, care_end_date=DAY + 2 * A_DAY)
    given(PLAN, *STARTED, for_a_while, started).when(stop).then(stopped)


@pytest.mark.parametrize("reason", sorted(set(StopReason) - {StopReason.TEMPORARY}))
def test_care_that_ended_does_not_start_again(reason: str) -> None:
    ended = replace(STOPPED_EVENT, stop_reason=reason)
    again = replace(START, care_start_date=DAY + 2 * A_DAY)
    given(PLAN, *STARTED, ended).when(again).refused("SUPPORT_STATE")


def test_stopping() -> None:
    given(PLAN, *STARTED).when(STOP).then(STOPPED_EVENT)


def test_care_does_not_stop_before_it_started() -> None:
    given(PLAN, *STARTED).when(replace(STOP, care_end_date=DAY - A_DAY)).invalid("care_end_date")
    given(PLAN, *STARTED).when(replace(STOP, care_end_date=DAY)).then(
        replace(STOPPED_EVENT, care_end_date=DAY)
    )


@pytest.mark.parametrize("reason", list(StopReason))
def test_every_reason_to_stop(reason: str) -> None:
    stopped = replace(STOPPED_EVENT, stop_reason=reason)
    given(PLAN, *STARTED).when(replace(STOP, reason=reason)).then(stopped)


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(STOP, reason="boredom"), "reason"),
        (replace(STOP, reason=""), "reason"),
        (replace(STOP, care_end_date=date(2101, 1, 1)), "care_end_date"),
    ],
)
def test_stopping_with_a_fault_names_the_field(command: StopSupport, path: str) -> None:
    given(PLAN, *STARTED).when(command).invalid(path)


def test_each_step_begins_where_the_one_before_ended() -> None:
    histories: dict[str, tuple[PlanEvent, ...]] = {
        "requested": AGREED,
        "assigned": ASSIGNED,
        "started": STARTED,
        "stopped": STOPPED,
    }
    begins: dict[str, Move] = {"requested": ASSIGN, "assigned": START, "started": STOP}
    for begin, command in begins.items():
        for stands, history in histories.items():
            if stands != begin:
                given(PLAN, *history).when(command).refused("SUPPORT_STATE")


# --- who moves it -----------------------------------------------------------------------------------

MOVES = [(ASSIGN, AGREED), (START, ASSIGNED), (STOP, STARTED)]


@pytest.mark.parametrize(("command", "history"), MOVES)
def test_a_provider_moves_only_its_own_supports(command: Move, history: tuple[PlanEvent, ...]) -> None:
    strange = replace(command, author=STRANGE_PROVIDER)
    given(PLAN, *history).when(strange).refused("NOT_THE_PROVIDER")
    for author in (PLANNER, CONSULENT):
        moved = PLAN.decide(replace(command, author=author), fold(PLAN, *history))
        assert [event.task for event in moved if isinstance(event, PlanEvent)] == [author.task]


@pytest.mark.parametrize(("command", "history"), MOVES)
@pytest.mark.parametrize(
    "author",
    [
        WORK_DESK,
        replace(CONSULENT, task="college:PW"),
        replace(CONSULENT, oin=STRANGER),
        replace(PLANNER, task="college:WMO"),
        # Of the provider's own number, and not in the task in which it provides.
        replace(PLANNER, task="betrokkene"),
        replace(PLANNER, task="wettelijk-vertegenwoordiger"),
        replace(PLANNER, task="mantelzorger"),
        replace(PLANNER, task="vrijwilligersorganisatie"),
        RESIDENT,
    ],
)
def test_another_desk_than_the_one_that_requested_it_moves_nothing(
    author: Author, command: Move, history: tuple[PlanEvent, ...]
) -> None:
    given(PLAN, *history).when(replace(command, author=author)).refused("NOT_THE_PROVIDER")


def test_the_college_of_another_municipality_is_no_college_here() -> None:
    elsewhere = Author(STRANGER, "college-andere-gemeente:PW", "x-1")
    given(PLAN, *AGREED).when(replace(ASSIGN, author=elsewhere)).refused("NOT_THE_PROVIDER")


def test_support_without_provider_is_moved_by_no_provider() -> None:
    without = replace(SUPPORT_REQUESTED, provider_oin="")
    nameless = Author("", "wmo-aanbieder", "x-1")
    given(PLAN, *WITH_GOAL, without, PLAN_AGREED).when(replace(ASSIGN, author=nameless)).refused(
        "NOT_THE_PROVIDER"
    )


@pytest.mark.parametrize(("command", "history"), MOVES)
def test_an_unknown_support_or_plan_is_refused(command: Move, history: tuple[PlanEvent, ...]) -> None:
    unknown = replace(command, support_id="v-9")
    given(PLAN, *history).when(unknown).refused("SUPPORT_UNKNOWN")
    given(PLAN).when(command).refused("NO_PLAN")


def test_the_state_follows_the_steps() -> None:
    support = fold(PLAN, *STOPPED).support("v-1")
    assert (support.state, support.assignment_number, support.assign_date) == ("stopped", "417", DAY)
    assert (support.care_start_date, support.care_end_date) == (DAY, DAY + A_DAY)
    assert (support.stop_reason, support.origin, support.requested_version) == (
        "according_to_plan",
        f"college:WMO@{STOPPED[0].organisation}",
        4,
    )
    assert fold(PLAN, *STOPPED).agreements[0].say_time == LATER
