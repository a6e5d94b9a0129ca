"""Which trace a call belongs to, as its caller says in the header `traceparent`.

Promises: a header that is not one of the standard is left aside, never an error: tracing must not change what
is answered; nothing but the two identifiers is kept.
Source: W3C Trace Context, section 3.2 (version 00; a higher version is read by its first four parts).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

TRACEPARENT: Final = "traceparent"
_PARENT: Final = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", re.ASCII)
_NO_VERSION: Final = "ff"
_FIRST_VERSION: Final = "00"


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
