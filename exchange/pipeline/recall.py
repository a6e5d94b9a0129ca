"""A recorded decision read back: the facts it rested on, and the verdict the same rules give on them.

Promises: judged again only under the register it was judged by (same policy hash); otherwise what was
recorded is told and nothing is guessed.
Source: the gate's law P6 (every stored decision replays); GDPR 5(2), 15.
"""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.asked_fields import listed
from exchange.errors import HistoryUnreadable
from exchange.gate.judge import judge_to_record
from exchange.gate.model import BreakGlass, Consent, Facts, Field, FieldVerdict, Outcome, Verdict
from exchange.pipeline.decisions import FORM

if TYPE_CHECKING:
    from exchange.domain.disclosure import DisclosureDecided
    from exchange.gate.register import Register

# What the walk always established was established as "no" where form 1 left it out.
_ESTABLISHED: Final[dict[str, Any]] = {"case_relation": False, "speaks_for_self": False, "consent": None}
# Each field by itself.
_FORM_OF_FIELDS: Final = 2
# What JSON holds a fact as, by the first word of its type, and what makes the fact of it.
_HELD_AS: Final[dict[str, type]] = {
    "bool": bool,
    "int": int,
    "str": str,
    "datetime": str,
    "frozenset[str]": list,
    "tuple[str, ...]": list,
}
_MADE_BY: Final[dict[str, Any]] = {
    "datetime": datetime.fromisoformat,
    "frozenset[str]": frozenset,
    "tuple[str, ...]": tuple,
}
_decode = msgspec.json.Decoder(dict[str, Any]).decode


def facts_of(text: str) -> Facts:
    """Return the facts of a recorded request. Raises HistoryUnreadable for a form or fact unknown here."""
    try:
        return _facts_of(_decode(text))
    except (msgspec.DecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise HistoryUnreadable("a recorded decision has a request that is not of its form") from error


def _facts_of(told: dict[str, Any]) -> Facts:
    form = told.pop("form", 1)
    if type(form) is not int:
        raise HistoryUnreadable("a recorded decision has a form that is no number")
    if form == 1:
        told = _ESTABLISHED | ({"capable": False} if "age" in told else {}) | {"fields": []} | told
    elif form not in {_FORM_OF_FIELDS, FORM}:
        raise HistoryUnreadable("a recorded decision has a form this version does not know", form=str(form))
    if form == FORM and "asked" in told:
        if "fields" in told:
            raise HistoryUnreadable("a recorded decision tells its fields twice")
        told["fields"] = listed(told.pop("asked"), told.pop("sealed"))
    if not isinstance(told.get("fields", []), list):
        raise HistoryUnreadable("a recorded decision has fields that are no list")
    facts = _typed(Facts, told)
    if "fields" in told:
        facts["fields"] = tuple(Field(**_typed(Field, field)) for field in told["fields"])
    if told.get("consent") is not None:
        facts["consent"] = Consent(**_typed(Consent, told["consent"]))
    if told.get("break_glass") is not None:
        facts["break_glass"] = BreakGlass(**_typed(BreakGlass, told["break_glass"]))
    return Facts(**facts)


def verdict_of(event: DisclosureDecided, register: Register) -> tuple[Verdict, Facts]:
    """Return verdict and facts of a decision, each field with its own rules where they can be known again.

    `register` is the one at the decision's position. An event whose words were erased (an empty request), or
    whose facts a newer version wrote, is told as it was recorded.
    """
    bare = Facts(now=event.at, legal_basis=event.legal_basis, purpose=event.purpose, recipient=event.task)
    if not event.request:
        return _as_recorded(event), bare
    try:
        facts = facts_of(event.request)
    except HistoryUnreadable:
        return _as_recorded(event), bare
    if event.policy_hash == register.policy_hash:
        again = judge_to_record(facts, register)
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


def _typed(kind: type, told: dict[str, Any]) -> dict[str, Any]:
    """Return what a value's constructor takes, from what JSON can hold. Raises HistoryUnreadable."""
    types = _types(kind)
    unknown = told.keys() - types.keys()
    if unknown:
        # A fact this version does not know may have decided: refused, never dropped.
        raise HistoryUnreadable(
            "a recorded decision has a fact this version does not know", fact=min(unknown)
        )
    return {name: _value(types[name], value) for name, value in told.items()}


@cache
def _types(kind: type) -> dict[str, str]:
    return {one.name: str(one.type) for one in fields(kind)}


def _value(kind: str, value: Any) -> Any:  # noqa: ANN401 -- JSON values back to what a fact holds
    """Return what a fact holds. Raises TypeError or ValueError for what it never holds."""
    base, _, other = kind.partition(" | ")
    held_as = _HELD_AS.get(base)
    if value is None and other.endswith("None"):
        return None
    if held_as is None:
        # A fact of parts, each typed by itself.
        return value
    # By type: True is an int as well, and a text holds each of its parts.
    texts = value if type(value) is list else ()
    if type(value) is not held_as or any(type(one) is not str for one in texts):
        raise TypeError("a fact that is told as something else")
    make = _MADE_BY.get(base)
    return value if make is None else make(value)
