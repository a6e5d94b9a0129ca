"""A recorded decision read back: the facts it rested on, and the verdict the same rules give on them.

Promises: judged again only under the register it was judged by (same policy hash); otherwise what was
recorded is told and nothing is guessed.
Source: the gate's law P6 (every stored decision replays); GDPR 5(2), 15.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.gate.judge import judge
from exchange.gate.model import BreakGlass, Consent, Facts, Field, FieldVerdict, Outcome, Verdict

if TYPE_CHECKING:
    from exchange.domain.disclosure import DisclosureDecided
    from exchange.gate.register import Register

_TIMES: Final = frozenset({"now", "start", "end", "withdrawn_at", "spoken_at", "retention_end"})
_SETS: Final = frozenset({"need_fields", "roles", "purposes", "recipients", "categories"})
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def facts_of(text: str) -> Facts:
    """Return the facts of a recorded request."""
    told = _decode(text)
    fields = tuple(Field(**_typed(field)) for field in told.pop("fields", ()))
    consent = told.pop("consent", None)
    glass = told.pop("break_glass", None)
    # What the walk always establishes was established as "no" where it was left out.
    established: dict[str, Any] = {"case_relation": False, "speaks_for_self": False}
    if "age" in told:
        established["capable"] = False
    return Facts(
        **established | _typed(told),
        fields=fields,
        consent=None if consent is None else Consent(**_typed(consent)),
        break_glass=None if glass is None else BreakGlass(**glass),
    )


def verdict_of(event: DisclosureDecided, register: Register) -> tuple[Verdict, Facts]:
    """Return verdict and facts of a decision, each field with its own rules where they can be known again.

    An event whose words were erased (an empty request) is told as it was recorded.
    """
    if not event.request:
        facts = Facts(
            now=event.at, legal_basis=event.legal_basis, purpose=event.purpose, recipient=event.task
        )
        return _as_recorded(event), facts
    facts = facts_of(event.request)
    if event.policy_hash == register.policy_hash:
        again = judge(facts, register)
        if again.rules == event.rules:
            # What was asked as all or nothing was refused whole: the recorded outcome counts.
            return replace(again, outcome=Outcome(event.outcome)), facts
    return _as_recorded(event), facts


def _as_recorded(event: DisclosureDecided) -> Verdict:
    fields = {name: FieldVerdict(release=True) for name in event.released}
    fields |= {name: FieldVerdict(release=False, rules=event.rules) for name in event.withheld}
    return Verdict(
        outcome=Outcome(event.outcome),
        rules=event.rules,
        fields=fields,
        obligations=event.obligations,
        basis_id=event.legal_basis,
        basis_version=int(event.basis_version or 0),
        consent_id=event.consent_id,
        consent_version=0,
        policy_hash=event.policy_hash,
    )


def _typed(told: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in told.items()}


def _value(name: str, value: Any) -> Any:  # noqa: ANN401 -- JSON values back to what a fact holds
    if name in _TIMES and value is not None:
        return datetime.fromisoformat(value)
    if name in _SETS:
        return frozenset(value)
    return tuple(value) if isinstance(value, list) else value
