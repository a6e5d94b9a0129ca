"""Facts written as an entry of a decision-case file, so that a difference can be kept and judged again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from exchange.gate.model import MISSING, Consent, Facts, Field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

# Key of a case file -> attribute, where they differ.
OF_FACTS: Final = {"grondslag": "legal_basis"}
OF_FIELD: Final = {"n": "name", "cat": "category"}
OF_CONSENT: Final = {"from": "start", "to": "end", "cats": "categories"}
SAME_OF_FACTS: Final = """now actor_auth case_relation relative_of_subject necessity need_fields age capable
    roles purpose provider recipient recipient_id acquired_for directly_involved has_authority
    authority_disputed contrary_to_child_interest staff_identity_needed disproportionate objection
    restricted delivered_later store_unavailable"""
SAME_OF_FIELD: Final = "secret sealed third_party retention_end staff_name"
SAME_OF_CONSENT: Final = "state explicit withdrawn_at purposes recipients given_by free_assessed"
# What the service knows and a case file has no key for, with the value that a case file means.
BEYOND: Final[dict[str, object]] = {
    "speaks_for_self": True,
    "records": False,
    "bulk": False,
    "about_consent": False,
}


def entry(case_id: str, facts: Facts) -> dict[str, Any]:
    """Return the entry; what a case file has no key for stands under `beyond`, which its reader refuses."""
    told = _told(facts, OF_FACTS, SAME_OF_FACTS)
    beyond: dict[str, Any] = {
        name: getattr(facts, name) for name, meant in BEYOND.items() if getattr(facts, name) != meant
    }
    if facts.fields is not None:
        told["fields"] = [_told(field, OF_FIELD, SAME_OF_FIELD) for field in facts.fields]
        beyond |= {field.name: origin for field in facts.fields if (origin := _origin(field))}
    if facts.break_glass is not None:
        told["break_glass"] = {"code": facts.break_glass.code, "reason": facts.break_glass.reason}
    if facts.consent is None:
        told["consent"] = None
    elif isinstance(facts.consent, Consent):
        told["consent"] = _told(facts.consent, OF_CONSENT, SAME_OF_CONSENT)
        beyond |= {"consent.kind": facts.consent.kind} if facts.consent.kind else {}
        beyond |= {"consent.sources": sorted(facts.consent.sources)} if facts.consent.sources else {}
    else:
        assert facts.consent is MISSING
    return {"id": case_id, "facts": told} | ({"beyond": beyond} if beyond else {})


def _origin(field: Field) -> dict[str, str]:
    found = {"provider": field.provider, "acquired_for": field.acquired_for}
    return {name: value for name, value in found.items() if value is not None}


def _told(source: object, renamed: Mapping[str, str], same: str) -> dict[str, Any]:
    named = {**renamed, **{name: name for name in same.split()}}
    values = {key: _plain(getattr(source, name)) for key, name in named.items()}
    return {key: value for key, value in values.items() if value is not None}


def _plain(value: Any) -> Any:  # noqa: ANN401 -- whatever a fact may be
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, tuple):
        return list(value)
    return _moment(value) if hasattr(value, "isoformat") else value


def _moment(value: datetime) -> str:
    return value.isoformat()
