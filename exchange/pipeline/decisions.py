"""The decision as an event: written before data leave, and before a refusal is answered.

Promises: holds request, facts position and policy hash, so that the same judge gives the same answer years
later. What the caller wrote in words is sealed with the resident's key.
Source: GDPR 5(2), 15, 30; Wmo 2015 5.3.
"""

from __future__ import annotations

from dataclasses import fields
from functools import lru_cache
from itertools import compress
from operator import attrgetter, not_
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.asked_fields import places_of, told_of
from exchange.domain.disclosure import DisclosureDecided
from exchange.domain.kernel import maker
from exchange.gate.model import MISSING, Consent, Facts, Field
from exchange.store.codec import Asked
from exchange.store.packed import ASKED, BEHIND_ASKED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exchange.gate.model import Verdict
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.shapes import Shape
    from exchange.pipeline.walk import Caller

# How the facts are written. 1: what is absent, false or empty is left out, whatever its default.
# 2: what equals its default is left out, so that a fact added later reads in older decisions as that default.
# 3: what fields share is told once (exchange/domain/asked_fields.py).
FORM: Final = 3
CATEGORY_SETS_MAX: Final = 1_024

_encode = msgspec.json.Encoder(order="sorted").encode
_seals_of, _release_of = attrgetter("sealed"), attrgetter("release")


def _defaults(kind: type[Facts | Field | Consent]) -> tuple[tuple[str, object], ...]:
    return tuple((one.name, one.default) for one in fields(kind) if one.name not in _NESTED)


_NESTED: Final = frozenset({"fields", "consent", "break_glass", "name", "sealed"})
_FACTS: Final = _defaults(Facts)
_FIELD: Final = _defaults(Field)
_CONSENT: Final = _defaults(Consent)


def facts_text(facts: Facts, shape: Shape | None = None) -> str:
    """Return the facts as JSON text, for replay; defaults are left out to keep it short.

    `shape` is that of the fields, where it was found before.
    """
    told = _told(facts, _FACTS)
    told["form"] = FORM
    if facts.consent is not MISSING:
        told["consent"] = None if facts.consent is None else _told(facts.consent, _CONSENT)
    if facts.break_glass is not None:
        told["break_glass"] = {"code": facts.break_glass.code, "reason": facts.break_glass.reason}
    text = _encode(told).decode()
    if facts.fields is None:
        return text
    asked = asked_text(facts.fields) if shape is None else shape.text
    # As it is packed by: what was asked first, and then which fields are sealed, of none as of some.
    sealed = _encode(places_of([*map(_seals_of, facts.fields)])).decode()
    return f"{ASKED}{asked}{BEHIND_ASKED}{sealed[1:]},{text[1:]}"


def asked_text(fields: Sequence[Field]) -> str:
    """Return fields as JSON text, what they share once; whether they are sealed is told apart from it."""
    told = told_of([(field.name, _told(field, _FIELD)) for field in fields])
    return _encode(told).decode()


def _told(said: object, defaults: Sequence[tuple[str, object]]) -> dict[str, Any]:
    # By type as well: an age of 0 is a fact, and equals False.
    return {
        name: value
        for name, default in defaults
        if (value := getattr(said, name)) is not default
        and (type(value) is not type(default) or value != default)
    }


def categories_of(facts: Facts) -> Asked | None:
    """Return the categories of what was asked, to stand in clear beside the decision; None of no field.

    The names of the fields are sealed: they say of what there is something. The kinds are no more than what
    the events of the resident say in clear of what they hold (exchange/decisions/0131-kinds-in-clear.md).
    """
    return categories_in(facts.fields or ())


def categories_in(fields: Sequence[Field]) -> Asked | None:
    """Return the categories of fields, as above."""
    return _asked(tuple([field.category for field in fields]))


@lru_cache(maxsize=CATEGORY_SETS_MAX)
def _asked(categories: tuple[str, ...]) -> Asked | None:
    return Asked("", "", tuple(sorted(set(categories)))) if categories else None


# In this order: to name each when one is made takes as long as to fill it in.
_made: Final = maker(
    DisclosureDecided,
    "resident",
    "decision_id",
    "at",
    "organisation",
    "task",
    "professional",
    "purpose",
    "legal_basis",
    "basis_version",
    "consent_id",
    "action",
    "outcome",
    "rules",
    "released",
    "withheld",
    "obligations",
    "policy_hash",
    "facts_position",
    "request",
    "subject",
)


def decided(
    *,
    decision_id: str,
    subject: Subject,
    caller: Caller,
    action: str,
    facts: Facts,
    verdict: Verdict,
    facts_position: int,
    refused_whole: bool,
    released_nothing: bool = False,
    shape: Shape | None = None,
) -> DisclosureDecided:
    """Build the event.

    `refused_whole` is a partial verdict to a caller who asked for all or nothing; `released_nothing` a
    question about a right: whatever the verdict, no field leaves. `shape` is that of the fields, where it was
    found before.
    """
    leaves = not (refused_whole or released_nothing)
    names = [field.name for field in facts.fields or ()] if shape is None else shape.names
    # Judged field by field in this order, or not at all: what R01 refuses has no verdict on a field.
    passes = [*map(_release_of, verdict.fields.values())] if leaves else []
    passes = passes or [False] * len(names)
    assert facts.now is not None
    event: DisclosureDecided = _made(
        subject.resident,
        decision_id,
        facts.now,
        caller.organisation,
        caller.task,
        caller.professional,
        facts.purpose or "",
        verdict.basis_id or facts.legal_basis or "",
        str(verdict.basis_version),
        verdict.consent_id,
        action,
        "DENY" if refused_whole else str(verdict.outcome),
        verdict.rules,
        tuple(compress(names, passes)),
        tuple(compress(names, map(not_, passes))),
        verdict.obligations,
        verdict.policy_hash,
        facts_position,
        facts_text(facts, shape),
        subject.key,
    )
    return event
