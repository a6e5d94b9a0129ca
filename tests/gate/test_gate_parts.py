"""What a resident reads of fields, rules and grounds: words for each, and never a path or a stored word."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from exchange.documents.words import words_of
from exchange.gate.explain import _WHAT_FOR, _WHO, explain
from exchange.gate.judge import judge
from exchange.gate.model import Facts, Field, Outcome
from exchange.gate.parts import PARTS, SOMETHING, parts_in_words
from exchange.gate.rulebook import RULEBOOK
from exchange.server.contract.labels import labels_of
from exchange.v1 import plan_pb2
from tests.gate.test_gate_lines import BREAKS, READS, REGISTER, SEES

STORED = re.compile(
    r"\b[A-Z]{2,}(?:[_-][A-Z0-9.]+)+\b|\b[a-z]+_[a-z_]+\b|\b[a-z_]+\.[a-z_]{2,}\b|\[|\bR[0-9]{2}\b"
)
# Of what is imported: a mutated room is judged where the rest of the repository is not.
CONTRACT = Path(plan_pb2.__file__).parent
REPRESENTED = replace(SEES, recipient="wettelijk-vertegenwoordiger", age=10, has_authority=True)


def named_by_the_contract() -> set[str]:
    """Return every leaf path that a question asks or a command writes."""
    files = (importlib.import_module(f"exchange.v1.{path.stem}") for path in CONTRACT.glob("*_pb2.py"))
    methods = [
        method
        for file in files
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    messages = {one for method in methods for one in (method.input_type, method.output_type)}
    paths = {path for one in (*messages, plan_pb2.Plan.DESCRIPTOR) for path in labels_of(one)}
    return {path for path in paths if not path.startswith("claim.")}


def test_everything_that_can_be_asked_or_written_has_words() -> None:
    paths = named_by_the_contract()
    assert len(paths) > 400
    assert sorted(path for path in paths if parts_in_words([path]) == SOMETHING) == []
    assert [words for words in PARTS.values() if STORED.search(words)] == []
    known = words_of("nl")._all["fields"]
    assert {name: known[name] for name in PARTS if name in known} == {
        name: words for name, words in PARTS.items() if name in known
    }, "a resident reads the same words in a document"


def test_a_part_is_named_once_and_what_nobody_named_in_general_words() -> None:
    names = ("goals.own_words[a|b]", "supports.kind", "goals.state", "x_y.z", "vreemd")
    assert parts_in_words(names) == f"Doelen, Hulp, {SOMETHING}"
    assert parts_in_words(["goals[a.b]"]) == "Doelen", "what stands in brackets is no part"
    assert parts_in_words(()) == ""


def test_no_rule_purpose_or_ground_is_told_as_it_is_stored() -> None:
    said = [rule.resident for rule in RULEBOOK.values()]
    said += [*_WHO.values(), *_WHAT_FOR.values()]
    assert [one for one in said if STORED.search(one)] == []


@pytest.mark.parametrize("facts", [READS, SEES, BREAKS, REPRESENTED])
def test_no_telling_to_a_resident_holds_a_path_or_an_id(facts: Facts) -> None:
    fields = tuple(Field(path, "WMO-PLAN") for path in sorted(named_by_the_contract()))
    for asked in (facts, replace(facts, fields=fields), replace(facts, fields=fields, actor_auth="1FA")):
        told = explain(judge(asked, REGISTER), asked, REGISTER).resident
        assert STORED.findall(told) == []


def test_who_sees_for_another_is_told_to_do_so_as_his_representative() -> None:
    verdict = judge(REPRESENTED, REGISTER)
    told = explain(verdict, REPRESENTED, REGISTER)
    assert verdict.outcome is Outcome.PERMIT
    assert "Dat mag omdat deze persoon u vertegenwoordigt, volgens AVG art. 15" in told.resident
    assert told.requester.endswith("Jeugdwet art. 7.3.15; Wmo 2015 art. 5.3.2].")
    assert "Namens de inwoner, op een vastgelegde vertegenwoordiging" in told.officer
    refused = replace(REPRESENTED, has_authority=False)
    for one in (refused, READS):
        other = explain(judge(one, REGISTER), one, REGISTER)
        assert "vertegenwoordig" not in f"{other.requester} {other.officer}".replace("wettelijk-", "")
        assert "omdat deze persoon u" not in other.resident
