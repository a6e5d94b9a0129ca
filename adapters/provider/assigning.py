"""Ties the products of a 301 to the supports of a plan at the exchange, and assigns them there.

Promises: every product stands on the resident's plan for this provider, or nothing is assigned; no support is
taken twice; the same message has the same commands, so that a crash and a retry assign once; what is asked of
many messages is asked side by side, in threads that touch nothing of the journal.
Source: iWmo and iJw 3.2: 301.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.provider.errors import Finding
from adapters.provider.mapping import assigned_products
from adapters.provider.plan_seen import AssignOrder, Stage
from adapters.sdk.errors import Conflict, Denied, Invalid, RuleBroken, SdkError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from typing import TypeAlias

    from adapters.provider.desk import Desk
    from adapters.provider.plan_seen import PlanSeen, Support
    from adapters.provider.records import Assignment, AssignmentNotice
    from adapters.provider.xml import Message
    from adapters.sdk.errors import ExchangeRefused

    _Begun: TypeAlias = "Future[dict[int, Future[Assigned]]]"

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
    denied: Denied | None = None  # of a plan that was found


@dataclass(frozen=True, slots=True)
class Asking:
    """A message that may be assigned: nothing but whose it is and the plan is left to look at.

    `owners` are the pseudonyms under which its numbers are known; `refused` is how often it was let wait: the
    exchange answers a command that it refused as it did, so that what is asked afterwards is another one.
    """

    message: Message
    notice: AssignmentNotice
    owners: frozenset[str] = frozenset()
    refused: int = 0


class Assigning:
    """Owned by the thread that opened the journal; asks in others."""

    def __init__(self, desk: Desk) -> None:
        self._exchange: Final = desk.exchange
        self._request_id: Final = desk.journal.request_id
        self._pool: ThreadPoolExecutor | None = None
        # By identity: two messages that say the same are two messages. With each its batch, which tells what
        # is asked about it once it is known whose it is.
        self._ahead: dict[int, tuple[Asking, _Begun]] = {}
        self._newest: _Begun | None = None

    def ask_ahead(self, asking: Sequence[Asking], apart: frozenset[str]) -> None:
        """Begin to ask for many messages; what comes of each waits for `assigned`.

        Nothing is asked about whom something waits, `apart`: that comes first.
        """
        if not asking:
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._exchange.at_once)
        batch = self._pool.submit(self._begin, self._pool, asking, apart)
        # What is left of an earlier one waits for another pass.
        ahead = {key: ahead for key, ahead in self._ahead.items() if ahead[1] is self._newest}
        self._ahead = ahead | {id(one.message): (one, batch) for one in asking}
        self._newest = batch

    def end(self) -> None:
        """Wait for what is under way, and forget it; what was not begun is not asked."""
        ahead, self._ahead, self._newest = self._ahead, {}, None
        pool, self._pool = self._pool, None
        if pool is None:
            return
        # Each batch first: it may be about to begin more.
        wait({batch for _, batch in ahead.values()})
        pool.shutdown(cancel_futures=True)

    def knows(self, message: Message) -> bool:
        """Tell whether this message was asked ahead, when that was answered."""
        under_way = self._under_way(message)
        if under_way is None:
            return False
        wait((under_way,))
        return True

    def notice(self, message: Message) -> AssignmentNotice | None:
        """Return what a message that was asked ahead says, as it was read."""
        ahead = self._ahead.get(id(message))
        return None if ahead is None else ahead[0].notice

    def assigned(self, asking: Asking, pseudonym: bytes) -> Assigned:
        """Return what came of a message, asking now where it was not asked ahead. Raises the SDK's errors."""
        under_way = self._under_way(asking.message)
        self._ahead.pop(id(asking.message), None)
        return self._assign_all(asking, pseudonym) if under_way is None else under_way.result()

    def _under_way(self, message: Message) -> Future[Assigned] | None:
        ahead = self._ahead.get(id(message))
        return None if ahead is None else ahead[1].result().get(id(message))

    def _begin(
        self, pool: ThreadPoolExecutor, asking: Sequence[Asking], apart: frozenset[str]
    ) -> dict[int, Future[Assigned]]:
        """Ask in one question whose the messages are, then about each whose numbers are nobody else's."""
        try:
            pseudonyms = self._exchange.pseudonyms([one.notice.resident.bsn for one in asking])
        except SdkError:
            # The first message asks again by itself, and tells.
            return {}
        return {
            id(one.message): pool.submit(self._assign_all, one, pseudonym)
            for one, pseudonym in zip(asking, pseudonyms, strict=True)
            if one.owners <= {pseudonym.hex()} and pseudonym.hex() not in apart
        }

    def _assign_all(self, asking: Asking, pseudonym: bytes) -> Assigned:
        plan_id = self._exchange.find_case(pseudonym).plan_id
        try:
            return self._assign_on(asking, plan_id)
        except Denied as denied:
            return Assigned(plan_id, {}, denied=denied)

    def _assign_on(self, asking: Asking, plan_id: str) -> Assigned:
        live = [line for line in lines_of(asking.message, asking.notice) if not line.assignment.removed]
        seen = self._exchange.look(plan_id, with_care=False)
        matched, findings = self._match(live, seen)
        if findings:
            return Assigned(plan_id, matched, findings)
        fresh: PlanSeen | None = seen
        for path, (line, support) in matched.items():
            try:
                fresh = self._assign_one(asking, plan_id, line.assignment, support.support_id, fresh)
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
        asking: Asking,
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
                self._exchange.assign(self._order(asking, plan_id, assignment, support_id, now.version))
            except Conflict:
                if attempt + 1 == READ_AGAIN_MAX:
                    raise
            else:
                return None
        raise AssertionError("the last attempt returns or raises")

    def _order(
        self, asking: Asking, plan_id: str, assignment: Assignment, support_id: str, version: int
    ) -> AssignOrder:
        envelope = asking.notice.envelope
        # The version is part of it: the same command at another version is another command.
        asked = [envelope.law.value, envelope.sender, envelope.identification, assignment.number, version]
        if asking.refused:
            asked.append(f"after-{asking.refused}")
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
