"""Our description of the four services and the official one say the same of the same messages."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from lxml import etree

from adapters.sdk.bsn import Bsn
from adapters.simulators.suwinet import people
from adapters.work_income.binding import judge, schema_of
from adapters.work_income.errors import AnswerRefused
from adapters.work_income.services import INCOME, SERVICES, WORK_COMPANY, Service
from adapters.work_income.soap import Period, question
from adapters.work_income.xml import parse, read_node, write_node
from tests.work_income.judges import official
from tests.work_income.papers import BSN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MUTANTS = 150


def answers(service: Service) -> Iterator[etree._Element]:
    """Every kind of answer the simulator gives."""
    yield people.answer(service.name, BSN, people.ANSWERS[service.name])
    yield people.answer(service.name, BSN, [people.UWV] if service is WORK_COMPANY else [])
    yield people.partly(service.name, BSN, people.ANSWERS[service.name], "W0003")
    yield people.nothing(service.name)
    yield people.faulty(service.name, "F0017")


def fits(service: Service, root: etree._Element) -> str:
    """Return the rule that is broken; empty where there is none."""
    try:
        judge(read_node(root), schema_of(service, "answer"))
    except AnswerRefused as refused:
        return refused.rule
    return ""


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_we_ask_is_a_question_of_the_standard(service: Service, standards_dir: Path) -> None:
    periods = (None, Period("20260101", "20260600")) if service is INCOME else (None,)
    for period in periods:
        node = question(service, Bsn(BSN), period)
        judge(node, schema_of(service, "question"))
        root = etree.Element(f"{{{service.namespace}}}{node.name}")
        for child in node.children:
            write_node(root, child)
        official(standards_dir, service.name, "question").assertValid(root)


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_what_the_simulator_answers_is_an_answer_of_the_standard(
    service: Service, standards_dir: Path
) -> None:
    for root in answers(service):
        official(standards_dir, service.name, "answer").assertValid(root)
        assert fits(service, root) == ""


def spoiled(root: etree._Element, chance: random.Random) -> None:
    """Change a message in one place, as no schema or as only some schemas allow."""
    nodes = [one for one in root.iter() if one is not root]
    if not nodes:
        return
    one = chance.choice(nodes)
    parent = one.getparent()
    assert parent is not None
    match chance.randrange(6):
        case 0:
            parent.remove(one)
        case 1:
            parent.insert(parent.index(one), etree.fromstring(etree.tostring(one)))
        case 2:
            etree.SubElement(one, chance.choice([node.tag for node in nodes]))
        case 3:
            one.text = chance.choice(["", "x", "0", "123456789", "20261301", "99999999", "-1", "x" * 1_501])
        case 4:
            parent.append(one)
        case _:
            one.tag = chance.choice([node.tag for node in nodes])


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_both_descriptions_judge_a_spoiled_message_alike(service: Service, standards_dir: Path) -> None:
    chance = random.Random(service.name)  # noqa: S311 -- the same messages at each run
    schema = official(standards_dir, service.name, "answer")
    refused = 0
    for _ in range(MUTANTS):
        root = people.answer(service.name, BSN, people.ANSWERS[service.name])
        for _ in range(chance.randrange(1, 3)):
            spoiled(root, chance)
        ours, theirs = fits(service, root), schema.validate(root)
        assert (ours == "") == theirs, (ours, schema.error_log, etree.tostring(root))
        refused += not theirs
    assert MUTANTS // 3 < refused < MUTANTS


def test_every_official_sample_is_read(standards_dir: Path) -> None:
    samples = sorted((standards_dir / "suwinet" / "testdata").glob("*.xml"))
    assert samples
    for sample in samples:
        assert fits(INCOME, parse(sample.read_bytes())) == "", sample.name


@pytest.mark.parametrize(
    ("children", "rule", "element"),
    [
        ([], "missing", "ClientSuwi/Burgerservicenr"),
        ([("Burgerservicenr", "12345678")], "length", "ClientSuwi/Burgerservicenr"),
        ([("Burgerservicenr", "12345678x")], "pattern", "ClientSuwi/Burgerservicenr"),
        ([("Burgerservicenr", BSN), people.UWV, people.UWV], "not here", "ClientSuwi/Bron[2]"),
        ([("Burgerservicenr", BSN), people.UWV, ("Geslacht", "1")], "not here", "ClientSuwi/Geslacht"),
        ([("Burgerservicenr", BSN), ("Geheim", "x")], "missing", "ClientSuwi/Bron"),
        ([("Burgerservicenr", BSN), people.UWV, ("Geheim", "x")], "not here", "ClientSuwi/?"),
        ([("Burgerservicenr", [("Bron", "1")])], "no elements here", "ClientSuwi/Burgerservicenr"),
        (
            [("Burgerservicenr", BSN), ("Bron", [("CdKolomSuwi", "100"), ("CdPartijSuwi", "0002")])],
            "maxInclusive",
            "ClientSuwi/Bron/CdKolomSuwi",
        ),
    ],
)
def test_a_refusal_names_element_and_rule_and_no_value(
    children: list[people.Told], rule: str, element: str
) -> None:
    root = people.body(WORK_COMPANY.name, [("ClientSuwi", children)])
    with pytest.raises(AnswerRefused) as caught:
        judge(read_node(root), schema_of(WORK_COMPANY, "answer"))
    assert caught.value.rule.startswith(rule)
    assert caught.value.element.endswith(element)
    assert BSN not in str(caught.value)
    assert "Geheim" not in str(caught.value)
