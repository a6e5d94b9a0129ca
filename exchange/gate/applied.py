"""What every rule came to in one verdict: for whoever looks back at it.

Promises: nothing is judged anew: which rules withheld is what the verdict says, and which of the others were
asked follows from the situation; pure.
Source: GDPR 5(2), 39(1)(b).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from exchange.gate.judge import rules_standing
from exchange.gate.rulebook import RULEBOOK
from exchange.gate.rules import SEAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register

NOT_JUDGED: Final = "R01"
UNKNOWN_BASIS: Final = "R04"


class RuleOutcome(StrEnum):
    """What became of one rule."""

    PASSED = "passed"
    WITHHELD = "withheld"
    NOT_ASKED = "not_asked"


def rules_applied(verdict: Verdict, facts: Facts, register: Register) -> Mapping[str, RuleOutcome]:
    """Return what every rule of the rulebook came to, of a verdict on these facts by this register."""
    spoke = set(verdict.rules) & RULEBOOK.keys()
    asked = {NOT_JUDGED}
    if NOT_JUDGED not in spoke:
        asked |= _asked(facts, register)
    return {
        rule: RuleOutcome.WITHHELD
        if rule in spoke
        else RuleOutcome.PASSED
        if rule in asked
        else RuleOutcome.NOT_ASKED
        for rule in RULEBOOK
    }


def _asked(facts: Facts, register: Register) -> set[str]:
    assert facts.legal_basis is not None
    assert facts.now is not None
    rules = rules_standing(facts, register.find(facts.legal_basis, facts.now))
    names = {name for name, _ in rules.request} | {UNKNOWN_BASIS}
    if facts.fields:
        names |= {name for name, _ in (*rules.category, *rules.mark, *rules.name)} | {SEAL}
    return names
