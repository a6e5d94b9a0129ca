"""Orders on a plan, named as the calls of the contract.

Promises: days are dates (None where absent), times aware UTC; ids are drawn by who builds the command.
Source: protos/exchange/v1/plan_service.proto and case_service.proto (ReceiveReport).
"""

from dataclasses import dataclass
from datetime import date

from exchange.domain.kernel import AuthoredCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiveReport(AuthoredCommand):
    """Report a need. Case and plan ids are used only where the resident has no open case."""

    resident: str
    case_id: str
    plan_id: str
    report_id: str
    life_domains: tuple[str, ...]
    own_words: str
    desk: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordConversation(AuthoredCommand):
    """Record a conversation; a first one solved in general services closes the plan.

    `present` is empty where it is not said who was there.
    """

    conversation_id: str
    kind: str
    hold_date: date
    outcome: str
    summary: str
    present: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeSituation(AuthoredCommand):
    """Describe one life domain; the score is 1 (acute problem) to 5 (fully self-reliant).

    `source` names where it was filled in from, such as "brp", instead of asking again; empty where it was
    asked. `own_network` is what those around the resident do in it, or could.
    """

    life_domain: str
    description: str
    strengths: str = ""
    own_network: str = ""
    score: int
    judge_date: date
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetGoal(AuthoredCommand):
    """Set a goal in the resident's own words."""

    goal_id: str
    own_words: str
    desired_effect: str
    life_domain: str
    target_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessLens(AuthoredCommand):
    """Record what looking through one law shows, or why that lens is waived."""

    law: str
    finding: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestSupport(AuthoredCommand):
    """Choose a support for goals. Volume with unit and frequency (iWmo codes), or 0 and both empty."""

    support_id: str
    kind: str
    provider_oin: str = ""
    product_category: str = ""
    product_code: str = ""
    start_date: date
    end_date: date | None = None
    volume: int = 0
    unit: str = ""
    frequency: str = ""
    goal_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreeToPlan(AuthoredCommand):
    """Record the resident's yes or no to the plan as it stands.

    `minor` tells that the resident is not 18, `for_another` that his yes is not his own to say: he is not
    twelve, or was found unable to decide about care. `asks_both` that he is a child of twelve to fifteen who
    can decide: then who has authority over him says yes beside him.
    """

    outcome: str
    remarks: str = ""
    minor: bool = False
    for_another: bool = False
    asks_both: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignSupport(AuthoredCommand):
    """Record that a custom support is assigned to its provider (iWmo 301)."""

    support_id: str
    assignment_number: str
    assign_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSupport(AuthoredCommand):
    """Record that care has started (iWmo 305)."""

    support_id: str
    care_start_date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSupport(AuthoredCommand):
    """Record that care has stopped (iWmo 307); the day is the last of care."""

    support_id: str
    care_end_date: date
    reason: str
