"""One decision whole, for the officer: what it rests on, every rule of the gate, and every field asked.

Promises: what cannot be known any more (words erased, another register, other rules) is left unsaid and never
guessed; of fields and rules nothing is told that the recorded decision does not say.
Source: GDPR 5(2), 15, 39(1)(b); the gate's three explanations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from exchange.gate.applied import rules_applied
from exchange.gate.explain import explain
from exchange.gate.rulebook import RULEBOOK
from exchange.pipeline.recall import verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exchange.domain.disclosure import DisclosureDecided
    from exchange.gate.applied import RuleOutcome
    from exchange.gate.model import Facts, Verdict
    from exchange.gate.register import Register


@dataclass(frozen=True, slots=True)
class JudgedBasis:
    """Attributes of this and all below have the names of the contract's fields."""

    citation: str
    title: str
    consent_id: str
    consent_version: int
    facts_position: int
    policy_hash: str
    requester_explanation: str
    position: int
    leaf_entry: str


@dataclass(frozen=True, slots=True)
class Applied:
    """One rule; `outcome` is empty where it is not known any more."""

    rule: str
    outcome: str
    citation: str
    cause: str


@dataclass(frozen=True, slots=True)
class Judged:
    """One field that was asked."""

    name: str
    category: str
    released: bool
    rules: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Whole:
    """What is told of a decision beside its row in the list."""

    judged_basis: JudgedBasis
    rules: tuple[Applied, ...]
    fields: tuple[Judged, ...]


def whole_of(event: DisclosureDecided, register: Register, position: int, leaf: str = "") -> Whole:
    """Return the decision whole; `register` is the one at its facts position, `leaf` its entry in the log."""
    verdict, facts = verdict_of(event, register)
    again = bool(event.request) and event.policy_hash == register.policy_hash and verdict.rules == event.rules
    outcomes = rules_applied(verdict, facts, register) if again and facts.fields is not None else {}
    return Whole(
        replace(_basis(event, verdict, facts, register, position), leaf_entry=leaf),
        tuple(_applied(event, outcomes)),
        tuple(_fields(event, verdict, facts)),
    )


def _basis(
    event: DisclosureDecided, verdict: Verdict, facts: Facts, register: Register, position: int
) -> JudgedBasis:
    entry = register.find(event.legal_basis, event.at)
    if entry is not None and str(entry.version) != event.basis_version:
        entry = None
    return JudgedBasis(
        citation="" if entry is None else str(entry.citation),
        title="" if entry is None else entry.title,
        consent_id=event.consent_id,
        consent_version=verdict.consent_version,
        facts_position=event.facts_position,
        policy_hash=event.policy_hash,
        requester_explanation=explain(verdict, facts, register).requester,
        position=position,
        leaf_entry="",
    )


def _applied(event: DisclosureDecided, outcomes: Mapping[str, RuleOutcome]) -> list[Applied]:
    found = []
    for rule in RULEBOOK.values():
        known = outcomes.get(rule.id) or ("withheld" if rule.id in event.rules else "")
        found.append(Applied(rule.id, str(known), rule.citation, rule.cause))
    return found


def _fields(event: DisclosureDecided, verdict: Verdict, facts: Facts) -> list[Judged]:
    categories = {field.name: field.category for field in facts.fields or ()}
    released = frozenset(event.released)
    found = []
    for name in sorted({*event.released, *event.withheld}):
        judged = verdict.fields.get(name)
        rules = () if judged is None or name in released else judged.rules
        found.append(Judged(name, categories.get(name, ""), name in released, rules))
    return found
