"""P7, what a resident notices: the plan stays his over the years, and somebody looks back on it with him.

Source: Passend Werk; the domain's design section 2.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

# By how many days ahead the looking back was planned.
SCORES = {0: 2, 365: 3, 730: 5}


def day(town: Town, days: int = 0) -> str:
    return (town.now() + timedelta(days=days)).date().isoformat()


def test_each_looking_back_stays_readable_beside_the_next(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    desks.agree()
    for planned_in, score in SCORES.items():
        planned = desks.does(desks.team, "plan_evaluation", plan_date=day(town, planned_in))
        desks.does(
            desks.team,
            "hold_evaluation",
            evaluation_id=planned.evaluation_id,
            hold_date=day(town),
            goal_ids=[goal_id],
            scores=[score],
            what_to_change="Een dag erbij.",
        )
    told = {"goal_id": goal_id, "state": plan_pb2.GOAL_STATE_REACHED, "state_date": day(town)}
    desks.does(desks.team, "mark_goal", **told)
    leaves = ("plan_date", "hold_date", "scores", "goal_ids")
    plan = desks.plan(desks.resident, *(f"evaluations.{leaf}" for leaf in leaves), "goals.state")
    assert list(plan.evaluations) == [
        plan_pb2.Evaluation(
            plan_date=day(town, planned_in), hold_date=day(town), goal_ids=[goal_id], scores=[score]
        )
        for planned_in, score in SCORES.items()
    ]
    assert [one.state for one in plan.goals] == [plan_pb2.GOAL_STATE_REACHED]


def test_looking_back_takes_its_turn_and_a_score_has_its_scale(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    planned = desks.does(desks.team, "plan_evaluation", plan_date=day(town, 30))
    looking: dict[str, Any] = {
        "evaluation_id": planned.evaluation_id,
        "hold_date": day(town),
        "goal_ids": [goal_id],
        "scores": [4],
    }
    assert desks.broken(desks.team, "hold_evaluation", **looking) == "NOT_AGREED"
    desks.agree()

    def at_fault(**changes: Any) -> set[str]:  # noqa: ANN401 -- any field of a looking back
        return desks.at_fault(desks.team, "hold_evaluation", **(looking | changes))

    assert at_fault(scores=[6]) == {"scores[0]"}
    assert at_fault(scores=[4, 4]) == {"scores"}
    assert at_fault(hold_date=day(town, -1)) == {"hold_date"}
    assert at_fault(hold_date=day(town, 2)) == {"hold_date"}
    assert at_fault(what_to_change="x" * 4001) == {"what_to_change"}
    assert at_fault(what_to_change=f"Bel {desks.story.bsn}.") == {"what_to_change"}
    assert desks.at_fault(desks.team, "plan_evaluation", plan_date=day(town, -1)) == {"plan_date"}
    desks.does(desks.team, "hold_evaluation", **looking)
    assert desks.broken(desks.team, "hold_evaluation", **looking) == "EVALUATION_HELD"


def test_self_reliance_is_shown_as_it_went(town: Town) -> None:
    desks = Desks(town)
    for score in (1, 2, 4):
        desks.describe(pb.LIFE_DOMAIN_INSTRUMENTAL_ADL, score)
    (read,) = desks.plan(desks.resident, "situations.score", "situations.earlier_scores").situations
    assert (list(read.earlier_scores), read.score) == ([1, 2], 4)


def test_the_resident_withdraws_a_goal_and_nothing_is_done_for_it_any_more(town: Town) -> None:
    desks = Desks(town)
    goal_id = desks.story.goal()
    withdrawn = {"goal_id": goal_id, "state": plan_pb2.GOAL_STATE_WITHDRAWN, "state_date": day(town)}
    reached = withdrawn | {"state": plan_pb2.GOAL_STATE_REACHED}
    assert desks.broken(desks.resident, "mark_goal", **reached) == "NOT_THE_AUTHOR"
    desks.does(desks.resident, "mark_goal", **withdrawn)
    assert desks.broken(desks.team, "mark_goal", **reached) == "GOAL_WITHDRAWN"
    general = {"kind": plan_pb2.SUPPORT_KIND_GENERAL_SERVICE, "start_date": "2027-01-01"}
    assert desks.broken(desks.team, "request_support", goal_ids=[goal_id], **general) == "GOAL_WITHDRAWN"
