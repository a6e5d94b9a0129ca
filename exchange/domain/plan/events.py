"""What can happen to a plan; topics are permanent.

Promises: each event says in the clear which organisation and task brought it (the origin of the element);
words and scores of the resident are sealed under the category their field has in the contract.
Source: protos/exchange/v1/plan.proto (names, categories).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import ClassVar, Final

from exchange.domain.kernel import ResidentEvent
from exchange.domain.values import category_of

# Stands for the category of the event's own life domain, as in the contract's labels.
BY_LIFE_DOMAIN: Final = "@life_domain"
DIGITS_MAX: Final = 18


def plan_words(*fields: str) -> Mapping[str, str]:
    """Return these fields as sealed with the rest of the plan."""
    return MappingProxyType(dict.fromkeys(fields, "WMO-PLAN"))


def numbers_of(written: tuple[str, ...]) -> tuple[int, ...]:
    """Return whole numbers that an event writes out; what is none is left out."""
    return tuple(int(one) for one in written if one.isascii() and one.isdigit() and len(one) <= DIGITS_MAX)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanEvent(ResidentEvent):
    """Something that happened to a plan; `organisation` (OIN) and `task` are the author's."""

    plan_id: str
    organisation: str
    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOpened(PlanEvent):
    """A plan is there."""

    TOPIC: ClassVar[str] = "plan.opened.v1"
    case_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportReceived(PlanEvent):
    """A need was reported; opens a closed plan again."""

    TOPIC: ClassVar[str] = "plan.report_received.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("own_words", "life_domains")
    report_id: str
    desk: str
    life_domains: tuple[str, ...]
    own_words: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConversationRecorded(PlanEvent):
    """A conversation was held; `present` is empty where nobody said who was there."""

    TOPIC: ClassVar[str] = "plan.conversation_recorded.v2"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("summary", "present")
    conversation_id: str
    kind: str
    hold_date: date
    outcome: str
    summary: str
    present: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationDescribed(PlanEvent):
    """The situation in one life domain; sealed under the category of that domain.

    `beside` says that its author was not shown all of what stood: it takes the place of nothing. `source` is
    where it was filled in from; empty where the resident was asked.
    """

    TOPIC: ClassVar[str] = "plan.situation_described.v4"
    SEALED: ClassVar[Mapping[str, str]] = MappingProxyType(
        dict.fromkeys(
            ("life_domain", "description", "strengths", "score", "beside", "source", "own_network"),
            BY_LIFE_DOMAIN,
        )
    )
    life_domain: str
    description: str
    strengths: str
    score: int
    judge_date: date
    beside: bool
    source: str
    own_network: str

    def sealed_fields(self) -> Mapping[str, str]:
        """Return the fields to seal, each with the category of this event's life domain."""
        return dict.fromkeys(self.SEALED, category_of(self.life_domain))


@dataclass(frozen=True, slots=True, kw_only=True)
class GoalSet(PlanEvent):
    """The resident has a goal."""

    TOPIC: ClassVar[str] = "plan.goal_set.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("own_words", "desired_effect", "life_domain")
    goal_id: str
    own_words: str
    desired_effect: str
    life_domain: str
    target_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class LensAssessed(PlanEvent):
    """The plan was looked at through one law, or that lens was waived."""

    TOPIC: ClassVar[str] = "plan.lens_assessed.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("reason")
    law: str
    finding: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportRequested(PlanEvent):
    """A support was chosen; what it is, by whom and when tells of the need, and is sealed."""

    TOPIC: ClassVar[str] = "plan.support_requested.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words(
        "provider_oin",
        "product_category",
        "product_code",
        "start_date",
        "end_date",
        "volume",
        "unit",
        "frequency",
    )
    COMMITTED: ClassVar[tuple[str, ...]] = ("product_code", "volume", "start_date", "end_date")
    support_id: str
    kind: str
    provider_oin: str
    product_category: str
    product_code: str
    start_date: date
    end_date: date | None
    volume: int
    unit: str
    frequency: str
    goal_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportAssigned(PlanEvent):
    """A custom support was assigned to its provider."""

    TOPIC: ClassVar[str] = "plan.support_assigned.v2"
    # The number leads to a person in the systems of municipality and provider, also after an erasure here.
    SEALED: ClassVar[Mapping[str, str]] = plan_words("assignment_number", "assign_date")
    support_id: str
    assignment_number: str
    assign_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportStarted(PlanEvent):
    """Care started."""

    TOPIC: ClassVar[str] = "plan.support_started.v2"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("care_start_date")
    support_id: str
    care_start_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportStopped(PlanEvent):
    """Care stopped."""

    TOPIC: ClassVar[str] = "plan.support_stopped.v2"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("care_end_date", "stop_reason")
    support_id: str
    care_end_date: date
    stop_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAgreed(PlanEvent):
    """The resident agrees with the plan at this version.

    `supports_unseen` says that who spoke was shown no supports: this yes is to none of them. `waits` says
    that of a child of twelve to fifteen and its parent the other one has not said yes (Jeugdwet 7.3.4(2)).
    """

    TOPIC: ClassVar[str] = "plan.agreed.v3"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("remarks", "supports_unseen", "waits")
    COMMITTED: ClassVar[tuple[str, ...]] = ("plan_version", "at")
    plan_version: int
    remarks: str
    at: datetime
    supports_unseen: bool
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAgreedOnConditions(PlanEvent):
    """The resident agrees with the plan at this version if what the remarks ask is met."""

    TOPIC: ClassVar[str] = "plan.agreed_on_conditions.v2"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("remarks", "supports_unseen", "waits")
    plan_version: int
    remarks: str
    at: datetime
    supports_unseen: bool
    waits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDisagreed(PlanEvent):
    """The resident disagrees with the plan at this version; the remarks say how that was handled."""

    TOPIC: ClassVar[str] = "plan.disagreed.v1"
    SEALED: ClassVar[Mapping[str, str]] = plan_words("remarks")
    plan_version: int
    remarks: str
    at: datetime
