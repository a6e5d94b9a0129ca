"""What a plan holds of what its resident offers others and asks of them: elements like the others of a plan.

Promises: what `elements.py` promises of each. Of who the other side of a match is, nothing is shown.
Source: protos/exchange/v1/plan.proto; exchange/decisions/0078-two-sides.md.
"""

from dataclasses import dataclass, field
from datetime import date, datetime

from exchange.domain.kernel import quickly_made
from exchange.domain.plan.elements import Rewrite
from exchange.domain.values import DataCategory


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """What the resident offers others. `neighbourhood` is the code of one, never an address."""

    contribution_id: str
    kind: str
    neighbourhood: str
    hours_a_week: int
    start_date: date
    end_date: date | None
    own_words: str
    ended: bool = False
    origin: str
    category: str = DataCategory.AANBOD
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the resident asks of others, in the words of who offers."""

    wish_id: str
    kind: str
    neighbourhood: str
    hours_a_week: int
    start_date: date
    end_date: date | None
    own_words: str
    ended: bool = False
    origin: str
    category: str = DataCategory.AANBOD
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One side of a match: of whom the other side is, it says nothing that is shown.

    `about_id` is this resident's own contribution or wish. `other_plan` and `other_match` name the other side
    for the service alone; where nobody was found they name nothing, and look the same.
    """

    match_id: str
    about_id: str
    propose_time: datetime
    said: str = ""
    contact: str = ""
    ended: bool = False
    other_plan: str
    other_match: str
    origin: str
    category: str = DataCategory.KOPPELING
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
