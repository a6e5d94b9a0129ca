"""Mutated messages: never a crash, never a BSN told, and the same verdict as the official schema gives."""

from __future__ import annotations

import copy
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from adapters.provider.declarations import build_declaration_answer, read_declaration, read_declaration_answer
from adapters.provider.errors import MessageInvalid, MessageRefused, ProviderAdapterError
from adapters.provider.explain import explain
from adapters.provider.mapping import read_assignments, read_starts, read_stops
from adapters.provider.requests import read_assignment_request, read_change_request, read_request_answer
from adapters.provider.retour import RetourIdentity, build_retour, read_retour
from adapters.provider.rules import in_message_findings
from adapters.provider.schema import Law
from adapters.provider.xml import emit, read
from tests.provider.builders import BSN, TODAY, message
from tests.provider.test_schema import official_file

if TYPE_CHECKING:
    from pathlib import Path

READING = {
    "301": read_assignments,
    "305": read_starts,
    "307": read_stops,
    "315": read_assignment_request,
    "317": read_change_request,
    "319": read_request_answer,
    "323": read_declaration,
}
SOURCES = [(law, number) for law in Law for number in READING]
TEXTS = st.one_of(
    st.sampled_from(
        " |0|1|-1|007|+5| 5 |999999999|1000000000|2026-01-01|2026-02-30|2026-01-01Z|12:00:00|12:00:00.5|02|31"
        f"|45|NL|a\nb|\t|\u00a0|é|{'x' * 300}|{BSN}|".split("|")
    ),
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Cn", "Co"]), max_size=12),
)


def chew(data: bytes, draw: st.DataObject) -> bytes:
    """Change a message a few times, by byte."""
    for _ in range(draw.draw(st.integers(1, 4))):
        at = draw.draw(st.integers(0, len(data)))
        length = draw.draw(st.integers(0, 40))
        piece = draw.draw(st.one_of(st.binary(max_size=8), st.just(data[at : at + length] * 2), st.just(b"")))
        data = data[:at] + piece + data[at + length :]
    return data


def twist(data: bytes, draw: st.DataObject) -> bytes:
    """Change a message a few times, by element: it stays well formed."""
    root = etree.fromstring(data)
    for _ in range(draw.draw(st.integers(1, 3))):
        nodes = [node for node in root.iter() if node is not root]
        if not nodes:
            break
        node = nodes[draw.draw(st.integers(0, len(nodes) - 1))]
        parent = node.getparent()
        assert parent is not None
        match draw.draw(st.sampled_from(["text", "drop", "double", "swap", "rename"])):
            case "text":
                leaves = [each for each in nodes if not len(each)]
                leaves[draw.draw(st.integers(0, len(leaves) - 1))].text = draw.draw(TEXTS)
            case "drop":
                parent.remove(node)
            case "double":
                parent.insert(parent.index(node), copy.deepcopy(node))
            case "swap":
                parent.insert(draw.draw(st.integers(0, len(parent))), node)
            case _:
                node.tag = nodes[draw.draw(st.integers(0, len(nodes) - 1))].tag
    return etree.tostring(root)


def use(data: bytes) -> str:
    """Do with a message all that the adapter does, and return every word it says."""
    words = [explain(data, TODAY)]
    try:
        seen = read(data)
        assert read(emit(seen)) == seen
        words.append(repr(seen))
        findings = in_message_findings(seen, TODAY)
        words.append(repr(findings))
        identity = RetourIdentity("R1", date(2026, 6, 1))
        if seen.number == "323":
            told = read_declaration_answer(read(emit(build_declaration_answer(seen, findings, identity))))
            assert bool(told.refused_whole) == bool(findings)
        else:
            answer = build_retour(seen, findings, identity)
            assert read_retour(read(emit(answer))).accepted == (not findings)
        words.append(repr(READING[seen.number](seen)))
    except ProviderAdapterError as error:
        words.append(f"{error} {error!r} {error.code} {error.remedy}")
    return "\n".join(words)


@settings(max_examples=100, deadline=None)
@given(source=st.sampled_from(SOURCES), draw=st.data())
def test_chewed_bytes_are_refused_or_read_and_never_told(
    source: tuple[Law, str], draw: st.DataObject
) -> None:
    law, number = source
    assert BSN not in use(chew(emit(message(number, law)), draw))


@settings(max_examples=100, deadline=None)
@given(source=st.sampled_from(SOURCES), draw=st.data())
def test_twisted_messages_are_refused_or_read_and_never_told(
    source: tuple[Law, str], draw: st.DataObject
) -> None:
    law, number = source
    assert BSN not in use(twist(emit(message(number, law)), draw))


def verdict(data: bytes) -> bool | None:
    """Tell whether we accept a message; None where we refuse more than the schema, and say so: odd dates."""
    try:
        read(data)
    except MessageInvalid as error:
        return None if all(finding.rule in {"XSD-date", "XSD-time"} for finding in error.findings) else False
    except MessageRefused:
        return False
    return True


@pytest.fixture(scope="session")
def judges(standards_dir: Path) -> dict[tuple[Law, str], etree.XMLSchema]:
    return {
        (law, number): etree.XMLSchema(etree.parse(official_file(standards_dir, law, number)))
        for law, number in SOURCES
    }


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(source=st.sampled_from(SOURCES), draw=st.data())
def test_our_verdict_is_that_of_the_official_schema(
    judges: dict[tuple[Law, str], etree.XMLSchema], source: tuple[Law, str], draw: st.DataObject
) -> None:
    law, number = source
    data = twist(emit(message(number, law)), draw)
    ours = verdict(data)
    assert ours is None or ours == judges[source].validate(etree.fromstring(data))
