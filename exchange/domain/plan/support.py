"""What may happen to a support: requested, assigned, started, stopped.

Promises: nothing is assigned without the resident's yes to a plan that holds it; only a college chooses
custom support; only who requested a support, or its provider in a provider's task, moves it; the days of care
follow each other, also after a stop for a while.
Source: iWmo 3.2 (301, 305, 307); protos/exchange/v1/plan_service.proto; the domain's design section 2 (P6,
P9).
"""

import re
from datetime import date
from typing import Final

from exchange.domain.kernel import AuthoredCommand, Events
from exchange.domain.plan.commands import AssignSupport, RequestSupport, StartSupport, StopSupport
from exchange.domain.plan.decide import existing, open_plan, refuse_full
from exchange.domain.plan.elements import Support
from exchange.domain.plan.events import SupportAssigned, SupportRequested, SupportStarted, SupportStopped
from exchange.domain.plan.goals import refuse_unpursued
from exchange.domain.plan.lenses import refuse_before_its_turn
from exchange.domain.plan.state import PlanState
from exchange.domain.shape import (
    FINE,
    day_fault,
    member_fault,
    oin_fault,
    range_fault,
    refuse_faults,
    token_fault,
    tokens_fault,
)
from exchange.domain.values import StopReason, SupportKind, SupportStatus, origin_of
from exchange.errors import RuleBroken

GOALS_OF_SUPPORT_MAX: Final = 50
VOLUME_MAX: Final = 99_999_999
ASSIGNMENT_NUMBER: Final = re.compile(r"[0-9]{1,9}")
PRODUCT_CATEGORY: Final = re.compile(r"[0-9]{2}")
PRODUCT_CODE: Final = re.compile(r"[!-~]{0,5}")
UNIT: Final = re.compile(r"[!-~]{0,2}")
FREQUENCY: Final = re.compile(r"[!-~]?")


def _provider_fault(command: RequestSupport) -> str:
    if command.kind == SupportKind.OWN_NETWORK:
        return "must be empty for the own network" if command.provider_oin else FINE
    if not command.provider_oin:
        return "must be given for custom support" if command.kind == SupportKind.CUSTOM else FINE
    return oin_fault(command.provider_oin)


def _product_category_fault(command: RequestSupport) -> str:
    if not command.product_category:
        return "must be given for custom support" if command.kind == SupportKind.CUSTOM else FINE
    return FINE if PRODUCT_CATEGORY.fullmatch(command.product_category) else "must be two digits"


def _period_fault(command: RequestSupport) -> str:
    if command.end_date is not None and command.end_date < command.start_date:
        return "must not lie before the start"
    return day_fault(command.end_date, required=False)


def _volume_fault(command: RequestSupport) -> str:
    given = {bool(command.volume), bool(command.unit), bool(command.frequency)}
    if len(given) > 1:
        return "must come with unit and frequency, or none of the three"
    return range_fault(command.volume, 0, VOLUME_MAX)


def request_support(command: RequestSupport, state: PlanState | None) -> Events:
    """Decide on a support chosen for goals of the plan."""
    plan = open_plan(state)
    refuse_faults(
        {
            "support_id": token_fault(command.support_id),
            "kind": member_fault(SupportKind, command.kind),
            "provider_oin": _provider_fault(command),
            "product_category": _product_category_fault(command),
            "product_code": FINE
            if PRODUCT_CODE.fullmatch(command.product_code)
            else "must be 5 characters at most",
            "start_date": day_fault(command.start_date),
            "end_date": _period_fault(command),
            "volume": _volume_fault(command),
            "unit": FINE if UNIT.fullmatch(command.unit) else "must be 2 characters at most",
            "frequency": FINE if FREQUENCY.fullmatch(command.frequency) else "must be 1 character at most",
            "goal_ids": tokens_fault(command.goal_ids, GOALS_OF_SUPPORT_MAX),
        }
    )
    if command.kind == SupportKind.CUSTOM and not command.author.is_college:
        raise RuleBroken("only a college chooses custom support", rule="NOT_THE_COLLEGE")
    refuse_unpursued(plan, command.goal_ids)
    if plan.support(command.support_id) is not None:
        raise RuleBroken("this plan has a support with this id", rule="SUPPORT_EXISTS")
    refuse_full(plan, "supports")
    requested = SupportRequested(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        support_id=command.support_id,
        kind=command.kind,
        provider_oin=command.provider_oin,
        product_category=command.product_category,
        product_code=command.product_code,
        start_date=command.start_date,
        end_date=command.end_date,
        volume=command.volume,
        unit=command.unit,
        frequency=command.frequency,
        goal_ids=command.goal_ids,
    )
    return (requested,)


