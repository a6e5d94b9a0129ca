"""The logs of a shard, one for each year: what opens the next one says how the former ended.

Promises: a log's name ends in its year, and years only rise; what is opened names the former log with its
size and root, and the number of its own first leaf, which is the former's first and size together.
Source: LEDGER design, section 3 (one log per municipality per year); c2sp.org/tlog-checkpoint (origin).
"""

import re
from dataclasses import dataclass
from typing import ClassVar, Final

from exchange.domain.kernel import Aggregate, Command, Event, Events, aggregate
from exchange.domain.shape import FINE, hash_fault, oin_fault, refuse_faults
from exchange.errors import RuleBroken

NO_YEAR: Final = 10_000  # no clock reaches it
_NAME: Final = re.compile(r"(?P<before>[!-~]{1,250})/(?P<year>[0-9]{4})")


def year_of(origin: str) -> int:
    """Return the year that a log is named for; `NO_YEAR` where its name says none: it has no next one."""
    found = _NAME.fullmatch(origin)
    return int(found["year"]) if found else NO_YEAR


def name_in(origin: str, year: int) -> str:
    """Return what the log of another year of the same shard is called."""
    found = _NAME.fullmatch(origin)
    assert found is not None, "a log without a year has no other"
    return f"{found['before']}/{year:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLog(Command):
    """Open the log of a year over the former one, of so many leaves and this root (hexadecimal)."""

    oin: str
    year: int
    former_origin: str
    former_first: int
    former_size: int
    former_root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOpened(Event):
    """From here on leaves stand in this log; the former one has ended. The leaf of this is its first.

    `first` is the number of that leaf among all of the shard; roots are SHA-256 in hexadecimal.
    """

    TOPIC: ClassVar[str] = "ledger.opened.v1"
    oin: str
    origin: str
    first: int
    former_origin: str
    former_size: int
    former_root: str


@dataclass(frozen=True, slots=True)
class LedgerState:
    """The log that was opened last."""

    oin: str
    origin: str
    first: int


def _open(command: OpenLog, state: LedgerState | None) -> Events:
    refuse_faults(
        {
            "oin": oin_fault(command.oin),
            "former_origin": FINE if _NAME.fullmatch(command.former_origin) else "must end in a year",
            "former_first": FINE if command.former_first >= 0 else "must not be below 0",
            "former_size": FINE if command.former_size > 0 else "must be above 0: an empty log has no end",
            "former_root": hash_fault(command.former_root),
        }
    )
    if command.year <= year_of(command.former_origin):
        raise RuleBroken("a log is opened for a later year than the former", rule="YEARS_RISE")
    if state is not None and (state.origin, state.first) != (command.former_origin, command.former_first):
        raise RuleBroken("a log is opened over the one before it", rule="LOGS_IN_ORDER")
    return (
        LogOpened(
            oin=command.oin,
            origin=name_in(command.former_origin, command.year),
            first=command.former_first + command.former_size,
            former_origin=command.former_origin,
            former_size=command.former_size,
            former_root=command.former_root,
        ),
    )


def _opened(_state: LedgerState | None, event: LogOpened) -> LedgerState:
    return LedgerState(event.oin, event.origin, event.first)


LEDGER: Final[Aggregate] = aggregate(
    "ledger",
    deciders={OpenLog: _open},
    founders={LogOpened: _opened},
    evolvers={},
)
