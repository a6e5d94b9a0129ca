"""The municipality's side: a support the resident agreed with becomes a 301; 305 and 307 are judged.

Promises: a 301 goes out once for each support, and once for each change of one, after the resident's yes to a
plan that holds it, looked up again at the moment of sending; it carries all running assignments of the
resident at this provider; an assignment number is drawn once. A resident whom the municipality's own register
does not know is waited for.
Source: iWmo and iJw 3.2: 301, 305, 307; OP087, IV013; Wmo 2015 2.3.2 and 2.6.1.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.provider.across import Known, delivery_findings
from adapters.provider.changing import Changing, runs
from adapters.provider.codes import Delivery, Frequency, Unit
from adapters.provider.declarations import DECLARATION
from adapters.provider.desk import Held, Verdict
from adapters.provider.errors import FileRefused
from adapters.provider.joining import CHANGED_KIND, JOINED_KIND, LOOK, REQUESTED_KIND, Joining, want_covered
from adapters.provider.mapping import START, read_starts, read_stops, write_assignments
from adapters.provider.municipal_declarations import MunicipalDeclarations
from adapters.provider.municipal_requests import MunicipalRequests
from adapters.provider.person import read_contacts
from adapters.provider.plan_seen import Stage
from adapters.provider.records import Assignment, AssignmentNotice
from adapters.provider.requests import ASK, CHANGE, Size, Wanted
from adapters.provider.schema import schema_of
from adapters.sdk.errors import Denied

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapters.provider.assigned_care import Numbered
    from adapters.provider.codes import ChangeReason
    from adapters.provider.desk import Desk
    from adapters.provider.errands import Errand
    from adapters.provider.plan_seen import Happening, PlanSeen, Support
    from adapters.provider.records import CareStart, CareStop, Resident
    from adapters.provider.xml import Message

NOT_AGREED: Final = "not-agreed"
_OVER: Final = frozenset({Stage.STOPPED, Stage.REFUSED})
UNKNOWN_RESIDENTS_TRIED_MAX: Final = 20
_NUMBER_LEAST: Final = 10_000_000
_NUMBERS: Final = 90_000_000


class MunicipalSide:
    """Sends assignments; takes starts and stops."""

    asks_to_judge: frozenset[str] = frozenset()

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk
        self._kind: Final = desk.kind("301")
        self._requests: Final = MunicipalRequests(desk)
        self._declarations: Final = MunicipalDeclarations(desk)
        self._changing: Final = Changing(desk, self._kind)
        self._joining: Final = Joining(desk, self._kind, self._is_ours)
        self._categories: Final = frozenset(
            schema_of(desk.config.law, "301").simple["LDT_ProductCategorie"].values
        )

    # --- from the exchange --------------------------------------------------------------------------------

    def notice(self, happening: Happening) -> None:
        """Remember what was requested, changed and agreed; make errands of what is covered."""
        errands, plan_id = self._desk.errands, happening.plan_id
        support, agreement = happening.support, happening.agreement
        if happening.kind == JOINED_KIND:
            errands.want(plan_id, LOOK, plan_id, occasion=happening.position)
        # Of a change of what others assigned, others tell.
        if (
            support is not None
            and happening.kind == CHANGED_KIND
            and self._desk.care.numbered(support.support_id) is not None
        ):
            errands.changed(support.support_id, plan_id, happening.plan_version)
        if support is not None and happening.kind == REQUESTED_KIND and self._is_ours(support):
            errands.requested(support.support_id, plan_id, happening.plan_version)
        if agreement is not None:
            errands.agreed(plan_id, agreement.plan_version if agreement.agreed else 0)
            if agreement.agreed:
                errands.revive(plan_id, NOT_AGREED)
        want_covered(self._desk, plan_id, self._kind)

    def _is_ours(self, support: Support) -> bool:
        """Tell whether this traffic carries the support: custom, of this provider, of this law."""
        return (
            support.custom
            and support.provider_oin == self._desk.config.counterparty_oin
            and support.product is not None
            and support.product.category in self._categories
        )

    def settle(self, errand: Errand) -> Held | None:
        """Send the 301 of one support, or of its change; or look at a plan that was joined."""
        desk = self._desk
        if errand.kind == LOOK:
            self._joining.settle(errand)
            return None
        pseudonym = self._whose(errand.plan_id)
        resident = None if pseudonym is None else desk.register.resident(pseudonym)
        if pseudonym is None or resident is None:
            return Held("resident-not-registered")
        seen = desk.exchange.look(errand.plan_id)
        held = self._held(errand, seen)
        if held is not None:
            return held
        desk.care.number(errand.support_id, pseudonym, desk.local_now, self._draw)
        try:
            # With the request it honours, the terms it tells and the message: all of it, or nothing.
            with desk.journal.transaction():
                self._tell(errand, pseudonym, resident, seen)
        except ValueError:
            return Held("unit-or-frequency-unknown", parked=True)
        return None

    def _held(self, errand: Errand, seen: PlanSeen) -> Held | None:
        """Tell why a support is not to be told of as the plan is now, if so."""
        support = next((one for one in seen.supports if one.support_id == errand.support_id), None)
        if support is None:
            return Held("support-not-shown", parked=True)
        if not (runs(support) if errand.occasion else support.stage is Stage.REQUESTED):
            return Held("support-moved-on", parked=True)
        return None if self._agreed(errand, seen) else Held(NOT_AGREED, parked=True)

    def _tell(self, errand: Errand, pseudonym: str, resident: Resident, seen: PlanSeen) -> None:
        desk = self._desk
        support = next(one for one in seen.supports if one.support_id == errand.support_id)
        wanted, reason = _wanted(support), None
        if errand.occasion:
            numbered = desk.care.numbered(support.support_id)
            assert numbered is not None, "it was numbered just before"
            if self._changing.told_already(_assignment(support, numbered, None)):
                desk.errands.done(errand)
                return
            reason = self._changing.decide(support.support_id, pseudonym, numbered.number, wanted)
        else:
            desk.requests.honour(support.support_id, pseudonym, wanted)
        notice = self._notice(pseudonym, resident, seen, errand, reason)
        name = desk.tell(errand, write_assignments(notice), pseudonym)
        for one in notice.assignments:
            desk.terms.keep(pseudonym, one, name)

    def _agreed(self, errand: Errand, seen: PlanSeen) -> bool:
        errands = self._desk.errands
        of_support = errands.changed_version if errand.occasion else errands.requested_version
        requested = of_support(errand.support_id)
        agreement = seen.agreement
        return (
            agreement is not None
            and agreement.agreed
            and requested is not None
            and agreement.plan_version >= requested
        )

    def _whose(self, plan_id: str) -> str | None:
        """Return whose plan it is; residents registered without a plan are looked up, some at a time."""
        errands = self._desk.errands
        known = errands.whose_plan(plan_id)
        if known is not None:
            return known
        for pseudonym in errands.without_plan(UNKNOWN_RESIDENTS_TRIED_MAX):
            try:
                found = self._desk.exchange.find_case(bytes.fromhex(pseudonym))
            except Denied:
                # No case yet, or one this adapter has no part in: refused alike, and nothing to tell.
                continue
            errands.plan_is_of(found.plan_id, pseudonym)
            if found.plan_id == plan_id:
                return pseudonym
        return None

    def _draw(self) -> int:
        # Eight digits: nine could be read as somebody's BSN.
        return _NUMBER_LEAST + self._desk.below(_NUMBERS)

    def _notice(
        self,
        pseudonym: str,
        resident: Resident,
        seen: PlanSeen,
        errand: Errand,
        reason: ChangeReason | None,
    ) -> AssignmentNotice:
        supports = {one.support_id: one for one in seen.supports}
        running = []
        for one in self._desk.care.numbers_of(pseudonym):
            support = supports.get(one.support_id)
            if support is None:
                continue
            line = _assignment(support, one, self._desk.requests.reference_of(one.support_id))
            if one.support_id == errand.support_id:
                running.append(replace(line, change_reason=reason))
            elif self._goes_along(support, beside := self._changing.beside(one.support_id, line)):
                running.append(beside)
        contacts = read_contacts(self._desk.care.contacts(pseudonym))
        return AssignmentNotice(self._desk.envelope(), resident, contacts, tuple(running))

    def _goes_along(self, support: Support, line: Assignment) -> bool:
        ended = line.ends_on is not None and line.ends_on < self._desk.today
        told = self._desk.errands.state(support.support_id, self._kind) == "done"
        return told and not ended and (support.paused or support.stage not in _OVER)

    def take_answer(self, message: Message, digest: bytes) -> None:  # noqa: ARG002 -- as the other side
        """Refuse a 325: a municipality sends them."""
        raise FileRefused(f"{message.name} answers no declaration of ours")

    # --- from the provider --------------------------------------------------------------------------------

    def ask_ahead(self, messages: Sequence[Message]) -> None:
        """Ask nothing: no message of a provider is judged by asking the exchange."""

    def must_ask(self, message: Message) -> bool:
        """Tell whether judging this message asks the exchange."""
        return message.number in self.asks_to_judge

    def end_asking(self) -> None:
        """Wait for nothing: nothing is asked ahead."""

    def judge(self, message: Message) -> Verdict:
        """Judge a message of the provider against what was assigned, started, stopped and asked before."""
        if message.number in {ASK, CHANGE}:
            return self._requests.judge(message)
        if message.number == DECLARATION:
            return self._declarations.judge(message)
        law = self._desk.config.law
        resident, lines = _read(message)
        pseudonym = self._desk.register.pseudonym(resident.bsn)
        known = Known()
        if pseudonym is not None:
            numbers = [one.number for one in self._desk.care.numbers_of(pseudonym)]
            known = Known(numbers, *self._desk.care.delivered(pseudonym, law))
        findings = delivery_findings(message, known)
        if findings or pseudonym is None:
            return Verdict(findings, pseudonym)
        of_whom = pseudonym

        def keep() -> None:
            for line in lines:
                if line.delivery is Delivery.REMOVED:
                    self._desk.care.take_back(of_whom, line)
                else:
                    self._desk.care.deliver(of_whom, line)

        return Verdict((), pseudonym, keep)


def _read(message: Message) -> tuple[Resident, tuple[CareStart | CareStop, ...]]:
    if message.number == START:
        starts = read_starts(message)
        return starts.resident, starts.starts
    stops = read_stops(message)
    return stops.resident, stops.stops


def _size(support: Support) -> Size:
    """Return the size of a support. Raises ValueError for a unit or frequency outside the code lists."""
    return Size(
        volume=support.volume,
        unit=None if support.unit is None else Unit.of(support.unit),
        frequency=None if support.frequency is None else Frequency.of(support.frequency),
    )


def _wanted(support: Support) -> Wanted:
    """Return a support as a request would ask for it. Raises ValueError as `_size` does."""
    if support.starts_on is None:
        raise ValueError("a support has a first day")
    return Wanted(support.starts_on, support.ends_on, support.product, _size(support))


def _assignment(support: Support, numbered: Numbered, reference: str | None) -> Assignment:
    """Make a line of a 301. Raises ValueError for a unit or frequency outside the code lists."""
    if support.starts_on is None:
        raise ValueError("a support has a first day")
    size = _size(support)
    return Assignment(
        number=numbered.number,
        provider_reference=reference,
        product=support.product,
        assigned_on=numbered.decided.date(),
        assigned_at=numbered.decided.time(),
        starts_on=support.starts_on,
        ends_on=support.ends_on,
        volume=size.volume,
        unit=size.unit,
        frequency=size.frequency,
    )
