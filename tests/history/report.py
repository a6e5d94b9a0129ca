"""What a checker found, and what it looked at to find it.

Promises: a check that could look at nothing is told apart from one that found nothing.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

FAULTS_TOLD_MAX: Final = 200


class Check(StrEnum):
    """One claim; README.md says what each means."""

    POSITIONS = "positions"  # the log has no gaps, and every event its leaf
    RECEIPTS = "receipts"  # acknowledged: at its place, with its leaf
    ONCE = "once"  # executed once, or not at all
    REPEATS = "repeats"  # a request id has one answer
    REFUSED = "refused"  # refused: nothing was recorded
    INVENTED = "invented"  # nothing is there that nobody asked for
    REAL_TIME = "real time"  # answered before it was sent: before it in the log
    TIME = "recorded times"  # no event is dated before a command that stands before it
    DECISIONS = "decisions"  # an answer is what was decided
    STATE = "state"  # an answer holds what stood at its position
    CONSENT = "consent"  # released with a yes that stands, refused without
    STREAM_ORDER = "stream order"  # in order, once
    STREAM_CONSENT = "stream consent"  # nothing is delivered that was judged after the end
    STREAM_WHOLE = "stream whole"  # who stayed misses nothing


class Fault(NamedTuple):
    """One thing that no serial order explains."""

    check: Check
    what: str


@dataclass
class Report:
    """Faults in the order in which they were found; how many each check looked at, and passed over."""

    faults: list[Fault] = field(default_factory=list)
    looked_at: Counter[Check] = field(default_factory=Counter)
    passed_over: Counter[Check] = field(default_factory=Counter)
    operations: int = 0
    entries: int = 0
    more: int = 0  # faults that are not told

    @property
    def ok(self) -> bool:
        """Tell whether one order explains everything that was looked at."""
        return not self.faults

    def say(self, check: Check, what: str) -> None:
        """Note a fault."""
        if len(self.faults) < FAULTS_TOLD_MAX:
            self.faults.append(Fault(check, what))
        else:
            self.more += 1

    def hold(self, check: Check, *, true: bool, what: str) -> None:
        """Look at one claim; note a fault where it does not hold."""
        self.looked_at[check] += 1
        if not true:
            self.say(check, what)

    def checks_failed(self) -> set[Check]:
        """Return which checks found something."""
        return {fault.check for fault in self.faults}

    def lines(self) -> list[str]:
        """Return it for a person to read."""
        told = [f"{self.operations} operations against {self.entries} events of the log"]
        for check in Check:
            looked, passed = self.looked_at[check], self.passed_over[check]
            if looked or passed:
                without = f", {passed} say too little for it" if passed else ""
                told.append(f"  {check:<15} {looked} looked at{without}")
        told += [f"FAULT {fault.check}: {fault.what}" for fault in self.faults]
        if self.more:
            told.append(f"FAULT and {self.more} more")
        if self.ok:
            told.append("one order of the log explains every answer that was looked at")
        return told
