"""The log of processing as somebody asks it: by trace, activity or resident, within a time.

Promises: an answer holds every line that was asked for, or none and the reason: nothing is left out in
silence. It looks through the newest events only, and says from which moment that is enough.
Source: Logius Logboek Dataverwerkingen, extension for reading 1.1.0 (POST /processing-activities).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from exchange.errors import RequestInvalid
from exchange.server.accountability.ldv import SUBJECT, ldv_line, milliseconds
from exchange.server.accountability.moments import SLACK

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exchange.server.accountability.ldv import Line
    from exchange.server.accountability.processings import Trail

EVENTS_LOOKED_AT_MAX: Final = 50_000
LINES_MAX: Final = 1_000
_ACTIVITY: Final = "dpl.core.processing_activity_id"
_KEYS: Final = (_ACTIVITY, SUBJECT, f"{SUBJECT}_type", "dpl.core.foreign_operation.processor")
_CHARS_MAX: Final = 2_000
_MS_MAX: Final = 2**53
_is_trace = re.compile(
    r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.ASCII
).fullmatch
_NAMES: Final = {
    "span_id": "spanId",
    "status": "status",
    "name": "name",
    "start_time": "startTime",
    "end_time": "endTime",
    "parent_span_id": "parentSpanId",
    "resource": "resource",
    "attributes": "attributes",
}


@dataclass(frozen=True, slots=True)
class Query:
    """What lines are asked: those of which every part is so. Moments in milliseconds since 1970 UTC."""

    trace_id: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    start: int = 0
    end: int = _MS_MAX

    def takes(self, line: Line) -> bool:
        """Tell whether a line is asked for."""
        return (
            self.trace_id in {"", line["trace_id"]}
            and self.start <= line["start_time"]
            and line["end_time"] <= self.end
            and all(line["attributes"].get(name) == value for name, value in self.attributes.items())
        )


def read_query(body: Mapping[str, Any]) -> Query:
    """Return the query. Raises RequestInvalid that names every fault, and repeats no value."""
    faults: dict[str, str] = {}
    trace = body.get("traceId", "")
    if "traceId" in body and not (isinstance(trace, str) and _is_trace(trace)):
        faults["traceId"] = "must be 32 hexadecimal digits in lower case, or those as a UUID"
    attributes = {name: body[name] for name in _KEYS if name in body}
    for name, value in attributes.items():
        if not isinstance(value, str) or not 1 <= len(value) <= _CHARS_MAX:
            faults[name] = f"must be a text of 1 to {_CHARS_MAX} characters"
    moments = {name: _whole(body[name]) for name in ("startTime", "endTime") if name in body}
    for name, value in moments.items():
        if type(value) is not int or not 0 <= value <= _MS_MAX:
            faults[name] = "must be milliseconds since 1970"
    if "traceId" not in body and not {_ACTIVITY, SUBJECT} & attributes.keys():
        faults["traceId"] = f"one of traceId, {_ACTIVITY} and {SUBJECT} is asked"
    if faults:
        raise RequestInvalid("the question about the log cannot be read", faults)
    return Query(
        trace.replace("-", ""), attributes, moments.get("startTime", 0), moments.get("endTime", _MS_MAX)
    )


def _whole(value: Any) -> Any:  # noqa: ANN401 -- any JSON
    """Return a number without a fraction as a whole one: 1.0 is an integer of JSON Schema."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def find_lines(
    trail: Trail, query: Query, log_pseudonym: Callable[[str], str], until: int, organisation: str
) -> list[Line]:
    """Return the lines before a position, of all or of one organisation's log, in the form of the extension.

    Raises RequestInvalid where it would have to look further back, or to answer with more than it may.
    """
    since = max(0, until - 1 - EVENTS_LOOKED_AT_MAX)
    _refuse_too_early(trail, query, since)
    found: list[Line] = []
    for one in trail.processings(since, until - 1):
        line = ldv_line(one, log_pseudonym, organisation)
        if line is not None and query.takes(line):
            if len(found) == LINES_MAX:
                raise RequestInvalid(
                    "there are more lines than one answer holds",
                    {"startTime": f"must leave at most {LINES_MAX} lines: ask a shorter time"},
                )
            found.append(of_extension(line))
    return found


def _refuse_too_early(trail: Trail, query: Query, since: int) -> None:
    rows = trail.reader.page(since - 1, 1) if since else []
    for row in rows:
        _, meta, _ = trail.codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
        first = milliseconds(meta.at + SLACK)
        if query.start <= first:
            raise RequestInvalid(
                "the log is longer than one question looks through",
                {"startTime": f"must be after {first}; older lines come by `exchange audit ldv`"},
            )


def of_extension(line: Line) -> Line:
    """Return a line as the extension for reading writes it."""
    told = {name: line[own] for own, name in _NAMES.items() if own in line}
    return {"traceId": str(UUID(line["trace_id"]))} | told
