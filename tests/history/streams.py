"""Streams held to the log: in order, once, judged before the end of what they rest on, and nothing left out.

Promises: near-linear in what was delivered and in what was to be delivered.
Source: the promises of SubscriptionService in protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tests.history.entries import ELEMENTS
from tests.history.order import Point
from tests.history.report import Check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.history.log import Log
    from tests.history.record import Operation
    from tests.history.report import Report

DELIVERS: Final = frozenset({"PERMIT", "PARTIAL"})


@dataclass
class Connection:
    """One connection of a stream: where it began, and what came."""

    opened: Operation | None = None
    events: list[Operation] = field(default_factory=list)


def check_streams(
    told: Sequence[Operation],
    log: Log,
    report: Report,
) -> list[Point]:
    """Hold every stream to the log; return where each delivery was decided."""
    streams: defaultdict[str, defaultdict[int, Connection]] = defaultdict(lambda: defaultdict(Connection))
    stayed: list[Operation] = []
    for one in told:
        connection = streams[one.stream][one.connection]
        if one.op == "opened":
            connection.opened = one
        elif one.op == "event":
            connection.events.append(one)
        else:
            stayed.append(one)
    points: list[Point] = []
    for connections in streams.values():
        known: dict[str, int] = {}
        for connection in connections.values():
            points += _check_connection(connection, known, log, report)
    due = _Due(log)
    for one in stayed:
        _check_whole(one, streams[one.stream], due, report)
    return points


def _check_connection(
    connection: Connection,
    known: dict[str, int],
    log: Log,
    report: Report,
) -> list[Point]:
    last = 0 if connection.opened is None else connection.opened.cursor
    sent = 0 if connection.opened is None else connection.opened.sent_ns
    points = []
    for one in connection.events:
        entry, judged = log.at.get(one.position), log.decisions.get(one.decision)
        report.hold(
            Check.STREAM_ORDER,
            true=one.position > last,
            what=f"{one} at {one.position} came after {last}: again, or in another order",
        )
        last = max(last, one.position)
        right = entry is not None and entry.event == one.event and entry.plan == one.plan
        report.hold(
            Check.STREAM_ORDER,
            true=right and known.setdefault(one.event, one.position) == one.position,
            what=f"{one} is not the event at {one.position} of the log",
        )
        report.hold(
            Check.DECISIONS,
            true=judged is not None and judged.outcome in DELIVERS and judged.position > one.position,
            what=f"{one} came without a decision of the log that delivers it",
        )
        if judged is None:
            continue
        points.append(Point(judged.position, sent, one.answered_ns, one.clock, str(one)))
        if one.on_consent:
            ended = log.model.withdrawn_before(one.plan, judged.position)
            report.hold(
                Check.STREAM_CONSENT,
                true=log.model.allows(one.plan, judged.position, judged.at),
                what=f"{one} was judged at {judged.position}, where no consent stands; "
                f"the last ended at {ended}",
            )
    return points


class _Due:
    """Positions of what streams are asked for, by plan and elements."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._positions: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        for entry in log.entries:
            if entry.kind in ELEMENTS:
                self._positions[entry.plan, ELEMENTS[entry.kind]].append(entry.position)

    def between(self, plan: str, elements: str, after: int, through: int) -> list[int]:
        """Return those after one position up to another."""
        positions = self._positions[plan, elements]
        return positions[bisect_right(positions, after) : bisect_right(positions, through)]

    def for_certain(self, plan: str, position: int) -> bool:
        """Tell whether what rests on a consent was open from there on: it may be judged at any moment."""
        model, at = self._log.model, self._log.at[position].at
        return model.allows(plan, position, at) and not model.is_withdrawn_after(plan, position)


def _check_whole(one: Operation, connections: Mapping[int, Connection], due: _Due, report: Report) -> None:
    """Whoever stayed up to a position got everything of its plans after where it began, once or more."""
    began = [connection.opened.cursor for connection in connections.values() if connection.opened is not None]
    if not began or not one.plans or not one.elements:
        report.passed_over[Check.STREAM_WHOLE] += 1
        return
    came = {event.position for connection in connections.values() for event in connection.events}
    for plan in one.plans:
        for position in due.between(plan, one.elements, min(began), one.position):
            if not one.on_consent or due.for_certain(plan, position):
                report.hold(
                    Check.STREAM_WHOLE,
                    true=position in came,
                    what=f"{one} stayed up to {one.position} and never got the event at {position}",
                )
