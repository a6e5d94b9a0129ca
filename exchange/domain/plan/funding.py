"""Where the money for a support comes from: split over laws, after the support was chosen and decided on.

Promises: a split sums to the cost, to the cent; two splits of one support never cover the same day; whatever
happens to the money, nothing of the support changes; only a college splits, and only who made a split
replaces it.
Source: the domain's design sections 2 (P6) and 3; protos/exchange/v1/plan_service.proto.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Funding, Support
from exchange.domain.plan.events import PlanEvent, numbers_of, plan_words
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.words import FundingSource
from exchange.domain.shape import (
    FINE,
    day_fault,
    members_fault,
    range_fault,
    refuse_faults,
    token_fault,
)
from exchange.domain.values import SupportKind, SupportStatus, origin_of
from exchange.errors import RuleBroken

COST_CENTS_MAX: Final = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SetFunding(AuthoredCommand):
    """Split the cost of a support in a period over sources.

    `amounts_cents` are those of `sources`, in the same order; `replaces` names a split that this one takes
    the place of, or is empty.
    """

    funding_id: str
    support_id: str
    cost_cents: int
    sources: tuple[str, ...]
    amounts_cents: tuple[int, ...]
    start_date: date
    end_date: date | None = None
    replaces: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FundingSet(PlanEvent):
    """The cost of a support was split; amounts are whole numbers of cents, written out."""

    TOPIC: ClassVar[str] = "plan.funding_set.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words(
        "cost_cents", "sources", "amounts_cents", "start_date", "end_date"
    )
    funding_id: str
    support_id: str
    cost_cents: int
    sources: tuple[str, ...]
    amounts_cents: tuple[str, ...]
    start_date: date
    end_date: date | None
    replaces: str


def _amounts_faults(command: SetFunding) -> Mapping[str, str]:
    if len(command.amounts_cents) != len(command.sources):
        return {"amounts_cents": "must be as many as the sources"}
    faults = {
        f"amounts_cents[{index}]": range_fault(amount, 1, COST_CENTS_MAX)
        for index, amount in enumerate(command.amounts_cents)
    }
    if not any(faults.values()) and sum(command.amounts_cents) != command.cost_cents:
        return {"amounts_cents": "must add up to the cost"}
    return faults


def _end_fault(command: SetFunding) -> str:
    if command.end_date is not None and command.end_date < command.start_date:
        return "must not lie before the start"
    return day_fault(command.end_date, required=False)


def _refuse_outside(command: SetFunding, support: Support) -> None:
    """Refuse days on which the support is not given."""
    last, end = support.end_date, command.end_date
    starts = (
        FINE if command.start_date >= support.start_date else "must not lie before the support's first day"
    )
    ends = FINE if last is None or (end is not None and end <= last) else "must not lie after its last day"
    refuse_faults({"start_date": starts, "end_date": ends})


def overlap(command: SetFunding | Funding, other: Funding) -> bool:
    """Tell whether both cover a day."""
    begins_in_time = other.end_date is None or command.start_date <= other.end_date
    ends_in_time = command.end_date is None or other.start_date <= command.end_date
    return begins_in_time and ends_in_time


def _decided(plan: PlanState, support: Support) -> bool:
    if support.kind == SupportKind.CUSTOM:
        return support.state != SupportStatus.REQUESTED
    return plan.agreed_version >= support.chosen_version


def _refuse_replacing(command: SetFunding, plan: PlanState) -> None:
    if not command.replaces:
        return
    replaced = next((one for one in plan.funding if one.funding_id == command.replaces), None)
    if replaced is None or replaced.support_id != command.support_id:
        raise RuleBroken("this support has no such funding", rule="FUNDING_UNKNOWN")
    if replaced.origin != origin_of(command.author.task, command.author.oin):
        raise RuleBroken("only the desk that split the cost splits it anew", rule="NOT_THE_AUTHOR")


def set_funding(command: SetFunding, state: PlanState | None) -> Events:
    """Decide on a split of the cost of a support."""
    plan = open_plan(state)
    author = command.author
    refuse_faults(
        {
            "funding_id": token_fault(command.funding_id),
            "cost_cents": range_fault(command.cost_cents, 1, COST_CENTS_MAX),
            "sources": members_fault(FundingSource, command.sources),
            **_amounts_faults(command),
            "start_date": day_fault(command.start_date),
            "end_date": _end_fault(command),
        }
    )
    if not author.is_college:
        raise RuleBroken("only a college splits the cost", rule="NOT_THE_COLLEGE")
    support = plan.support(command.support_id)
    if support is None:
        raise RuleBroken("this plan has no such support", rule="SUPPORT_UNKNOWN")
    if support.kind == SupportKind.OWN_NETWORK:
        raise RuleBroken("what the own network does costs nothing", rule="NO_COST")
    if support.state == SupportStatus.REFUSED:
        raise RuleBroken("nothing is paid for what was refused", rule="SUPPORT_REFUSED")
    if not _decided(plan, support):
        raise RuleBroken("the money comes after the decision", rule="NOT_DECIDED")
    _refuse_outside(command, support)
    _refuse_replacing(command, plan)
    others = (one for one in plan.funding if one.support_id == support.support_id)
    if any(overlap(command, one) for one in others if one.funding_id != command.replaces):
        refuse_faults({"start_date": "must not overlap another funding of this support"})
    refuse_full(plan, "funding", replaced=bool(command.replaces))
    split = FundingSet(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        funding_id=command.funding_id,
        support_id=support.support_id,
        cost_cents=command.cost_cents,
        sources=command.sources,
        amounts_cents=tuple(map(str, command.amounts_cents)),
        start_date=command.start_date,
        end_date=command.end_date,
        replaces=command.replaces,
    )
    return (split,)


def _funding_set(state: PlanState, event: FundingSet) -> PlanState:
    support = state.support(event.support_id)
    funding = Funding(
        funding_id=event.funding_id,
        support_id=event.support_id,
        cost_cents=event.cost_cents,
        sources=event.sources,
        amounts_cents=numbers_of(event.amounts_cents),
        start_date=event.start_date,
        end_date=event.end_date,
        of_provider="" if support is None else support.provider_oin,
        origin=origin_of(event.task, event.organisation),
    )
    others = tuple(one for one in state.funding if not event.replaces or one.funding_id != event.replaces)
    return with_changes(state, version=state.version + 1, funding=(*others, funding))


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType({SetFunding: set_funding})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({FundingSet: _funding_set})
