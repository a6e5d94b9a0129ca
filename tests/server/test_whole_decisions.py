"""A decision told whole: every rule with what it came to, and nothing guessed of what is not known now."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchange.gate.applied import RuleOutcome, rules_applied
from exchange.gate.judge import judge
from exchange.gate.model import BreakGlass, Facts, Field
from exchange.gate.rulebook import RULEBOOK
from exchange.server.contract.whole_decisions import whole_of
from tests.server.test_decisions import REGISTER, event, facts

GLASS = {"legal_basis": "AVG-6.1.d", "purpose": "acute-nood"}
TOLD = BreakGlass("LEVENSGEVAAR", "De buurvrouw hoort al dagen niets meer")


@pytest.mark.parametrize(
    ("told", "withheld", "passed", "not_asked"),
    [
        (facts(), set(), {"R01", "R02", "R03", "R04", "R10", "R26"}, set()),
        (facts(case_relation=False), {"R03"}, {"R02", "R10"}, set()),
        (facts(legal_basis="NO-SUCH"), {"R04"}, {"R02", "R03"}, {"R06", "R10", "R15"}),
        (facts(store_unavailable=True), {"R01"}, set(), {"R02", "R03", "R10", "R26"}),
        (facts(fields=()), set(), {"R02", "R03"}, {"R10", "R22", "R26"}),
        (facts(**GLASS, case_relation=False, break_glass=TOLD), set(), {"R02", "R28"}, {"R03", "R15"}),
        (
            facts(**GLASS, break_glass=BreakGlass("LEVENSGEVAAR", "kort")),
            {"R28"},
            {"R02", "R03", "R14"},
            set(),
        ),
    ],
    ids=["permit", "no relation", "unknown basis", "not judged", "no field", "emergency", "no emergency"],
)
def test_every_rule_says_what_it_came_to(
    told: Facts, withheld: set[str], passed: set[str], not_asked: set[str]
) -> None:
    found = rules_applied(judge(told, REGISTER), told, REGISTER)
    assert found.keys() == RULEBOOK.keys()
    assert {rule for rule, outcome in found.items() if outcome is RuleOutcome.WITHHELD} == withheld
    assert all(found[rule] is RuleOutcome.PASSED for rule in passed)
    assert all(found[rule] is RuleOutcome.NOT_ASKED for rule in not_asked)


def test_fields_are_told_with_category_and_rules() -> None:
    crime = Field("situations.description", "STRAFRECHT", provider="college:WMO", acquired_for="wmo")
    own = Field("goals.own_words", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
    whole = whole_of(event(facts(fields=(own, crime))), REGISTER, 42)
    given, kept = whole.fields
    assert (given.name, given.category, given.released, given.rules) == (own.name, own.category, True, ())
    assert (kept.name, kept.category, kept.released) == (crime.name, crime.category, False)
    assert {"R10", "R12"} & set(kept.rules)
    assert whole.judged_basis.citation.startswith("Wmo")
    assert (whole.judged_basis.position, whole.judged_basis.facts_position) == (42, 7)


def test_refused_whole_nothing_is_told_as_released() -> None:
    crime = Field("situations.description", "STRAFRECHT", provider="college:WMO", acquired_for="wmo")
    own = Field("goals.own_words", "WMO-PLAN", provider="college:WMO", acquired_for="wmo")
    whole = whole_of(event(facts(fields=(own, crime)), refused_whole=True), REGISTER, 42)
    assert [one.released for one in whole.fields] == [False, False]


@pytest.mark.parametrize(
    "lost",
    [
        {"request": "", "released": (), "withheld": ()},
        {"policy_hash": "of another register"},
        {"request": '{"form": 99}'},
    ],
    ids=["erased", "another register", "another form"],
)
def test_what_is_not_known_any_more_is_not_guessed(lost: dict[str, object]) -> None:
    recorded = replace(event(facts(case_relation=False)), **lost)  # type: ignore[arg-type] # fields of any type
    whole = whole_of(recorded, REGISTER, 42)
    outcomes = {one.rule: one.outcome for one in whole.rules}
    assert {rule for rule, outcome in outcomes.items() if outcome} == {"R03"}
    assert outcomes["R03"] == "withheld"
    assert whole.judged_basis.policy_hash == recorded.policy_hash


def test_a_version_that_is_not_in_the_register_cites_no_article() -> None:
    whole = whole_of(replace(event(facts()), basis_version="9"), REGISTER, 42)
    assert (whole.judged_basis.citation, whole.judged_basis.title) == ("", "")
