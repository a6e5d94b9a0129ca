"""What Suwinet tells of a resident, as records without XML; each says where it is from.

Promises: immutable; no repr shows a fact about a resident; no record holds a BSN or is about a partner.
Source: SuwiML, the four services; exchange.v1 (life domains, data categories).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

UNKNOWN: Final = ""


class Category(Enum):
    """Which kind of data a fact is, in the words of the register of legal bases."""

    INCOME = "INKOMEN"
    WORK = "ARBEID"


class Domain(Enum):
    """Life domain of the plan a fact is told in."""

    FINANCE = "finance"
    WORK_AND_EDUCATION = "work_and_education"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a fact is from: the service, and the codes of `Bron` where the source gives them."""

    service: str
    column: str = UNKNOWN
    party: str = UNKNOWN
    location: str = UNKNOWN

    def told(self) -> str:
        """Return it as one word: `suwinet:SERVICE/COLUMN.PARTY.LOCATION`."""
        codes = ".".join(one for one in (self.column, self.party, self.location) if one)
        return f"suwinet:{self.service}" + (f"/{codes}" if codes else "")


@dataclass(frozen=True, slots=True)
class Action:
    """What was agreed to solve a bottleneck. Codes are those of the source."""

    actor: str
    status: str
    day: str = field(repr=False)
    description: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """What stands between a resident and work, and what is done about it. Days as `partial_day` does."""

    kind: str
    since: str = field(repr=False)
    until: str = field(repr=False)
    description: str = field(repr=False)
    actions: tuple[Action, ...]
    source: Source
    category: Category = Category.WORK


@dataclass(frozen=True, slots=True)
class Facility:
    """A re-integration facility (re-integratievoorziening)."""

    number: str
    kind: str
    since: str = field(repr=False)
    until: str = field(repr=False)
    description: str = field(repr=False)
    source: Source
    category: Category = Category.WORK


@dataclass(frozen=True, slots=True)
class Benefit:
    """A benefit of the municipality; `cents` is what was last made payable a period, None where not told."""

    law: str
    since: str = field(repr=False)
    until: str = field(repr=False)
    cents: int | None = field(repr=False)
    source: Source
    category: Category = Category.INCOME


@dataclass(frozen=True, slots=True)
class Earning:
    """An income relation; `cents` is the gross wage of the newest statement, over `month`."""

    payer: str = field(repr=False)
    kind: str
    since: str = field(repr=False)
    until: str = field(repr=False)
    cents: int | None = field(repr=False)
    month: str = field(repr=False)
    source: Source
    category: Category = Category.INCOME


Fact = Bottleneck | Facility | Benefit | Earning


@dataclass(frozen=True, slots=True)
class Notice:
    """One message of FWI: its kind (`Fout`, `Waarschuwing`, `Informatie`), its code and who says so."""

    kind: str
    code: str
    from_whom: str


@dataclass(frozen=True, slots=True)
class Findings:
    """What one service told; `nothing` where it said that nothing was found."""

    service: str
    facts: tuple[Fact, ...] = field(default=(), repr=False)
    notices: tuple[Notice, ...] = ()
    nothing: bool = False

    @property
    def faults(self) -> tuple[str, ...]:
        """Return the codes of what went wrong at the source."""
        return tuple(one.code for one in self.notices if one.kind == "Fout")


@dataclass(frozen=True, slots=True)
class Prefill:
    """What a life domain of the plan is filled in with: Dutch, and where it is from."""

    domain: Domain
    description: str = field(repr=False)
    source: str


@dataclass(frozen=True, slots=True)
class GoalDraft:
    """A goal for a professional to set with the resident, who has words of his own for it."""

    desired_effect: str = field(repr=False)
    actions: tuple[str, ...] = field(repr=False)
    domain: Domain
    source: str


@dataclass(frozen=True, slots=True)
class TrajectoryDraft:
    """A trajectory for a professional to start: its step on the ladder is in no service."""

    activity: str = field(repr=False)
    facility: str = field(repr=False)
    start_day: str = field(repr=False)
    end_day: str = field(repr=False)
    source: str
