"""The record of processing activities: derived from the register of legal bases and who joined.

Promises: made of the entries in force and of nothing kept beside them, so that it cannot lag behind what is
judged by; every entry in force is in exactly one activity; no person is in it.
Source: GDPR 30(1)(b)-(g); the terms and their articles in exchange/gate/retention.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Final

from exchange.domain.values import TASKS_OF_RESIDENTS_SIDE
from exchange.gate.retention import TERMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from exchange.domain.organisation import OrganisationState
    from exchange.gate.entry import LegalBasis
    from exchange.gate.register import Register

RESIDENT: Final = "resident"
STAFF: Final = "staff"
HOUSEHOLD: Final = "others in the resident's network or household"
_NETWORK: Final = "NETWERK"
# Words of the register for what is not a third party's: the controller's own people.
_OWN: Final = frozenset({"fg", "beheer", "beleid"})
# What the repository says of how the service is secured; the operator's own comes by the settings.
SECURITY_MEASURES: Final = ("exchange: deploy/THREATS.md",)


@dataclass(frozen=True, slots=True)
class Activity:
    """Attributes have the names of the contract's fields."""

    activity_uri: str
    purposes: tuple[str, ...]
    legal_bases: tuple[str, ...]
    data_subjects: tuple[str, ...]
    categories: tuple[str, ...]
    recipients: tuple[str, ...]
    recipient_organisations: tuple[str, ...]
    third_countries: tuple[str, ...]
    retention: tuple[str, ...]
    security_measures: tuple[str, ...]
    dpia_refs: tuple[str, ...]


def activities_of(
    register: Register, organisations: Iterable[OrganisationState], now: datetime, measures: str = ""
) -> list[Activity]:
    """Return the activities of all entries in force, by their URI."""
    joined = [one for one in organisations if not one.left]
    entries = sorted(
        (one for one in register.entries() if one.in_force(now)),
        key=lambda one: (one.processing_activity_uri, one.id),
    )
    described = (*SECURITY_MEASURES, *((measures,) if measures else ()))
    return [
        _activity(uri, tuple(some), joined, described)
        for uri, some in groupby(entries, key=lambda one: one.processing_activity_uri)
    ]


def _activity(
    uri: str, entries: Sequence[LegalBasis], joined: Sequence[OrganisationState], measures: tuple[str, ...]
) -> Activity:
    categories = frozenset[str]().union(*(one.categories for one in entries))
    kinds = frozenset[str]().union(*(one.recipients for one in entries))
    laws = {one.regime.lower() for one in entries} & TERMS.keys()
    terms = (f"{TERMS[law].citation}: P{TERMS[law].years}Y" for law in sorted(laws))
    return Activity(
        activity_uri=uri,
        purposes=_sorted(*(one.purposes for one in entries)),
        legal_bases=tuple(f"{one.id}@{one.version}: {one.citation}" for one in entries),
        data_subjects=_subjects(categories),
        categories=tuple(sorted(categories)),
        recipients=tuple(sorted(kinds)),
        recipient_organisations=tuple(
            f"{one.oin} {one.name}"
            for one in sorted(joined, key=lambda one: one.oin)
            if one.tasks & (kinds - TASKS_OF_RESIDENTS_SIDE - _OWN)
        ),
        # The service stands in the Netherlands, and no organisation joins from elsewhere: an OIN is Dutch.
        third_countries=(),
        retention=(*(f"{one.id}: {one.retention_rule}" for one in entries), *terms),
        security_measures=measures,
        dpia_refs=tuple(dict.fromkeys(one.dpia_ref for one in entries if one.dpia_ref)),
    )


def _subjects(categories: frozenset[str]) -> tuple[str, ...]:
    residents = (RESIDENT,) if categories else ()
    others = (HOUSEHOLD,) if _NETWORK in categories else ()
    # Whatever is done, who did it is recorded.
    return (*residents, *others, STAFF)


def _sorted(*some: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(frozenset[str]().union(*some)))
