"""P7, what a resident notices: what was known on a day can be asked ever after, and what changed since.

Source: Passend Werk; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import ACCESS
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town


def test_what_was_known_on_a_day_can_be_asked_ever_after_and_what_changed_since(town: Town) -> None:
    desks = Desks(town)
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL, score=2)
    desks.story.goal()
    yes = {"outcome": plan_pb2.AGREEMENT_OUTCOME_AGREED}
    then = desks.does(desks.resident, "agree_to_plan", **yes).receipt.record_time
    desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL, score=4)
    reached = {"state": plan_pb2.GOAL_STATE_REACHED, "state_date": town.now().date().isoformat()}
    goal = desks.plan(desks.resident, "goals.goal_id").goals[0].goal_id
    now = desks.does(desks.team, "mark_goal", goal_id=goal, **reached).receipt.record_time
    asked: dict[str, Any] = {
        "claim": ACCESS,
        "plan_id": desks.story.plan_id,
        "fields": ["situations.life_domain", "situations.score", "goals.state"],
    }
    known = desks.resident.history.get_plan_as_of(**asked, as_of_time=then).plan
    assert [one.score for one in known.situations] == [2]
    assert [one.state for one in known.goals] == [plan_pb2.GOAL_STATE_ACTIVE]
    since = desks.resident.history.get_plan_difference(**asked, from_time=then, to_time=now)
    assert [one.score for one in since.before.situations] == [2]
    assert [one.score for one in since.after.situations] == [4]
    assert [one.state for one in since.after.goals] == [plan_pb2.GOAL_STATE_REACHED]
