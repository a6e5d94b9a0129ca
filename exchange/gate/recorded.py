"""The register as it was recorded: folded legal bases in, the register the gate judges by out.

Promises: only what was approved or adopted is in it; what was disabled since is in it as disabled, so that
the gate can say so; what is only proposed opens nothing and is not there.
Source: GDPR 5(2), 24; the aggregate `legal_basis`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from exchange.errors import HistoryUnreadable, RegisterInvalid
from exchange.gate.canonical import entry_of_text
from exchange.gate.register import Register

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from exchange.domain.legal_basis import BasisVersion, LegalBasisState
    from exchange.gate.entry import LegalBasis

TEXTS_MAX: Final = 4_096


def register_of(states: Iterable[LegalBasisState]) -> Register:
    """Return the register of these bases. Raises HistoryUnreadable for an entry this version cannot read."""
    return Register(basis for state in states for basis in _bases(state))


def entry_of(version: BasisVersion) -> LegalBasis:
    """Return what a version says, approved or not. Raises HistoryUnreadable."""
    return _read(version.text)


def _bases(state: LegalBasisState) -> Iterator[LegalBasis]:
    stood = {version.number: version for version in state.versions if version.enabled_at is not None}
    for version in stood.values():
        entry = entry_of(version)
        yield replace(
            entry,
            enabled=entry.enabled and version.stands,
            approved_by=version.approvers,
            valid_to=_midnight(version.end),
            # What it succeeds may never have been approved: then there is nothing to end.
            succeeds=entry.succeeds if entry.succeeds in stood else 0,
        )


@lru_cache(maxsize=TEXTS_MAX)
def _read(text: str) -> LegalBasis:
    try:
        return entry_of_text(text, recorded=True)
    except RegisterInvalid as error:
        # It was read when it was recorded: a newer version of the exchange wrote it.
        raise HistoryUnreadable(
            "a recorded legal basis has a shape this version does not know",
            entry=error.metadata["entry"],
            key=error.metadata["key"],
        ) from error


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=UTC)
