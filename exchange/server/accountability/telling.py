"""A span of the log in the form of a standard, a part at a time, as it is streamed to an officer.

Promises: every record of the span is told once, oldest first; each part looks at a bounded number of
processings, so that memory is bounded by it whatever the span; what another organisation's officer is told is
what his own organisation may know.
Source: Logboek Dataverwerkingen (Logius), Verwerkingenlogging (VNG), NEN 7513, Authorization Decision Log.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from exchange.server.accountability.contents import contents_of
from exchange.server.accountability.ldv import ldv_line
from exchange.server.accountability.moments import SLACK, position_before
from exchange.server.accountability.nen7513 import concerns_care, nen7513_line
from exchange.server.accountability.processings import Trail
from exchange.server.accountability.reading import of_extension
from exchange.server.accountability.verwerkingen import verwerkingsactie
from exchange.server.authzen.records import DecisionLog
from exchange.server.contract.decisions import DecisionReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exchange.pipeline.registers import Registers
    from exchange.server.accountability.processings import Processing
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

# Of these one part is made; few enough that a commit does not wait long for a thread.
RECORDS_PER_PART: Final = 200

Line = dict[str, Any]


class LogForm(StrEnum):
    """The forms, by the words of the contract."""

    LDV = "logboek_dataverwerkingen"
    VERWERKINGEN = "verwerkingenlogging"
    NEN7513 = "nen7513"
    DECISIONS = "authorization_decision_log"


# These name kinds of data or staff of everybody: they are for the officer of who answers for the whole.
OF_THE_OPERATOR: Final = frozenset({LogForm.VERWERKINGEN, LogForm.NEN7513})


@dataclass(frozen=True, slots=True)
class Told:
    """Which part of the log is told: from a moment, before another, and before a position.

    `organisation` is that whose own log it is, empty for all; `operator` is the OIN of who runs the exchange.
    """

    form: LogForm
    start: datetime | None
    end: datetime | None
    until: int
    organisation: str
    operator: str

    def holds(self, at: datetime) -> bool:
        """Tell whether a moment is within the span."""
        return (self.start is None or self.start <= at) and (self.end is None or at < self.end)

    def is_past(self, at: datetime) -> bool:
        """Tell whether nothing within the span can stand behind an event of this moment."""
        return self.end is not None and at > self.end + SLACK


@dataclass(frozen=True, slots=True)
class Teller:
    """Tells a log. Owned by one thread at a time."""

    reader: EventReader
    codec: Codec
    registers: Registers
    log_pseudonym: Callable[[str], str]

    def parts(self, told: Told) -> Iterator[list[str]]:
        """Yield the lines, a part at a time; a part may be empty."""
        after = 0
        if told.start is not None:
            after = position_before(self.reader, self.codec, told.start, told.until)
        if told.form is LogForm.DECISIONS:
            yield from self._decisions(told, after)
            return
        lines = self._lines(told, after)
        while looked := list(islice(lines, RECORDS_PER_PART)):
            yield [_written(line) for line in looked if line is not None]

    def _lines(self, told: Told, after: int) -> Iterator[Line | None]:
        """Yield the line of each processing, None for one that has none here."""
        decisions = DecisionReader(self.codec, self.registers, self.log_pseudonym)
        for one in Trail(self.reader, self.codec, self.registers).processings(after, told.until - 1):
            if told.is_past(one.at):
                return
            yield self._line(one, told, decisions) if told.holds(one.at) else None

    def _line(self, one: Processing, told: Told, decisions: DecisionReader) -> Line | None:
        if told.form is LogForm.LDV:
            line = ldv_line(one, self.log_pseudonym, told.organisation)
            return None if line is None else of_extension(line)
        contents = contents_of(one, decisions, self.codec)
        if told.form is LogForm.VERWERKINGEN:
            return verwerkingsactie(one, contents, self.log_pseudonym, told.operator)
        if concerns_care(one, contents):
            return nen7513_line(one, contents, self.log_pseudonym, told.operator)
        return None

    def _decisions(self, told: Told, after: int) -> Iterator[list[str]]:
        log = DecisionLog(self.reader, self.codec, self.registers, self.log_pseudonym)
        more = True
        while more:
            page = log.page(after, RECORDS_PER_PART, until=told.until, organisation=told.organisation)
            moments = [datetime.fromisoformat(record["timestamp"]) for record in page.records]
            yield [
                _written(record) for record, at in zip(page.records, moments, strict=True) if told.holds(at)
            ]
            after, more = page.last, page.more and not any(map(told.is_past, moments))


def _written(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False)
