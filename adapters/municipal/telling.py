"""A plan is told to its case: opened where there is none, brought to where the plan is.

Promises: what the case system has already is not written again; each write is looked for before it is made
where nobody knows whether it was made, and names what makes it one; the result comes before the last status,
and the last status comes last; a case never goes back.
Source: Zaken API 1.5.1, rule zrc-007; Besluiten API 1.1.0; Objects API 2.7.0.
"""

from __future__ import annotations

import json
from datetime import timedelta
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from adapters.kit.outward import Refused
from adapters.municipal.case_system import BAD_REQUEST
from adapters.municipal.documents import Paper
from adapters.municipal.errors import ForAPerson
from adapters.municipal.mapping import (
    OBJECT_TYPE,
    SOURCE,
    decision_identification,
    identification_of,
    object_uuid,
    plan_of,
    statuses_due,
    wanted,
    with_plan,
)
from adapters.municipal.papers import TITLE, words_of
from adapters.municipal.persons import RESIDENT_FIELDS, read_resident
from adapters.municipal.records import Stage

if TYPE_CHECKING:
    from adapters.municipal.desk import Desk
    from adapters.municipal.links import KnownPerson, Link
    from adapters.municipal.records import Decision, Wanted, Zaak, ZaakType

CONFIDENTIAL: Final = "zaakvertrouwelijk"
CLOSED_CIRCLE: Final = "vertrouwelijk"
CLOSED: Final = "closed"
DOCUMENT: Final = "document "


