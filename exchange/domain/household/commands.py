"""Orders on households and memberships, named as the calls of the contract.

Source: protos/exchange/v1/household_service.proto.
"""

from dataclasses import dataclass

from exchange.domain.kernel import AuthoredCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginMembership(AuthoredCommand):
    """Let a resident be a member: `opens` a household, or joins the one that is there."""

    membership_id: str
    household_id: str
    resident: str
    case_id: str
    plan_id: str
    role: str
    consent_id: str
    opens: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveHousehold(AuthoredCommand):
    """End a membership; `reason` is one of LeaveReason."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NameDirector(AuthoredCommand):
    """Name the director: `leads` says that this person leads the case of the member he is named for."""

    appointment_id: str
    oin: str
    task: str
    professional: str
    leads: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerDirector(AuthoredCommand):
    """Say yes or no to the director: `appointment_id` is empty where this person is not the director now.

    `on_case` says that he works on this member's case.
    """

    appointment_id: str
    oin: str
    task: str
    professional: str
    accepted: bool
    on_case: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NameInGoal(AuthoredCommand):
    """Let a goal of the member's plan be one of the household, of these other memberships too."""

    goal_id: str
    membership_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGoal(AuthoredCommand):
    """Say yes or no to a goal of another member; `named` says that it names this one."""

    beside_membership_id: str
    goal_id: str
    accepted: bool
    named: bool
