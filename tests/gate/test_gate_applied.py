"""What every rule came to, for who looks back: held to the verdict, and to what each situation asks."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exchange.gate.applied import RuleOutcome, rules_applied
from exchange.gate.cases import Case, read_cases
from exchange.gate.judge import judge
from exchange.gate.register import Register
from exchange.gate.rulebook import RULEBOOK

if TYPE_CHECKING:
    from exchange.gate.model import Facts, Verdict

REGISTER = Register.load()
CASES = read_cases(Path(__file__).parent / "cases.json")
EMERGENCY = "AVG-6.1.d"

# By situation: the rules nobody asks of the request, and those nobody asks of a field; written out once more.
OF_FIELDS = frozenset(["R07", "R10", "R11", "R12", "R22", "R26", "R27", "R29", "R30"])
NOT_ASKED = {
    "ordinary": (frozenset[str](), OF_FIELDS),
    "emergency refused": (frozenset[str](), OF_FIELDS | {"R14"}),
    "emergency": (
        frozenset(["R03", "R15", "R16", "R17", "R18", "R19", "R21", "R22", "R24", "R25", "R36"]),
        OF_FIELDS | {"R14"},
    ),
    "unknown basis": (
        frozenset(RULEBOOK.keys()) - {"R01", "R02", "R03", "R04", "R24", "R25", "R26", "R30", "R32"},
        OF_FIELDS,
    ),
}


def situation(facts: Facts, verdict: Verdict) -> str:
    if "R04" in verdict.rules:
        return "unknown basis"
    if facts.legal_basis == EMERGENCY and facts.break_glass is not None:
        return "emergency refused" if "R28" in verdict.rules else "emergency"
    return "ordinary"


def not_asked(facts: Facts, verdict: Verdict) -> frozenset[str]:
    always, without_fields = NOT_ASKED[situation(facts, verdict)]
    return always if facts.fields else always | without_fields


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_rule_says_what_it_came_to(case: Case) -> None:
    verdict = judge(case.facts, REGISTER)
    found = rules_applied(verdict, case.facts, REGISTER)
    assert list(found) == list(RULEBOOK)
    withheld = {rule for rule, outcome in found.items() if outcome is RuleOutcome.WITHHELD}
    assert withheld == set(verdict.rules) & RULEBOOK.keys()
    unasked = {rule for rule, outcome in found.items() if outcome is RuleOutcome.NOT_ASKED}
    if "R01" in verdict.rules:
        # What could not be judged was asked nothing else.
        assert unasked == RULEBOOK.keys() - {"R01"}
    else:
        assert unasked == not_asked(case.facts, verdict) - withheld


def test_every_situation_is_among_the_cases() -> None:
    found = Counter(
        (situation(case.facts, verdict), bool(case.facts.fields))
        for case in CASES
        if "R01" not in (verdict := judge(case.facts, REGISTER)).rules
    )
    assert {where for where, _ in found} == set(NOT_ASKED)
    assert found["ordinary", False] > 0
