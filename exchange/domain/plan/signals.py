"""Early signals: a partner tells of arrears, and that opens a report about this resident and nobody else.

Promises: only who does debt help for a college records a signal; it is a report on finance, with what the
partner told beside it, in the category of debts; the partner gets no part in the case by it.
Source: Wgs 3(1)(b) and the decree under it (which partners); the domain's design section 2 (P16).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.commands import ReceiveReport
from exchange.domain.plan.decide import receive_report, refuse_full
from exchange.domain.plan.elements import Signal
from exchange.domain.plan.events import PlanEvent
from exchange.domain.plan.goals import day_come_fault
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import SignalPartner
from exchange.domain.shape import FINE, member_fault, range_fault, refuse_faults, token_fault
from exchange.domain.values import DataCategory, LifeDomain, origin_of
from exchange.errors import RuleBroken

ARREARS_CENTS_MAX: Final = 1_000_000_000
DEBT_HELP_TASK: Final = "college:WGS"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveSignal(ReceiveReport):
    """Report what a partner told of arrears. The report's words say what it is, without amounts."""

    signal_id: str
    partner: str
    arrears_cents: int
    since_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalReceived(PlanEvent):
    """A partner told of arrears."""

    TOPIC: ClassVar[str] = "plan.signal_received.v1"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(("partner", "arrears_cents", "since_date"), DataCategory.SCHULDEN.value)
    )
    signal_id: str
    report_id: str
    partner: str
    arrears_cents: int
    since_date: date
    at: datetime


def receive_signal(command: ReceiveSignal, state: PlanState | None) -> Events:
    """Decide on a signal: the event of its report comes last."""
    elsewhere = command.life_domains != (LifeDomain.FINANCE,)
    refuse_faults(
        {
            "signal_id": token_fault(command.signal_id),
            "life_domains": "must be finance alone" if elsewhere else FINE,
            "partner": member_fault(SignalPartner, command.partner),
            "arrears_cents": range_fault(command.arrears_cents, 1, ARREARS_CENTS_MAX),
            "since_date": day_come_fault(command.since_date, command.now),
        }
    )
    author = command.author
    if author.task != DEBT_HELP_TASK:
        raise RuleBroken("a signal is recorded by who does debt help", rule="NOT_DEBT_HELP")
    if state is not None:
        refuse_full(state, "signals")
    *opened, reported = receive_report(command, state)
    signal = SignalReceived(
        resident=command.resident,
        plan_id=command.plan_id,
        organisation=author.oin,
        task=author.task,
        signal_id=command.signal_id,
        report_id=command.report_id,
        partner=command.partner,
        arrears_cents=command.arrears_cents,
        since_date=command.since_date,
        at=command.now,
    )
    return (*opened, signal, reported)


def _signal_received(state: PlanState, event: SignalReceived) -> PlanState:
    signal = Signal(
        signal_id=event.signal_id,
        report_id=event.report_id,
        partner=event.partner,
        arrears_cents=event.arrears_cents,
        since_date=event.since_date,
        receive_time=event.at,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(state, version=state.version + 1, signals=(*state.signals, signal))


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType({ReceiveSignal: receive_signal})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({SignalReceived: _signal_received})
