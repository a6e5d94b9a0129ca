"""Which trace a call belongs to, as its caller says in the header `traceparent`, and its own place in it.

Promises: a header that is not one of the standard is left aside, never an error: tracing must not change what
is answered; nothing but the two identifiers is kept. A call that names no trace begins one. Its own span is
made of its decision, so that whoever reads the decision, now or in ten years, finds the same span.
`tracestate` is dropped: free words of others' systems have no place in a record that is kept.
Source: W3C Trace Context, sections 3.2 (version 00; a higher version is read by its first four parts), 3.3
and 7 (privacy).
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACEPARENT: Final = "traceparent"
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NO_VERSION: Final = "ff"
_FIRST_VERSION: Final = "00"
# Every decision is recorded: the flag that says so is always set.
_SAMPLED: Final = "01"
_SPAN_BYTES: Final = 8


class Trace(NamedTuple):
    """One call's place: its trace, its own span and the span of who called, empty where it began."""

    trace_id: str
    span_id: str
    parent_span_id: str

    @property
    def traceparent(self) -> str:
        """Return the header for whoever goes on because of this call."""
        return f"{_FIRST_VERSION}-{self.trace_id}-{self.span_id}-{_SAMPLED}"


def place_in_trace(told: str, decision_id: str, nth: int = 0) -> Trace:
    """Return the place of a decision, from what its caller told ("<trace id>-<span id>", or nothing).

    A decision about several residents has a span for each: the first is the call's own, the others are its
    children.
    """
    trace_id, _, parent = told.partition("-")
    own = _span(decision_id, 0)
    trace_id = trace_id or decision_id
    return Trace(trace_id, _span(decision_id, nth), own) if nth else Trace(trace_id, own, parent)


def _span(decision_id: str, nth: int) -> str:
    return sha256(f"span\n{decision_id}\n{nth}".encode()).digest()[:_SPAN_BYTES].hex()


def read_trace(header: str) -> str:
    """Return "<trace id>-<span id>" in hexadecimal, or nothing where the header says none."""
    found = _PARENT.fullmatch(header)
    if found is None:
        return ""
    version, trace_id, span_id, _flags, more = found.groups()
    if version == _NO_VERSION or (version == _FIRST_VERSION and more):
        return ""
    if not trace_id.strip("0") or not span_id.strip("0"):
        return ""
    return f"{trace_id}-{span_id}"


def trace_among(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """Return the trace of a call's headers; none where it is told more than once."""
    told = [value for key, value in metadata if key == TRACEPARENT]
    return read_trace(told[0]) if len(told) == 1 and isinstance(told[0], str) else ""
