"""Which trace a call belongs to: the header `traceparent`, sent along with every call.

Promises: a call with no trace of its caller's own begins one, of sixteen random bytes; the attempts of one
call are one span; nothing about anybody is in it. `tracestate` is not sent: the exchange drops it.
Source: W3C Trace Context, sections 3.2 (version 00) and 7.1 (a trace identifier is random, so that it tells
nothing).
"""

from __future__ import annotations

import os
import re
from typing import Final

TRACEPARENT: Final = "traceparent"
TRACE_BYTES: Final = 16
SPAN_BYTES: Final = 8
_SAMPLED: Final = "01"  # everything is recorded at the other end
_is_traceparent = re.compile(
    r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}", re.ASCII
).fullmatch


def checked_traceparent(traceparent: str) -> str:
    """Return it. Raises ValueError for what the exchange would leave aside."""
    if not _is_traceparent(traceparent):
        raise ValueError(
            "a traceparent is 00-<32 hex>-<16 hex>-<2 hex>, in lower case, and neither id is zero"
        )
    return traceparent


def draw_traceparent() -> str:
    """Return a new trace with its first span."""
    return f"00-{os.urandom(TRACE_BYTES).hex()}-{os.urandom(SPAN_BYTES).hex()}-{_SAMPLED}"


def next_span(traceparent: str) -> str:
    """Return another span of the same trace, for one step of who goes on. Raises ValueError."""
    version, trace_id, _, flags = checked_traceparent(traceparent).split("-")
    return f"{version}-{trace_id}-{os.urandom(SPAN_BYTES).hex()}-{flags}"
