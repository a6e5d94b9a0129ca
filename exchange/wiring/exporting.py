"""The month and the record of processing activities from a shard's files, with or without a running service.

Promises: writes nothing and opens nothing that is sealed; counts what the events hold up to where it begins,
and refuses a list of duties that is behind them rather than count fewer.
Source: GDPR 30(1), 39(1)(b); exchange/decisions/0137-the-month-is-counted-not-kept.md.
"""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import msgspec

from exchange.documents.activities import Activity as ActivityTold
from exchange.documents.activities import ProcessingRecord
from exchange.documents.month import Decisions, Duties, Scope, Summary
from exchange.documents.month import Ledger as LedgerTold
from exchange.domain.organisation import ORGANISATION
from exchange.errors import RequestInvalid, Unavailable
from exchange.projections.duty_counts import duty_counts
from exchange.projections.obligations import FILE, ObligationList
from exchange.server.accountability.activities import activities_of
from exchange.server.accountability.months import Kind, Month, MonthCounter, month_of
from exchange.server.services.activities import ORGANISATIONS
from exchange.wiring.core import projection_folder, utc_now
from exchange.wiring.decision_log import open_log_files
from exchange.wiring.ledger import open_ledger

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.domain.organisation import OrganisationState
    from exchange.settings import Settings
    from exchange.wiring.decision_log import LogFiles

_BEHIND: Final = "the list of duties is behind the events: start the service, and try again"


def processing_record(settings: Settings, now: datetime | None = None) -> ProcessingRecord:
    """Return the record as it stands. Raises SettingsInvalid where no service ran."""
    at = now or utc_now()
    with open_log_files(settings) as files:
        register = files.registers.now
        found = activities_of(register, _organisations(files), at, settings.security_measures)
        return ProcessingRecord(
            answer_time=at,
            controller=f"{settings.operator_name}, OIN {settings.operator_oin}",
            officer_contact=settings.officer_contact,
            policy_hash=register.policy_hash,
            activities=tuple(msgspec.convert(one, ActivityTold, from_attributes=True) for one in found),
        )


def _organisations(files: LogFiles) -> list[OrganisationState]:
    states: dict[str, Any] = {}
    for row in files.reader.rows_of_streams(ORGANISATIONS, 0):
        opened = files.codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        states[row.stream] = ORGANISATION.evolve(states.get(row.stream), opened.event)
    return [state for state in states.values() if state is not None]


def month_summary(settings: Settings, year: int, number: int, now: datetime | None = None) -> Summary:
    """Return the month of all organisations. Raises RequestInvalid, SettingsInvalid, Unavailable."""
    at, month = now or utc_now(), month_of(year, number)
    if month.start > at:
        raise RequestInvalid("this month is still to come", {"month": "must have begun"})
    with open_log_files(settings) as files:
        head, _ = files.reader.head()
        return Summary(
            scope=Scope(month.start, month.end, at),
            author=settings.operator_name,
            decisions=_decisions(files, month, head),
            duties=_duties(settings, month, head, at),
            ledger=_ledger(settings, head),
        )


def _decisions(files: LogFiles, month: Month, head: int) -> tuple[Decisions, ...]:
    counter = MonthCounter(files.reader, files.codec, files.registers)
    kinds, after, more = Counter[Kind](), None, True
    while more:
        page = counter.page(month, after, head + 1)
        kinds.update(page.kinds)
        after, more = page.last, page.more
    return tuple(Decisions(*kind, count=count) for kind, count in sorted(kinds.items()))


def _duties(settings: Settings, month: Month, head: int, now: datetime) -> tuple[Duties, ...]:
    folder = projection_folder(settings)
    if not (folder / FILE).exists():
        raise Unavailable(_BEHIND)
    duties = ObligationList(folder, lambda _basis, _version: None)
    with closing(duties.database):
        if duties.database.position() < head:
            raise Unavailable(_BEHIND)
        return tuple(Duties(*one) for one in duty_counts(duties, month.start, month.end, now))


def _ledger(settings: Settings, head: int) -> LedgerTold:
    with closing(open_ledger(settings)) as ledger:
        try:
            checkpoint = ledger.newest().checkpoint
        except Unavailable:
            return LedgerTold(leaves=head)
        log = ledger.logs.named(checkpoint.origin)
        first = 0 if log is None else log.first
        # Which witnesses signed, and whether they are enough, the service alone knows: it is left open.
        return LedgerTold(checkpoint.origin, head, min(first + checkpoint.size, head))
