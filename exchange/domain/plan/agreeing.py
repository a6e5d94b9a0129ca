"""What the resident says of the plan: yes, or no and how that was handled.

Promises: only the resident's side says yes or no to a plan; the newest word counts; a yes is to what was
shown, and to nothing that was not.
Source: protos/exchange/v1/plan_service.proto; the domain's design section 2 (P9).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from exchange.domain.kernel import Command, Decider, Event, Events, Evolver, with_changes
from exchange.domain.plan.commands import AgreeToPlan
from exchange.domain.plan.decide import open_plan, refuse_full
from exchange.domain.plan.elements import Agreement
from exchange.domain.plan.events import PlanAgreed, PlanDisagreed
from exchange.domain.plan.lenses import lenses_missing, refuse_open_conflicts
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import member_fault, refuse_faults, text_fault
from exchange.domain.values import AgreementOutcome, origin_of
from exchange.errors import RuleBroken


def agree_to_plan(command: AgreeToPlan, state: PlanState | None) -> Events:
    """Decide on the resident's word about the plan as it stands."""
    plan = open_plan(state)
    author = command.author
    if not author.is_residents_side:
        raise RuleBroken("only the resident's side says yes or no to a plan", rule="NOT_RESIDENTS_SIDE")
    disagrees = command.outcome == AgreementOutcome.DISAGREED
    refuse_faults(
        {
            "outcome": member_fault(AgreementOutcome, command.outcome),
            "remarks": text_fault(command.remarks, required=disagrees),
        }
    )
    refuse_full(plan, "agreements")
    if disagrees:
        disagreed = PlanDisagreed(
            resident=plan.resident,
            plan_id=plan.plan_id,
            organisation=author.oin,
            task=author.task,
            plan_version=plan.version,
            remarks=command.remarks,
            at=command.now,
        )
        return (disagreed,)
    if not plan.pursued:
        raise RuleBroken("a plan without a goal is not agreed with", rule="NO_GOAL")
    if missing := lenses_missing(plan, minor=command.minor):
        raise RuleBroken(
            "with needs under more than one law each of those lenses is used or waived first",
            rule="TWO_LENSES",
            missing=",".join(missing),
        )
    refuse_open_conflicts(plan)
    agreed = PlanAgreed(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=author.oin,
        task=author.task,
        plan_version=plan.version,
        remarks=command.remarks,
        at=command.now,
        supports_unseen=plan.kept_from("supports") is not None and not plan.supports,
    )
    return (agreed,)


def _agreed_version(state: PlanState, event: PlanAgreed | PlanDisagreed) -> int:
    # The resident's newest word counts: a no ends what an earlier yes allowed, also of what was not shown.
    if not isinstance(event, PlanAgreed):
        return 0
    # A yes is to what was shown: it neither covers a support that was not, nor undoes a yes that did.
    return state.agreed_version if event.supports_unseen else event.plan_version


def _said(state: PlanState, event: PlanAgreed | PlanDisagreed) -> PlanState:
    agreed = isinstance(event, PlanAgreed)
    agreement = Agreement(
        outcome=AgreementOutcome.AGREED if agreed else AgreementOutcome.DISAGREED,
        remarks=event.remarks,
        plan_version=event.plan_version,
        say_time=event.at,
        origin=origin_of(event.task, event.organisation),
    )
    return with_changes(
        state,
        version=state.version + 1,
        agreed_version=_agreed_version(state, event),
        agreements=(*state.agreements, agreement),
    )


DECIDERS: Final[Mapping[type[Command], Decider]] = MappingProxyType({AgreeToPlan: agree_to_plan})
EVOLVERS: Final[Mapping[type[Event], Evolver]] = MappingProxyType({PlanAgreed: _said, PlanDisagreed: _said})
