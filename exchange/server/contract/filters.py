"""Which decisions an officer asks for: the filter of the contract as the read model takes it.

Promises: a word that no decision can have is refused under its path, so that nothing found is never a word
that was mistyped; both moments are exact to the microsecond.
Source: protos/exchange/v1/audit_service.proto (DecisionFilter).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.errors import RequestInvalid
from exchange.gate.model import Outcome
from exchange.gate.vocabulary import CATEGORIES
from exchange.projections.facets import BEGIN, END, Wanted
from exchange.projections.obligations import microseconds
from exchange.server.contract.names import enum_names, moment, stored_words
from exchange.v1 import audit_service_pb2 as pb
from exchange.v1.common_pb2 import Purpose

if TYPE_CHECKING:
    from collections.abc import Iterable

OUTCOMES: Final = frozenset(str(outcome) for outcome in Outcome)
# No decision has this word: where two lists of outcomes have none in common, nothing is asked.
_NONE: Final = ("",)


def wanted_of(asked: pb.DecisionFilter, outcomes: Iterable[str] = ()) -> Wanted:
    """Return what is asked; `outcomes` are those asked beside the filter. Raises RequestInvalid."""
    also = tuple(outcomes)
    faults = _unknown("outcomes", also, OUTCOMES, "is no outcome of the gate")
    faults |= _unknown("filter.outcomes", asked.outcomes, OUTCOMES, "is no outcome of the gate")
    faults |= _unknown("filter.categories", asked.categories, CATEGORIES, "is no data category of the gate")
    since = microseconds(moment(asked.from_time)) if asked.HasField("from_time") else BEGIN
    until = microseconds(moment(asked.before_time)) if asked.HasField("before_time") else END
    if until <= since:
        faults["filter.before_time"] = "must come after filter.from_time"
    if faults:
        raise RequestInvalid("the filter asks for what no decision can be", fields=faults)
    return Wanted(
        organisations=tuple(asked.organisations),
        tasks=tuple(asked.tasks),
        legal_bases=tuple(asked.legal_bases),
        purposes=stored_words(Purpose.DESCRIPTOR, asked.purposes),
        categories=tuple(asked.categories),
        outcomes=_both(tuple(asked.outcomes), also),
        rules=tuple(asked.rules),
        emergency=_emergency(asked.emergency),
        since=since,
        until=until,
        resident=asked.resident_pseudonym,
        decision_id=asked.of_decision_id,
    )


def _unknown(path: str, words: Iterable[str], known: frozenset[str], fault: str) -> dict[str, str]:
    return {f"{path}[{index}]": fault for index, word in enumerate(words) if word not in known}


def _both(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    if not one or not other:
        return one or other
    return tuple(word for word in one if word in other) or _NONE


def _emergency(asked: int) -> bool | None:
    stored = enum_names(pb.EmergencyClaim.DESCRIPTOR).stored(asked)
    return None if not stored else stored == "claimed"
