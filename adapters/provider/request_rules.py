"""The rules across messages (control level 3) for requests and the answers to them. Pure.

Promises: findings carry the code of their rule and stand at the class the rule is about; time grows with the
message, not with its square.
Source: technical rules of iWmo and iJw 3.2, control level "berichtoverstijgend": TR304, TR347, TR349, TR350,
TR351, TR355, TR357, TR359 to TR361, TR365, TR373 to TR375, TR411, TR412.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Frequency, RequestOutcome
from adapters.provider.errors import Finding
from adapters.provider.request_book import RequestState
from adapters.provider.requests import read_change_request
from adapters.provider.rules import LAST_DAY_OLD_RULES, Line, overlapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from adapters.provider.records import Assignment, Product
    from adapters.provider.requests import ChangeRequest, Wanted
    from adapters.provider.xml import Message

CLIENT: Final = "/Bericht/Client"
REQUEST: Final = f"{CLIENT}/Verzoek"
ANSWER: Final = "/Bericht/Antwoord"


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known when a request comes: its person's current assignments, what runs, references used."""

    current: Mapping[int, Assignment] = field(default_factory=lambda: MappingProxyType({}))
    client_known: bool = True
    under_way: bool = False
    references_used: Collection[str] = ()


def assignment_request_findings(message: Message, asked: Asked) -> tuple[Finding, ...]:
    """Judge a 315 that passed its in-message rules."""
    findings = [Finding("TR374", CLIENT, "9374")] if asked.under_way else []
    findings += [
        Finding("TR347", path, "9347")
        for path, node in message.root.walk()
        if node.name == "AangevraagdProduct" and node.value("ReferentieAanbieder") in asked.references_used
    ]
    return tuple(findings)


def change_request_findings(message: Message, asked: Asked) -> tuple[Finding, ...]:
    """Judge a 317 that passed its in-message rules. Raises MappingImpossible for another message."""
    request = read_change_request(message)
    findings: list[Finding] = []
    if not asked.client_known:
        findings.append(Finding("TR304", CLIENT, "8187"))
    if asked.under_way:
        findings.append(Finding("TR374", REQUEST, "9374"))
    if request.reference in asked.references_used:
        findings.append(Finding("TR347", REQUEST, "9347"))
    named = {*request.unchanged, *(one.number for one in request.changed)}
    if not named.issuperset(asked.current):
        findings.append(Finding("TR349", REQUEST, "9349"))
    paths = _paths(message)
    for path, number in zip(paths["OngewijzigdProduct"], request.unchanged, strict=True):
        if number not in asked.current:
            findings.append(Finding("TR350", path, "9350"))
    for path, changed in zip(paths["TeWijzigenProduct"], request.changed, strict=True):
        known = asked.current.get(changed.number)
        if known is None:
            findings.append(Finding("TR351", path, "9351"))
        else:
            broken = _change(changed.wanted, known, request.envelope.dated)
            findings += [Finding(rule, path, code) for rule, code in broken]
    findings += _overlaps(request, asked, paths)
    return tuple(findings)


def answer_findings(outcome: RequestOutcome, before: RequestState | None) -> tuple[Finding, ...]:
    """Judge a 319 against what became of its request before; None for a request never sent."""
    if before is None:
        return (Finding("TR355", ANSWER, "9355"),)
    findings = []
    if before is RequestState.HONOURED:
        findings.append(Finding("TR359", ANSWER, "9359"))
    if outcome is RequestOutcome.INVESTIGATED and before in {
        RequestState.INVESTIGATED,
        RequestState.REJECTED,
    }:
        findings.append(Finding("TR360", ANSWER, "9360"))
    if before is RequestState.REJECTED:
        findings.append(Finding("TR365", ANSWER, "9365"))
    return tuple(findings)


def _paths(message: Message) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {"OngewijzigdProduct": [], "TeWijzigenProduct": [], "NieuwProduct": []}
    for path, node in message.root.walk():
        if node.name in found:
            found[node.name].append(path)
    return found


def _change(wanted: Wanted, known: Assignment, dated: date) -> Iterator[tuple[str, str]]:
    moved = wanted.starts_on != known.starts_on
    if moved and wanted.starts_on <= dated:
        yield "TR357", "9357"
    if moved and _total_changed(wanted, known):
        yield "TR373", "9373"
    sized = wanted.size.volume is not None
    after_2020 = wanted.ends_on is None or wanted.ends_on > LAST_DAY_OLD_RULES
    if known.product is None:
        if sized and after_2020:
            yield "TR375", "9375"
    elif known.product.code is not None:
        if not sized:
            yield "TR411", "9411"
    elif sized and after_2020:
        yield "TR412", "9412"


def _total_changed(wanted: Wanted, known: Assignment) -> bool:
    """Tell whether a budget, or a volume over the whole assignment, would be another."""
    total = Frequency.IN_TOTAL in {wanted.size.frequency, known.frequency}
    return wanted.size.budget_cents != known.budget_cents or (total and wanted.size.volume != known.volume)


def _overlaps(request: ChangeRequest, asked: Asked, paths: Mapping[str, list[str]]) -> list[Finding]:
    """Find products of which two spans would overlap once the request is honoured (TR361)."""
    lines: list[Line] = []
    at: list[str] = []

    def add(path: str, product: Product | None, starts_on: date, ends_on: date | None) -> None:
        at.append(path)
        category, code = (None, None) if product is None else (product.category, product.code)
        lines.append(((starts_on, ends_on or date.max), len(at) - 1, category, code))

    for path, number in zip(paths["OngewijzigdProduct"], request.unchanged, strict=True):
        if number in asked.current:
            known = asked.current[number]
            add(path, known.product, known.starts_on, known.ends_on)
    for path, changed in zip(paths["TeWijzigenProduct"], request.changed, strict=True):
        if changed.number in asked.current:
            product = asked.current[changed.number].product
            add(path, product, changed.wanted.starts_on, changed.wanted.ends_on)
    for path, wanted in zip(paths["NieuwProduct"], request.added, strict=True):
        add(path, wanted.product, wanted.starts_on, wanted.ends_on)
    return [Finding("TR361", at[number], "9361") for number in overlapping(lines)]
