"""A plan as it stands.

Promises: a collection for each kind of element, under the contract's name.
Source: protos/exchange/v1/plan.proto.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from exchange.domain.plan.elements import (
    Agreement,
    Answer,
    Conversation,
    Evaluation,
    Funding,
    Goal,
    LensAssessment,
    Preference,
    Report,
    RuleConflict,
    Signal,
    Situation,
    Support,
    Trajectory,
)
from exchange.domain.plan.offered import Contribution, Match, Wish
from exchange.domain.plan.rectified import Correction
from exchange.domain.plan.words import GoalState
from exchange.domain.values import ConversationKind, ConversationOutcome, SupportStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanState:
    """A plan. `version` counts its events; `agreed_version` is 0 unless the resident's newest word is yes.

    `origin` is the task and organisation that opened it. `closed` says that nothing was reported since the
    matter was solved: care that runs keeps it open all the same. `corrections` are those of its elements,
    oldest first, for who looks back. `unseen` is of a plan as somebody sees it: the collections of which
    something is kept from him, each with how many elements it holds.
    """

    plan_id: str
    case_id: str
    resident: str
    origin: str
    version: int = 1
    agreed_version: int = 0
    closed: bool = False
    reports: tuple[Report, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    situations: tuple[Situation, ...] = ()
    goals: tuple[Goal, ...] = ()
    lens_assessments: tuple[LensAssessment, ...] = ()
    rule_conflicts: tuple[RuleConflict, ...] = ()
    supports: tuple[Support, ...] = ()
    funding: tuple[Funding, ...] = ()
    trajectories: tuple[Trajectory, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    answers: tuple[Answer, ...] = ()
    preferences: tuple[Preference, ...] = ()
    signals: tuple[Signal, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    wishes: tuple[Wish, ...] = ()
    matches: tuple[Match, ...] = ()
    corrections: tuple[Correction, ...] = ()
    unseen: tuple[tuple[str, int], ...] = ()

    @property
    def care_runs(self) -> bool:
        """Tell whether a support is assigned or started."""
        return any(each.state in _CARE_THAT_RUNS for each in self.supports)

    @property
    def pursued(self) -> tuple[Goal, ...]:
        """Goals that were not withdrawn."""
        return tuple(one for one in self.goals if one.state != GoalState.WITHDRAWN)

    def kept_from(self, collection: str) -> int | None:
        """Return how many elements a collection holds of which something is kept; None where all is seen."""
        # Looked up, not looked for: in the same steps where nothing is kept.
        return dict(self.unseen).get(collection)

    def support(self, support_id: str) -> Support | None:
        """Return the support with this id."""
        return next((each for each in self.supports if each.support_id == support_id), None)


_NEVER: Final = datetime.min.replace(tzinfo=UTC)
_CARE_THAT_RUNS: Final = frozenset({SupportStatus.ASSIGNED, SupportStatus.STARTED})


def closes(kind: str, outcome: str) -> bool:
    """Tell whether a conversation ends the matter."""
    return kind == ConversationKind.FIRST and outcome == ConversationOutcome.SOLVED_IN_GENERAL_SERVICES


def closed_since(reports: Iterable[Report], conversations: Iterable[Conversation]) -> bool:
    """Tell whether one of these conversations ends the matter, and none of these reports came after."""
    reported = max((one.recorded or one.receive_time for one in reports), default=_NEVER)
    return any(
        closes(one.kind, one.outcome) and (one.recorded or _NEVER) >= reported for one in conversations
    )
