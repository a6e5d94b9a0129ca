"""The header of a trace: what is one, and what is left aside without a word."""

from __future__ import annotations

import pytest

from exchange.server.traces import read_trace, trace_among

TRACE_ID, SPAN_ID = "28dbeec32e77635cc19bc3204ec56c41", "893e1b2ac52d712f"
TRACE = f"{TRACE_ID}-{SPAN_ID}"


@pytest.mark.parametrize(
    "header",
    [f"00-{TRACE}-01", f"00-{TRACE}-00", f"01-{TRACE}-01", f"cc-{TRACE}-01-what-comes-later"],
)
def test_a_trace_is_read(header: str) -> None:
    assert read_trace(header) == TRACE


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-01",
        f"00-{TRACE}",
        f"00-{TRACE}-01-more",
        f"00-{TRACE.upper()}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[:-1]}-{SPAN_ID}-01",
        f"00-{TRACE}-01\n",
        f" 00-{TRACE}-01",
    ],
)
def test_what_is_no_trace_is_left_aside(header: str) -> None:
    assert read_trace(header) == ""


def test_a_trace_is_told_once_or_not_at_all() -> None:
    one = ("traceparent", f"00-{TRACE}-01")
    assert trace_among([("other", "x"), one]) == TRACE
    assert trace_among([one, one]) == ""
    assert trace_among([("traceparent", b"00-bytes")]) == ""
    assert trace_among([]) == ""
