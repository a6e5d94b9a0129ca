"""P1, what a resident notices: whichever desk he comes to, it is the same case and the same plan.

Source: Passend Werk (Ermelo, Harderwijk, Zeewolde); the domain's design section 2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exchange.v1 import common_pb2 as pb
from tests.server.town import ACCESS, INVESTIGATE, WORK
from tests.stories.people import Desks

if TYPE_CHECKING:
    from tests.server.town import Town

AT_WORK = pb.LIFE_DOMAIN_WORK_AND_EDUCATION
AT_HOME = pb.LIFE_DOMAIN_INSTRUMENTAL_ADL


def report(town: Town, resident: bytes, task: str, desk: str) -> pb.Receipt:
    worker = town.worker(task, f"m-{desk}")
    told = worker.case.receive_report(
        claim=WORK if task == "college:PW" else INVESTIGATE,
        resident=resident,
        life_domains=[AT_WORK, AT_HOME],
        own_words="Ik wil weer werken, maar het huishouden lukt niet.",
        desk=desk,
    )
    receipt: pb.Receipt = told.receipt
    return receipt


@pytest.mark.parametrize("desks_in_order", [("college:PW", "college:WMO"), ("college:WMO", "college:PW")])
def test_two_desks_in_either_order_are_one_case(town: Town, desks_in_order: tuple[str, str]) -> None:
    desks = Desks(town)
    for task in desks_in_order:
        report(town, desks.story.pseudonym, task, f"desk-{task[-3:].strip(':').lower()}")
    plan = desks.plan(desks.resident, "reports.desk", "reports.life_domains")
    assert [one.desk for one in plan.reports] == [
        "wijkteam-oost",
        *(f"desk-{task[-3:].strip(':').lower()}" for task in desks_in_order),
    ]
    found = desks.resident.case.find_case(
        claim=ACCESS, resident=desks.story.pseudonym, fields=["case_id", "plan_id"]
    )
    assert (found.case_id, found.plan_id) == (desks.story.case_id, desks.story.plan_id)


def test_which_lenses_are_asked_does_not_hang_on_the_desk(town: Town) -> None:
    told = []
    for task in ("college:PW", "college:WMO"):
        desks = Desks(town)
        report(town, desks.story.pseudonym, task, "loket")
        desks.story.version += 1
        desks.story.goal()
        desks.look(desks.team, pb.LAW_WMO_2015)
        told.append(desks.check(desks.team, "lenses_used"))
    assert told[0] == told[1]
