"""The provider's side of declarations: a 323 of its own system goes out, its 325 comes in.

Promises: a declaration is judged as the municipality will judge it, by what was told of care here, before it
leaves; an answer that does not fit what was declared is put aside and changes nothing.
Source: iWmo and iJw 3.2: 323, 325; TR337, TR366, TR367, TR371, TR376.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from adapters.provider.declaration_rules import Ledger, declaration_findings
from adapters.provider.declarations import (
    DECLARATION,
    read_declaration,
    read_declaration_answer,
)
from adapters.provider.errors import FileRefused, MessageInvalid
from adapters.provider.register import AssignmentKey
from adapters.provider.rules import in_message_findings

if TYPE_CHECKING:
    from adapters.provider.declaration_book import DeclarationKnown
    from adapters.provider.declaration_rules import Span
    from adapters.provider.declarations import DeclarationAnswer
    from adapters.provider.desk import Desk
    from adapters.provider.xml import Message


class ProviderDeclarations:
    """Sends declarations; takes the answers."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def send(self, message: Message) -> str:
        """Send a 323 and return its name in the outbox. Raises MessageInvalid for one that breaks a rule."""
        # Judged in the step in which it is written down: another hand may send at the same moment.
        with self._desk.journal.transaction():
            name = self._send(message)
        self._desk.log.info("declaration_sent", message_type=message.name)
        return name

    def _send(self, message: Message) -> str:
        desk, declared = self._desk, read_declaration(message)
        people = [desk.register.pseudonym(bsn) for bsn, _ in declared.clients]
        latest = desk.declarations.latest()
        ledger = Ledger(
            terms=desk.terms.of,
            before=desk.declarations.line,
            under=desk.declarations.lines_under,
            care=self._care,
            number_used=desk.declarations.declaration(declared.number) is not None,
            latest=None if latest is None else latest.last,
        )
        findings = declaration_findings(message, declared, people, ledger)
        if findings:
            raise MessageInvalid(f"{message.name} breaks a rule across messages", findings)
        known = [one for one in people if one is not None]
        name = desk.post(message, None)
        desk.about.sent(name, known)
        lines = zip(known, declared.clients, strict=True)
        desk.declarations.write(
            declared, ((pseudonym, line) for pseudonym, (_, mine) in lines for line in mine)
        )
        return name

    def _care(self, _pseudonym: str, number: int) -> tuple[Span, ...]:
        config = self._desk.config
        known = self._desk.register.known(AssignmentKey(config.law, config.counterparty_code, number))
        if known is None or known.support_id is None:
            return ()
        told = self._desk.errands.care_told(known.support_id)
        return tuple((one.starts_on, one.ends_on or date.max) for one in told)

    def take(self, message: Message, digest: bytes) -> None:
        """Take a 325, the same one as often as it comes.

        Raises FileRefused for one that fits no declaration of ours; there is no retour for it.
        """
        desk = self._desk
        if desk.about.knows(digest):
            return
        findings = in_message_findings(message, desk.today)
        if findings:
            raise FileRefused(", ".join(sorted({one.rule for one in findings})) + " is broken")
        answer = read_declaration_answer(message)
        declared = desk.declarations.sent_as(answer.answers)
        if declared is None:
            raise FileRefused("TR337: this answers no declaration of ours")
        if declared.granted_cents is not None:
            raise FileRefused("this declaration was answered before")
        broken = self._misfit(answer, declared)
        if broken is not None:
            raise FileRefused(f"{broken}: this is not what was declared")
        codes = sorted({*answer.refused_whole, *(code for _, _, said in answer.refused for code in said)})
        kind = desk.kind(DECLARATION)
        with desk.journal.transaction():
            desk.about.read(digest, desk.about.whom_sent(kind, answer.answers))
            desk.journal.answered(kind, answer.answers, tuple(codes))
            refused = ((line.reference, " ".join(said)) for _, line, said in answer.refused)
            whole = " ".join(answer.refused_whole)
            desk.declarations.settle(declared.number, answer.granted_cents, refused, whole)
        if codes:
            desk.alarm("declaration_refused", message_type=kind, code=",".join(codes))
        else:
            desk.log.info("declaration_granted", message_type=kind)

    def _misfit(self, answer: DeclarationAnswer, declared: DeclarationKnown) -> str | None:
        """Return the rule by which an answer is not one to this declaration, or None."""
        if answer.number is None:
            return None
        if answer.number != declared.number:
            return "TR376"
        lines = {one.line.reference: one for one in self._desk.declarations.lines_of(declared.number)}
        for bsn, line, _ in answer.refused:
            sent = lines.get(line.reference)
            if sent is None:
                return "TR366"
            if sent.line != line or self._desk.register.pseudonym(bsn) != sent.pseudonym:
                return "TR367"
        refused = sum(line.signed_cents for _, line, _ in answer.refused)
        granted = 0 if answer.refused_whole else declared.asked_cents - refused
        sums = (answer.asked_cents, answer.granted_cents)
        return None if sums == (declared.asked_cents, granted) else "TR367"
