"""The log of a new year: opened by a group of its own before the first walk of that year.

Promises: a year is compared, an int with an int, for each walk; no group has leaves in two logs; a clock that
goes back opens nothing, nor does one in an empty store, for an empty log has no end to be followed.
Source: design of the ledger, section 3; exchange/decisions/0072-one-log-a-year.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exchange.domain import stream_of
from exchange.domain.ledger import LEDGER, NO_YEAR, OpenLog, name_in, year_of
from exchange.errors import HistoryUnreadable, RequestInvalid, RuleBroken
from exchange.ledger.merkle import Frontier
from exchange.store.batch import Opened
from exchange.store.codec import Meta

if TYPE_CHECKING:
    from datetime import datetime

    from exchange.pipeline.overlay import Overlay
    from exchange.store.batch import Heads

LOG_BASIS: Final = "LOG"
_TASK: Final = "beheer"


class Years:
    """Which log new leaves stand in. Owned by the writer thread; taken anew from what is committed."""

    def __init__(self, origin: str, oin: str) -> None:
        """`origin` is the name of the shard's first log, `oin` the operator's, in whose name years open."""
        self._first = (origin, 0)
        self._oin = oin
        self._newest = self._first
        self.year = NO_YEAR  # of the newest log; `NO_YEAR` where none may follow it

    def take(self, heads: Heads) -> None:
        """Take over which logs there are."""
        self._newest = (heads.opened[-1].origin, heads.opened[-1].first) if heads.opened else self._first
        self.year = year_of(self._newest[0]) if heads.position else NO_YEAR

    def open(self, overlay: Overlay, now: datetime, frontier: Frontier, policy_hash: str) -> Frontier:
        """Draft the opening of the year of `now` over the end of the former log; return the new frontier.

        The first and only thing in its overlay. Raises HistoryUnreadable where the events say another log
        is newest.
        """
        origin, first = self._newest
        stream = stream_of(LEDGER.name, self._oin)
        command = OpenLog(
            now=now,
            oin=self._oin,
            year=now.year,
            former_origin=origin,
            former_first=first,
            former_size=frontier.size,
            former_root=frontier.root().hex(),
        )
        try:
            events = LEDGER.decide(command, overlay.state(stream))
        except (RuleBroken, RequestInvalid) as error:
            raise HistoryUnreadable("the events tell of other logs than the store has") from error
        overlay.append([(stream, events)], self._meta(now, policy_hash))
        opened = Opened(overlay.batch.base, name_in(origin, now.year), frontier.to_bytes())
        overlay.batch.opens = opened
        self._newest, self.year = (opened.origin, opened.first), now.year
        return Frontier()

    def _meta(self, now: datetime, policy_hash: str) -> Meta:
        return Meta(
            at=now,
            organisation=self._oin,
            task=_TASK,
            professional="",
            purpose=_TASK,
            legal_basis=LOG_BASIS,
            decision_id="",
            policy_hash=policy_hash,
            facts_position=0,
        )
