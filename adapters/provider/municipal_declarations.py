"""The municipality's side of declarations: a 323 is judged line by line, and the 325 says what is granted.

Promises: judged against what this organisation itself assigned and was told of care, so that the exchange is
asked nothing: no purpose of a plan is to pay for it, and a declaration needs no more than the terms it was
delivered under (GDPR 5(1)(b) and (c)). Source: iWmo and iJw 3.2: 323, 325.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.provider.declaration_checks import lines_of
from adapters.provider.declaration_rules import Ledger, declaration_findings, spans_of_care
from adapters.provider.declarations import BODY, read_declaration
from adapters.provider.desk import Verdict

if TYPE_CHECKING:
    from adapters.provider.declaration_rules import Span
    from adapters.provider.declarations import Declaration
    from adapters.provider.desk import Desk
    from adapters.provider.errors import Finding
    from adapters.provider.xml import Message


class MunicipalDeclarations:
    """Takes declarations."""

    def __init__(self, desk: Desk) -> None:
        self._desk: Final = desk

    def judge(self, message: Message) -> Verdict:
        """Judge a 323; what stands of it is written down with its answer."""
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
            delivered_between=self._delivered_between,
        )
        findings = declaration_findings(message, declared, people, ledger)
        known = tuple(one for one in people if one is not None)

        def keep() -> None:
            if not any(one.path == BODY for one in findings):
                self._keep(message, declared, people, findings)

        return Verdict(findings, None, keep, known)

    def _keep(
        self,
        message: Message,
        declared: Declaration,
        people: list[str | None],
        findings: tuple[Finding, ...],
    ) -> None:
        book = self._desk.declarations
        lines = [
            (pseudonym, line)
            for pseudonym, (_, mine) in zip(people, declared.clients, strict=True)
            for line in mine
        ]
        clients = message.root.children[1].find("Clienten")
        paths = [] if clients is None else [path for path, _ in lines_of(clients, f"{BODY}/Clienten")]
        codes: dict[str, list[str]] = {}
        for one in findings:
            codes.setdefault(one.path, []).append(one.code)
        refused = [
            (line, " ".join(codes[path]))
            for path, (_, line) in zip(paths, lines, strict=True)
            if path in codes
        ]
        book.write(declared, ((pseudonym, line) for pseudonym, line in lines if pseudonym is not None))
        granted = declared.signed_cents - sum(line.signed_cents for line, _ in refused)
        book.settle(declared.number, granted, ((line.reference, said) for line, said in refused))

    def _care(self, pseudonym: str, number: int) -> tuple[Span, ...]:
        return spans_of_care(number, *self._desk.care.delivered(pseudonym, self._desk.config.law))

    def _delivered_between(self, span: Span) -> bool:
        first, last = span
        care, law = self._desk.care, self._desk.config.law
        for pseudonym in care.delivered_to():
            starts, stops = care.delivered(pseudonym, law)
            for start in starts:
                for began, ended in spans_of_care(start.assignment_number or 0, starts, stops):
                    if began <= last and ended >= first:
                        return True
        return False
