"""What was known at a moment, and what changed since: facts of then, by what may be read now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from adapters.simulators.story.stage import WIJKTEAM, StoryBroken
from exchange.v1.plan_pb2 import SupportState

if TYPE_CHECKING:
    from adapters.simulators.story.intake import Plan
    from adapters.simulators.story.stage import Telling

FIELDS: Final = ["supports.state", "funding.amounts_cents", "evaluations.scores"]
CENTS: Final = 100


def then_and_now(told: Telling, plan: Plan) -> None:
    """Ask for the plan as it was when the resident agreed, and for the difference with now."""
    told.chapter("Looking back")
    history = plan.wijkteam().history
    was = history.get_plan_as_of(
        claim=WIJKTEAM, plan_id=plan.plan_id, as_of_time=plan.agreed_at, fields=FIELDS
    ).plan
    if was.funding or was.evaluations:
        raise StoryBroken("the past knew what came later")
    told.step(
        "as-of",
        f"What did we know when the resident said yes? The support was {_state(was.supports[0].state)}; "
        "nothing of money, no score.",
        "PERMIT",
    )
    changed = history.get_plan_difference(
        claim=WIJKTEAM,
        plan_id=plan.plan_id,
        from_time=plan.agreed_at,
        to_time=plan.evaluated_at,
        fields=FIELDS,
    )
    now = changed.after
    euros = sum(cents for one in now.funding for cents in one.amounts_cents) // CENTS
    scores = [score for one in now.evaluations for score in one.scores]
    if not euros or not scores:
        raise StoryBroken("the difference misses what came")
    told.step(
        "difference",
        f"And what changed since? It is {_state(now.supports[0].state)}, € {euros} was set aside, and the "
        f"first score is {scores[0]}.",
        "PERMIT",
    )


def _state(state: SupportState.ValueType) -> str:
    return SupportState.Name(state).removeprefix("SUPPORT_STATE_").lower()
