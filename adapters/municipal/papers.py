"""The words of the document of a decision: Dutch, plain text; pure.

Promises: the same plan gives the same words; nothing is in them but what the object of the plan holds.
Source: Wmo 2015 2.3.5, Awb 3:46, for what belongs in it; data/ondersteuningsplan.schema.json.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from adapters.municipal.mapping import LIFE_DOMAINS, decision_identification

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from adapters.municipal.records import Decision

TITLE: Final = "Besluit over ondersteuning"
_WORDS: Final = {name: word for word, name in LIFE_DOMAINS.items()}


def words_of(decision: Decision, data: Mapping[str, Any]) -> bytes:
    """Return the document of a decision on one support of a plan, UTF-8."""
    agreed = "ja" if data["akkoord"] else "nee"
    lines = [
        TITLE,
        "",
        f"Kenmerk: {decision_identification(decision.support_id)}",
        f"Gemaakt uit het ondersteuningsplan, versie {data['versie']}.",
        f"De inwoner is akkoord met dit plan: {agreed}.",
        "",
        "De ondersteuning",
        *_support(decision, data),
        "",
        "De doelen",
        *(line for goal in data["doelen"] for line in _goal(goal)),
        "",
    ]
    return "\n".join(lines).encode()


def _support(decision: Decision, data: Mapping[str, Any]) -> Iterator[str]:
    for one in data["ondersteuning"]:
        if one["ondersteuningId"] == decision.support_id:
            named = [one[name] for name in ("productcategorie", "productcode") if name in one]
            yield f"Product: {' '.join(named) or 'niet genoemd'}"
    yield f"Begint op: {decision.start_date or 'niet genoemd'}"
    yield f"Eindigt op: {decision.end_date or 'niet genoemd'}"


def _goal(goal: Mapping[str, str]) -> Iterator[str]:
    yield f"- In eigen woorden: {goal.get('eigenWoorden', 'niet genoemd')}"
    for name, word in (("gewenstEffect", "Gewenst effect"), ("streefdatum", "Streefdatum")):
        if name in goal:
            yield f"  {word}: {goal[name]}"
    if goal.get("leefgebied") in _WORDS:
        yield f"  Leefgebied: {_WORDS[goal['leefgebied']]}"
