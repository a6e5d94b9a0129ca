"""What an event of a plan is about: which element of it, as it may be told.

Promises: an element is found as it is now, also where it was corrected since; None where it is there no more.
Source: the events of the plan (`exchange.domain.plan`); protos/exchange/v1/subscription_service.proto.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from exchange.domain.plan import PlanCorrected, Support, SupportStarted, SupportStopped
from exchange.domain.plan.received import ElementsReceived, newest_of
from exchange.domain.plan.rectified import paths_at, said_now, since
from exchange.domain.values import origin_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exchange.domain.plan.rectified import Correction

VERSION_SUFFIX: Final = ".v"


class Changed(NamedTuple):
    """Which collection of the plan an event changed, and by which attributes the element is found in it."""

    collection: str = ""
    names: tuple[str, ...] = ()
    # What has no id of its own is its author's: two desks describe one life domain, each in its own words.
    by_origin: bool = False
    # Of what is kept each time it is said anew: the one this event brought, also where it was corrected.
    brought: bool = False


CHANGED: Final[Mapping[str, Changed]] = {
    "plan.report_received": Changed("reports", ("report_id",)),
    "plan.conversation_recorded": Changed("conversations", ("conversation_id",)),
    "plan.situation_described": Changed("situations", ("life_domain",), by_origin=True),
    "plan.goal_set": Changed("goals", ("goal_id",)),
    # Every assessment is kept.
    "plan.lens_assessed": Changed("lens_assessments", ("law",), by_origin=True, brought=True),
    "plan.rule_conflict_recorded": Changed("rule_conflicts", ("conflict_id",)),
    "plan.rule_conflict_resolved": Changed("rule_conflicts", ("conflict_id",)),
    "plan.support_requested": Changed("supports", ("support_id",)),
    "plan.support_assigned": Changed("supports", ("support_id",)),
    "plan.support_started": Changed("supports", ("support_id",)),
    "plan.support_stopped": Changed("supports", ("support_id",)),
    "plan.support_refused": Changed("supports", ("support_id",)),
    "plan.support_changed": Changed("supports", ("support_id",)),
    "plan.funding_set": Changed("funding", ("funding_id",)),
    "plan.goal_marked": Changed("goals", ("goal_id",)),
    "plan.evaluation_planned": Changed("evaluations", ("evaluation_id",)),
    "plan.evaluation_held": Changed("evaluations", ("evaluation_id",)),
    "plan.trajectory_started": Changed("trajectories", ("trajectory_id",)),
    "plan.trajectory_moved": Changed("trajectories", ("trajectory_id",)),
    "plan.agreed": Changed("agreements", ("plan_version",), by_origin=True),
    "plan.agreed_on_conditions": Changed("agreements", ("plan_version",), by_origin=True),
    "plan.disagreed": Changed("agreements", ("plan_version",), by_origin=True),
    # One word is answered twice: that its conditions are met, and that it counts alone.
    "plan.agreement_answered": Changed("answers", ("plan_version",), by_origin=True, brought=True),
    "plan.provider_preferred": Changed("preferences", ("preference_id",)),
    "plan.provider_invited": Changed("preferences", ("preference_id",)),
    "plan.signal_received": Changed("signals", ("signal_id",)),
    "plan.contribution_offered": Changed("contributions", ("contribution_id",)),
    "plan.contribution_withdrawn": Changed("contributions", ("contribution_id",)),
    "plan.wish_opened": Changed("wishes", ("wish_id",)),
    "plan.wish_closed": Changed("wishes", ("wish_id",)),
    "plan.match_proposed": Changed("matches", ("match_id",)),
    "plan.match_answered": Changed("matches", ("match_id",)),
    "plan.match_ended": Changed("matches", ("match_id",)),
}


def changed_element(changed: Changed, event: Any, version: int, plan: Any) -> Any:  # noqa: ANN401 -- any event and element of a plan
    """Return the element an event is about, as it is now; None where the event is about the plan itself.

    Care that started and stopped is as it was then: it may have started again since, under the same support.
    What was corrected in it after the event, which is that version of the plan, is not as it was.
    """
    if not changed.collection:
        return None
    if isinstance(event, PlanCorrected):
        return next((one for one in getattr(plan, changed.collection) if event.finds(one)), None)
    if isinstance(event, ElementsReceived):
        return newest_of(event, plan)
    named = [(name, getattr(event, name)) for name in changed.names]
    if changed.by_origin:
        named.append(("origin", origin_of(event.task, event.organisation)))
    if changed.brought:
        named.append(("written", version))
    elements = reversed(getattr(plan, changed.collection))
    found = next((one for one in elements if all(getattr(one, name) == said for name, said in named)), None)
    return _as_then(found, event, version, plan.corrections) if isinstance(found, Support) else found


def paths_of(event: PlanCorrected, version: int, plan: Any) -> frozenset[str]:  # noqa: ANN401 -- PlanState
    """Return the leaves that the correction of this version changed: it is told with one of those alone."""
    found = paths_at(plan.corrections, version)
    # Of an element that was not there nothing is noted.
    return found or frozenset({f"{event.collection}.{event.field}"})


def _as_then(support: Support, event: Any, version: int, corrections: Sequence[Correction]) -> Support:  # noqa: ANN401 -- any event
    """Return a support as an event left its care, by the corrections of after it."""

    def now(field: str) -> Any:  # noqa: ANN401 -- a day, or a reason
        return said_now(support, field, getattr(event, field), version, later)

    later = since(corrections, version)
    if isinstance(event, SupportStarted):
        return support.as_started(now("care_start_date"))
    if isinstance(event, SupportStopped):
        return support.as_stopped(now("care_end_date"), now("stop_reason"))
    return support
