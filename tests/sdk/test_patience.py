"""Waiting: never sooner than asked, never longer than allowed, never for what cannot succeed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.sdk.errors import (
    Conflict,
    Denied,
    ExchangeRefused,
    NotAuthenticated,
    OutcomeUnknown,
    Refusal,
    ServerNotTrusted,
    Unavailable,
    Unreachable,
)
from adapters.sdk.patience import Attempts, Patience, can_be_retried

LATER = Unavailable(Refusal("DRAINING", "stopping", retry_after_s=0.25))


@given(st.integers(1, 100_000), st.floats(0, 60))
def test_a_wait_is_what_was_asked_and_at_most_the_longest_more(attempt: int, asked_s: float) -> None:
    refused = Unavailable(Refusal("OVERLOADED", "full", retry_after_s=asked_s))
    wait_s = Patience(wait_first_s=0.1, wait_max_s=5.0).wait_s(attempt, refused)
    assert asked_s <= wait_s <= asked_s + min(5.0, 0.1 * 2 ** min(attempt - 1, 30))


@pytest.mark.parametrize(
    ("refused", "helps"),
    [
        (LATER, True),
        (Unreachable(Refusal("", "refused")), True),
        (Unavailable(Refusal("KEY_UNAVAILABLE", "away")), False),
        (ServerNotTrusted(Refusal("", "expired")), False),
        (Denied(Refusal("ACCESS_DENIED", "no", retry_after_s=1.0)), False),
        (OutcomeUnknown(Refusal("OUTCOME_UNKNOWN", "cut off", retry_after_s=0.5)), True),
        (OutcomeUnknown(Refusal("OUTCOME_UNKNOWN", "cut off")), False),
        (OutcomeUnknown(Refusal("DEADLINE_EXCEEDED", "late", retry_after_s=0.5)), False),
        (OutcomeUnknown(Refusal("", "cancelled")), False),
        (Conflict(Refusal("VERSION_CONFLICT", "no")), False),
    ],
)
def test_what_can_be_retried(refused: ExchangeRefused, helps: bool) -> None:  # noqa: FBT001 -- a column
    assert can_be_retried(refused) is helps


def test_the_last_attempt_is_the_last() -> None:
    attempts = Attempts(Patience(attempts_max=3, wait_first_s=0.0), 60, clock=lambda: 0.0)
    attempts.wait_before_next(LATER)
    attempts.wait_before_next(LATER)
    with pytest.raises(Unavailable):
        attempts.wait_before_next(LATER)


@pytest.mark.parametrize(("left_s", "waits"), [(0.26, True), (0.25, False)])
def test_a_wait_that_ends_after_the_limit_is_not_begun(left_s: float, waits: bool) -> None:  # noqa: FBT001 -- a column
    attempts = Attempts(Patience(wait_first_s=0.0, wait_max_s=0.0), left_s, clock=lambda: 0.0)
    if waits:
        assert attempts.wait_before_next(LATER) == 0.25
    else:
        with pytest.raises(Unavailable):
            attempts.wait_before_next(LATER)


def test_time_left_shrinks_and_is_never_nothing() -> None:
    now = [0.0]
    attempts = Attempts(Patience(), 10, clock=lambda: now[0])
    assert attempts.left_s() == 10
    now[0] = 4.0
    assert attempts.left_s() == 6
    now[0] = 11.0
    assert 0 < attempts.left_s() < 0.01


def test_what_took_too_long_is_not_repeated_here() -> None:
    attempts = Attempts(Patience(), 10, clock=lambda: 0.0)
    with pytest.raises(OutcomeUnknown):
        attempts.wait_before_next(OutcomeUnknown(Refusal("DEADLINE_EXCEEDED", "late", retry_after_s=0.1)))


CUT = Unreachable(Refusal("", "socket closed", unanswered=True))
OPEN = Unavailable(Refusal("OUTCOME_OPEN", "did it commit?", retry_after_s=0.0, unanswered=True))
NO_TOKEN = NotAuthenticated(Refusal("PERSON_TOKEN_INVALID", "expired", request_id="r-1"))


@pytest.mark.parametrize(
    ("before", "last", "may_be"),
    [
        ([CUT], NO_TOKEN, True),
        ([OPEN], NO_TOKEN, True),
        ([CUT, LATER, LATER], NO_TOKEN, True),
        ([CUT], Unavailable(Refusal("KEY_UNAVAILABLE", "away")), True),
        ([CUT], Denied(Refusal("ACCESS_DENIED", "not here")), True),
        ([CUT], Denied(Refusal("ACCESS_DENIED", "no", decision_id="d-1")), False),
        ([CUT], Conflict(Refusal("VERSION_CONFLICT", "somebody was first")), False),
        ([LATER], NO_TOKEN, False),
        ([], NO_TOKEN, False),
    ],
)
def test_behind_an_attempt_without_answer_a_door_that_refuses_says_nothing_of_it(
    before: list[ExchangeRefused],
    last: ExchangeRefused,
    may_be: bool,  # noqa: FBT001 -- a column
) -> None:
    attempts = Attempts(Patience(wait_first_s=0.0, wait_max_s=0.0), 60, clock=lambda: 0.0)
    for one in before:
        attempts.wait_before_next(one)
    with pytest.raises(type(last)) as caught:
        attempts.wait_before_next(last)
    assert caught.value.may_be_recorded is may_be
    assert (caught.value.reason, caught.value.request_id) == (last.reason, last.request_id)
    assert not last.may_be_recorded
