"""The header of a trace: what is one, what is left aside without a word, and what follows from a decision."""

from __future__ import annotations

import pytest

from exchange.server.traces import place_in_trace, read_trace, trace_among

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


def test_a_decision_has_its_place_in_the_trace_of_its_caller() -> None:
    mine, again, other = (place_in_trace(TRACE, decision) for decision in ("0a" * 16, "0a" * 16, "0b" * 16))
    assert (mine.trace_id, mine.parent_span_id) == (TRACE_ID, SPAN_ID)
    assert mine == again
    assert len({mine.span_id, other.span_id, SPAN_ID}) == 3
    assert read_trace(mine.traceparent) == f"{TRACE_ID}-{mine.span_id}"


def test_who_names_no_trace_begins_one() -> None:
    begun = place_in_trace("", "0a" * 16)
    assert (begun.trace_id, begun.parent_span_id) == ("0a" * 16, "")
    assert read_trace(begun.traceparent) == f"{'0a' * 16}-{begun.span_id}"


def test_of_several_residents_the_others_are_children_of_the_first() -> None:
    first, second, third = (place_in_trace(TRACE, "0a" * 16, nth) for nth in range(3))
    assert second.parent_span_id == third.parent_span_id == first.span_id
    assert len({first.span_id, second.span_id, third.span_id}) == 3
