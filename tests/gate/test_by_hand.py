"""Ten files as a privacy officer writes them: outcomes were read from the rules before anything ran.

A case `R07+2` is the second in which R07 speaks, `R07-1` the first in which it nearly does. Both engines
judge all of them: outcome, rules, every field and every duty.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from exchange.gate.cases import Case, decide, differences, read_cases
from exchange.gate.judge import judge
from exchange.gate.register import Register
from exchange.gate.rules import RULE_IDS
from tests.gate.second_engine import SecondEngine
from tests.gate.test_two_engines import DUTIES, in_short

FILES = sorted((Path(__file__).parent / "by_hand").glob("*.json"))
REGISTER = Register.load()


def written(file: Path) -> list[tuple[Case, dict[str, Any]]]:
    """Return the cases of a file, each with what was expected of it."""
    cases = read_cases(file)
    assert cases
    told = [(case, dict(case.expected or {})) for case in cases]
    assert all(set(expected) == {"decision", "rules", "fields", "obligations"} for _, expected in told)
    return told


def everything() -> list[tuple[Case, dict[str, Any]]]:
    return [one for file in FILES for one in written(file)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_gate_says_what_the_text_says(file: Path) -> None:
    cases = [case for case, _ in written(file)]
    results = decide(cases, REGISTER)
    found = [one for case, result in zip(cases, results, strict=True) for one in differences(case, result)]
    assert found == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_second_engine_says_it_too(file: Path) -> None:
    told = written(file)
    judged = SecondEngine(REGISTER.entries()).judge([case.facts for case, _ in told])
    for (case, expected), found in zip(told, judged, strict=True):
        said = {
            "decision": found.outcome,
            "rules": list(found.rules),
            "fields": {name: "withhold" if rules else "release" for name, rules in found.fields.items()},
            "obligations": list(found.obligations),
        }
        assert said == expected, case.id
        assert found == in_short(judge(case.facts, REGISTER)), case.id


def test_every_rule_stands_on_both_sides_of_its_line_and_every_duty_once() -> None:
    assert len(FILES) == 10
    sides: Counter[str] = Counter()
    for case, expected in everything():
        if not case.id.startswith("R"):
            continue
        side = case.id[:4]
        assert (side[:3] in expected["rules"]) == side.endswith("+"), case.id
        sides[side] += 1
    assert set(sides) == {f"{rule}{side}" for rule in RULE_IDS for side in "+-"}
    owed = {duty for _, expected in everything() for duty in expected["obligations"]}
    assert owed == set(DUTIES.split())


def test_no_id_stands_in_two_files() -> None:
    ids = Counter(item["id"] for file in FILES for item in json.loads(file.read_text(encoding="utf-8")))
    assert [name for name, count in ids.items() if count > 1] == []
