"""Ties the products of a 301 to the supports of a plan at the exchange, and assigns them there.

Promises: every product stands on the resident's plan for this provider, or nothing is assigned; no support is
taken twice; the same message has the same commands, so that a crash and a retry assign once; what is asked of
many messages is asked side by side, and nothing of the journal is touched meanwhile.
Source: iWmo and iJw 3.2: 301.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.provider.errors import Finding
from adapters.provider.mapping import assigned_products
from adapters.provider.plan_seen import AssignOrder, Stage
from adapters.sdk.errors import Conflict, Invalid, RuleBroken, SdkError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.provider.desk import Desk
    from adapters.provider.plan_seen import PlanSeen, Support
    from adapters.provider.records import Assignment, AssignmentNotice
    from adapters.provider.xml import Message
    from adapters.sdk.errors import ExchangeRefused

# The standard has no code for "not on the plan"; this one, for "cannot be tied to an assignment", comes
# nearest, and stands at the product it is about.
NOT_ON_PLAN: Final = "9019"
READ_AGAIN_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Line:
    """One product of a 301 with its place in the message."""

    path: str
    assignment: Assignment


@dataclass(frozen=True, slots=True)
class Assigned:
    """What came of a message: the support of each product by its place, or why not."""

    plan_id: str
    matched: dict[str, tuple[Line, Support]]
    findings: tuple[Finding, ...] = ()
    refused: ExchangeRefused | None = None  # the command the exchange refused, for the log


@dataclass(frozen=True, slots=True)
class Asking:
    """A message that may be assigned: nothing but the plan is left to look at."""

    message: Message
    notice: AssignmentNotice
    pseudonym: bytes


class Assigning:
    """Owned by the thread that opened the journal; asks in others."""

    def __init__(self, desk: Desk) -> None:
        self._exchange: Final = desk.exchange
        self._request_id: Final = desk.journal.request_id
        # By identity: two messages that say the same are two messages. Kept until the next batch.
        self._ahead: dict[int, tuple[Message, Assigned | SdkError]] = {}

    def ask_ahead(self, asking: Sequence[Asking]) -> None:
        """Ask for many messages at once; what comes of each waits for `assigned`."""
        self._ahead = {}
        if not asking:
            return
        with ThreadPoolExecutor(min(len(asking), self._exchange.at_once)) as pool:
            outcomes = list(pool.map(self._outcome, asking))
        self._ahead = {
            id(one.message): (one.message, outcome) for one, outcome in zip(asking, outcomes, strict=True)
        }

    def knows(self, message: Message) -> bool:
        """Tell whether this message was asked ahead."""
        return id(message) in self._ahead

    def assigned(self, asking: Asking) -> Assigned:
        """Return what came of a message, asking now where it was not asked ahead. Raises the SDK's errors."""
        ahead = self._ahead.pop(id(asking.message), None)
        if ahead is None:
            return self._assign_all(asking)
        _, outcome = ahead
        if isinstance(outcome, SdkError):
            raise outcome
        return outcome

    def _outcome(self, asking: Asking) -> Assigned | SdkError:
        try:
            return self._assign_all(asking)
        except SdkError as error:
            return error

    def _assign_all(self, asking: Asking) -> Assigned:
        live = [line for line in lines_of(asking.message, asking.notice) if not line.assignment.removed]
        plan_id = self._exchange.find_case(asking.pseudonym).plan_id
        seen = self._exchange.look(plan_id, with_care=False)
        matched, findings = self._match(live, seen)
        if findings:
            return Assigned(plan_id, matched, findings)
        fresh: PlanSeen | None = seen
        for path, (line, support) in matched.items():
            try:
                fresh = self._assign_one(asking.notice, plan_id, line.assignment, support.support_id, fresh)
            except (RuleBroken, Invalid) as refused:
                return Assigned(plan_id, matched, (Finding("PLAN-RULE", path, NOT_ON_PLAN),), refused)
        return Assigned(plan_id, matched)

    def _match(
        self, lines: list[Line], seen: PlanSeen
    ) -> tuple[dict[str, tuple[Line, Support]], tuple[Finding, ...]]:
        """Find the support of each product; no support is taken twice."""
        matched: dict[str, tuple[Line, Support]] = {}
        # What has its number already goes first, so that a new product does not take its place.
        numbered = {one.assignment_number: one for one in seen.supports if one.assignment_number is not None}
        free = [one for one in seen.supports if one.stage is Stage.REQUESTED]
        free.sort(key=lambda one: one.support_id)
        findings: list[Finding] = []
        for line in lines:
            support = numbered.get(line.assignment.number)
            if support is None:
                support = next((one for one in free if self.fits(line.assignment, one)), None)
                if support is not None:
                    free.remove(support)
            elif support.provider_oin != self._exchange.own_oin:
                support = None
            if support is None:
                findings.append(Finding("PLAN-MATCH", line.path, NOT_ON_PLAN))
            else:
                matched[line.path] = (line, support)
        return matched, tuple(findings)

    def fits(self, assignment: Assignment, support: Support) -> bool:
        """Tell whether a support is what a product of a message assigns."""
        if not support.custom or support.provider_oin != self._exchange.own_oin:
            return False
        days = (assignment.starts_on, assignment.ends_on) == (support.starts_on, support.ends_on)
        product = assignment.product is None or assignment.product == support.product
        size = (
            assignment.volume,
            None if assignment.unit is None else assignment.unit.code,
            None if assignment.frequency is None else assignment.frequency.code,
        )
        # A message with a budget instead of a volume says nothing of the size.
        sized = assignment.volume is None or size == (support.volume, support.unit, support.frequency)
        return days and product and sized

    def _assign_one(
        self,
        notice: AssignmentNotice,
        plan_id: str,
        assignment: Assignment,
        support_id: str,
        seen: PlanSeen | None,
    ) -> PlanSeen | None:
        """Assign a support of a plan as it was seen, or of what it is now; return what still holds of it.

        Raises what the exchange refuses it with, Conflict when the plan never holds still.
        """
        for attempt in range(READ_AGAIN_MAX):
            now = seen if seen is not None else self._exchange.look(plan_id, with_care=False)
            seen = None
            support = next((one for one in now.supports if one.support_id == support_id), None)
            if support is not None and support.assignment_number == assignment.number:
                return now
            try:
                self._exchange.assign(self._order(notice, plan_id, assignment, support_id, now.version))
            except Conflict:
                if attempt + 1 == READ_AGAIN_MAX:
                    raise
            else:
                return None
        raise AssertionError("the last attempt returns or raises")

    def _order(
        self, notice: AssignmentNotice, plan_id: str, assignment: Assignment, support_id: str, version: int
    ) -> AssignOrder:
        envelope = notice.envelope
        # The version is part of it: the same command at another version is another command.
        asked = (envelope.law.value, envelope.sender, envelope.identification, assignment.number, version)
        return AssignOrder(
            request_id=self._request_id(f"{'/'.join(map(str, asked))}/{support_id}"),
            plan_id=plan_id,
            expected_version=version,
            support_id=support_id,
            assignment_number=assignment.number,
            assigned_on=assignment.assigned_on,
        )


def lines_of(message: Message, notice: AssignmentNotice) -> list[Line]:
    """Return the products of a 301, each with its place."""
    paths = (path for path, _ in assigned_products(message))
    return [Line(path, one) for path, one in zip(paths, notice.assignments, strict=True)]
