"""P14, what a resident notices: cooking in the neighbourhood counts, and so does each step from there.

Source: Passend Werk; the participation ladder (1 isolated to 6 paid work).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from adapters.sdk import errors
from exchange.v1 import plan_pb2
from tests.server.town import DELIVER, INVESTIGATE
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

STARTED, PAUSED = plan_pb2.TRAJECTORY_STATE_STARTED, plan_pb2.TRAJECTORY_STATE_PAUSED
STOPPED = plan_pb2.TRAJECTORY_STATE_STOPPED
COOKING: dict[str, Any] = {
    "activity": "Koken in het buurthuis",
    "step": 3,
    "hours_a_week": 8,
    "place": "Buurthuis De Linde",
    "facility": "Een begeleider op de werkplek",
    "start_date": "2027-01-04",
}


def test_from_the_neighbourhood_kitchen_to_paid_work_with_a_pause(town: Town) -> None:
    desks = Desks(town)
    cooking = COOKING | {"goal_ids": [desks.story.goal()]}
    assert desks.broken(desks.work, "start_trajectory", **cooking) == "NOT_AGREED"
    desks.agree()
    trajectory_id = desks.does(desks.work, "start_trajectory", **cooking).trajectory_id

    def stands(state: plan_pb2.TrajectoryState.ValueType, step: int, hours: int, since: str) -> None:
        desks.does(
            desks.work,
            "move_trajectory",
            trajectory_id=trajectory_id,
            state=state,
            step=step,
            hours_a_week=hours,
            since_date=since,
        )

    stands(STARTED, 5, 16, "2027-03-01")
    stands(PAUSED, 5, 0, "2027-05-01")
    stands(STARTED, 6, 24, "2027-09-01")
    leaves = ("state", "step", "since_date", "earlier_steps", "earlier_dates", "hours_a_week", "activity")
    (read,) = desks.plan(desks.resident, *(f"trajectories.{leaf}" for leaf in leaves)).trajectories
    assert read == plan_pb2.Trajectory(
        state=STARTED,
        step=6,
        since_date="2027-09-01",
        hours_a_week=24,
        activity=COOKING["activity"],
        earlier_steps=[3, 5, 5],
        earlier_dates=["2027-01-04", "2027-03-01", "2027-05-01"],
    )
    stands(STOPPED, 6, 0, "2028-01-01")
    again = {"trajectory_id": trajectory_id, "state": STARTED, "step": 6, "since_date": "2028-02-01"}
    assert desks.broken(desks.work, "move_trajectory", **again) == "TRAJECTORY_STATE"


def test_the_ladder_has_six_steps_and_time_goes_one_way(town: Town) -> None:
    desks = Desks(town)
    cooking = COOKING | {"goal_ids": [desks.story.goal()]}
    desks.agree()
    for step in (0, 7):
        assert desks.at_fault(desks.work, "start_trajectory", **(cooking | {"step": step})) == {"step"}
    bsn = {"place": f"bij {desks.story.bsn}"}
    assert desks.at_fault(desks.work, "start_trajectory", **(cooking | bsn)) == {"place"}
    trajectory_id = desks.does(desks.work, "start_trajectory", **cooking).trajectory_id
    back = {"trajectory_id": trajectory_id, "state": PAUSED, "step": 3, "since_date": "2027-01-03"}
    assert desks.at_fault(desks.work, "move_trajectory", **back) == {"since_date"}


def test_who_gives_care_does_not_read_of_work(town: Town) -> None:
    desks = Desks(town)
    cooking = COOKING | {"goal_ids": [desks.story.goal()]}
    desks.agree()
    desks.does(desks.work, "start_trajectory", **cooking)
    carer = desks.carer()
    for client, why in ((carer, DELIVER), (desks.team, INVESTIGATE)):
        with pytest.raises(errors.Denied):
            desks.plan(client, "trajectories.step", claim=why)
    assert [one.step for one in desks.plan(desks.work, "trajectories.step").trajectories] == [3]
