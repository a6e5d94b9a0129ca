"""A support of a plan, and the days of care under it.

Promises: records without rules; both days are included.
Source: protos/exchange/v1/plan.proto; iWmo 3.2 (305, 307).
"""

from dataclasses import dataclass
from datetime import date, datetime

from exchange.domain.kernel import quickly_made, with_changes
from exchange.domain.values import DataCategory, StopReason, SupportStatus


@dataclass(frozen=True, slots=True)
class Care:
    """Days of care under a support, both included, that were followed by more after a stop for a while."""

    first_day: date
    last_day: date


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """A support (voorziening). `requested_version` is the plan's version once it was chosen."""

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
    earlier_care: tuple[Care, ...] = ()
    requested_version: int
    origin: str
    category: str = DataCategory.WMO_PLAN
    recorded: datetime | None = None

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
