"""The rules across messages (control level 3) for assignments, starts and stops. Pure.

Promises: every line of a message is judged against what is given as known, not against its neighbours (that
is TR101's); findings carry the code of their rule. Source: technical rules of iWmo 3.2 and iJw 3.2, control
level "berichtoverstijgend": TR019, TR056, TR063, TR071, TR074, TR326, TR332, TR382, TR413, TR414, TR415.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from adapters.provider.codes import Delivery
from adapters.provider.errors import Finding
from adapters.provider.mapping import START, assigned_products, read_starts, read_stops
from adapters.provider.retour import NOT_UNIQUE
from adapters.provider.schema import Law

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from adapters.provider.records import CareStart, CareStop
    from adapters.provider.xml import Message

_TEMPORARY: Final = "20"
_Line = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one resident at one provider: assignments, and the starts and stops that stand."""

    assignment_numbers: Collection[int] = ()
    starts: Collection[CareStart] = ()
    stops: Collection[CareStop] = ()


def identification_taken() -> Finding:
    """Return the finding for an identification used before for other content (TR056)."""
    return Finding("TR056", "/Bericht/Header", NOT_UNIQUE)


def numbers_taken(message: Message, of_others: Collection[int]) -> tuple[Finding, ...]:
    """Judge a 301: a number in `of_others` is another resident's at the same municipality (TR332)."""
    if not of_others:
        return ()
    return tuple(
        Finding("TR332", path, "9332")
        for path, node in assigned_products(message)
        if int(node.required("ToewijzingNummer")) in of_others
    )


def delivery_findings(message: Message, known: Known) -> tuple[Finding, ...]:
    """Judge a 305 or 307 that passed its in-message rules. Raises MappingImpossible for another message."""
    line = "StartProduct" if message.number == START else "StopProduct"
    paths = [path for path, node in message.root.walk() if node.name == line]
    broken: list[Iterator[_Line]]
    if message.number == START:
        broken = [_start(start, known) for start in read_starts(message).starts]
    else:
        broken = [_stop(stop, known, message.law) for stop in read_stops(message).stops]
    return tuple(
        Finding(rule, path, code) for path, lines in zip(paths, broken, strict=True) for rule, code in lines
    )


def _start(start: CareStart, known: Known) -> Iterator[_Line]:
    stands = any(_start_key(start) == _start_key(other) for other in known.starts)
    if start.delivery is Delivery.REMOVED:
        if not stands:
            yield "TR063", "9063"
        elif any(_start_key(start) == _start_key(stop) for stop in known.stops):
            yield "TR071", "9071"
        return
    yield from _unknown_assignment(start, known)
    if stands:
        yield "TR074", "9074"
    elif any(_runs(other, known) for other in known.starts if _same_assignment(start, other)):
        yield "TR326", "9326"


def _stop(stop: CareStop, known: Known, law: Law) -> Iterator[_Line]:
    stands = any(_stop_key(stop) == _stop_key(other) for other in known.stops)
    if stop.delivery is Delivery.REMOVED:
        if not stands:
            yield "TR063", "9063"
        return
    if law is Law.JW:
        # Under the Wmo a stop is tied to its assignment through its start alone.
        yield from _unknown_assignment(stop, known)
    if not any(_start_key(stop) == _start_key(start) for start in known.starts):
        yield "TR382", "9069"
    if stands:
        yield "TR074", "9074"
        return
    same = (other for other in known.stops if _same_assignment(stop, other))
    earlier = [other for other in same if stop.starts_on == other.starts_on]
    if stop.reason.code == _TEMPORARY and any(other.reason.code == _TEMPORARY for other in earlier):
        yield "TR413", "9413"
    if any(stop.ends_on < other.ends_on for other in earlier):
        yield "TR414", "9414"
    if any(other.reason.code != _TEMPORARY for other in earlier):
        yield "TR415", "9415"


def _unknown_assignment(line: CareStart | CareStop, known: Known) -> Iterator[_Line]:
    # A line without a number belongs to task-based work, which has no assignment to point at.
    if line.assignment_number is not None and line.assignment_number not in known.assignment_numbers:
        yield "TR019", "9019"


def _runs(start: CareStart, known: Known) -> bool:
    return not any(_start_key(start) == _start_key(stop) for stop in known.stops)


def _same_assignment(one: CareStart | CareStop, other: CareStart | CareStop) -> bool:
    return one.assignment_number is not None and one.assignment_number == other.assignment_number


def _start_key(line: CareStart | CareStop) -> tuple[object, ...]:
    return line.assignment_number, line.product, line.starts_on


def _stop_key(stop: CareStop) -> tuple[object, ...]:
    return *_start_key(stop), stop.reason, stop.ends_on
