"""Finds who may be asked along when a match is proposed: opens what the read model points at, and compares.

Promises: what is found here opens nothing and is told to nobody: each is judged in the walk, as he stands
then. Always as many candidates: where fewer offers fit, plans that are not there fill the places, and the
last is always one of these. Whom of those that fit comes first changes with each match: no offer waits behind
others for ever.
Source: GDPR 5(1)(c), 25; the domain's design section 2 (P13).
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.plan import ContributionOffered
from exchange.domain.plan.matching import fits
from exchange.domain.plan.offering import offered
from exchange.errors import KeyDestroyed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from exchange.domain.plan import Wish
    from exchange.projections.matching import Offer, OfferIndex
    from exchange.store.batch import Row
    from exchange.store.codec import Codec
    from exchange.store.ports import EventReader

# So many are judged for each match, and the last is nobody.
CANDIDATES: Final = 8
OFFERS_LOOKED_AT_MAX: Final = 5_000


class Candidate(NamedTuple):
    """Whose offer may fit; in a place that is filled, ids that name nothing."""

    plan_id: str
    contribution_id: str
    match_id: str


class Matcher:
    """Safe between threads: it holds nothing."""

    def __init__(
        self, index: OfferIndex, reader: EventReader, codec: Codec, fresh_uuid: Callable[[], str]
    ) -> None:
        self._index = index
        self._reader = reader
        self._codec = codec
        self._fresh_uuid = fresh_uuid

    def candidates(self, wish: Wish | None, match_id: str, now: datetime) -> tuple[Candidate, ...]:
        """Return `CANDIDATES` of them. Raises StoreUnavailable, KeyUnavailable."""
        offers = self._drawn(match_id)
        fitting = [] if wish is None else self._fitting(offers, wish, now)
        named = [(one.plan_id, one.contribution_id) for one in fitting[: CANDIDATES - 1]]
        named += [(self._fresh_uuid(), self._fresh_uuid()) for _ in range(CANDIDATES - len(named))]
        return tuple(Candidate(*each, self._fresh_uuid()) for each in named)

    def _drawn(self, match_id: str) -> list[Offer]:
        """Return offers in an order that this match alone has."""
        standing = self._index.standing()
        standing.sort(key=lambda one: sha256(f"{match_id}\n{one.contribution_id}".encode()).digest())
        return standing[:OFFERS_LOOKED_AT_MAX]

    def _fitting(self, offers: Sequence[Offer], wish: Wish, now: datetime) -> list[Offer]:
        rows = self._reader.rows_at(sorted(one.position for one in offers))
        found = {row.position for row in rows if self._fits(row, wish, now)}
        return [one for one in offers if one.position in found]

    def _fits(self, row: Row, wish: Wish, now: datetime) -> bool:
        try:
            opened = self._codec.decode(row.state, stream=row.stream, version=row.version, topic=row.topic)
        except KeyDestroyed:
            # Erased since the read model was looked at.
            return False
        assert isinstance(opened.event, ContributionOffered)
        return fits(offered(opened.event), wish, now)
