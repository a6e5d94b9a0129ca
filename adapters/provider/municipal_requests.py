"""The municipality's side of requests: 315 and 317 are judged and wait for a person, whose answer is a 319.

Promises: an accepted request is a task of a person and changes nothing by itself: no command of the exchange
follows from it, for a provider may ask and never decide (Wmo 2015 2.3.5, Jeugdwet 2.3). A yes is a support on
the plan, or a change of one, that the resident agrees with; its 301 then names the request (TR379).
Source: iWmo and iJw 3.2: 315, 317, 319; OP346.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import RequestOutcome
from adapters.provider.deadlines import CHANGE_WORKING_DAYS, working_days_on
from adapters.provider.desk import Verdict
from adapters.provider.errors import MessageInvalid
from adapters.provider.parts import read_envelope
from adapters.provider.request_book import NewRequest, RequestState
from adapters.provider.request_rules import (
    Asked,
    answer_findings,
    assignment_request_findings,
    change_request_findings,
)
from adapters.provider.requests import (
    ASK,
    RequestAnswer,
    read_assignment_request,
    read_change_request,
    write_request_answer,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from adapters.provider.codes import RequestRefusal
    from adapters.provider.desk import Desk
    from adapters.provider.errors import Finding
    from adapters.provider.records import Assignment
    from adapters.provider.request_book import Request
    from adapters.provider.requests import Changed, Wanted
    from adapters.provider.xml import Message


class MunicipalRequests:
    """Takes requests; sends what a person answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def judge(self, message: Message) -> Verdict:
        """Judge a 315 or 317 against what was assigned and asked before."""
        return self._judge_asked(message) if message.number == ASK else self._judge_changed(message)

    def _judge_asked(self, message: Message) -> Verdict:
        desk, asked = self._desk, read_assignment_request(message)
        bsn = asked.resident.bsn
        pseudonym = desk.register.pseudonym(bsn)
        known = Asked(
            under_way=desk.requests.has_under_way(pseudonym, bsn),
            references_used=self._used(one.reference for one in asked.products),
        )
        new = [
            NewRequest(
                kind=message.name,
                reference=one.reference,
                identification=asked.envelope.identification,
                pseudonym=pseudonym,
                bsn=bsn,
                asked_on=desk.today,
                wanted=(one.wanted,),
            )
            for one in asked.products
        ]
        return self._verdict(assignment_request_findings(message, known), pseudonym, new)

    def _judge_changed(self, message: Message) -> Verdict:
        desk, asked = self._desk, read_change_request(message)
        pseudonym = desk.register.pseudonym(asked.bsn)
        current = {} if pseudonym is None else desk.terms.current(pseudonym, desk.today)
        known = Asked(
            current=current,
            client_known=pseudonym is not None,
            under_way=desk.requests.has_under_way(pseudonym, asked.bsn),
            references_used=self._used([asked.reference]),
        )
        new = NewRequest(
            kind=message.name,
            reference=asked.reference,
            identification=read_envelope(message).identification,
            pseudonym=pseudonym,
            bsn=asked.bsn,
            asked_on=desk.today,
            answer_due=working_days_on(desk.today, CHANGE_WORKING_DAYS),
            wanted=(*asked.added, *_from_another_day(asked.changed, current)),
            changes=tuple(one for one in asked.changed if _keeps_its_day(one, current)),
        )
        return self._verdict(change_request_findings(message, known), pseudonym, [new])

    def _used(self, references: Iterable[str]) -> frozenset[str]:
        return frozenset(one for one in references if self._desk.requests.by_reference(one) is not None)

    def _verdict(
        self, findings: tuple[Finding, ...], pseudonym: str | None, new: list[NewRequest]
    ) -> Verdict:
        def keep() -> None:
            for one in new:
                self._desk.requests.write(one)

        return Verdict(findings, pseudonym, None if findings else keep)

    def answer(
        self,
        request: Request,
        outcome: RequestOutcome,
        refusal: RequestRefusal | None = None,
        municipality: str | None = None,
    ) -> str:
        """Send a person's answer and return its name in the outbox.

        Raises MessageInvalid for an answer that the standard does not allow, now or at all.
        """
        desk = self._desk
        state = RequestState.REJECTED if outcome is RequestOutcome.REJECTED else RequestState.INVESTIGATED
        with desk.journal.transaction():
            # As it is now: the running adapter honours requests, and others answer them too.
            known = desk.requests.by_reference(request.reference)
            findings = answer_findings(outcome, None if known is None else known.state)
            if findings or known is None:
                raise MessageInvalid("this request cannot have this answer any more", findings)
            said = RequestAnswer(desk.envelope(), known.reference, outcome, refusal, municipality)
            name = desk.post(write_request_answer(said), known.pseudonym)
            desk.requests.answered(known.reference, state, "" if refusal is None else refusal.code)
        desk.log.info("request_answered", message_type=desk.kind("319"), state=state.value)
        return name


def _keeps_its_day(changed: Changed, current: Mapping[int, Assignment]) -> bool:
    known = current.get(changed.number)
    return known is not None and changed.wanted.starts_on == known.starts_on


def _from_another_day(changed: Iterable[Changed], current: Mapping[int, Assignment]) -> Iterator[Wanted]:
    """Return what is wanted from another day on: another assignment, of the same product."""
    for one in changed:
        known = current.get(one.number)
        if known is not None and one.wanted.starts_on != known.starts_on:
            yield replace(one.wanted, product=known.product)
