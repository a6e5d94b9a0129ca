"""What a plan holds: each element has the contract's field names.

Promises: beside them each has `origin` (the task and organisation that brought it), `category` (under which
the gate judges it) and `recorded` (from when its term runs). `statement` is what the resident says beside.
`written` is the version of the plan that brought it, `rewritten` which leaves were changed since: no part of
what it says, so two that say the same are equal.
Source: protos/exchange/v1/plan.proto.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from exchange.domain.kernel import quickly_made, with_changes
from exchange.domain.plan.earlier import as_chain
from exchange.domain.plan.words import GoalState, TrajectoryState
from exchange.domain.values import DataCategory, StopReason, SupportStatus


class Rewrite(NamedTuple):
    """One leaf of an element that was changed: the version of the plan that did so last, and by whom.

    `by` is task and organisation, as an element's origin is.
    """

    leaf: str
    version: int
    by: str


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report (melding)."""

    report_id: str
    desk: str
    life_domains: tuple[str, ...]
    own_words: str
    receive_time: datetime
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """A conversation; `present` is empty where nobody said who was there."""

    conversation_id: str
    kind: str
    hold_date: date
    outcome: str
    summary: str
    present: tuple[str, ...] = ()
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
    statement: str = ""


@as_chain
@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """The newest description of one life domain by one origin; its category follows the domain.

    With the scores of the descriptions it took the place of, oldest first, and the days of judging them.
    `source` is where it was filled in from; empty where the resident was asked. `own_network` is what those
    around the resident do in it, or could.
    """

    life_domain: str
    description: str
    strengths: str
    score: int
    judge_date: date
    earlier_scores: tuple[int, ...] = ()
    earlier_judge_dates: tuple[str, ...] = ()
    source: str = ""
    own_network: str = ""
    origin: str
    category: str
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal."""

    goal_id: str
    own_words: str
    desired_effect: str
    life_domain: str
    target_date: date
    state: str = GoalState.ACTIVE
    state_date: date | None = None
    carried_by: str = ""
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class LensAssessment:
    """What one law's lens shows."""

    law: str
    finding: str
    reason: str
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
    statement: str = ""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class RuleConflict:
    """Rules that cannot both be followed here, and how that was resolved; empty where it is not yet."""

    conflict_id: str
    laws: tuple[str, ...]
    rules: tuple[str, ...]
    analysis: str
    resolution: str = ""
    resolve_reason: str = ""
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Funding:
    """How the cost of a support in a period is split; amounts are those of the sources, in that order.

    `of_provider` is the OIN of who delivers the support: who may not know of the one may not of the other.
    """

    funding_id: str
    support_id: str
    cost_cents: int
    sources: tuple[str, ...]
    amounts_cents: tuple[int, ...]
    start_date: date
    end_date: date | None
    of_provider: str
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """A trajectory of participation: how it stands since a day, and its earlier steps, oldest first."""

    trajectory_id: str
    activity: str
    step: int
    hours_a_week: int
    place: str
    facility: str
    goal_ids: tuple[str, ...]
    start_date: date
    state: str = TrajectoryState.STARTED
    since_date: date
    earlier_steps: tuple[int, ...] = ()
    earlier_dates: tuple[str, ...] = ()
    origin: str
    category: str = DataCategory.ARBEID
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """A looking back, planned or held; scores are those of the goals, in that order, once it was held."""

    evaluation_id: str
    plan_date: date
    hold_date: date | None = None
    goal_ids: tuple[str, ...] = ()
    scores: tuple[int, ...] = ()
    what_to_change: str = ""
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class Care:
    """Days of care under a support, both included, that were followed by more after a stop for a while."""

    first_day: date
    last_day: date


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """A support (voorziening). `requested_version` is the plan's version once it was chosen.

    `corrected_version` is that once what was chosen was last corrected, or changed while it runs; 0 where it
    never was.
    """

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
    state: str = SupportStatus.REQUESTED
    assignment_number: str = ""
    assign_date: date | None = None
    care_start_date: date | None = None
    care_end_date: date | None = None
    stop_reason: str = ""
    refuse_reason: str = ""
    earlier_care: tuple[Care, ...] = ()
    requested_version: int
    corrected_version: int = 0
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)

    @property
    def chosen_version(self) -> int:
        """Return the version from which on a yes is to this support as it is written now."""
        return max(self.requested_version, self.corrected_version)

    @property
    def paused(self) -> bool:
        """Tell whether care was stopped for a while: it may start again under the same assignment."""
        return self.state == SupportStatus.STOPPED and self.stop_reason == StopReason.TEMPORARY

    def as_started(self, first_day: date) -> "Support":
        """Return the support as the start of care on this day left it, whatever came after."""
        return with_changes(
            self, state=SupportStatus.STARTED, care_start_date=first_day, care_end_date=None, stop_reason=""
        )

    def as_stopped(self, last_day: date, reason: str) -> "Support":
        """Return the support as the stop after this day left it, whatever came after."""
        earlier = (care.first_day for care in self.earlier_care if care.last_day == last_day)
        return with_changes(
            self,
            state=SupportStatus.STOPPED,
            care_start_date=next(earlier, self.care_start_date),
            care_end_date=last_day,
            stop_reason=reason,
        )


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What the resident said of the plan at one version.

    `supports_unseen` says that who spoke was shown no supports, `waits` that the other of a child and its
    parent had not said yes. `spoken_by` follows from the task in which it was said; empty where another
    municipality did not hand that over.
    """

    outcome: str
    remarks: str
    plan_version: int
    say_time: datetime
    supports_unseen: bool = False
    waits: bool = False
    spoken_by: str = ""
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a college answered to the resident's word about the plan at one version."""

    plan_version: int
    met: bool
    answer: str
    answer_time: datetime
    without_parents: str = ""
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Preference:
    """A provider the resident prefers, and whether it was asked to the case."""

    preference_id: str
    provider_oin: str
    provider_task: str
    invited: bool = False
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What a partner told of arrears, beside the report it opened."""

    signal_id: str
    report_id: str
    partner: str
    arrears_cents: int
    since_date: date
    receive_time: datetime
    origin: str
    category: str = DataCategory.SCHULDEN
    recorded: datetime | None = None
    written: int = field(default=0, compare=False)
    rewritten: tuple[Rewrite, ...] = field(default=(), compare=False)
