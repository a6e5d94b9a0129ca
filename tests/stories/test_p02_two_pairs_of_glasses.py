"""P2, what a resident notices: whoever helps looks at care, work, debts and youth help, or says why not.

Source: Passend Werk (Ermelo, Harderwijk, Zeewolde); the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exchange.v1 import common_pb2 as pb
from exchange.v1 import plan_pb2
from tests.server.town import INVESTIGATE
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town


def refused(desks: Desks) -> str:
    return desks.broken(desks.resident, "agree_to_plan", outcome=plan_pb2.AGREEMENT_OUTCOME_AGREED)


def test_care_and_work_and_debts_are_each_looked_at_before_the_resident_is_asked_to_agree(town: Town) -> None:
    desks = Desks(town)
    desks.story.goal()
    desks.describe(pb.LIFE_DOMAIN_WORK_AND_EDUCATION)
    assert refused(desks) == "TWO_LENSES"
    desks.look(desks.team, pb.LAW_WMO_2015)
    assert refused(desks) == "TWO_LENSES"
    desks.look(desks.work, pb.LAW_PARTICIPATIEWET)
    desks.describe(pb.LIFE_DOMAIN_FINANCE)
    assert refused(desks) == "TWO_LENSES"
    desks.look(desks.team, pb.LAW_WGS, plan_pb2.LENS_FINDING_WAIVED, "De regeling loopt al.")
    desks.agree()
    # The resident reads who looked at what, and why somebody did not look.
    plan = desks.plan(
        desks.resident, "lens_assessments.law", "lens_assessments.finding", "lens_assessments.reason"
    )
    assert [(one.law, one.finding) for one in plan.lens_assessments] == [
        (pb.LAW_WMO_2015, plan_pb2.LENS_FINDING_FITS),
        (pb.LAW_PARTICIPATIEWET, plan_pb2.LENS_FINDING_FITS),
        (pb.LAW_WGS, plan_pb2.LENS_FINDING_WAIVED),
    ]
    assert plan.lens_assessments[2].reason == "De regeling loopt al."


def test_somebody_of_seventeen_is_looked_at_through_the_jeugdwet_too(town: Town) -> None:
    desks = Desks(town)
    born = town.now().replace(year=town.now().year - 17, day=1)
    young = Desks(town, birth_date=f"{born:%Y-%m-%d}")
    for one in (desks, young):
        one.story.goal()
    desks.agree()
    assert refused(young) == "TWO_LENSES"
    young.look(young.team, pb.LAW_WMO_2015)
    assert refused(young) == "TWO_LENSES"
    young.look(young.team, pb.LAW_JEUGDWET, plan_pb2.LENS_FINDING_DOES_NOT_FIT, "Geen jeugdhulp nodig.")
    young.agree()


def test_a_lens_is_not_waived_without_saying_why(town: Town) -> None:
    desks = Desks(town)
    waived = {"law": pb.LAW_WGS, "finding": plan_pb2.LENS_FINDING_WAIVED, "reason": ""}
    assert desks.at_fault(desks.team, "assess_lens", **waived) == {"reason"}


def test_each_desk_reads_its_own_lens_and_not_the_other_ones(town: Town) -> None:
    desks = Desks(town)
    desks.story.goal()
    desks.look(desks.team, pb.LAW_WMO_2015, reason="Van het wijkteam.")
    desks.look(desks.work, pb.LAW_PARTICIPATIEWET, reason="Van werk.")
    answer = desks.team.plan.get_plan(
        claim=INVESTIGATE,
        plan_id=desks.story.plan_id,
        fields=["lens_assessments.reason"],
        allow_partial=True,
    )
    assert [one.reason for one in answer.plan.lens_assessments] == ["Van het wijkteam."]
