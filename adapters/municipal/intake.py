"""A case of the case system becomes a report, and is linked to the plan that came of it.

Promises: a case is reported once, however often and in whatever order it is told of, and says the same when
it is sent again; a change of our own is recognised by the link and starts nothing; a case that cannot be
reported is left to a person with its reason.
Source: Zaken API 1.5.1; Wmo 2015 2.3.2; Jeugdwet 2.3.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from adapters.kit.outward import Refused
from adapters.municipal.case_system import NOT_FOUND
from adapters.municipal.desk import AUTHORITY, PLAN, SITUATION, UNREADABLE, ZAAK
from adapters.municipal.errors import ErasedMeanwhile, ForAPerson
from adapters.municipal.exchange_port import CaseFound, ReportOrder
from adapters.municipal.links import PreparedReport
from adapters.municipal.mapping import plan_of, report_of
from adapters.municipal.persons import AUTHORITY_FIELDS, RESIDENT_FIELDS, read_authority, read_resident
from adapters.municipal.records import Unreadable
from adapters.municipal.situations import LOOKED
from adapters.sdk.bsn import Bsn, BsnRefused
from adapters.sdk.errors import Denied, Invalid, RuleBroken

if TYPE_CHECKING:
    from adapters.municipal.desk import Desk
    from adapters.municipal.links import Link
    from adapters.municipal.records import Zaak, ZaakType


class Intake:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    # --- one case -------------------------------------------------------------------------------------------

    def look_at(self, url: str) -> None:
        """Look at a case. Raises ForAPerson, OutwardError and the SDK's errors."""
        desk = self._desk
        link = desk.links.of_case(url)
        try:
            zaak = desk.cases.zaak(url, link.etag if link is not None and link.plan_id else "")
        except Refused as refused:
            if refused.status not in NOT_FOUND:
                raise
            self._gone(link)
            return
        if zaak is None:
            # As it was; what a property of it says may be new all the same.
            self._ask_situations(url, "" if link is None else link.plan_id)
            return
        zaaktype = desk.cases.type_at(zaak.zaaktype)
        if zaaktype is None:
            return
        if link is not None and link.closed:
            return
        if link is not None and link.plan_id:
            self._look_again(zaak, link)
        elif link is None and plan_of(zaak):
            self._recognise(zaak, plan_of(zaak))
        elif link is None and zaak.closed:
            return
        else:
            self._report(zaak, zaaktype, link)

    def _gone(self, link: Link | None) -> None:
        if link is None or link.closed:
            return
        # A case that is taken away takes nothing of the plan with it.
        raise ForAPerson("case_gone", partial(self._desk.links.close, link.zaak))

    def _look_again(self, zaak: Zaak, link: Link) -> None:
        desk = self._desk
        if not zaak.closed:
            desk.links.seen(zaak.url, zaak.etag)
            self._ask_situations(zaak.url, link.plan_id)
            return
        # How it is now is not remembered: until it is noted as closed, it is read whole again.
        if desk.links.told(link.plan_id, "closed") is None:
            raise ForAPerson("case_closed_by_others", partial(desk.links.close, zaak.url))
        desk.links.close(zaak.url)

    def _recognise(self, zaak: Zaak, plan_id: str) -> None:
        """Take up a case that names its plan: opened by us, or by us before our journal was lost."""
        desk = self._desk
        if desk.erasures.erased(plan_id):
            raise ForAPerson("plan_erased", partial(desk.links.forget_unlinked, zaak.url, ""))
        person = desk.links.person_of(plan_id)
        with desk.journal.transaction():
            known = ("", "") if person is None else (person.case_id, person.pseudonym)
            desk.links.link(zaak.url, plan_id, *known)
            desk.ask(PLAN, plan_id, plan_id)
            self._ask_situations(zaak.url, plan_id)
        desk.log.info("case_recognised")

    # --- a report -------------------------------------------------------------------------------------------

    def _report(self, zaak: Zaak, zaaktype: ZaakType, link: Link | None) -> None:
        desk = self._desk
        if link is not None:
            # Reported before, without a part in it: somebody may have let us join meanwhile.
            found = self._find(bytes.fromhex(link.pseudonym))
            if found is not None:
                self._link(zaak.url, link.pseudonym, found, minor=True)
            return
        prepared = desk.links.prepared(zaak.url)
        if prepared is None:
            prepared = self._prepare(zaak, zaaktype)
        if prepared is None:
            return
        pseudonym = bytes.fromhex(prepared.pseudonym)
        # The exchange answers what it refused within a restriction as it did: asked anew it has another name.
        again = desk.refusals.again(f"{ZAAK} {zaak.url}")
        known = f"resident {prepared.pseudonym} {prepared.born} {prepared.capable}"
        desk.exchange.register_resident(
            desk.journal.request_id(known + again),
            pseudonym,
            prepared.born,
            capable=prepared.capable,
        )
        order = ReportOrder(
            request_id=desk.journal.request_id(f"report {zaak.url}{again}"),
            pseudonym=pseudonym,
            own_words=prepared.report.own_words,
            domains=prepared.report.domains,
            desk=desk.config.desk,
        )
        try:
            found = desk.exchange.report(order)
        except (Invalid, RuleBroken):
            # Nothing was recorded: what a person mends in the case is what is said next time.
            desk.links.reported(zaak.url)
            raise
        if not found.plan_id:
            found = self._find(pseudonym) or found
        self._link(zaak.url, prepared.pseudonym, found, minor=prepared.minor)
        desk.log.info("case_reported" if found.plan_id else "case_reported_without_part")

    def _prepare(self, zaak: Zaak, zaaktype: ZaakType) -> PreparedReport | None:
        """Write a report down; None for a case of which nobody said yet whom it is about."""
        desk = self._desk
        numbers = list(dict.fromkeys(desk.cases.initiators(zaak)))
        if not numbers:
            return None
        bsn = _only_bsn(numbers)
        report = report_of(zaak, self._domains(zaak, zaaktype), desk.config.names.life_domain)
        resident = read_resident(desk.brp.ask(bsn, RESIDENT_FIELDS), desk.today)
        prepared = PreparedReport(
            pseudonym=desk.exchange.pseudonym(bsn).hex(),
            born=resident.born.isoformat(),
            # That a court took this away stands in the BRP; nobody else is judged by a machine.
            capable=not resident.in_curatele,
            minor=resident.minor,
            report=report,
        )
        with desk.journal.transaction():
            desk.links.know(prepared.pseudonym, bsn)
            desk.links.prepare(zaak.url, prepared)
        return desk.links.prepared(zaak.url)

    def _domains(self, zaak: Zaak, zaaktype: ZaakType) -> str:
        name = self._desk.config.names.life_domains
        if not name:
            return ""
        return self._desk.cases.properties(zaak).get(zaaktype.properties[name], ("", ""))[1]

    def _find(self, pseudonym: bytes) -> CaseFound | None:
        try:
            return self._desk.exchange.find_case(pseudonym)
        except Denied:
            # There is a case of others: the report is in it, and that is all we are told.
            return None

    def _link(self, zaak: str, pseudonym: str, found: CaseFound, *, minor: bool) -> None:
        desk = self._desk
        if found.plan_id and desk.erasures.erased(found.plan_id):
            # An answer from before the erasure, which came behind it.
            raise ForAPerson("plan_erased", partial(desk.links.forget_unlinked, zaak, pseudonym))
        other = desk.links.of_plan(found.plan_id) if found.plan_id else None
        if other is not None and other.zaak != zaak:
            # The plan has its case already; this report is in it, and this case is for a person.

            def note() -> None:
                desk.links.reported(zaak)
                desk.links.link(zaak, "", found.case_id, pseudonym)
                desk.links.close(zaak)

            raise ForAPerson("plan_has_another_case", note)
        with desk.journal.transaction():
            desk.links.link(zaak, found.plan_id, found.case_id, pseudonym)
            desk.links.reported(zaak)
            if found.plan_id:
                self._know_plan(pseudonym, found)
                desk.ask(PLAN, found.plan_id, found.plan_id)
                self._ask_situations(zaak, found.plan_id)
                if minor:
                    desk.ask(AUTHORITY, found.plan_id, found.plan_id)

    def _ask_situations(self, zaak: str, plan_id: str) -> None:
        if self._desk.config.situations and plan_id:
            self._desk.ask(SITUATION, zaak, plan_id)

    def _know_plan(self, pseudonym: str, found: CaseFound) -> None:
        self._desk.journal.connection.execute(
            "UPDATE people SET plan_id = ?, case_id = ? WHERE pseudonym = ?",
            (found.plan_id, found.case_id, pseudonym),
        )

    # --- people ---------------------------------------------------------------------------------------------

    def keep_person(self, bsn: Bsn) -> bool:
        """Write a person down; tell whether a case of theirs is known.

        Raises ErasedMeanwhile where their plan was erased, or an erasure was followed since this began, and
        the SDK's errors.
        """
        desk = self._desk
        before = desk.erasures.followed
        pseudonym = desk.exchange.pseudonym(bsn)
        found = self._find(pseudonym)
        with desk.journal.transaction():
            erased = found is not None and desk.erasures.erased(found.plan_id)
            if erased or desk.erasures.followed != before:
                raise ErasedMeanwhile
            if found is None:
                desk.links.know(pseudonym.hex(), bsn)
            else:
                desk.links.know(pseudonym.hex(), bsn, found.plan_id, found.case_id)
                desk.ask(PLAN, found.plan_id, found.plan_id)
        return found is not None

    def record_authority(self, plan_id: str) -> None:
        """Record who has authority over a minor, as the BRP says it today. Raises ForAPerson."""
        desk = self._desk
        person = desk.links.person_of(plan_id)
        if person is None:
            return
        resident = read_resident(desk.brp.ask(person.bsn, RESIDENT_FIELDS), desk.today)
        if not resident.minor:
            return
        found_on, again = desk.today.isoformat(), desk.refusals.again(f"{AUTHORITY} {plan_id}")
        for holder in read_authority(desk.brp.ask(person.bsn, AUTHORITY_FIELDS)):
            name = desk.exchange.pseudonym(holder.bsn).hex()
            asked = f"holder {person.case_id} {name} {holder.relation} {holder.gezag} {found_on}{again}"
            desk.exchange.record_holder(desk.journal.request_id(asked), person.case_id, holder, found_on)
        desk.log.info("authority_recorded")

    def sweep(self) -> None:
        """Ask for a look at every open case that is not linked or was changed: what was told may be lost."""
        desk = self._desk
        zaaktype = desk.cases.type_now(desk.today.isoformat())
        unreadable: set[str] = set()
        for zaak in desk.cases.open_cases(zaaktype.url):
            if isinstance(zaak, Unreadable):
                unreadable.add(zaak.subject)
                self._set_apart(zaak)
                continue
            link = desk.links.of_case(zaak.url)
            if link is None or not link.plan_id:
                # What waits goes on waiting: to be seen again is no reason to begin its day anew.
                desk.journal.ask_unless_known(ZAAK, zaak.url, desk.now_ms)
            elif desk.config.situations and desk.links.told(link.plan_id, LOOKED) != zaak.changed:
                desk.journal.ask_unless_known(SITUATION, zaak.url, desk.now_ms, link.plan_id)
        # What is there no more, or can be read by now, waits for nobody.
        desk.journal.forget_others(UNREADABLE, unreadable)

    def _set_apart(self, found: Unreadable) -> None:
        """Look at a case of the list by itself; what has no url to ask for is for a person, told once."""
        desk = self._desk
        if desk.cases.holds(found.subject):
            desk.journal.ask_unless_known(ZAAK, found.subject, desk.now_ms)
        elif desk.journal.park_unless_known(UNREADABLE, found.subject, found.code, desk.now_ms):
            desk.alarm("errand_parked", message_type=UNREADABLE, reason=found.code)


def _only_bsn(numbers: list[str]) -> Bsn:
    if len(numbers) > 1:
        raise ForAPerson("two_initiators")
    try:
        return Bsn(numbers[0])
    except BsnRefused:
        raise ForAPerson("initiator_without_bsn") from None
