"""What is known of a case and of a plan, without JSON and without protobuf.

Source: Zaken API 1.5.1; protos/exchange/v1/plan.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from adapters.sdk.bsn import Bsn


class Stage(IntEnum):
    """How far a plan is, in the order in which a case goes through it."""

    RECEIVED = 1
    INVESTIGATED = 2
    AGREED = 3
    CLOSED = 4


class Result(Enum):
    """How it ended."""

    GRANTED = "granted"
    REFUSED = "refused"
    SOLVED = "solved"


class SupportState(Enum):
    """Where a support stands."""

    REQUESTED = "requested"
    ASSIGNED = "assigned"
    STARTED = "started"
    STOPPED = "stopped"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Names:
    """What the catalogue calls the case type, its statuses, results, decision and properties.

    `decision`, `plan_version` and `life_domains` are empty where the case type has none; `life_domain` is
    the one a report is about that names none.
    """

    zaaktype: str
    received: str
    investigated: str
    agreed: str
    closed: str
    granted: str
    refused: str
    solved: str
    decision: str
    plan_version: str
    life_domains: str
    life_domain: str

    def status(self, stage: Stage) -> str:
        """Return the description of the status of a stage."""
        return (self.received, self.investigated, self.agreed, self.closed)[stage - 1]

    def result(self, result: Result) -> str:
        """Return the description of a result."""
        return str(getattr(self, result.value))


@dataclass(frozen=True, slots=True)
class Zaak:
    """A case of the case system. `kenmerken` are (kenmerk, bron)."""

    url: str
    uuid: str
    zaaktype: str
    closed: bool
    has_result: bool
    omschrijving: str = field(repr=False)
    toelichting: str = field(repr=False)
    kenmerken: tuple[tuple[str, str], ...] = ()
    status: str = ""  # the url of the newest one
    rollen: tuple[str, ...] = ()
    zaakobjecten: tuple[str, ...] = ()
    etag: str = ""
    confidentiality: str = ""
    changed: str = ""  # when it was last changed, as the case system says it


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something in a list of cases that is none: what it is known by, and why, as a word."""

    subject: str
    code: str


@dataclass(frozen=True, slots=True)
class ZaakType:
    """A version of the case type: the url of each thing by its name, and the number of each status."""

    url: str
    statuses: Mapping[str, str]
    status_numbers: Mapping[str, int]  # by url
    results: Mapping[str, str]
    properties: Mapping[str, str]
    initiator: str
    decision: str


@dataclass(frozen=True, slots=True)
class Resident:
    """What the BRP tells, as far as we ask."""

    born: date
    minor: bool
    in_curatele: bool
    secret: bool


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has authority over a child, by the BRP: a relation and a kind of authority of the contract."""

    bsn: Bsn
    relation: str
    gezag: str


@dataclass(frozen=True, slots=True)
class Goal:
    """A goal of a plan."""

    goal_id: str
    own_words: str = field(repr=False)
    desired_effect: str = field(repr=False)
    life_domain: str
    target_date: str
    state: str


@dataclass(frozen=True, slots=True)
class Support:
    """A support of a plan; days in ISO 8601, empty where there is none."""

    support_id: str
    custom: bool
    state: SupportState
    provider_oin: str
    product_category: str
    product_code: str
    start_date: str
    end_date: str


@dataclass(frozen=True, slots=True)
class PlanSeen:
    """A plan as it is now. `investigated`: something was talked about, described or wished."""

    plan_id: str
    version: int
    investigated: bool
    solved: bool
    agreed: bool
    goals: tuple[Goal, ...] = ()
    supports: tuple[Support, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What a case says to the exchange; `domains` are names of exchange.v1.LifeDomain, prefix left out."""

    own_words: str = field(repr=False)
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """What a case says of a life domain, a name of exchange.v1.LifeDomain, with a person's score, 1 to 5."""

    domain: str
    description: str = field(repr=False)
    score: int = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision on one support."""

    support_id: str
    start_date: str
    end_date: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a case should look like because of its plan."""

    stage: Stage
    result: Result | None
    plan_version: str
    decisions: tuple[Decision, ...]
    data: Mapping[str, object] = field(repr=False)