def support_moved(plan: PlanState, support_id: str, command: AuthoredCommand) -> Support:
    """Return the support that a command moves; refuse where its author may not."""
    support = plan.support(support_id)
    if support is None:
        raise RuleBroken("this plan has no such support", rule="SUPPORT_UNKNOWN")
    author = command.author
    requested_it = origin_of(author.task, author.oin) == support.origin
    provides_it = bool(support.provider_oin) and author.oin == support.provider_oin and author.is_provider
    if not requested_it and not provides_it:
        raise RuleBroken("only who requested a support, or its provider, moves it", rule="NOT_THE_PROVIDER")
    return support


def _refuse_unless(support: Support, state: SupportStatus) -> None:
    if support.state != state:
        raise RuleBroken(
            "the support does not stand where this step begins",
            rule="SUPPORT_STATE",
            expected=state.value,
            found=support.state,
        )


def assign_support(command: AssignSupport, state: PlanState | None) -> Events:
    """Decide on assigning a custom support; the resident's yes must cover it."""
    plan = open_plan(state)
    support = support_moved(plan, command.support_id, command)
    digits = ASSIGNMENT_NUMBER.fullmatch(command.assignment_number)
    refuse_faults(
        {
            "assignment_number": FINE if digits else "must be 1 to 9 digits",
            "assign_date": day_fault(command.assign_date),
        }
    )
    if support.kind != SupportKind.CUSTOM:
        raise RuleBroken("only custom support is assigned", rule="NOT_CUSTOM")
    _refuse_unless(support, SupportStatus.REQUESTED)
    if plan.agreed_version < support.chosen_version:
        raise RuleBroken("the resident has not agreed with a plan that holds this support", rule="NOT_AGREED")
    refuse_before_its_turn(plan, support.goal_ids)
    # iWmo numbers are integers: "7" and "007" are one number.
    number = int(command.assignment_number)
    if any(each.assignment_number and int(each.assignment_number) == number for each in plan.supports):
        raise RuleBroken("another support of this plan has this assignment number", rule="NUMBER_TAKEN")
    assigned = SupportAssigned(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        support_id=support.support_id,
        assignment_number=command.assignment_number,
        assign_date=command.assign_date,
    )
    return (assigned,)


def _too_early(support: Support, first_day: date) -> str:
    if first_day < support.start_date:
        return "must not lie before the support's first day"
    if support.paused and support.care_end_date is not None and first_day <= support.care_end_date:
        return "must lie after the last day of care before it"
    return FINE


def start_support(command: StartSupport, state: PlanState | None) -> Events:
    """Decide on the first day of care, the first one or the one after a stop for a while."""
    plan = open_plan(state)
    support = support_moved(plan, command.support_id, command)
    first_day = command.care_start_date
    refuse_faults({"care_start_date": day_fault(first_day) or _too_early(support, first_day)})
    if not support.paused:
        _refuse_unless(support, SupportStatus.ASSIGNED)
    started = SupportStarted(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        support_id=support.support_id,
        care_start_date=first_day,
    )
    return (started,)


def stop_support(command: StopSupport, state: PlanState | None) -> Events:
    """Decide on the last day of care."""
    plan = existing(state)
    support = support_moved(plan, command.support_id, command)
    refuse_faults(
        {
            "care_end_date": day_fault(command.care_end_date),
            "reason": member_fault(StopReason, command.reason),
        }
    )
    _refuse_unless(support, SupportStatus.STARTED)
    if support.care_start_date is not None and command.care_end_date < support.care_start_date:
        refuse_faults({"care_end_date": "must not lie before the first day of care"})
    stopped = SupportStopped(
        resident=plan.resident,
        plan_id=plan.plan_id,
        organisation=command.author.oin,
        task=command.author.task,
        support_id=support.support_id,
        care_end_date=command.care_end_date,
        stop_reason=command.reason,
    )
    return (stopped,)
