"""The decision as an event: written before data leave, and before a refusal is answered.

Promises: holds request, facts position and policy hash, so that the same judge gives the same answer years
later. What the caller wrote in words is sealed with the resident's key.
Source: GDPR 5(2), 15, 30; Wmo 2015 5.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.domain.disclosure import DisclosureDecided
from exchange.gate.model import MISSING

if TYPE_CHECKING:
    from exchange.gate.model import Facts, Verdict
    from exchange.pipeline.facts import Subject
    from exchange.pipeline.walk import Caller

FACT_NAMES: Final = (
    "now",
    "actor_auth",
    "legal_basis",
    "purpose",
    "provider",
    "recipient",
    "recipient_id",
    "case_relation",
    "necessity",
    "need_fields",
    "age",
    "capable",
    "roles",
    "directly_involved",
    "has_authority",
    "staff_identity_needed",
    "acquired_for",
    "relative_of_subject",
    "authority_disputed",
    "contrary_to_child_interest",
    "disproportionate",
    "objection",
    "restricted",
    "delivered_later",
    "store_unavailable",
    "speaks_for_self",
    "records",
    "bulk",
)
FIELD_NAMES: Final = (
    "name",
    "category",
    "secret",
    "sealed",
    "third_party",
    "retention_end",
    "staff_name",
    "provider",
    "acquired_for",
)
CONSENT_NAMES: Final = (
    "consent_id",
    "version",
    "state",
    "explicit",
    "start",
    "end",
    "withdrawn_at",
    "purposes",
    "recipients",
    "categories",
    "given_by",
    "free_assessed",
    "spoken_at",
    "kind",
)

_encode = msgspec.json.Encoder(order="sorted").encode


def facts_text(facts: Facts) -> str:
    """Return the facts as JSON text, for replay; defaults are left out to keep it short."""
    told: dict[str, Any] = {
        # By identity: an age of 0 is a fact, and equals False.
        name: value
        for name in FACT_NAMES
        if (value := getattr(facts, name)) is not None and value is not False
    }
    if facts.age is not None and facts.capable is None:
        # What was judged and has expired is told: left out it would read as "found unable".
        told["capable"] = None
    told["fields"] = [
        {name: value for name in FIELD_NAMES if (value := getattr(field, name)) not in (None, False)}
        for field in facts.fields or ()
    ]
    if facts.consent is not None and facts.consent is not MISSING:
        told["consent"] = {name: getattr(facts.consent, name) for name in CONSENT_NAMES}
    if facts.break_glass is not None:
        told["break_glass"] = {"code": facts.break_glass.code, "reason": facts.break_glass.reason}
    return _encode(told).decode()


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
) -> DisclosureDecided:
    """Build the event.

    `refused_whole` is a partial verdict to a caller who asked for all or nothing; `released_nothing` a
    question about a right: whatever the verdict, no field leaves.
    """
    released = (
        ()
        if refused_whole or released_nothing
        else tuple(name for name, one in verdict.fields.items() if one.release)
    )
    withheld = tuple(name for name in _names(facts) if name not in released)
    assert facts.now is not None
    return DisclosureDecided(
        resident=subject.resident,
        decision_id=decision_id,
        at=facts.now,
        organisation=caller.organisation,
        task=caller.task,
        professional=caller.professional,
        purpose=facts.purpose or "",
        legal_basis=verdict.basis_id or facts.legal_basis or "",
        basis_version=str(verdict.basis_version),
        consent_id=verdict.consent_id,
        action=action,
        outcome="DENY" if refused_whole else str(verdict.outcome),
        rules=verdict.rules,
        released=released,
        withheld=withheld,
        obligations=verdict.obligations,
        policy_hash=verdict.policy_hash,
        facts_position=facts_position,
        request=facts_text(facts),
        subject=subject.key,
    )


def _names(facts: Facts) -> tuple[str, ...]:
    return tuple(field.name for field in facts.fields or ())