class Telling:
    """Owned by the thread that opened the journal."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def tell(self, plan_id: str) -> None:
        """Bring the case of a plan to what the plan is. Raises ForAPerson, OutwardError, the SDK's errors."""
        desk = self._desk
        link = desk.links.of_plan(plan_id)
        person = desk.links.person_of(plan_id)
        if link is None and person is None:
            # A plan of which nobody registered here whom it is about: no case of ours.
            return
        # Read at every time: the gate judges now, and what was withdrawn is not told any more.
        aim = wanted(desk.exchange.look(plan_id))
        if link is None and person is not None:
            link = self._open(person)
        if link is None or link.closed:
            self._tell_closed(plan_id, link, aim)
            return
        zaak = desk.cases.zaak(link.zaak)
        if zaak is None:
            return
        self._bring(zaak, plan_id, aim)

    def _tell_closed(self, plan_id: str, link: Link | None, aim: Wanted) -> None:
        """Tell what goes on after the end: the copy, and decisions; more is for a person."""
        if link is None:
            return
        self._keep_object(plan_id, aim)
        if aim.stage is not Stage.CLOSED and self._desk.links.told(plan_id, "reopened") is None:
            note = partial(self._desk.links.has_told, plan_id, "reopened", "alarm")
            raise ForAPerson("plan_goes_on_after_its_case", note)

    # --- opening --------------------------------------------------------------------------------------------

    def _open(self, person: KnownPerson) -> Link | None:
        """Return the case of a plan: one that names it, the resident's one open case, or a new one."""
        desk = self._desk
        zaaktype = desk.cases.type_now(desk.today.isoformat())
        zaak = desk.cases.case_of_plan(person.plan_id)
        if zaak is None:
            free = [
                one
                for one in desk.cases.open_cases_of(person.bsn, zaaktype.url)
                if not plan_of(one) and desk.links.of_case(one.url) is None
            ]
            if len(free) > 1:
                raise ForAPerson("two_open_cases_of_one_resident")
            zaak = free[0] if free else self._create(person, zaaktype)
        desk.links.link(zaak.url, person.plan_id, person.case_id, person.pseudonym)
        return desk.links.of_plan(person.plan_id)

    def _create(self, person: KnownPerson, zaaktype: ZaakType) -> Zaak:
        desk = self._desk
        resident = read_resident(desk.brp.ask(person.bsn, RESIDENT_FIELDS), desk.today)
        today = desk.links.plan_to_tell(person.plan_id, "start", desk.today.isoformat())
        return desk.cases.create(
            {
                "identificatie": identification_of(person.plan_id),
                "bronorganisatie": desk.config.zgw.rsin,
                "verantwoordelijkeOrganisatie": desk.config.zgw.rsin,
                "zaaktype": zaaktype.url,
                "startdatum": today,
                "omschrijving": "Ondersteuningsplan",
                # Who asked for secrecy in the BRP is shown to fewer (Wet BRP 2.59).
                "vertrouwelijkheidaanduiding": CLOSED_CIRCLE if resident.secret else CONFIDENTIAL,
                "kenmerken": [{"kenmerk": person.plan_id, "bron": SOURCE}],
            }
        )

    # --- bringing -------------------------------------------------------------------------------------------

    def _bring(self, zaak: Zaak, plan_id: str, aim: Wanted) -> None:
        desk = self._desk
        zaaktype = desk.cases.type_at(zaak.zaaktype)
        if zaaktype is None:
            raise ForAPerson("case_of_another_type")
        if zaak.closed:
            desk.links.close(zaak.url)
            self._keep_object(plan_id, aim)
            return
        if plan_of(zaak) != plan_id:
            if plan_of(zaak):
                raise ForAPerson("case_names_another_plan")
            desk.cases.keep_kenmerken(zaak, with_plan(zaak, plan_id))
        self._keep_initiator(zaak, zaaktype, plan_id)
        self._keep_version(zaak, zaaktype, plan_id, aim)
        url = self._keep_object(plan_id, aim)
        if url and desk.links.told(plan_id, "zaakobject") is None:
            desk.cases.link_object(zaak, url, OBJECT_TYPE)
            desk.links.has_told(plan_id, "zaakobject", url)
        self._keep_decisions(zaak, zaaktype, plan_id, aim)
        self._keep_statuses(zaak, zaaktype, plan_id, aim)

    def _keep_initiator(self, zaak: Zaak, zaaktype: ZaakType, plan_id: str) -> None:
        desk = self._desk
        person = desk.links.person_of(plan_id)
        if person is None or desk.links.told(plan_id, "initiator") is not None:
            return
        held = desk.cases.initiators(zaak)
        if not held:
            desk.cases.add_initiator(zaak, zaaktype, person.bsn)
        elif person.bsn.reveal() not in held:
            raise ForAPerson("case_of_another_resident")
        desk.links.has_told(plan_id, "initiator", "yes")

    def _keep_version(self, zaak: Zaak, zaaktype: ZaakType, plan_id: str, aim: Wanted) -> None:
        desk = self._desk
        name = desk.config.names.plan_version
        if not name or desk.links.told(plan_id, "version") == aim.plan_version:
            return
        desk.cases.set_property(zaak, zaaktype.properties[name], aim.plan_version)
        desk.links.has_told(plan_id, "version", aim.plan_version)

    def _keep_object(self, plan_id: str, aim: Wanted) -> str:
        desk = self._desk
        if desk.objects is None:
            return ""
        held = desk.links.told(plan_id, "object")
        mark = f"{aim.plan_version} {hash_of(aim)}"
        if held is not None and held.startswith(f"{mark} "):
            return held.rpartition(" ")[2]
        url = desk.objects.keep(object_uuid(plan_id), aim.data, desk.today.isoformat())
        desk.links.has_told(plan_id, "object", f"{mark} {url}")
        return url

    def _keep_decisions(self, zaak: Zaak, zaaktype: ZaakType, plan_id: str, aim: Wanted) -> None:
        desk = self._desk
        if not zaaktype.decision:
            return
        for one in aim.decisions:
            what, paper = f"decision {one.support_id}", f"{DOCUMENT}{one.support_id}"
            papers = desk.documents is not None and desk.links.told(plan_id, paper) is None
            if desk.links.told(plan_id, what) is not None and not papers:
                continue
            day = desk.links.plan_to_tell(plan_id, what, desk.today.isoformat())
            told = {
                "identificatie": decision_identification(one.support_id),
                "verantwoordelijkeOrganisatie": desk.config.zgw.rsin,
                "besluittype": zaaktype.decision,
                "zaak": zaak.url,
                "datum": day,
                "ingangsdatum": one.start_date or day,
                **({"vervaldatum": one.end_date} if one.end_date else {}),
            }
            url = desk.cases.decide(told)
            desk.links.has_told(plan_id, what, day)
            if papers:
                self._keep_document(zaak, plan_id, aim, one, url)

    def _keep_document(self, zaak: Zaak, plan_id: str, aim: Wanted, decision: Decision, besluit: str) -> None:
        """Keep the document of a decision, as the plan was when it was made, linked to case and decision."""
        desk, links = self._desk, self._desk.links
        assert desk.documents is not None
        assert desk.config.documents is not None
        what, lock = f"{DOCUMENT}{decision.support_id}", f"lock {decision.support_id}"
        day = links.plan_to_tell(plan_id, what, desk.today.isoformat())
        made = Paper(
            identification=decision_identification(decision.support_id),
            title=TITLE,
            author=desk.config.documents.author,
            day=day,
            kind=desk.cases.document_type(desk.config.documents.kind, desk.today.isoformat()),
            # No more open than the case it lies in.
            confidentiality=zaak.confidentiality or CONFIDENTIAL,
            content=words_of(decision, aim.data),
        )
        held = links.told(plan_id, lock) or ""
        url = desk.documents.keep(made, held, lambda told: links.has_told(plan_id, lock, told))
        desk.documents.link(url, zaak.url, besluit)
        links.has_told(plan_id, what, day)
        links.untell(plan_id, lock)

    def _keep_statuses(self, zaak: Zaak, zaaktype: ZaakType, plan_id: str, aim: Wanted) -> None:
        desk, names = self._desk, self._desk.config.names
        numbers = [
            (stage, zaaktype.status_numbers[zaaktype.statuses[names.status(stage)]]) for stage in Stage
        ]
        reached = max(number for stage, number in numbers if stage <= aim.stage)
        if desk.links.told(plan_id, "status") == str(reached):
            return
        current = desk.cases.status_number(zaak, zaaktype)
        due = statuses_due(current, numbers, aim.stage)
        # Planned moments: the same when tried again, one millisecond apart, none of them to come.
        first = desk.now - timedelta(milliseconds=len(due))
        for place, stage in enumerate(due):
            if stage is Stage.CLOSED:
                self._keep_result(zaak, zaaktype, aim)
            moment = (first + timedelta(milliseconds=place)).isoformat(timespec="milliseconds")
            at = desk.links.plan_to_tell(plan_id, f"moment {stage.value}", moment.replace("+00:00", "Z"))
            if stage is Stage.CLOSED:
                # Before it is done: who sees the case closed then knows that it was us.
                desk.links.has_told(plan_id, CLOSED, at)
            self._set_status(zaak, zaaktype.statuses[names.status(stage)], at)
        desk.links.has_told(plan_id, "status", str(reached))
        if aim.stage is Stage.CLOSED:
            desk.links.close(zaak.url)

    def _set_status(self, zaak: Zaak, statustype: str, at: str) -> None:
        try:
            self._desk.cases.set_status(zaak, statustype, at)
        except Refused as refused:
            # This moment has a status already: ours, whose answer was lost.
            if refused.status != BAD_REQUEST or ("nonFieldErrors", "unique") not in refused.params:
                raise

    def _keep_result(self, zaak: Zaak, zaaktype: ZaakType, aim: Wanted) -> None:
        if zaak.has_result or aim.result is None:
            return
        kind = zaaktype.results[self._desk.config.names.result(aim.result)]
        try:
            self._desk.cases.set_result(zaak, kind)
        except Refused as refused:
            if refused.status != BAD_REQUEST or ("zaak", "unique") not in refused.params:
                raise

    # --- taking away ----------------------------------------------------------------------------------------

    def take_copy_away(self, plan_id: str) -> None:
        """Take the object of a plan away, and the documents of its decisions."""
        desk = self._desk
        for support_id in desk.links.told_of(plan_id, DOCUMENT):
            if desk.documents is not None and desk.documents.forget(decision_identification(support_id)):
                desk.log.info("document_purged")
            desk.links.untell(plan_id, f"{DOCUMENT}{support_id}")
        if desk.objects is not None and desk.objects.forget(object_uuid(plan_id)):
            desk.log.info("copy_purged")
        for what in ("object", "zaakobject"):
            desk.links.untell(plan_id, what)


def hash_of(aim: Wanted) -> str:
    """Return a mark of the data of a plan that says nothing of it: it never leaves the journal."""
    return sha256(json.dumps(aim.data, sort_keys=True).encode()).hexdigest()[:16]
