"""The provider's side: a 301 assigns the support on the plan; what its professionals start and stop goes out.

Promises: a 301 is accepted only when every product of it stands on the resident's plan for this provider and
is assigned there; the same message has the same commands, so that a crash and a retry assign once; a BSN is
blinded here. A 305 and a 307 go out once for each care under a support (it can start again after a stop for a
while), and a 307 only after its 305.
Source: iWmo and iJw 3.2: 301, 305, 307; TR332; Wmo 2015 5.1.2 and 5.2.1(2)(a).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.across import numbers_taken
from adapters.provider.assigning import NOT_ON_PLAN, Asking, Assigned, Assigning, lines_of
from adapters.provider.desk import Held, Verdict
from adapters.provider.errands import Care
from adapters.provider.errors import Finding, MappingImpossible
from adapters.provider.holding import Waits
from adapters.provider.mapping import read_assignments, write_starts, write_stops
from adapters.provider.plan_seen import Stage
from adapters.provider.provider_declarations import ProviderDeclarations
from adapters.provider.provider_requests import ProviderRequests
from adapters.provider.records import CareStart, CareStop, StartNotice, StopNotice
from adapters.provider.register import AssignmentKey
from adapters.provider.requests import ANSWER
from adapters.provider.stop_reasons import STOP_REASONS
from adapters.sdk.errors import Denied
from adapters.sdk.logs import name_of_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.provider.assigning import Line
    from adapters.provider.desk import Desk
    from adapters.provider.errands import Errand
    from adapters.provider.plan_seen import Happening, Support
    from adapters.provider.records import AssignmentNotice, Resident
    from adapters.provider.register import KnownAssignment
    from adapters.provider.xml import Message
    from adapters.sdk.bsn import Bsn
    from adapters.sdk.errors import ExchangeRefused

AHEAD_LEAST: Final = 2
# Restricted, or an objection that is not decided yet: it is over one day.
RESTRICTION: Final = "R24"
# No part in the case, an objection that was upheld: what stands beside a restriction, and stays.
_FOR_GOOD: Final = frozenset({"R03", "R25"})
_CARED_FOR: Final = frozenset({Stage.STARTED, Stage.STOPPED})


class ProviderSide:
    """Takes assignments; sends starts and stops."""

    asks_to_judge = frozenset({"301"})

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._start: Final = desk.kind("305")
        self._stop: Final = desk.kind("307")
        self._assigning: Final = Assigning(desk)
        self._rested_on: frozenset[Bsn | int] = frozenset()  # by the batch before
        self._requests: Final = ProviderRequests(desk)
        self._declarations: Final = ProviderDeclarations(desk)

    def take_answer(self, message: Message, digest: bytes) -> None:
        """Take the answer to a declaration."""
        self._declarations.take(message, digest)

    # --- from the municipality ----------------------------------------------------------------------------

    def judge(self, message: Message) -> Verdict:
        """Judge a 301 against the plan, and assign what it assigns; a 319 against what was asked."""
        if message.number == ANSWER:
            return self._requests.judge(message)
        desk = self._desk
        notice = self._assigning.notice(message) or read_assignments(message)
        pseudonym = desk.exchange.pseudonym(notice.resident.bsn)
        known_as = pseudonym.hex()
        lines = lines_of(message, notice)
        taken = self._taken(message, notice, known_as)
        if taken:
            return Verdict(taken)
        refused = desk.held.refused(known_as, notice.envelope.identification)
        found = self._found(Asking(message, notice, refused=refused), pseudonym, lines)
        return found if isinstance(found, Verdict) else self._accepted(notice, lines, known_as, found)

    def _found(self, asking: Asking, pseudonym: bytes, lines: list[Line]) -> Assigned | Verdict:
        """Assign what a message assigns, or return what becomes of it instead."""
        desk, known_as = self._desk, pseudonym.hex()
        if desk.held.behind(known_as, asking.notice.envelope.identification):
            return self._denied(lines, known_as, "", waits=True)
        try:
            found = self._assigning.assigned(asking, pseudonym)
        except Denied as denied:
            return self._denied(lines, known_as, "", waits=self._told_denied(denied))
        if desk.errands.erased(found.plan_id):
            # An answer from before the erasure, which came behind it: there is no such plan.
            return self._denied(lines, known_as, "", waits=False)
        if found.denied is not None:
            return self._denied(lines, known_as, found.plan_id, waits=self._told_denied(found.denied))
        if found.refused is not None:
            desk.log.warning("assignment_refused", reason=found.refused.reason, **self._named(found.refused))
        if found.findings:
            # Its file and our answer are about this person, and are found again when the plan is erased.
            return Verdict(found.findings, None, lambda: self._known(found.plan_id, known_as), (known_as,))
        return found

    def _accepted(
        self, notice: AssignmentNotice, lines: list[Line], known_as: str, found: Assigned
    ) -> Verdict:
        desk, plan_id, matched = self._desk, found.plan_id, found.matched
        differ = sum(not self._assigning.fits(line.assignment, seen) for line, seen in matched.values())
        if differ:
            # A change may be on its way, either way: the message counts, and a person can see that it did.
            desk.log.warning("assignment_differs_from_plan", count=differ)

        def keep() -> None:
            desk.register.remember(known_as, notice.resident)
            for line in lines:
                key = _key(notice, line.assignment.number)
                desk.register.assign(key, known_as, line.assignment)
                desk.terms.keep(known_as, line.assignment)
                if line.path in matched:
                    desk.register.link(key, plan_id, matched[line.path][1].support_id)
            self._requests.honour(notice)
            desk.errands.hurry(plan_id)

        return Verdict((), known_as, keep)

    def _told_denied(self, denied: Denied) -> bool:
        """Tell of a refusal of the gate; return whether it is one that waiting may mend."""
        decided = {"decision_id": denied.decision_id} if denied.decision_id else {}
        self._desk.log.warning(
            "assignment_denied", rule=",".join(denied.rules), **decided, **self._named(denied)
        )
        return RESTRICTION in denied.rules and _FOR_GOOD.isdisjoint(denied.rules)

    def _denied(self, lines: list[Line], known_as: str, plan_id: str, *, waits: bool) -> Verdict:
        """Return what becomes of a message that the gate refuses, and whether it waits first."""
        findings = tuple(Finding("PLAN-DENIED", line.path, NOT_ON_PLAN) for line in lines)
        waiting = Waits(known_as, plan_id) if waits else None
        if not plan_id:
            # Nothing leads from a plan to this person: what is kept of it goes with its time.
            return Verdict(findings, waits=waiting)
        return Verdict(findings, None, lambda: self._known(plan_id, known_as), (known_as,), waiting)

    def _known(self, plan_id: str, known_as: str) -> None:
        self._desk.errands.plan_is_of(plan_id, known_as)

    def ask_ahead(self, messages: Sequence[Message]) -> None:
        """Begin to ask about those of a batch that rest on no other one of it or of the batch before."""
        asking: list[Asking] = []
        seen: set[Bsn | int] = set()
        for message in messages:
            if message.number == ANSWER:
                continue
            try:
                notice = read_assignments(message)
            except MappingImpossible:
                continue
            rests_on: set[Bsn | int] = {notice.resident.bsn}
            rests_on |= {one.number for one in notice.assignments}
            refers = any(one.provider_reference is not None for one in notice.assignments)
            if not refers and not rests_on & seen and not rests_on & self._rested_on:
                asking.append(Asking(message, notice, frozenset(self._owners(notice).values())))
            seen |= rests_on
        self._rested_on = frozenset(seen)
        if len(asking) >= AHEAD_LEAST:
            self._assigning.ask_ahead(asking, self._desk.held.people())

    def must_ask(self, message: Message) -> bool:
        """Tell whether judging this message asks the exchange; waits for what is asked about it."""
        return message.number in self.asks_to_judge and not self._assigning.knows(message)

    def end_asking(self) -> None:
        """Wait until nothing is asked ahead any more, and forget what was answered."""
        self._rested_on = frozenset()
        self._assigning.end()

    def _taken(self, message: Message, notice: AssignmentNotice, known_as: str) -> tuple[Finding, ...]:
        of_others = {number for number, owner in self._owners(notice).items() if owner != known_as}
        return numbers_taken(message, of_others) + self._requests.unfounded(message)

    def _owners(self, notice: AssignmentNotice) -> dict[int, str]:
        """Return whose the numbers of a message are, as far as they are known."""
        known = (self._desk.register.known(_key(notice, one.number)) for one in notice.assignments)
        return {one.key.number: one.pseudonym for one in known if one is not None}

    def _named(self, refused: ExchangeRefused) -> dict[str, str]:
        """Return what both logs call the command that was refused; a question has no id."""
        own = self._desk.exchange.own_oin
        return {"request": name_of_request(own, refused.request_id)} if refused.request_id else {}

    # --- from the exchange --------------------------------------------------------------------------------

    def notice(self, happening: Happening) -> None:
        """Make an errand of what was started, and of what was stopped."""
        support = happening.support
        if support is None or support.provider_oin != self._desk.exchange.own_oin:
            return
        if support.stage not in _CARED_FOR or support.care_starts_on is None:
            return
        care = Care(support.care_starts_on)
        self._desk.errands.want(support.support_id, self._start, happening.plan_id, care)
        if support.stage is Stage.STOPPED and support.care_ends_on is not None:
            care = Care(care.starts_on, support.care_ends_on, support.stop_reason)
            self._desk.errands.want(support.support_id, self._stop, happening.plan_id, care)

    def settle(self, errand: Errand) -> Held | None:
        """Send the 305 or 307 of one support."""
        desk = self._desk
        known = desk.register.of_support(errand.support_id)
        resident = None if known is None else desk.register.resident(known.pseudonym)
        if known is None or resident is None:
            # Its 301 may be the file that is handled next.
            return Held("assignment-not-known")
        if errand.kind == self._stop:
            told = desk.errands.state(errand.support_id, self._start, errand.care)
            if told != "done":
                return Held("start-not-told", parked=told == "parked")
        if errand.care is not None and desk.errands.earlier_unanswered(errand.support_id, errand.care):
            # Files may be read in any order, and a start that is read before the stop it follows is refused.
            return Held("earlier-care-not-answered")
        seen = desk.exchange.look(errand.plan_id)
        support = next((one for one in seen.supports if one.support_id == errand.support_id), None)
        made = self._made(errand, known, resident, support)
        if isinstance(made, Held):
            return made
        desk.tell(errand, made, known.pseudonym)
        return None

    def _made(
        self, errand: Errand, known: KnownAssignment, resident: Resident, support: Support | None
    ) -> Message | Held:
        """Make the message of an errand, or tell why there is none."""
        care = errand.care
        if care is None or support is None or support.care_starts_on is None:
            return Held("support-not-shown", parked=True)
        start = CareStart(
            # Of this care: by now another one may have started.
            starts_on=care.starts_on,
            assignment_number=known.key.number,
            product=known.product,
            assignment_starts_on=known.starts_on,
        )
        line = start if errand.kind == self._start else self._stop_line(start, care)
        if line is None:
            return Held("reason-to-stop-unknown", parked=True)
        stop = line if isinstance(line, CareStop) else None
        if (line.starts_on if stop is None else stop.ends_on) > self._desk.today:
            # A message tells of days that have come (TR134).
            return Held("day-not-come")
        envelope = self._desk.envelope()
        if stop is None:
            return write_starts(StartNotice(envelope, resident, (start,)))
        return write_stops(StopNotice(envelope, resident, (stop,)))

    def _stop_line(self, start: CareStart, care: Care) -> CareStop | None:
        reason = STOP_REASONS[self._desk.config.law].get(care.stop_reason)
        if reason is None or care.ends_on is None:
            return None
        return CareStop(
            starts_on=start.starts_on,
            ends_on=care.ends_on,
            reason=reason,
            assignment_number=start.assignment_number,
            product=start.product,
            assignment_starts_on=start.assignment_starts_on,
        )


def _key(notice: AssignmentNotice, number: int) -> AssignmentKey:
    return AssignmentKey(notice.envelope.law, notice.envelope.sender, number)
