"""Early signals: a report on finance, with what the partner told beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exchange.domain.intake import receive_report
from exchange.domain.plan import PLAN, ReceiveSignal
from exchange.domain.plan.decide import ELEMENTS_MAX
from exchange.domain.plan.signals import ARREARS_CENTS_MAX
from tests.domain.builders import A_DAY, CONSULENT, DAY, PLAN_OPENED, PLANNER, RESIDENT, fold, given
from tests.domain.plan_builders import (
    AIMED_AT,
    RECEIVE_SIGNAL,
    SIGNAL_RECEIVED,
    SIGNAL_REPORTED,
)

if TYPE_CHECKING:
    from exchange.domain.values import Author

OPENED = replace(PLAN_OPENED, task="college:WGS", at=RECEIVE_SIGNAL.now)


def test_a_signal_opens_a_plan_with_a_report_as_its_last_event() -> None:
    given(PLAN).when(RECEIVE_SIGNAL).then(OPENED, SIGNAL_RECEIVED, SIGNAL_REPORTED)
    given(PLAN, *AIMED_AT).when(RECEIVE_SIGNAL).then(SIGNAL_RECEIVED, SIGNAL_REPORTED)
    plan = fold(PLAN, OPENED, SIGNAL_RECEIVED, SIGNAL_REPORTED)
    assert [one.category for one in plan.signals] == ["SCHULDEN"]
    assert plan.signals[0].report_id == plan.reports[0].report_id


def test_it_opens_the_same_case_as_any_report() -> None:
    streams = dict(receive_report(RECEIVE_SIGNAL, None, None))
    topics = [event.TOPIC for events in streams.values() for event in events]
    assert topics[-2:] == ["plan.signal_received.v1", "plan.report_received.v1"]
    assert len(streams) == 2


@pytest.mark.parametrize(
    ("command", "path"),
    [
        (replace(RECEIVE_SIGNAL, life_domains=("finance", "housing")), "life_domains"),
        (replace(RECEIVE_SIGNAL, life_domains=()), "life_domains"),
        (replace(RECEIVE_SIGNAL, partner="neighbour"), "partner"),
        (replace(RECEIVE_SIGNAL, arrears_cents=0), "arrears_cents"),
        (replace(RECEIVE_SIGNAL, arrears_cents=ARREARS_CENTS_MAX + 1), "arrears_cents"),
        (replace(RECEIVE_SIGNAL, since_date=DAY + A_DAY), "since_date"),
        (replace(RECEIVE_SIGNAL, signal_id=""), "signal_id"),
        (replace(RECEIVE_SIGNAL, own_words=" "), "own_words"),
    ],
)
def test_a_signal_with_a_fault_names_the_field(command: ReceiveSignal, path: str) -> None:
    given(PLAN, *AIMED_AT).when(command).invalid(path)


@pytest.mark.parametrize("author", [CONSULENT, PLANNER, RESIDENT])
def test_nobody_but_debt_help_records_a_signal(author: Author) -> None:
    given(PLAN).when(replace(RECEIVE_SIGNAL, author=author)).refused("NOT_DEBT_HELP")


def test_the_most_signals() -> None:
    many = (SIGNAL_RECEIVED,) * (ELEMENTS_MAX - 1)
    given(PLAN, *AIMED_AT, *many).when(RECEIVE_SIGNAL).then(SIGNAL_RECEIVED, SIGNAL_REPORTED)
    given(PLAN, *AIMED_AT, *many, SIGNAL_RECEIVED).when(RECEIVE_SIGNAL).refused("PLAN_FULL")
