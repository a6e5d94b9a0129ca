"""What an answer on access says beside the data: purposes, recipients, sources, terms, rights, limits.

Promises: made of what was recorded and of the register, never of a text somebody keeps beside them; what is
kept from who asks is in none of it.
Source: GDPR 15(1)(a)-(g); Wmo 2015 5.3.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.obligations import COMMAND, EVALUATE, SAFETY_TASK
from exchange.domain.plan.recorded import COLLECTIONS
from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE, task_of
from exchange.gate.model import Outcome
from exchange.gate.retention import term_of
from exchange.pipeline.facts import law_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from exchange.domain.resident import ResidentState
    from exchange.gate.register import Register

RESTRICTION: Final = "RESTRICTION"
_SERVICE: Final = "exchange.v1.ResidentRightsService"
_GIVING: Final = frozenset(
    {Outcome.PERMIT, Outcome.PARTIAL} | {Outcome.PERMIT_BREAK_GLASS, Outcome.PARTIAL_BREAK_GLASS}
)


@dataclass(frozen=True, slots=True)
class Processing:
    """Attributes of this and all below have the names of the contract's fields."""

    purpose: str
    legal_basis: str
    title: str
    citation: str
    categories: tuple[str, ...]
    retention_rule: str
    activity_uri: str


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who got something, and when last."""

    organisation: str
    task: str
    last_time: datetime


@dataclass(frozen=True, slots=True)
class Source:
    """Where what is in the plan comes from."""

    organisation: str
    task: str
    retention_years: int
    retention_citation: str


@dataclass(frozen=True, slots=True)
class Usable:
    """A right, and where it is used."""

    article: str
    exercised_at: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A restriction or an objection."""

    limit_id: str
    state: str
    limited_purpose: str
    recipient: str


RIGHTS: Final = (
    *(
        Usable(article, f"{_SERVICE}/ReceiveRightsRequest")
        for article in (
            "AVG 15",
            "AVG 16",
            "AVG 17",
            "AVG 20",
            "Wmo 2015 5.3.5",
            "Jeugdwet 7.3.9",
        )
    ),
    Usable("AVG 18", f"{_SERVICE}/Restrict"),
    Usable("AVG 21", f"{_SERVICE}/Object"),
    Usable("AVG 7(3)", "exchange.v1.ConsentService/WithdrawConsent"),
    Usable("AVG 77", "https://autoriteitpersoonsgegevens.nl"),
)


def processing_of(purpose: str, legal_basis: str, register: Register) -> Processing:
    """Return what the register says of "<basis>@<version>"; the ids alone where it has none."""
    name, _, version = legal_basis.partition("@")
    found = next((one for one in register.entries() if (one.id, str(one.version)) == (name, version)), None)
    if found is None:
        return Processing(purpose, legal_basis, "", "", (), "", "")
    return Processing(
        purpose,
        legal_basis,
        found.title,
        str(found.citation),
        tuple(sorted(found.categories)),
        found.retention_rule,
        found.processing_activity_uri,
    )


def gave(clear: Mapping[str, Any]) -> bool:
    """Tell whether a decision, by its clear fields, gave something to others than the resident's side."""
    return (
        clear["outcome"] in _GIVING
        and clear["action"] not in {COMMAND, EVALUATE}
        and clear["task"] not in TASKS_OF_RESIDENTS_SIDE
    )


def sources_of(plan: Any) -> tuple[Source, ...]:  # noqa: ANN401 -- PlanState, or None
    """Return the sources of a plan as it is seen, but for Veilig Thuis, with the terms their laws set."""
    if plan is None:
        return ()
    origins = {element.origin for name in COLLECTIONS for element in getattr(plan, name)}
    return tuple(_source(one) for one in sorted(origins) if task_of(one) != SAFETY_TASK)


def _source(origin: str) -> Source:
    task = task_of(origin)
    term = term_of(law_of(task))
    return Source(origin.partition("@")[2], task, term.years, term.citation)


def limits_of(resident: ResidentState | None) -> tuple[Limit, ...]:
    """Return the limits that the resident's side or a college that heard it had recorded."""
    if resident is None:
        return ()
    return (
        *(Limit(one.restriction_id, RESTRICTION, *_scope(one)) for one in resident.restrictions),
        *(Limit(one.objection_id, str(one.status), *_scope(one)) for one in resident.objections),
    )


def _scope(limit: Any) -> tuple[str, str]:  # noqa: ANN401 -- Restriction, ResidentsObjection
    return limit.purpose, limit.recipient


def latest(seen: Iterable[Recipient]) -> tuple[Recipient, ...]:
    """Return each recipient once, with when it got something last."""
    found: dict[tuple[str, str], Recipient] = {}
    for one in seen:
        known = found.get((one.organisation, one.task))
        if known is None or known.last_time < one.last_time:
            found[(one.organisation, one.task)] = one
    return tuple(found[key] for key in sorted(found))
