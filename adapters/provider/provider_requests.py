"""The provider's side of requests: 315 and 317 made by its own system go out, 319 comes in.

Promises: what goes out was judged by the same rules as the municipality will use, as far as we know what they
ask, and is refused with the rule named before anybody else sees it; the same file again sends nothing again.
Source: iWmo and iJw 3.2: 315, 317, 319.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.kit.erasures import Erasures
from adapters.provider.codes import RequestOutcome
from adapters.provider.deadlines import CHANGE_WORKING_DAYS, working_days_on
from adapters.provider.desk import Verdict
from adapters.provider.errors import ErasedMeanwhile, Finding, MessageInvalid
from adapters.provider.mapping import assigned_products
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
    read_assignment_request,
    read_change_request,
    read_request_answer,
)

if TYPE_CHECKING:
    from adapters.provider.desk import Desk
    from adapters.provider.records import AssignmentNotice
    from adapters.provider.xml import Message
    from adapters.sdk.bsn import Bsn


class ProviderRequests:
    """Sends requests; takes the answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    # --- out ----------------------------------------------------------------------------------------------

    def send(self, message: Message) -> str:
        """Send a 315 or 317 and return its name in the outbox.

        Raises MessageInvalid for one that breaks a rule, ErasedMeanwhile where an erasure was followed
        meanwhile, and the SDK's errors where the exchange, which gives the pseudonym of somebody not known
        yet, is away.
        """
        if message.number == ASK:
            asked = read_assignment_request(message)
            references = [one.reference for one in asked.products]
            return self._send(message, asked.resident.bsn, references)
        changed = read_change_request(message)
        return self._send(message, changed.bsn, [changed.reference])

    def _send(self, message: Message, bsn: Bsn, references: list[str]) -> str:
        desk = self._desk
        erasures = Erasures(desk.journal.connection)
        before = erasures.followed
        # Of somebody we never had a 301 of, only the exchange knows who they are to us.
        pseudonym = desk.register.pseudonym(bsn) or desk.exchange.pseudonym(bsn).hex()
        identification = read_envelope(message).identification
        due = None if message.number == ASK else working_days_on(desk.today, CHANGE_WORKING_DAYS)
        with desk.journal.transaction():
            if erasures.followed != before:
                raise ErasedMeanwhile
            # Judged in the step in which it is written down: another hand may send at the same moment.
            findings = self._findings(message, pseudonym, bsn, references)
            if findings:
                raise MessageInvalid(f"{message.name} breaks a rule across messages", findings)
            name = desk.post(message, pseudonym)
            for reference in references:
                new = NewRequest(message.name, reference, identification, pseudonym, bsn, desk.today, due)
                desk.requests.write(new)
        desk.log.info("request_sent", message_type=message.name)
        return name

    def _findings(
        self, message: Message, pseudonym: str, bsn: Bsn, references: list[str]
    ) -> tuple[Finding, ...]:
        desk = self._desk
        asked = Asked(
            current=desk.terms.current(pseudonym, desk.today),
            client_known=desk.register.pseudonym(bsn) is not None,
            under_way=desk.requests.has_under_way(pseudonym, bsn),
            references_used=[one for one in references if desk.requests.by_reference(one) is not None],
        )
        judge = assignment_request_findings if message.number == ASK else change_request_findings
        return judge(message, asked)

    # --- in -----------------------------------------------------------------------------------------------

    def judge(self, message: Message) -> Verdict:
        """Judge a 319 against the request it answers."""
        desk, answer = self._desk, read_request_answer(message)
        request = desk.requests.by_reference(answer.reference)
        findings = answer_findings(answer.outcome, None if request is None else request.state)
        if findings or request is None:
            return Verdict(findings)
        rejected = answer.outcome is RequestOutcome.REJECTED
        state = RequestState.REJECTED if rejected else RequestState.INVESTIGATED

        def keep() -> None:
            refusal = "" if answer.refusal is None else answer.refusal.code
            desk.requests.answered(answer.reference, state, refusal)

        return Verdict((), request.pseudonym, keep)

    def unfounded(self, message: Message) -> tuple[Finding, ...]:
        """Judge the references of a 301: each is of a request of ours, of this resident or not (TR379)."""
        return tuple(
            Finding("TR379", path, "9379")
            for path, node in assigned_products(message)
            if (reference := node.value("ReferentieAanbieder")) is not None
            and self._desk.requests.by_reference(reference) is None
        )

    def honour(self, notice: AssignmentNotice) -> None:
        """Close the requests that a 301 honours, inside the caller's transaction."""
        for one in notice.assignments:
            if one.provider_reference is not None:
                self._desk.requests.answered(one.provider_reference, RequestState.HONOURED)
