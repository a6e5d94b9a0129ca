"""P11, what a resident notices: two desks of one town hall work on one plan, and each reads its own part.

Source: the Almere pilot; the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.v1 import common_pb2 as pb
from tests.server.town import INVESTIGATE, WORK
from tests.stories.people import A_DAY, Desks

if TYPE_CHECKING:
    from tests.server.town import Town


def test_each_task_of_one_organisation_is_a_recipient_of_its_own(town: Town) -> None:
    desks = Desks(town)
    desks.describe(pb.LIFE_DOMAIN_HOUSING)
    desks.does(
        desks.work,
        "describe_situation",
        life_domain=pb.LIFE_DOMAIN_HOUSING,
        description="Kan niet verhuizen voor werk.",
        score=3,
        judge_date=A_DAY,
    )
    read = {}
    for client, why in ((desks.team, INVESTIGATE), (desks.work, WORK)):
        answer = client.plan.get_plan(
            claim=why,
            plan_id=desks.story.plan_id,
            fields=["situations.description"],
            allow_partial=True,
        )
        read[why.legal_basis] = [one.description for one in answer.plan.situations]
    assert read == {
        "WMO-2.3.2": ["Het lukt thuis niet meer."],
        "PW-7": ["Kan niet verhuizen voor werk."],
    }
    # The resident has one plan, and reads all of it.
    whole = desks.plan(desks.resident, "situations.description").situations
    assert len(whole) == len(read)


def test_what_one_desk_writes_makes_the_other_one_look_again(town: Town) -> None:
    desks = Desks(town)
    seen = desks.version
    desks.describe(pb.LIFE_DOMAIN_HOUSING)
    desks.story.version = seen
    refused = desks.conflicts(
        desks.work,
        "describe_situation",
        life_domain=pb.LIFE_DOMAIN_WORK_AND_EDUCATION,
        description="Tien jaar kok.",
        score=3,
        judge_date=A_DAY,
    )
    assert refused == "VERSION_CONFLICT"
