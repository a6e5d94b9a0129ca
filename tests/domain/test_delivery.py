"""Deliveries: a cursor that goes forward, and no further than was told; dead letters without content."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exchange.domain.delivery import (
    ATTEMPTS_MAX,
    DELIVERY,
    FAILING_MAX,
    PARKED_MAX,
    POSITION_MAX,
    WRITTEN_AFTER,
    WRITTEN_POSITIONS,
    Acknowledge,
    Cancel,
    DeliveryAcknowledged,
    DeliveryCancelled,
    DeliveryFailed,
    DeliveryParked,
    DeliverySubscribed,
    FailureReason,
    ReportFailure,
    Subscribe,
    is_due,
)
from tests.domain.builders import CONSULENT, NOON, PLANNER, PROVIDER, fold, given

if TYPE_CHECKING:
    from exchange.domain.kernel import Command

SOON = NOON + timedelta(seconds=1)
INSTANT = timedelta(microseconds=1)
COLLEAGUE = replace(PLANNER, professional="z-2")
OTHER_TASK = replace(PLANNER, task="jeugdhulpaanbieder")
SUBSCRIBE = Subscribe(
    now=NOON,
    author=PLANNER,
    subscription_id="ecd",
    purpose="wmo-levering",
    legal_basis="WMO-5.2.1-2a",
    paths=("supports.state",),
    household_plan_id="",
    start=40,
)
SUBSCRIBED = DeliverySubscribed(
    subscription_id="ecd",
    organisation=PROVIDER,
    task="wmo-aanbieder",
    professional="z-1",
    purpose="wmo-levering",
    legal_basis="WMO-5.2.1-2a",
    paths=("supports.state",),
    household_plan_id="",
    start=40,
    at=NOON,
)
FAR = 40 + WRITTEN_POSITIONS
ACKNOWLEDGE = Acknowledge(now=SOON, author=PLANNER, position=FAR, told=FAR)
ACKNOWLEDGED = DeliveryAcknowledged(position=FAR, settled=(), at=SOON)
REPORT = ReportFailure(
    now=SOON, author=PLANNER, event_id="e-1", position=50, reason=FailureReason.AWAY, told=60
)
FAILED = DeliveryFailed(event_id="e-1", position=50, reason="away", attempt=1, at=SOON)
PARKED = DeliveryParked(event_id="e-1", position=50, reason="away", attempts=1, at=SOON)
CANCEL = Cancel(now=SOON, author=PLANNER)
CANCELLED = DeliveryCancelled(at=SOON)


# --- subscribing --------------------------------------------------------------------------------------


def test_naming_a_subscription_and_naming_it_again() -> None:
    given(DELIVERY).when(SUBSCRIBE).then(SUBSCRIBED)
    given(DELIVERY, SUBSCRIBED).when(SUBSCRIBE).then()
    # It goes on where it is, whatever beginning is said the second time.
    given(DELIVERY, SUBSCRIBED, ACKNOWLEDGED).when(replace(SUBSCRIBE, start=0)).then()


@pytest.mark.parametrize(
    "other",
    [
        replace(SUBSCRIBE, purpose="wmo-onderzoek"),
        replace(SUBSCRIBE, legal_basis="WMO-2.3.2"),
        replace(SUBSCRIBE, paths=("supports.state", "supports.product")),
        replace(SUBSCRIBE, household_plan_id="plan-1"),
        replace(SUBSCRIBE, author=COLLEAGUE),
        replace(SUBSCRIBE, author=OTHER_TASK),
    ],
)
def test_a_name_stands_for_one_question_of_one_person(other: Subscribe) -> None:
    given(DELIVERY, SUBSCRIBED).when(other).refused("SUBSCRIPTION_KNOWN")
    # Once it has ended the name is free.
    assert DELIVERY.decide(other, fold(DELIVERY, SUBSCRIBED, CANCELLED))


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"subscription_id": ""}, "subscription_id"),
        ({"purpose": "nieuwsgierigheid"}, "subscribed_purpose"),
        ({"legal_basis": ""}, "subscribed_legal_basis"),
        ({"paths": ()}, "paths"),
        ({"paths": ("a.b", "a.b")}, "paths"),
        ({"household_plan_id": "twee woorden"}, "household_plan_id"),
        ({"start": -1}, "begin_cursor"),
        ({"start": POSITION_MAX + 1}, "begin_cursor"),
    ],
)
def test_a_misshapen_subscription_is_refused_by_its_field(wrong: dict[str, object], path: str) -> None:
    given(DELIVERY).when(replace(SUBSCRIBE, **wrong)).invalid(path)  # type: ignore[arg-type] # one wrong field


@pytest.mark.parametrize("start", [0, POSITION_MAX])
def test_it_may_begin_anywhere(start: int) -> None:
    assert DELIVERY.decide(replace(SUBSCRIBE, start=start), None) == (replace(SUBSCRIBED, start=start),)


# --- acknowledging ------------------------------------------------------------------------------------


def test_an_acknowledgement_is_written_when_it_is_worth_an_event() -> None:
    given(DELIVERY, SUBSCRIBED).when(ACKNOWLEDGE).then(ACKNOWLEDGED)
    # One position less, and at once: not yet.
    given(DELIVERY, SUBSCRIBED).when(replace(ACKNOWLEDGE, position=FAR - 1)).then()
    late = replace(ACKNOWLEDGE, position=41, now=NOON + WRITTEN_AFTER)
    given(DELIVERY, SUBSCRIBED).when(late).then(DeliveryAcknowledged(position=41, settled=(), at=late.now))
    given(DELIVERY, SUBSCRIBED).when(replace(late, now=late.now - INSTANT)).then()
    # Nothing new is never written.
    given(DELIVERY, SUBSCRIBED).when(replace(late, position=40)).then()


def test_whether_it_is_due_is_asked_without_deciding() -> None:
    state = fold(DELIVERY, SUBSCRIBED)
    assert is_due(state, FAR, NOON)
    assert not is_due(state, FAR - 1, NOON)
    assert is_due(state, 41, NOON + WRITTEN_AFTER)
    assert not is_due(state, 40, NOON + WRITTEN_AFTER)


def test_a_cursor_never_goes_back() -> None:
    back = replace(ACKNOWLEDGE, position=10, now=NOON + WRITTEN_AFTER * 3)
    given(DELIVERY, SUBSCRIBED, ACKNOWLEDGED).when(back).then()
    # Nor where something parked is settled along with it.
    settled = replace(ACKNOWLEDGED, settled=("e-1",), at=back.now)
    given(DELIVERY, SUBSCRIBED, PARKED, ACKNOWLEDGED).when(replace(back, settled=("e-1",))).then(settled)


def test_a_cursor_never_goes_beyond_what_was_told() -> None:
    given(DELIVERY, SUBSCRIBED).when(replace(ACKNOWLEDGE, told=FAR - 1)).refused("NOT_TOLD")


def test_what_is_parked_is_settled_by_its_id_and_nothing_else_is() -> None:
    order = replace(ACKNOWLEDGE, position=40, told=40, settled=("e-1", "e-unknown"))
    settled = DeliveryAcknowledged(position=40, settled=("e-1",), at=SOON)
    given(DELIVERY, SUBSCRIBED, PARKED).when(order).then(settled)
    assert fold(DELIVERY, SUBSCRIBED, PARKED, settled).parked == ()
    given(DELIVERY, SUBSCRIBED).when(order).then()


def test_what_failed_and_was_passed_was_taken_after_all() -> None:
    assert fold(DELIVERY, SUBSCRIBED, FAILED).failing
    assert not fold(DELIVERY, SUBSCRIBED, FAILED, replace(ACKNOWLEDGED, position=50)).failing
    assert fold(DELIVERY, SUBSCRIBED, FAILED, replace(ACKNOWLEDGED, position=49)).failing


# --- failing ------------------------------------------------------------------------------------------


def test_what_fails_is_tried_again_and_parked_at_the_last_attempt() -> None:
    given(DELIVERY, SUBSCRIBED).when(REPORT).then(FAILED)
    tries = [replace(FAILED, attempt=number) for number in range(1, ATTEMPTS_MAX)]
    given(DELIVERY, SUBSCRIBED, *tries[:-1]).when(REPORT).then(tries[-1])
    last = replace(FAILED, attempt=ATTEMPTS_MAX)
    given(DELIVERY, SUBSCRIBED, *tries).when(REPORT).then(last, replace(PARKED, attempts=ATTEMPTS_MAX))


def test_a_subscriber_parks_at_once_what_no_attempt_will_help() -> None:
    given(DELIVERY, SUBSCRIBED).when(replace(REPORT, park=True)).then(FAILED, PARKED)


def test_what_is_parked_and_fails_again_stays_parked() -> None:
    again = replace(REPORT, now=NOON + WRITTEN_AFTER, told=0)
    failed = replace(FAILED, attempt=2, at=again.now)
    given(DELIVERY, SUBSCRIBED, FAILED, PARKED).when(again).then(failed)
    (letter,) = fold(DELIVERY, SUBSCRIBED, FAILED, PARKED, failed).parked
    assert (letter.attempts, letter.at) == (2, SOON)


def test_nothing_fails_that_was_not_told() -> None:
    given(DELIVERY, SUBSCRIBED).when(replace(REPORT, told=49)).refused("NOT_TOLD")
    given(DELIVERY, SUBSCRIBED).when(replace(REPORT, told=50)).then(FAILED)


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"event_id": ""}, "event_id"),
        ({"position": 0}, "position"),
        ({"reason": ""}, "reason"),
        ({"reason": "mevrouw is verhuisd"}, "reason"),
    ],
)
def test_a_reason_is_one_of_a_closed_list(wrong: dict[str, object], path: str) -> None:
    given(DELIVERY, SUBSCRIBED).when(replace(REPORT, **wrong)).invalid(path)  # type: ignore[arg-type] # one wrong field


def test_what_fails_and_what_is_parked_is_bounded() -> None:
    failing = [replace(FAILED, event_id=f"f-{number}") for number in range(FAILING_MAX)]
    given(DELIVERY, SUBSCRIBED, *failing).when(REPORT).refused("FAILING_FULL")
    given(DELIVERY, SUBSCRIBED, *failing[1:]).when(REPORT).then(FAILED)
    # Parking at once is the way out of it, for what failed before and for what is new.
    given(DELIVERY, SUBSCRIBED, *failing).when(replace(REPORT, park=True)).then(FAILED, PARKED)
    parked = [replace(PARKED, event_id=f"p-{number}") for number in range(PARKED_MAX)]
    order = replace(REPORT, park=True)
    given(DELIVERY, SUBSCRIBED, *parked).when(order).refused("PARKED_FULL")
    given(DELIVERY, SUBSCRIBED, *parked[1:]).when(order).then(FAILED, PARKED)


def test_a_dead_letter_holds_no_content() -> None:
    (letter,) = fold(DELIVERY, SUBSCRIBED, FAILED, PARKED).parked
    assert [one.name for one in fields(letter)] == ["event_id", "position", "reason", "attempts", "at"]
    # Nothing of a resident is in any of these events, so nothing of them is sealed.
    assert all(not event.SEALED and not event.COMMITTED for event in DELIVERY.events)


# --- whose it is, and its end -------------------------------------------------------------------------


@pytest.mark.parametrize("order", [ACKNOWLEDGE, REPORT])
@pytest.mark.parametrize("author", [COLLEAGUE, OTHER_TASK, CONSULENT])
def test_nobody_else_goes_on_at_a_cursor(order: Command, author: object) -> None:
    theirs = replace(order, author=author)  # type: ignore[arg-type] # an author
    given(DELIVERY, SUBSCRIBED).when(theirs).refused("NO_SUCH_SUBSCRIPTION")
    # Alike where there is none, and where it has ended.
    given(DELIVERY).when(order).refused("NO_SUCH_SUBSCRIPTION")
    given(DELIVERY, SUBSCRIBED, CANCELLED).when(order).refused("NO_SUCH_SUBSCRIPTION")


def test_cancelling_forgets_what_is_parked_and_is_harmless_twice() -> None:
    given(DELIVERY, SUBSCRIBED, PARKED).when(CANCEL).then(CANCELLED)
    given(DELIVERY, SUBSCRIBED, CANCELLED).when(CANCEL).then()
    state = fold(DELIVERY, SUBSCRIBED, FAILED, PARKED, CANCELLED)
    assert state.cancelled
    assert state.parked == state.failing == ()


def test_a_colleague_in_the_task_may_end_what_was_left_behind_and_no_other() -> None:
    given(DELIVERY, SUBSCRIBED).when(replace(CANCEL, author=COLLEAGUE)).then(CANCELLED)
    given(DELIVERY, SUBSCRIBED).when(replace(CANCEL, author=OTHER_TASK)).refused("NO_SUCH_SUBSCRIPTION")
    given(DELIVERY).when(CANCEL).refused("NO_SUCH_SUBSCRIPTION")


def test_a_name_that_ended_begins_anew() -> None:
    anew = replace(SUBSCRIBED, start=7)
    state = fold(DELIVERY, SUBSCRIBED, ACKNOWLEDGED, PARKED, CANCELLED, anew)
    assert (state.position, state.parked, state.cancelled) == (7, (), False)
