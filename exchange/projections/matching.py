"""Read model of matching: where the offers that stand are recorded, and on whose plan; never what they say.

Promises: a fold of the events and nothing else, so that rebuilt equals followed; holds places and no words:
a random ref, a plan, an offer by its id, a position. What is offered, where and for how long stays sealed
there, and with his keys a resident's rows go too.
Source: GDPR 5(1)(c), 7(3), 17; exchange/decisions/0078-two-sides.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from exchange.domain.erasure.decision import KeysDestroyed
from exchange.domain.plan import ContributionOffered, ContributionWithdrawn
from exchange.domain.values import DataCategory
from exchange.projections.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exchange.store.batch import Row
    from exchange.store.codec import Codec

FILE: Final = "matching.db"
SHAPE: Final = 1
TABLES: Final = (
    """CREATE TABLE offers (
        position INTEGER PRIMARY KEY, contribution TEXT NOT NULL, resident TEXT NOT NULL, plan TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX offers_of_contribution ON offers (contribution)",
    "CREATE INDEX offers_of_resident ON offers (resident)",
)
_INSERT: Final = "INSERT INTO offers VALUES (?, ?, ?, ?)"
_WITHDRAW: Final = "DELETE FROM offers WHERE contribution = ?"
_ERASE: Final = "DELETE FROM offers WHERE resident = ?"
_STANDING: Final = "SELECT position, contribution, plan FROM offers ORDER BY position"


class Offer(NamedTuple):
    """Where an offer stands."""

    position: int
    contribution_id: str
    plan_id: str


class OfferIndex:
    """The read model. `apply` is called by one follower; everything else by anybody."""

    name: Final[str] = "matching"
    topics: Final[tuple[str, ...]] = (
        ContributionOffered.TOPIC,
        ContributionWithdrawn.TOPIC,
        KeysDestroyed.TOPIC,
    )

    def __init__(self, folder: Path) -> None:
        self.database = Database(folder / FILE, TABLES, SHAPE)

    def apply(self, rows: Sequence[Row], after: int, position: int, codec: Codec) -> None:
        """Fold events, and note up to where, in one transaction. Raises HeadMoved."""
        with self.database.following(after, position) as c:
            for row in rows:
                clear, _, _ = codec.decode_clear(row.state, stream=row.stream, topic=row.topic)
                if row.topic == ContributionOffered.TOPIC:
                    named = (clear["contribution_id"], clear["resident"], clear["plan_id"])
                    c.execute(_INSERT, (row.position, *named))
                elif row.topic == ContributionWithdrawn.TOPIC:
                    c.execute(_WITHDRAW, (clear["contribution_id"],))
                elif not clear["categories"] or DataCategory.AANBOD in clear["categories"]:
                    c.execute(_ERASE, (clear["resident"],))

    def standing(self) -> list[Offer]:
        """Return every offer that stands, oldest first."""
        with self.database.reading() as c:
            return [Offer(*row) for row in c.execute(_STANDING)]
