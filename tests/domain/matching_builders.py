"""Commands and events of what residents offer and ask one another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from exchange.domain.plan import (
    AnswerMatch,
    CloseWish,
    EndMatch,
    OfferContribution,
    OpenWish,
    ProposeForContribution,
    ProposeForWish,
    Wish,
    WithdrawContribution,
)
from exchange.domain.plan.matching import Side
from exchange.domain.values import Author
from tests.domain.builders import DAY, NOON, RESIDENT

if TYPE_CHECKING:
    import random

DESK: Final = Author("00000004009876543000", "vrijwilligersorganisatie", "makelaar-1")
PLACE: Final = "BU01970103"
OTHER: Final = Side("plan-of-the-other", "m-of-the-other")
TERMS: Final[dict[str, Any]] = {
    "now": NOON,
    "author": RESIDENT,
    "kind": "groceries",
    "neighbourhood": PLACE,
    "hours_a_week": 2,
    "start_date": DAY,
}
OFFER: Final = OfferContribution(contribution_id="o-1", own_words="Graag.", **TERMS)
WITHDRAW: Final = WithdrawContribution(now=NOON, author=RESIDENT, contribution_id="o-1")
ASK: Final = OpenWish(wish_id="w-1", own_words="Graag.", **TERMS)
CLOSE: Final = CloseWish(now=NOON, author=RESIDENT, wish_id="w-1")
# What another resident asks.
WISH: Final = Wish(
    wish_id="w-of-the-other",
    kind="groceries",
    neighbourhood=PLACE,
    hours_a_week=2,
    start_date=DAY,
    end_date=None,
    own_words="",
    origin="betrokkene@00000001003214345000",
)
PROPOSE_TO_WHO_ASKS: Final = ProposeForWish(now=NOON, author=DESK, wish_id="w-1", match_id="m-1", other=OTHER)
PROPOSE_TO_WHO_OFFERS: Final = ProposeForContribution(
    now=NOON, author=DESK, contribution_id="o-1", wish=WISH, match_id="m-2", other=OTHER
)
SAY_YES: Final = AnswerMatch(
    now=NOON, author=RESIDENT, match_id="m-1", said="yes", contact="Bel aan op nummer 4."
)
END: Final = EndMatch(now=NOON, author=RESIDENT, match_id="m-1")


def among_neighbours(chance: random.Random) -> tuple[Any, ...]:
    """Return one command of each kind among neighbours, often one that a plan of this size allows."""
    match_id = chance.choice(("m-1", "m-2"))
    says = chance.choice((("yes", "Bel aan."), ("no", "")))
    return (
        OFFER,
        replace(WITHDRAW, contribution_id=chance.choice(("o-1", "o-2"))),
        ASK,
        CLOSE,
        PROPOSE_TO_WHO_ASKS,
        PROPOSE_TO_WHO_OFFERS,
        replace(SAY_YES, match_id=match_id, said=says[0], contact=says[1]),
        replace(END, match_id=match_id),
    )
