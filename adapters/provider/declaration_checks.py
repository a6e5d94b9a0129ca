"""The checks that only declarations need: periods of a month, amounts that add up, references used once.

Promises: pure; each check gives the places, relative to its class, where its rule breaks, and never a value;
the time taken grows with the number of lines only.
Source: conditions, constraints and technical rules of iWmo and iJw 3.2, messages 323 and 325.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from adapters.provider.values import as_date

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from adapters.provider.rules import Rule
    from adapters.provider.xml import Node

FIRST_DAY_DECLARED: Final = date(2021, 1, 1)  # CS100
YEARS_BACK_MAX: Final = 5  # TR335
CREDIT: Final = "C"
_REFERENCE: Final = "ProductReferentie/ReferentieNummer"
_PREVIOUS: Final = "ProductReferentie/VorigReferentieNummer"
_SIDE: Final = "IngediendBedrag/DebetCredit"
_DELIVERED: Final = (
    "ToewijzingNummer",
    "ProductCategorie",
    "ProductCode",
    "ProductPeriode/Begindatum",
    "ProductPeriode/Einddatum",
)
_Lines = list[tuple[str, "Node"]]


def _day(node: Node, path: str) -> date | None:
    text = node.value(path)
    return None if text is None else as_date(text)


def lines_of(clients: Node, path: str = "") -> _Lines:
    """Return every Prestatie below Clienten with its path."""
    return [
        (below, line)
        for at, client in clients.numbered(path)
        for inner, lines in client.numbered(at)
        if lines.name == "Prestaties"
        for below, line in lines.numbered(inner)
    ]


def signed_cents(line: Node) -> int:
    """Return what a line asks, in cents; a credit counts below zero."""
    cents = int(line.required("IngediendBedrag/Bedrag"))
    return -cents if line.value(_SIDE) == CREDIT else cents


def _from_2021(rule: Rule, node: Node) -> Iterator[str]:
    for path in (rule.left, rule.right):
        day = _day(node, path)
        if day is not None and day < FIRST_DAY_DECLARED:
            yield f"/{path}"


def _whole_month(rule: Rule, node: Node) -> Iterator[str]:
    first, last = _day(node, rule.left), _day(node, rule.right)
    if first is None or last is None:
        return
    length = monthrange(first.year, first.month)[1]
    if first.day != 1 or last != first.replace(day=length):
        yield f"/{rule.right}"


def _same_month(rule: Rule, node: Node) -> Iterator[str]:
    first, last = _day(node, rule.left), _day(node, rule.right)
    if first is not None and last is not None and (first.year, first.month) != (last.year, last.month):
        yield f"/{rule.right}"


def _equal(rule: Rule, node: Node) -> Iterator[str]:
    if node.value(rule.left) != node.value(rule.right):
        yield f"/{rule.left}"


def _adds_up(rule: Rule, node: Node) -> Iterator[str]:
    total = int(node.required("TotaalIngediendBedrag/TotaalBedrag"))
    if node.value("TotaalIngediendBedrag/DebetCredit") == CREDIT:
        total = -total
    clients = node.find("Clienten")
    if clients is not None and total != sum(signed_cents(line) for _, line in lines_of(clients)):
        yield f"/{rule.left}"


def _recent(rule: Rule, node: Node) -> Iterator[str]:
    signed, clients = _day(node, rule.right), node.find("Clienten")
    if signed is None or clients is None:
        return
    # As numbers of year, month and day, so that 29 February needs no exception.
    oldest = (signed.year - YEARS_BACK_MAX, signed.month, signed.day)
    for path, line in lines_of(clients, "/Clienten"):
        end = _day(line, rule.left)
        if end is not None and (end.year, end.month, end.day) < oldest:
            yield f"{path}/{rule.left}"


def _repeated(lines: _Lines, key: Callable[[Node], tuple[str | None, ...] | None]) -> Iterator[str]:
    seen: set[tuple[str | None, ...]] = set()
    for path, line in lines:
        made = key(line)
        if made is None:
            continue
        if made in seen:
            yield path
        seen.add(made)


def _references_once(_rule: Rule, node: Node) -> Iterator[str]:
    yield from _repeated(lines_of(node), lambda line: (line.value(_REFERENCE), line.value(_PREVIOUS)))


def _credited_once(_rule: Rule, node: Node) -> Iterator[str]:
    def previous(line: Node) -> tuple[str | None, ...] | None:
        text = line.value(_PREVIOUS)
        return None if text is None else (text,)

    yield from _repeated(lines_of(node), previous)


def _not_credited_here(_rule: Rule, node: Node) -> Iterator[str]:
    lines = lines_of(node)
    debits = {line.value(_REFERENCE) for _, line in lines if line.value(_SIDE) != CREDIT}
    yield from (path for path, line in lines if line.value(_PREVIOUS) in debits)


def _delivered_once(_rule: Rule, node: Node) -> Iterator[str]:
    def debit(line: Node) -> tuple[str | None, ...] | None:
        return None if line.value(_SIDE) == CREDIT else tuple(line.value(path) for path in _DELIVERED)

    yield from _repeated(lines_of(node), debit)


CHECKS: Final[Mapping[str, Callable[[Rule, Node], Iterator[str]]]] = MappingProxyType(
    {
        "from_2021": _from_2021,
        "whole_month": _whole_month,
        "same_month": _same_month,
        "equal": _equal,
        "adds_up": _adds_up,
        "recent": _recent,
        "references_once": _references_once,
        "credited_once": _credited_once,
        "not_credited_here": _not_credited_here,
        "delivered_once": _delivered_once,
    }
)
