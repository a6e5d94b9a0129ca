"""Bytes that could hurt whoever reads them are refused before they do."""

from __future__ import annotations

import pytest

from adapters.work_income.errors import MessageUnsafe
from adapters.work_income.xml import DEPTH_MAX, ELEMENTS_MAX, MESSAGE_BYTES_MAX, Node, parse, read_node

LAUGHS = b'<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>'
OUTSIDE = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hostname">]><l>&a;</l>'


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (LAUGHS, "DTD"),
        (OUTSIDE, "DTD"),
        (b"<l><!ENTITY x></l>", "DTD"),
        (b"<l/>".ljust(MESSAGE_BYTES_MAX + 1), "SIZE"),
        (b"<l>" * (DEPTH_MAX + 1) + b"</l>" * (DEPTH_MAX + 1), "DEPTH"),
        (b"<l>" + b"<a/>" * ELEMENTS_MAX + b"</l>", "ELEMENTS"),
        (b"<l><?do this?></l>", "INSTRUCTION"),
        ("<l/>".encode("utf-16"), "ENCODING"),
        (b'<?xml version="1.0" encoding="ISO-8859-1"?><l/>', "ENCODING"),
        (b"<l>&a;</l>", "NOT_WELL_FORMED"),
        (b"<l>", "NOT_WELL_FORMED"),
        (b"", "NOT_WELL_FORMED"),
        (b"<l/><l/>", "NOT_WELL_FORMED"),
    ],
)
def test_unsafe_bytes_are_refused(data: bytes, rule: str) -> None:
    with pytest.raises(MessageUnsafe) as caught:
        parse(data)
    assert caught.value.rule == rule


def test_what_is_just_within_the_bounds_is_read() -> None:
    assert parse(b"<l>" * DEPTH_MAX + b"</l>" * DEPTH_MAX).tag == "l"
    assert len(parse(b"<l>" + b"<a/>" * (ELEMENTS_MAX - 1) + b"</l>")) == ELEMENTS_MAX - 1
    assert parse(b"<l/>".ljust(MESSAGE_BYTES_MAX)).tag == "l"


def test_a_text_around_a_comment_reads_as_one() -> None:
    assert read_node(parse(b"<l><a>12<!-- x -->34</a></l>")) == Node("l", children=(Node("a", "1234"),))
