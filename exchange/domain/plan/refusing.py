"""A support that is refused before care starts: by the desk that requested it, or by its provider.

Promises: only what was requested or assigned is refused, for good and for a reason of a fixed list; money is
no such reason. A refused support is not assigned, started or paid for; what was paid or agreed before stands
as it was said. Another support is requested anew, and asks a yes of its own.
Source: Wmo 2015 2.3.5; iWmo 3.2 code list WJ759; exchange/decisions/0088-a-support-that-is-refused.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import AuthoredCommand, Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.decide import open_plan
from exchange.domain.plan.events import PlanEvent, plan_words
from exchange.domain.plan.state import PlanState
from exchange.domain.plan.support import support_moved
from exchange.domain.plan.words import RefuseReason
from exchange.domain.shape import member_fault, refuse_faults
from exchange.domain.values import SupportStatus
from exchange.errors import RuleBroken

_BEFORE_CARE: Final = (SupportStatus.REQUESTED, SupportStatus.ASSIGNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RefuseSupport(AuthoredCommand):
    """Record that a support is refused before care starts."""

    support_id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRefused(PlanEvent):
    """A support was refused before care started."""

    TOPIC: ClassVar[str] = "plan.support_refused.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("refuse_reason")
    support_id: str
    refuse_reason: str


def refuse_support(command: RefuseSupport, state: PlanState | None) -> Events:
    """Decide on a refusal; what has started is stopped instead."""
    plan = open_plan(state)
    support = support_moved(plan, command.support_id, command)
    refuse_faults({"reason": member_fault(RefuseReason, command.reason)})
    if support.state not in _BEFORE_CARE:
        raise RuleBroken(
            "the support does not stand where this step begins",
            rule="SUPPORT_STATE",
            expected=",".join(_BEFORE_CARE),
            found=support.state,
        )
    refused = SupportRefused(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        support_id=support.support_id,
        refuse_reason=command.reason,
    )
    return (refused,)


def _refused(state: PlanState, event: SupportRefused) -> PlanState:
    supports = tuple(
        with_changes(one, state=SupportStatus.REFUSED, refuse_reason=event.refuse_reason)
        if one.support_id == event.support_id
        else one
        for one in state.supports
    )
    return with_changes(state, version=state.version + 1, supports=supports)


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType({RefuseSupport: refuse_support})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({SupportRefused: _refused})
