"""A batch that takes a while: many goals of one plan, which are done one after another."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from adapters.sdk.batches import Batch, Collected
from exchange.v1 import common_pb2 as pb
from tests.e2e.service import INVESTIGATE, Case

if TYPE_CHECKING:
    from exchange.v1.plan_service_pb2 import SetGoalResponse

# So many that a node dies in the middle of them also where a machine was busy; one message holds a hundred.
GOALS = 96


def goals_of(case: Case) -> tuple[Batch, list[Collected[SetGoalResponse]]]:
    """Collect goals of one plan, each on the version that the one before it leaves."""
    batch = Batch()
    goals = [
        batch.plan.set_goal(
            request_id=str(uuid.uuid4()),
            claim=INVESTIGATE,
            plan_id=case.plan_id,
            expected_version=case.version + number,
            own_words=f"Wens {number}.",
            desired_effect="zelfstandig eten",
            life_domain=pb.LIFE_DOMAIN_INSTRUMENTAL_ADL,
            target_date="2027-06-01",
        )
        for number in range(GOALS)
    ]
    return batch, goals
